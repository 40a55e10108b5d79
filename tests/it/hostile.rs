//! Callers that want the gateway to send something else than what was judged. A client writes raw bytes,
//! and every case is judged by the bytes that reached the upstream: none at all, or exactly the one
//! canonical request for each request that was answered by the upstream, on a connection of its own.

mod advisories;
mod canonical;
mod framing;
mod headers;
mod methods;
mod paths;
mod pipelining;
mod preferences;
mod queries;
mod text;

use crate::support::client::{Client, Request};
use crate::support::fake::{Connection, Fake};
use crate::support::gateway::{Gateway, Setup};
use crate::support::http1::Message;
use crate::support::table::place;
use canonical::Sent;
use std::io;

/// An answer after which the upstream's connection is not used again, so that each request has its own.
const LAST: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n";

/// What one connection of a client sends, and what comes of it.
#[derive(Debug, Clone)]
struct Case {
    title: String,
    bytes: Vec<u8>,
    answers: Vec<Expected>,
    end: End,
}

/// What a request must meet.
#[derive(Debug, Clone)]
enum Expected {
    /// A status without a word, as for bytes that are no request.
    Bare(u16),
    /// The gateway's own answer, with its status and code.
    Refused(u16, String),
    /// The request to send the body.
    Continue,
    /// The upstream's answer; this is what the upstream saw.
    Served(Sent),
}

/// How a connection stands after its last answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The gateway closes it.
    Closed,
    /// The next request on it is a request, from its first byte.
    Open,
    /// The gateway waits for the rest of a request, which never comes.
    Waiting,
}

impl Case {
    /// A case from the columns of a table: the answers, parted by `+` or `-` for none, the end, and the
    /// bytes.
    fn new(answers: &str, end: &str, bytes: Vec<u8>) -> Self {
        let shown: String = String::from_utf8_lossy(&bytes).chars().take(400).collect();
        Self {
            title: format!("{answers} {end} {shown:?}"),
            bytes,
            answers: answers
                .split('+')
                .filter(|answer| *answer != "-")
                .map(Expected::parse)
                .collect(),
            end: match end {
                "closed" => End::Closed,
                "open" => End::Open,
                "waiting" => End::Waiting,
                other => panic!("no end: {other}"),
            },
        }
    }

    /// Whether the answer with this number is one to HEAD.
    fn is_to_head(&self, number: usize) -> bool {
        match &self.answers[number] {
            Expected::Served(sent) => sent.method == "HEAD",
            _ => number == 0 && self.bytes.starts_with(b"HEAD "),
        }
    }
}

impl Expected {
    /// `400`, `400:malformed_request`, `continue`, or `PUT:one:{}`: method, place and body.
    fn parse(text: &str) -> Self {
        let (first, rest) = text.split_once(':').unwrap_or((text, ""));
        match first.parse() {
            Ok(status) if rest.is_empty() => Self::Bare(status),
            Ok(status) => Self::Refused(status, rest.to_owned()),
            Err(_) if first == "continue" => Self::Continue,
            Err(_) => {
                let (target, body) = match rest.split_once(':') {
                    Some((target, body)) => (target, Some(body)),
                    None => (rest, None),
                };
                Self::Served(Sent::new(first, &place(target), body))
            }
        }
    }
}

/// Serves one request for each connection, and reads whatever else the gateway may send.
fn once(connection: &mut Connection) -> io::Result<()> {
    if let Some(request) = connection.request()? {
        connection.send(LAST)?;
        if !request.start.starts_with("HEAD ") {
            connection.send("{}")?;
        }
    }
    connection.until_closed()
}

/// A gateway, its upstream, and the bytes that must have reached it.
struct Bench {
    gateway: Gateway,
    upstream: Fake,
    expected: Vec<Vec<u8>>,
}

impl Bench {
    fn new(settings: &str) -> Self {
        let upstream = Fake::doing(once);
        let gateway = Setup::new(upstream.address).with(settings).start();
        Self {
            gateway,
            upstream,
            expected: Vec::new(),
        }
    }

    /// Sends a case's bytes on a connection of its own, and judges all that comes of them.
    fn run(&mut self, case: &Case) {
        let title = &case.title;
        let mut client = self.gateway.connect();
        client.send(&case.bytes);
        for (number, expected) in case.answers.iter().enumerate() {
            let answer = client.try_answer(case.is_to_head(number));
            let answer = answer.unwrap_or_else(|error| panic!("{number}: {error}: {title}"));
            let answer = answer.unwrap_or_else(|| panic!("{number}: no answer: {title}"));
            self.judge(title, expected, &answer);
        }
        self.end(case, client);
        self.compare(title);
    }

    fn judge(&mut self, title: &str, expected: &Expected, answer: &Message) {
        let found = (answer.status(), answer.code());
        let text = String::from_utf8_lossy(&answer.body);
        match expected {
            Expected::Bare(status) => {
                assert_eq!(found, (*status, None), "{title}\n{text}");
                assert_eq!(answer.field("x-correlation-id"), None, "{title}");
                assert_eq!(text, "", "{title}");
            }
            Expected::Refused(status, code) => {
                assert_eq!(found, (*status, Some(code.as_str())), "{title}\n{text}");
            }
            Expected::Continue => {
                assert_eq!(answer.start, "HTTP/1.1 100 Continue", "{title}");
            }
            Expected::Served(sent) => {
                assert_eq!(found, (200, None), "{title}\n{text}");
                let id = answer.field("x-correlation-id").expect(title);
                self.expected.push(sent.bytes(self.upstream.address, id));
            }
        }
    }

    fn end(&mut self, case: &Case, mut client: Client) {
        let title = &case.title;
        match case.end {
            End::Closed => assert!(client.is_closed(), "still open: {title}"),
            End::Open => self.probe(title, &mut client),
            End::Waiting => {
                client.finish();
                let rest = client.rest();
                // Nobody may be there to read a refusal.
                let refused = rest.is_empty() || rest.starts_with(b"HTTP/1.1 400 ");
                assert!(refused, "{}: {title}", String::from_utf8_lossy(&rest));
            }
        }
    }

    /// Sees that the next request on a connection is a request of its own.
    fn probe(&mut self, title: &str, client: &mut Client) {
        let target = place("4242");
        client.send(Request::new("GET", &target).to_bytes());
        let answer = client.try_answer(false);
        let answer = answer.unwrap_or_else(|error| panic!("the next: {error}: {title}"));
        let answer = answer.unwrap_or_else(|| panic!("closed before the next: {title}"));
        let served = Expected::Served(Sent::new("GET", &target, None));
        self.judge(&format!("the next: {title}"), &served, &answer);
    }

    fn compare(&self, title: &str) {
        let shown = |connections: &[Vec<u8>]| -> Vec<String> {
            let connections = connections.iter();
            connections
                .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
                .collect()
        };
        let raw = self.upstream.raw();
        assert!(
            raw == self.expected,
            "{title}\nat the upstream:\n{:#?}\ninstead of\n{:#?}",
            shown(&raw),
            shown(&self.expected)
        );
    }

    /// Sees that nothing has come late: connections are accepted in their order, so that the last one's
    /// record stands behind all others, and each was read to its end.
    fn finish(mut self) {
        let mut client = self.gateway.connect();
        self.probe("at the end", &mut client);
        drop(client);
        self.upstream.wait_for_ended(self.expected.len());
        self.compare("at the end");
    }
}

/// Runs every case against one gateway.
fn check(group: &str, cases: &[Case]) {
    let mut bench = Bench::new("");
    for case in cases {
        bench.run(case);
        let raw = bench.upstream.raw().concat();
        let evil = raw.windows(text::EVIL.len());
        assert!(
            !evil.into_iter().any(|part| part == text::EVIL),
            "{}",
            case.title
        );
    }
    bench.finish();
    tell(group, cases.len());
}

/// Prints a number that can be quoted.
#[expect(clippy::print_stdout, reason = "shown with --nocapture alone")]
fn tell(group: &str, count: usize) {
    println!("{group}: {count} cases");
}

/// The would-be second request of the tables is a good one: where it is no part of another, it is served.
#[test]
fn the_second_request_of_the_tables_would_be_served() {
    let mut bench = Bench::new("");
    bench.run(&Case::new("DELETE:666", "open", text::bytes("EVIL")));
    bench.run(&Case::new(
        "PUT:one:{}+DELETE:666",
        "open",
        text::bytes("UPDATE~Content-Length: 2~~{}EVIL"),
    ));
    assert!(
        bench.upstream.raw()[0]
            .windows(16)
            .any(|part| part == b"/metafields/666 ")
    );
    bench.finish();
}
