//! A store that counts its requests by the test's clock, and a gateway by the same clock.

use crate::support::client::{Client, Request};
use crate::support::fake::Fake;
use crate::support::gateway::{Gateway, Setup};
use crate::support::http1::Message;
use metafield_gateway::observe::{Clock, Hand};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The length of the store's window in milliseconds.
pub const W: u64 = 30_000;

/// A quota of 20 requests.
pub const TWENTY: &str = "quota = { requests = 20, per = \"30s\" }";

/// What the store has, and does.
#[derive(Debug)]
pub struct Counter {
    /// Requests of a window.
    pub quota: u64,
    pub left: u64,
    /// When its window ends, in milliseconds of the clock.
    ends: u64,
    /// Requests that it answered with 429.
    pub refused: u64,
    /// What it answers next in place of counting, the whole answer.
    pub next: Vec<String>,
    /// Whether it tells its quota.
    pub tells: bool,
}

/// A store with a quota.
pub struct Store {
    pub fake: Fake,
    pub counter: Arc<Mutex<Counter>>,
    clock: Clock,
}

/// A clock that stands at an hour, and its hand.
pub fn clock() -> (Clock, Hand) {
    Clock::set(Duration::from_secs(1_800_000_000))
}

pub fn millis(clock: &Clock) -> u64 {
    u64::try_from(clock.now().as_millis()).expect("a time")
}

impl Store {
    pub fn new(quota: u64, clock: &Clock) -> Self {
        let counter = Arc::new(Mutex::new(Counter {
            quota,
            left: quota,
            ends: 0,
            refused: 0,
            next: Vec::new(),
            tells: true,
        }));
        let (shared, time) = (Arc::clone(&counter), clock.clone());
        let fake = Fake::doing(move |connection| {
            while connection.request()?.is_some() {
                let answer = shared.lock().expect("the counter").answer(millis(&time));
                connection.send(answer)?;
            }
            Ok(())
        });
        Self {
            fake,
            counter,
            clock: clock.clone(),
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.fake.address
    }

    /// Others spend this much of its quota.
    pub fn others_spend(&self, requests: u64) {
        let mut counter = self.counter.lock().expect("the counter");
        for _ in 0..requests {
            counter.answer(millis(&self.clock));
        }
    }

    /// A window begins now in which so much is left.
    pub fn has_left(&self, requests: u64) {
        let mut counter = self.counter.lock().expect("the counter");
        counter.ends = millis(&self.clock) + W;
        counter.left = requests;
    }

    /// What it answers next, in this order.
    pub fn answers_next(&self, answers: &[&str]) {
        let mut counter = self.counter.lock().expect("the counter");
        counter.next = answers
            .iter()
            .rev()
            .map(|text| (*text).to_owned())
            .collect();
    }

    pub fn refused(&self) -> u64 {
        self.counter.lock().expect("the counter").refused
    }
}

impl Counter {
    fn answer(&mut self, now: u64) -> String {
        if let Some(answer) = self.next.pop() {
            return answer;
        }
        if now >= self.ends {
            self.ends = now + W;
            self.left = self.quota;
        }
        let status = if self.left == 0 {
            self.refused += 1;
            "429 Too Many Requests"
        } else {
            self.left -= 1;
            "200 OK"
        };
        let mut answer = format!("HTTP/1.1 {status}\r\nContent-Length: 2\r\n");
        if self.tells {
            let fields = told(W, self.ends - now, self.quota, self.left);
            write!(answer, "{fields}").expect("a string");
        }
        answer.push_str("\r\n{}");
        answer
    }
}

/// The four fields.
pub fn told(window: u64, reset: u64, quota: u64, left: u64) -> String {
    format!(
        "X-Rate-Limit-Time-Window-Ms: {window}\r\nX-Rate-Limit-Time-Reset-Ms: {reset}\r\n\
         X-Rate-Limit-Requests-Quota: {quota}\r\nX-Rate-Limit-Requests-Left: {left}\r\n"
    )
}

/// A configuration with a quota for the store and more about its callers.
pub fn text(setup: &Setup, store: &str, callers: &[(&str, &str)]) -> String {
    let mut text = setup.text();
    let first = "hash = \"abc123\"\n";
    assert!(text.contains(first), "the store");
    text = text.replacen(first, &format!("{first}{store}\n"), 1);
    for (name, more) in callers {
        let line = format!("name = \"{name}\"\n");
        assert!(text.contains(&line), "the caller {name}");
        text = text.replacen(&line, &format!("{line}{more}\n"), 1);
    }
    text
}

/// A gateway before a store.
pub fn gateway(
    address: SocketAddr,
    store: &str,
    callers: &[(&str, &str)],
    clock: &Clock,
) -> Gateway {
    let setup = Setup::new(address).with("admin.address = \"127.0.0.1:0\"");
    let text = text(&setup, store, callers);
    setup.start_as(&text, clock)
}

/// An update by a caller.
pub fn update(token: &str) -> Request {
    Request::update("{}").instead("X-Auth-Token", token)
}

/// Sends a request again and again until it is refused; how often it was not.
pub fn spend(client: &mut Client, request: &Request) -> u32 {
    let mut count = 0;
    while client.exchange(request).status() == 200 {
        count += 1;
    }
    count
}

/// The four figures of an answer: window, reset, quota, left.
pub fn figures(answer: &Message) -> [u64; 4] {
    [
        "X-Rate-Limit-Time-Window-Ms",
        "X-Rate-Limit-Time-Reset-Ms",
        "X-Rate-Limit-Requests-Quota",
        "X-Rate-Limit-Requests-Left",
    ]
    .map(|name| number(answer, name))
}

/// A field that stands once and is a whole number.
pub fn number(answer: &Message, name: &str) -> u64 {
    let values = answer.all(name);
    let [value] = values.as_slice() else {
        panic!("{name}: {values:?} in {answer:?}")
    };
    value.parse().unwrap_or_else(|_| panic!("{name}: {value}"))
}

/// The seconds after which a refused caller is asked to come again, which stand in two fields alike.
pub fn retry(answer: &Message) -> u64 {
    let seconds = number(answer, "Retry-After");
    assert_eq!(number(answer, "X-Retry-After"), seconds);
    assert!(seconds >= 1);
    seconds
}
