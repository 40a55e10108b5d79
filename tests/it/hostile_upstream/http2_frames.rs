//! An upstream that speaks HTTP/2 frame by frame, so that it can also say what no library would.

use super::{Case, End, Step, Upstream};
use crate::support::PATIENCE;
use crate::support::fake::{Connection, Fake};
pub use crate::support::frames::{
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PADDED, PING, PRIORITY,
    PUSH_PROMISE, RST_STREAM, SETTINGS, WINDOW_UPDATE,
};
use crate::support::gateway::Setup;
use crate::support::tls::{Authority, LOOPBACK};
use crate::upstream_tls;
use std::io;
use std::sync::{Arc, Condvar, Mutex};

/// The body of every good answer: that of the other upstream.
pub const BODY: &str = "{\"data\":{\"id\":9},\"meta\":{}}   ";

/// A frame as it is on the wire.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a frame").to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// A field that is spelled out (RFC 7541 section 6.2.2).
pub fn field(name: &str, value: &str) -> Vec<u8> {
    let mut field = vec![0];
    for text in [name, value] {
        field.push(u8::try_from(text.len()).expect("less than 127 bytes"));
        field.extend_from_slice(text.as_bytes());
    }
    field
}

/// A head of status 200 with more fields.
pub fn head(flags: u8, fields: &[u8]) -> Vec<u8> {
    frame(HEADERS, flags | END_HEADERS, 1, &[&[0x88], fields].concat())
}

/// A whole good answer on a stream.
pub fn answer(stream: u32) -> Vec<u8> {
    let mut answer = frame(HEADERS, END_HEADERS, stream, &[0x88]);
    answer.extend(frame(DATA, END_STREAM, stream, BODY.as_bytes()));
    answer
}

/// A number as frames hold it.
pub fn number(number: u32) -> [u8; 4] {
    number.to_be_bytes()
}

/// The upstream leaves, having acted on no stream after `last`.
pub fn goaway(last: u32, code: u32) -> Vec<u8> {
    frame(GOAWAY, 0, 0, &[number(last), number(code)].concat())
}

/// A stream is given up.
pub fn reset(stream: u32, code: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, &number(code))
}

/// More room for a stream, or on 0 for the connection.
pub fn window(stream: u32, more: u32) -> Vec<u8> {
    frame(WINDOW_UPDATE, 0, stream, &number(more))
}

/// One setting.
pub fn setting(id: u8, value: u32) -> Vec<u8> {
    frame(SETTINGS, 0, 0, &[&[0, id][..], &number(value)].concat())
}

/// A piece of a body.
pub fn data(flags: u8, stream: u32, bytes: &str) -> Vec<u8> {
    frame(DATA, flags, stream, bytes.as_bytes())
}

/// A whole good answer behind these bytes.
pub fn then_answer(bytes: Vec<u8>) -> Vec<u8> {
    [bytes, answer(1)].concat()
}

/// What a frame says of itself.
struct Seen {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

fn read(connection: &mut Connection) -> io::Result<Seen> {
    let head = connection.bytes(9)?;
    let number = |bytes: &[u8]| {
        let add = |number: u32, byte: &u8| number << 8 | u32::from(*byte);
        bytes.iter().fold(0, add)
    };
    let length = usize::try_from(number(&head[..3])).map_err(io::Error::other)?;
    Ok(Seen {
        kind: head[3],
        flags: head[4],
        stream: number(&head[5..]),
        payload: connection.bytes(length)?,
    })
}

/// An upstream over HTTP/2 on a free port.
pub struct Framed {
    /// It ends when this is dropped.
    _fake: Fake,
    log: Arc<Log>,
}

#[derive(Default)]
struct Log {
    /// The requests of each connection.
    counts: Mutex<Vec<usize>>,
    changed: Condvar,
}

impl Log {
    fn add(&self, connection: usize) {
        let mut counts = self.counts.lock().expect("the record");
        if counts.len() <= connection {
            counts.resize(connection + 1, 0);
        }
        counts[connection] += 1;
        self.changed.notify_all();
    }
}

impl Upstream for Framed {
    fn counts(&self) -> Vec<usize> {
        self.log.counts.lock().expect("the record").clone()
    }

    fn wait_for(&self, count: usize) {
        let counts = self.log.counts.lock().expect("the record");
        let few = |counts: &mut Vec<usize>| counts.iter().sum::<usize>() < count;
        let waited = self
            .log
            .changed
            .wait_timeout_while(counts, PATIENCE, few)
            .expect("the record");
        assert!(!waited.1.timed_out(), "{count} requests were expected");
    }
}

impl Case {
    /// An answer of HTTP/2 that is the end of its connection.
    pub(super) fn fatal(name: &str, bytes: Vec<u8>) -> Self {
        Self::no_head(name, bytes)
    }

    /// An answer of HTTP/2 that is the end of its stream alone.
    pub(super) fn failed(name: &str, bytes: Vec<u8>) -> Self {
        Self::no_head(name, bytes).next(super::Next::Same)
    }

    /// An answer of HTTP/2 that is passed on.
    pub(super) fn fine(name: &str, bytes: Vec<u8>) -> Self {
        Self::passed(name, bytes, 200, BODY)
    }

    /// The case before an upstream that speaks HTTP/2.
    pub(super) fn run_framed(&self) {
        let (upstream, setup) = self.framed();
        self.meet(&upstream, setup);
    }

    /// Such an upstream, and a gateway to be before it.
    pub(super) fn framed(&self) -> (Framed, Setup) {
        let authority = Authority::new();
        let tls = authority.issue(&LOOPBACK).server(&["h2"]);
        let log = Arc::new(Log::default());
        let (case, record) = (self.clone(), Arc::clone(&log));
        let fake = Fake::over_tls(tls, move |connection| case.speak(connection, &record));
        let setup = upstream_tls::setup("127.0.0.1", fake.address, &authority);
        (Framed { _fake: fake, log }, setup)
    }

    fn speak(&self, connection: &mut Connection, log: &Log) -> io::Result<()> {
        connection.bytes(24)?;
        let number = connection.number;
        let is_own_greeting = !matches!(self.steps.first(), Some(Step::Read));
        if number > 0 || !is_own_greeting {
            connection.send(frame(SETTINGS, 0, 0, &[]))?;
        }
        if number == 0 {
            for step in &self.steps {
                match step {
                    Step::Read => {
                        until_request(connection)?;
                        log.add(number);
                    }
                    step => step.take(connection)?,
                }
            }
            match self.end {
                // The stream is held, and the others are served.
                End::Serve | End::Hold => {}
                End::Close => return Ok(()),
                End::Reset => return connection.reset(),
            }
        }
        loop {
            let stream = until_request(connection)?;
            log.add(number);
            connection.send(answer(stream))?;
        }
    }
}

/// Reads frames until a request is whole; gives its stream.
fn until_request(connection: &mut Connection) -> io::Result<u32> {
    loop {
        let seen = read(connection)?;
        match seen.kind {
            DATA | HEADERS if seen.flags & END_STREAM != 0 => return Ok(seen.stream),
            PING if seen.flags & ACK == 0 => {
                connection.send(frame(PING, ACK, 0, &seen.payload))?;
            }
            SETTINGS if seen.flags & ACK == 0 => connection.send(frame(SETTINGS, ACK, 0, &[]))?,
            _ => {}
        }
    }
}

/// Runs the cases of a table.
pub fn run(group: &str, cases: &[Case]) {
    for some in cases.chunks(16) {
        std::thread::scope(|scope| {
            for case in some {
                scope.spawn(move || case.run_framed());
            }
        });
    }
    super::tell(group, cases.len());
}
