//! The load: clients that ask without a pause over connections that they keep, and note what became of
//! each request of theirs.

use super::now;
use crate::support::PATIENCE;
use crate::support::client::{CUSTOMER, Client, ONE, Request};
use crate::support::http1::Message;
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex};

/// How many answers there are between two looks of whoever waits.
const LOOK_EVERY: usize = 64;

/// A request's id: a UUID that no other request of the run has.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Id(u128);

impl Id {
    /// Reads an id as it is written, and nothing else.
    pub fn parse(text: &str) -> Option<Self> {
        let id = Self(u128::from_str_radix(&text.replace('-', ""), 16).ok()?);
        (id.to_string() == text).then_some(id)
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = format!("{:032x}", self.0);
        let (one, rest) = hex.split_at(8);
        let (two, rest) = rest.split_at(4);
        let (three, rest) = rest.split_at(4);
        let (four, five) = rest.split_at(4);
        write!(f, "{one}-{two}-{three}-{four}-{five}")
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a client asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Update,
    Get,
    Create,
}

impl Kind {
    /// Mostly updates, some of the others.
    fn of(number: u64) -> Self {
        match number % 8 {
            3 | 6 => Self::Get,
            7 => Self::Create,
            _ => Self::Update,
        }
    }

    pub fn may_be_sent_again(self) -> bool {
        self != Self::Create
    }

    /// The value that a request has in its body, and the upstream in its answer.
    fn value(self, id: Id) -> String {
        match self {
            Self::Get => String::new(),
            Self::Update | Self::Create => format!("value of {id}"),
        }
    }

    fn request(self, id: Id) -> Request {
        let value = self.value(id);
        let request = match self {
            Self::Get => Request::new("GET", ONE),
            Self::Update => Request::update(format!(
                r#"{{"permission_set":"app_only","value":"{value}"}}"#
            )),
            Self::Create => Request::new("POST", CUSTOMER).json(format!(
                r#"{{"namespace":"n","key":"k","permission_set":"read","value":"{value}"}}"#
            )),
        };
        request.with("X-Correlation-Id", &id.to_string())
    }
}

/// What became of a request, as its client sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// One answer, with the request's own id; from the upstream also with its own content.
    Answered { status: u16, code: Option<String> },
    /// An answer that bears this id, or its content, instead of the request's.
    Anothers(String),
    /// The connection ended without an answer.
    Unanswered(String),
}

/// One request.
#[derive(Debug, Clone)]
pub struct Asked {
    pub id: Id,
    pub kind: Kind,
    pub fate: Fate,
    pub after: After,
}

/// What came after an answer on its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// Nothing: the connection goes on.
    Nothing,
    /// Its end, because the gateway drains.
    End,
    /// Its end, though the gateway does not drain.
    EarlyEnd,
    /// Something that nobody had asked for.
    More,
}

/// What the clients have seen so far, for whoever waits for it.
#[derive(Debug, Default)]
pub struct Board {
    answers: Mutex<BTreeMap<u16, usize>>,
    changed: Condvar,
    abandoned: AtomicBool,
    draining: AtomicBool,
    requests: AtomicU64,
}

/// Ends the load when dropped.
#[derive(Debug)]
pub struct Abandon<'a>(&'a Board);

impl Drop for Abandon<'_> {
    fn drop(&mut self) {
        self.0.abandoned.store(true, Ordering::Relaxed);
    }
}

impl Board {
    pub fn abandoned_when_dropped(&self) -> Abandon<'_> {
        Abandon(self)
    }

    /// From now on the gateway may end connections.
    pub fn drains(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    fn after_the_last(&self, client: &mut Client) -> After {
        if !self.draining.load(Ordering::Relaxed) {
            After::EarlyEnd
        } else if client.is_closed() {
            After::End
        } else {
            After::More
        }
    }

    /// Waits until this many more answers with a status have come; looks at something meanwhile.
    pub fn wait_for(&self, status: u16, more: usize, mut look: impl FnMut()) {
        let of = |answers: &BTreeMap<u16, usize>| answers.get(&status).copied().unwrap_or(0);
        let all = |answers: &BTreeMap<u16, usize>| answers.values().sum::<usize>();
        let begun = now();
        let mut answers = self.answers.lock().expect("the board");
        let goal = of(&answers) + more;
        while of(&answers) < goal {
            let pause = all(&answers) + LOOK_EVERY;
            answers = self
                .changed
                .wait_timeout_while(answers, PATIENCE, |answers| {
                    of(answers) < goal && all(answers) < pause
                })
                .expect("the board")
                .0;
            // The clients need the board also when this fails.
            let seen = answers.clone();
            drop(answers);
            assert!(
                begun.elapsed() < PATIENCE,
                "{more} answers with {status} were expected: {seen:?}"
            );
            look();
            answers = self.answers.lock().expect("the board");
        }
    }

    fn has_come(&self, fate: &Fate) {
        if let Fate::Answered { status, .. } = fate {
            let mut answers = self.answers.lock().expect("the board");
            *answers.entry(*status).or_default() += 1;
            self.changed.notify_all();
        }
    }

    /// What is asked next.
    fn next(&self) -> (Id, Kind) {
        // Version 4 and its variant, as every client's are.
        const FORM: u128 = 0x5eed_0000_0000_4000_8000_0000_0000_0000;
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        (Id(FORM + u128::from(number)), Kind::of(number))
    }
}

/// A request that waits for its answer.
#[derive(Debug)]
pub struct Waiting {
    client: Client,
    id: Id,
    kind: Kind,
}

/// Opens a connection and asks; the answer may be long in coming.
pub fn ask(board: &Board, address: SocketAddr) -> Waiting {
    let (id, kind) = board.next();
    let mut client = Client::connect(address);
    client.send(kind.request(id).to_bytes());
    Waiting { client, id, kind }
}

impl Waiting {
    /// Waits for the answer.
    pub fn answer(mut self) -> Asked {
        let (fate, _) = fate(self.client.try_answer(false), self.id, self.kind);
        Asked {
            id: self.id,
            kind: self.kind,
            fate,
            after: After::Nothing,
        }
    }
}

/// Asks without a pause until an answer says that the gateway drains.
pub fn until_told_to_leave(board: &Board, address: SocketAddr) -> Vec<Asked> {
    let mut asked: Vec<Asked> = Vec::new();
    while !board.abandoned.load(Ordering::Relaxed) {
        let mut client = Client::connect(address);
        if converse(board, &mut client, &mut asked)
            && let Some(last) = asked.last_mut()
        {
            last.after = board.after_the_last(&mut client);
            if last.after != After::EarlyEnd {
                break;
            }
        }
    }
    asked
}

/// Asks over one connection; whether an answer said that it was its last.
fn converse(board: &Board, client: &mut Client, asked: &mut Vec<Asked>) -> bool {
    while !board.abandoned.load(Ordering::Relaxed) {
        let (id, kind) = board.next();
        let answer = client
            .try_send(kind.request(id).to_bytes())
            .and_then(|()| client.try_answer(false));
        let (fate, is_last) = fate(answer, id, kind);
        board.has_come(&fate);
        let goes_on = matches!(fate, Fate::Answered { .. });
        asked.push(Asked {
            id,
            kind,
            fate,
            after: After::Nothing,
        });
        if is_last || !goes_on {
            return is_last;
        }
    }
    false
}

/// What an answer means for its request, and whether its connection ends with it.
fn fate(answer: std::io::Result<Option<Message>>, id: Id, kind: Kind) -> (Fate, bool) {
    let answer = match answer {
        Ok(Some(answer)) => answer,
        Ok(None) => return (Fate::Unanswered("closed".to_owned()), false),
        Err(error) => return (Fate::Unanswered(error.to_string()), false),
    };
    let is_last = answer.field("connection") == Some("close");
    let seen = answer.field("x-correlation-id").unwrap_or("none");
    if seen != id.to_string() {
        return (Fate::Anothers(seen.to_owned()), is_last);
    }
    let code = answer.code().map(str::to_owned);
    let value = kind.value(id);
    let expected = format!(r#"{{"data":{{"id":9,"seen":"{id}","value":"{value}"}}}}"#);
    if code.is_none() && answer.body != expected.as_bytes() {
        let body = String::from_utf8_lossy(&answer.body).into_owned();
        return (Fate::Anothers(body), is_last);
    }
    let status = answer.status();
    (Fate::Answered { status, code }, is_last)
}
