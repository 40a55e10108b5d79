//! HTTP/2 as no honest client speaks it. Each case is written frame by frame and has one exact outcome:
//! what the client is told, which requests the upstream sees, byte for byte, and which audit lines
//! there are. After each the gateway serves on.

/// A table with a case on each line, however long.
macro_rules! table {
    ($($case:expr;)*) => {
        &[$($case),*]
    };
}

mod bombs;
mod fields;
mod floods;
mod frames;
mod held;
mod memory;
mod preface;
mod pseudo;
mod resets;
mod windows;

use crate::support::client::ONE;
use crate::support::fake::Fake;
use crate::support::frames::{DATA, END_STREAM, Wire, block, frame, headers};
use crate::support::gateway::{CREDENTIAL, Gateway, Setup, WRITER};
use crate::support::http1::Message;
use serde_json::Value;
use std::net::SocketAddr;

/// Frames, and what must come of them.
struct Case {
    title: String,
    /// What the client is told, as [`Wire::events`] says it; in brackets at the end the code of an audit
    /// line that nobody was told of.
    expected: String,
    bytes: Vec<u8>,
    /// What is sent when stream 1 has ended, where `expected` begins with that; else together with the
    /// rest.
    behind: Vec<u8>,
    /// The stream whose end is waited for.
    watched: u32,
    /// The method of the requests that reach the upstream, each on the path of one metafield.
    method: &'static str,
}

/// What came of a case.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    told: String,
    /// No connection to the upstream was opened until then.
    untouched: bool,
    sent: Vec<String>,
    audited: Vec<String>,
}

/// Runs each case against a gateway of its own, and tells of all that went otherwise.
#[expect(clippy::print_stdout, reason = "a group tells how many cases it has")]
fn check(group: &str, cases: &[Case]) {
    let wrong: Vec<_> = cases
        .iter()
        .filter_map(|case| {
            let (expected, found) = (case.expected_outcome(), case.run());
            (expected != found).then(|| {
                format!(
                    "{}\n  expected {expected:?}\n  found    {found:?}",
                    case.title
                )
            })
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    println!("{group}: {} cases", cases.len());
}

impl Case {
    /// What [`Case::run`] is to find. The two requests that follow are GETs, the first of them only if the
    /// connection is still there.
    fn expected_outcome(&self) -> Outcome {
        let (told, unseen) = match self.expected.split_once(" (") {
            Some((told, code)) => (told, Some(code.trim_end_matches(')'))),
            None => (&*self.expected, None),
        };
        let follow = if has_ended(told) { 1 } else { 2 };
        let (mut sent, mut audited) = (Vec::new(), Vec::new());
        for event in told.split(", ") {
            let event = event.split_once(": ").map_or(event, |(_, event)| event);
            match event.split_once(' ') {
                None if event == "200" => {
                    sent.push(canonical(self.method));
                    audited.push("-".to_owned());
                }
                Some((status, code)) if status.parse::<u16>().is_ok() => {
                    audited.push(code.to_owned());
                }
                _ => {}
            }
        }
        audited.extend(unseen.map(str::to_owned));
        sent.extend(std::iter::repeat_n(canonical("GET"), follow));
        audited.extend(std::iter::repeat_n("-".to_owned(), follow));
        audited.sort();
        Outcome {
            told: told.to_owned(),
            untouched: !told.contains("200"),
            sent,
            audited,
        }
    }

    /// Sends an ordinary request behind the case's own, and tells what else there was to hear.
    fn follow(&self, wire: &mut Wire) -> Vec<String> {
        let next = self.watched + 2;
        wire.try_send(get(next)).ok();
        let mut events = wire.events(next);
        if events.last().is_some_and(|event| event == "200") {
            events.pop();
        }
        let own = format!("{}: ", self.watched);
        let named = events.iter().map(|event| event.replace(&own, ""));
        named.collect()
    }

    fn run(&self) -> Outcome {
        let upstream = Fake::good();
        let gateway = Gateway::before(upstream.address);
        let mut wire = Wire::connect(gateway.address());
        let mut events = Vec::new();
        // The gateway may have closed before it was sent all.
        if self.expected.starts_with("1: ") {
            wire.try_send(&self.bytes).ok();
            events = wire.events(1);
            events[0].insert_str(0, "1: ");
            wire.try_send(&self.behind).ok();
        } else {
            wire.try_send([&*self.bytes, &self.behind].concat()).ok();
        }
        events.extend(wire.events(self.watched));
        let untouched = upstream.connections().is_empty();
        if !has_ended(&events.join(", ")) {
            events.extend(self.follow(&mut wire));
        }
        drop(wire);
        still_serves(gateway.address());
        let mut audited = codes(&gateway.stop());
        audited.sort();
        let told = events.join(", ");
        Outcome {
            // A connection that has been told to go away is closed.
            told: told
                .strip_suffix(", closed")
                .filter(|told| told.contains("goaway"))
                .unwrap_or(&told)
                .to_owned(),
            untouched,
            sent: upstream
                .requests()
                .iter()
                .map(|request| plain(request, upstream.address))
                .collect(),
            audited,
        }
    }
}

fn has_ended(told: &str) -> bool {
    ["goaway", "closed", "broken"]
        .iter()
        .any(|end| told.contains(end))
}

/// The codes of audit lines, `-` where the answer was the upstream's.
fn codes(lines: &[Value]) -> Vec<String> {
    let code = |line: &Value| line["code"].as_str().unwrap_or("-").to_owned();
    lines.iter().map(code).collect()
}

/// A request as the upstream saw it, in one line: its fields sorted, what differs each time left out.
fn plain(request: &Message, upstream: SocketAddr) -> String {
    let mut fields: Vec<_> = request
        .fields
        .iter()
        .map(|(name, value)| match name.to_ascii_lowercase().as_str() {
            name @ "x-correlation-id" if value.len() == 36 => format!("{name}: *"),
            name if *value == upstream.to_string() => format!("{name}: upstream"),
            name => format!("{name}: {value}"),
        })
        .collect();
    fields.sort();
    let body = String::from_utf8_lossy(&request.body);
    format!("{} | {} | {body}", request.start, fields.join(" | "))
}

/// What [`plain`] gives of the one request that the gateway makes of these cases.
fn canonical(method: &str) -> String {
    let (body, declared) = if method == "PUT" {
        (
            "{}",
            "content-length: 2 | content-type: application/json | ",
        )
    } else {
        ("", "")
    };
    format!(
        "{method} {ONE} HTTP/1.1 | {declared}host: upstream | user-agent: metafield-gateway | \
         via: 1.1 metafield-gateway | x-auth-token: {CREDENTIAL} | x-correlation-id: * | {body}"
    )
}

/// The fields of an ordinary request.
fn ordinary(method: &str) -> [(&str, &str); 5] {
    [
        (":method", method),
        (":scheme", "http"),
        (":authority", "gateway.test"),
        (":path", ONE),
        ("x-auth-token", WRITER),
    ]
}

/// A whole ordinary request.
fn get(stream: u32) -> Vec<u8> {
    headers(stream, END_STREAM, &block(&ordinary("GET")))
}

/// The head of an update, whose body is to follow.
fn open(stream: u32) -> Vec<u8> {
    let json = block(&[("content-type", "application/json")]);
    headers(stream, 0, &[block(&ordinary("PUT")), json].concat())
}

/// A piece of a body.
fn data(stream: u32, flags: u8, bytes: impl AsRef<[u8]>) -> Vec<u8> {
    frame(DATA, flags, stream, bytes)
}

/// Another client is served on a connection of its own.
fn still_serves(address: SocketAddr) {
    let mut wire = Wire::connect(address);
    wire.send(get(1));
    assert_eq!(wire.events(1), ["200"], "another client");
}

/// A gateway with an admin listener, in front of an upstream that works.
fn measured(upstream: &Fake, settings: &str) -> Gateway {
    Setup::new(upstream.address)
        .with(crate::limits::ADMIN)
        .with(settings)
        .start()
}
