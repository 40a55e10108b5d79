//! A misbehaving upstream harms neither the callers, nor the gateway, nor the record. The tables below
//! this module name each misbehaviour, a case a line; for each of them stand here the same questions:
//! what its caller is told, what the record says, whether the connection serves again, and whether
//! others are served as if nothing had been.

mod bodies;
mod connection;
mod echoes;
mod heads;
mod http2;
mod http2_frames;
mod http2_streams;
mod hygiene;
mod lengths;
mod names;
mod statuses;
mod trust;

use crate::support::client::{CUSTOMER, Client, Request};
use crate::support::fake::{Connection, Fake, OK};
use crate::support::gateway::{Gateway, READER, Setup};
use crate::support::http1::Message;
use serde_json::{Value, json};
use std::io;

/// The id of the request that meets the misbehaviour.
const ID: &str = "6f1c24a8-53c4-4f3b-9d0f-0a4d7f0f1b11";

/// A step of what an upstream does on its first connection.
#[derive(Debug, Clone)]
enum Step {
    /// Reads the request.
    Read,
    /// Reads one byte of the request.
    ReadOne,
    Send(Vec<u8>),
    /// Sends byte by byte.
    Drip(Vec<u8>),
    /// Sends this again and again until the gateway leaves.
    Flood(Vec<u8>),
    /// Closes the sending half.
    Finish,
}

/// What becomes of the first connection after its steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// It serves whatever else comes, as it should.
    Serve,
    Close,
    Reset,
    /// It says no more until the gateway closes.
    Hold,
}

/// What the caller is told.
#[derive(Debug, Clone)]
enum Told {
    /// An answer of the gateway's own.
    Refusal(u16, &'static str),
    /// The upstream's status and body.
    Passed(u16, Vec<u8>),
    /// An answer of status 200 that breaks off; the record gives this code.
    Cut(&'static str),
}

/// Which connection carries the next request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Same,
    New,
    /// A new one, which carried the first request too when that was sent again.
    Again,
}

/// A misbehaviour and what must come of it.
#[derive(Debug, Clone)]
struct Case {
    name: String,
    request: Request,
    steps: Vec<Step>,
    end: End,
    told: Told,
    /// What the record says of `sent` and `upstream_status`.
    fate: (&'static str, Option<u16>),
    next: Next,
    settings: &'static str,
}

const BROKEN: Told = Told::Refusal(502, "upstream_protocol_error");
const LATE: Told = Told::Refusal(504, "upstream_timeout");

/// A deadline that is met soon, and yet leaves room for the others on a busy machine.
const SOON: &str = "upstream.deadline = \"1200ms\"\nupstream.body_timeout = \"300ms\"";

impl Case {
    /// An update whose answer is these bytes, after which the connection would serve on.
    fn new(name: &str, answer: impl Into<Vec<u8>>, told: Told) -> Self {
        let status = match &told {
            Told::Passed(status, _) => Some(*status),
            Told::Cut(_) => Some(200),
            Told::Refusal(..) => None,
        };
        Self {
            name: name.to_owned(),
            request: Request::update("{}"),
            steps: vec![Step::Read, Step::Send(answer.into())],
            end: End::Serve,
            told,
            fate: (status.map_or("unknown", |_| "yes"), status),
            next: Next::New,
            settings: "",
        }
    }

    /// An answer without a head that can be understood.
    fn no_head(name: &str, answer: impl Into<Vec<u8>>) -> Self {
        Self::new(name, answer, BROKEN)
    }

    /// An answer whose head was understood and whose rest was not.
    fn no_rest(name: &str, answer: impl Into<Vec<u8>>) -> Self {
        Self::new(name, answer, BROKEN).with_status(200)
    }

    /// An answer that is passed on, after which the connection serves the next request.
    fn passed(name: &str, answer: impl Into<Vec<u8>>, status: u16, body: &str) -> Self {
        let told = Told::Passed(status, body.as_bytes().to_vec());
        Self {
            next: Next::Same,
            ..Self::new(name, answer, told)
        }
    }

    fn with_status(mut self, status: u16) -> Self {
        self.fate = ("yes", Some(status));
        self
    }

    fn to(self, request: Request) -> Self {
        Self { request, ..self }
    }

    fn steps(self, steps: impl Into<Vec<Step>>) -> Self {
        Self {
            steps: steps.into(),
            ..self
        }
    }

    fn then(self, end: End) -> Self {
        Self { end, ..self }
    }

    fn next(self, next: Next) -> Self {
        Self { next, ..self }
    }

    /// With a deadline that the case is about.
    fn soon(self) -> Self {
        Self {
            settings: SOON,
            ..self
        }
    }

    /// The requests that the first connection reads whole while it misbehaves.
    fn reads(&self) -> usize {
        let read = |step: &&Step| matches!(step, Step::Read);
        self.steps.iter().filter(read).count()
    }

    fn upstream(&self) -> Fake {
        let (steps, end) = (self.steps.clone(), self.end);
        Fake::doing(move |connection| {
            if connection.number == 0 {
                for step in &steps {
                    step.take(connection)?;
                }
                match end {
                    End::Serve => {}
                    End::Close => return Ok(()),
                    End::Reset => return connection.reset(),
                    End::Hold => return connection.until_closed(),
                }
            }
            while connection.request()?.is_some() {
                connection.send(OK)?;
            }
            Ok(())
        })
    }

    /// Whether the gateway has the misbehaviour before it until the deadline.
    fn lasts(&self) -> bool {
        self.end == End::Hold || self.steps.iter().any(|step| matches!(step, Step::Flood(_)))
    }

    /// Makes the request, then those of others; gives the answer to the first if it came whole.
    fn run(&self) -> Option<Message> {
        let upstream = self.upstream();
        let setup = Setup::new(upstream.address);
        self.meet(&upstream, setup)
    }

    /// The same before another kind of upstream.
    fn meet(&self, upstream: &impl Upstream, setup: Setup) -> Option<Message> {
        let gateway = setup.with(self.settings).start();
        let mut victim = gateway.connect();
        let request = self.request.clone().with("X-Correlation-Id", ID);
        victim.send(request.to_bytes());
        let mut others = 1;
        if self.lasts() && self.reads() > 0 {
            upstream.wait_for(1);
            self.assert_served(&mut gateway.connect());
            others += 1;
        }
        let answer = self.judge(&mut victim);
        self.assert_served(&mut gateway.connect());
        if answer.is_some() {
            self.assert_served(&mut victim);
            others += 1;
        }
        drop(victim);
        self.assert_connections(&upstream.counts(), others);
        self.assert_record(gateway, others);
        answer
    }

    /// The answer to the victim is what the case says; nothing if it breaks off.
    fn judge(&self, victim: &mut Client) -> Option<Message> {
        let name = &self.name;
        if let Told::Cut(_) = self.told {
            assert_cut(victim, name);
            return None;
        }
        let is_head = self.request.method == "HEAD";
        let answer = victim.try_answer(is_head);
        let answer = answer.unwrap_or_else(|error| panic!("{name}: {error}"));
        let answer = answer.unwrap_or_else(|| panic!("{name}: no answer"));
        let found = (answer.status(), answer.code());
        match &self.told {
            Told::Refusal(status, code) => {
                assert_eq!(found, (*status, Some(*code)), "{name}");
                assert_own(&answer, is_head, name);
            }
            Told::Passed(status, body) => {
                assert_eq!(found, (*status, None), "{name}");
                assert!(answer.body == *body, "{name}: {answer:?}");
                // A client might wait for it, and take the next answer for it.
                let length = answer.field("content-length").filter(|_| *status == 204);
                assert_eq!(length, None, "{name}");
            }
            Told::Cut(_) => {}
        }
        assert_eq!(answer.field("x-correlation-id"), Some(ID), "{name}");
        Some(answer)
    }

    /// Another caller gets an answer of its own.
    fn assert_served(&self, client: &mut Client) {
        let request = Request::new("GET", CUSTOMER).instead("X-Auth-Token", READER);
        let answer = client.exchange(&request);
        let found = (answer.status(), answer.code());
        assert_eq!(found, (200, None), "the next one after {}", self.name);
        let body = OK.split_once("\r\n\r\n").map(|(_, body)| body);
        assert_eq!(
            Some(answer.text()),
            body,
            "the next one after {}",
            self.name
        );
    }

    fn assert_connections(&self, counts: &[usize], others: usize) {
        let expected = match self.next {
            Next::Same => vec![self.reads() + others],
            Next::New => vec![self.reads(), others],
            Next::Again => vec![self.reads(), 1 + others],
        };
        assert_eq!(counts, expected, "requests by connection: {}", self.name);
    }

    fn assert_record(&self, gateway: Gateway, others: usize) {
        let name = &self.name;
        let lines = gateway.stop();
        assert_eq!(lines.len(), 1 + others, "{name}");
        let (own, rest): (Vec<&Value>, Vec<&Value>) =
            lines.iter().partition(|line| line["correlation_id"] == ID);
        let code = match self.told {
            Told::Refusal(_, code) | Told::Cut(code) => Some(code),
            Told::Passed(..) => None,
        };
        let (sent, status) = self.fate;
        let expected = json!(["allowed", code, sent, status]);
        let found: Vec<Value> = own.into_iter().map(fate).collect();
        assert_eq!(found, [expected], "{name}");
        for line in rest {
            let expected = json!(["allowed", null, "yes", 200]);
            assert_eq!(fate(line), expected, "the next one after {name}");
        }
    }
}

/// An upstream that misbehaves on its first connection.
trait Upstream {
    /// How many requests each connection has carried.
    fn counts(&self) -> Vec<usize>;

    /// Waits until so many requests have been read whole.
    fn wait_for(&self, count: usize);
}

impl Upstream for Fake {
    fn counts(&self) -> Vec<usize> {
        self.connections().iter().map(Vec::len).collect()
    }

    fn wait_for(&self, count: usize) {
        Self::wait_for(self, count);
    }
}

impl Step {
    fn take(&self, connection: &mut Connection) -> io::Result<()> {
        match self {
            Self::Read => connection.request().map(drop),
            Self::ReadOne => connection.one_byte(),
            Self::Send(bytes) => connection.send(bytes),
            Self::Drip(bytes) => bytes.iter().try_for_each(|byte| connection.send([*byte])),
            Self::Flood(bytes) => loop {
                connection.send(bytes)?;
            },
            Self::Finish => connection.finish(),
        }
    }
}

/// What an audit line says of a request's fate.
fn fate(line: &Value) -> Value {
    json!([
        line["decision"],
        line["code"],
        line["sent"],
        line["upstream_status"]
    ])
}

/// The answer begins well, if its head was sent before it broke off, and does not look whole.
fn assert_cut(client: &mut Client, name: &str) {
    let Ok(head) = client.try_answer(true) else {
        return;
    };
    let head = head.unwrap_or_else(|| panic!("{name}: an orderly end"));
    assert_eq!((head.status(), head.code()), (200, None), "{name}");
    assert_eq!(head.field("x-correlation-id"), Some(ID), "{name}");
    let rest = client.rest();
    match head.field("content-length") {
        Some(length) => {
            let length: usize = length.parse().expect("a length");
            assert!(rest.len() < length, "{name}");
        }
        None => assert!(!rest.ends_with(b"0\r\n\r\n"), "{name}"),
    }
}

/// An answer of the gateway's own has nothing of the upstream's.
fn assert_own(answer: &Message, is_head: bool, name: &str) {
    if !is_head {
        let document = answer.json();
        let found = json!([document["code"], document["status"]]);
        assert_eq!(found, json!([answer.code(), answer.status()]), "{name}");
    }
    let mut fields: Vec<&str> = answer.fields.iter().map(|(name, _)| &**name).collect();
    fields.sort_unstable();
    let expected = [
        "cache-control",
        "content-length",
        "content-type",
        "date",
        "x-correlation-id",
        "x-gateway-code",
    ];
    assert_eq!(fields, expected, "{name}");
}

/// Runs the cases of a table, some of them at once, since some wait for a deadline.
fn run(group: &str, cases: &[Case]) {
    for some in cases.chunks(16) {
        std::thread::scope(|scope| {
            for case in some {
                scope.spawn(move || case.run());
            }
        });
    }
    tell(group, cases.len());
}

#[expect(clippy::print_stdout, reason = "shown with --nocapture alone")]
fn tell(group: &str, count: usize) {
    println!("{group}: {count} cases");
}
