//! An upstream that sends the credential back: whole or in part, wherever it stands, it reaches no
//! client and no record, and the operator is told.

use super::{Told, fate};
use crate::support::client::{Client, Request};
use crate::support::fake::Fake;
use crate::support::gateway::{CREDENTIAL, Setup};
use crate::support::http1::{Kind, json, read};
use crate::support::process::Process;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::net::SocketAddr;

const MIB: usize = 1024 * 1024;
const ECHOED: Told = Told::Refusal(502, "credential_echoed");
const CUT: Told = Told::Cut("credential_echoed");
const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

/// Where the credential stands, the answer, and what comes of it.
struct Echo {
    name: String,
    method: &'static str,
    bytes: Vec<u8>,
    told: Told,
    /// The upstream's status.
    status: u16,
}

impl Echo {
    fn new(name: impl Into<String>, bytes: impl Into<Vec<u8>>, told: Told) -> Self {
        let bytes = bytes.into();
        let status = bytes
            .get(9..12)
            .map(|status| String::from_utf8_lossy(status).parse());
        Self {
            name: name.into(),
            method: "PUT",
            status: status.expect("a status").expect("a number"),
            bytes,
            told,
        }
    }

    /// One that the caller does not see.
    fn unseen(name: &str, bytes: impl Into<Vec<u8>>, body: &str) -> Self {
        let passed = |status| Told::Passed(status, body.as_bytes().to_vec());
        let mut echo = Self::new(name, bytes, passed(200));
        echo.told = passed(echo.status);
        echo
    }

    fn request(&self, id: &str) -> Request {
        // The customer tells the upstream what to answer.
        let target = format!("/stores/abc123/v3/customers/{}/metafields/9", id_number(id));
        let request = Request::new(self.method, &target);
        let request = if self.method == "PUT" {
            request.json("{}")
        } else {
            request
        };
        request
            .with("X-Correlation-Id", id)
            .with("Connection", "close")
    }

    /// Makes the request; gives all that came back.
    fn meet(&self, gateway: SocketAddr, id: &str) -> Vec<u8> {
        let mut client = Client::connect(gateway);
        client.send(self.request(id).to_bytes());
        client.rest()
    }

    fn assert_told(&self, all: &[u8]) {
        let name = &self.name;
        let text = String::from_utf8_lossy(all).to_lowercase();
        assert!(!text.contains(CREDENTIAL), "{name}");
        let to_head = self.method == "HEAD";
        let answer = read(&mut &*all, Kind::Answer { to_head });
        if let Told::Cut(_) = self.told {
            // What breaks off at its first byte may do so before its head is sent.
            if all.is_empty() {
                return;
            }
            assert!(answer.is_err(), "{name}: it must not look whole");
            let (head, body) = text.split_once("\r\n\r\n").expect("a head");
            assert!(head.starts_with("http/1.1 200 ok"), "{name}: {head}");
            // Sizes of chunks are hexadecimal, so of the credential's letters look for the others.
            let letters = ['n', 'r', 'y', 't', 'i', 'l', '-'];
            let found = letters.map(|letter| body.contains(letter));
            assert_eq!(found, [false; 7], "{name}");
            return;
        }
        let answer = answer
            .expect("an answer")
            .expect("an answer before the end");
        let found = (answer.status(), answer.code());
        match &self.told {
            Told::Refusal(status, code) => assert_eq!(found, (*status, Some(*code)), "{name}"),
            Told::Passed(status, body) => {
                assert_eq!(found, (*status, None), "{name}");
                assert!(answer.body == *body, "{name}");
            }
            Told::Cut(_) => {}
        }
    }

    /// The operator is told, but not what the credential is.
    fn assert_logged(&self, program: &mut Process, id: &str) {
        let (line, code) = match self.told {
            Told::Refusal(_, code) => (program.log_line(id), code),
            Told::Cut(code) => (program.log_line("an answer of the upstream was cut"), code),
            Told::Passed(..) => return,
        };
        assert!(line.contains(code), "{}: {line}", self.name);
        assert!(line.contains("ERROR") || line.contains("WARN"), "{line}");
    }

    fn assert_recorded(&self, line: &Value) {
        let code = match self.told {
            Told::Refusal(_, code) | Told::Cut(code) => Some(code),
            Told::Passed(..) => None,
        };
        let expected = json!(["allowed", code, "yes", self.status]);
        assert_eq!(fate(line), expected, "{}", self.name);
    }
}

/// The id of the request of this number, from 1.
fn id_of(number: usize) -> String {
    format!("00000000-0000-4000-8000-{number:012}")
}

fn id_number(id: &str) -> usize {
    let (_, number) = id.rsplit_once('-').expect("an id");
    number.parse().expect("a number")
}

/// Runs a table before the program itself, since its log is part of what must not tell.
fn run(group: &str, echoes: &[Echo]) {
    let answers: Vec<Vec<u8>> = echoes.iter().map(|echo| echo.bytes.clone()).collect();
    let upstream = Fake::doing(move |connection| {
        if let Some(request) = connection.request()? {
            let customer = request.start.split('/').nth(5).unwrap_or_default();
            let number: usize = customer.parse().map_err(std::io::Error::other)?;
            connection.send(&answers[number - 1])?;
        }
        Ok(())
    });
    let setup = Setup::new(upstream.address);
    setup.folder.write("credential", CREDENTIAL);
    let config = setup.folder.write("gateway.toml", setup.text());
    let mut program = Process::start(&["serve", "--config", config.to_str().expect("UTF-8")]);
    let address = program.bound(" listening address=");
    for (echo, number) in echoes.iter().zip(1..) {
        let id = id_of(number);
        echo.assert_told(&echo.meet(address, &id));
        echo.assert_logged(&mut program, &id);
    }
    program.signal("TERM");
    let ended = program.end();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let audit = std::fs::read_to_string(setup.folder.path().join("audit.jsonl"));
    let audit = audit.expect("an audit log");
    for text in [&ended.stdout, &ended.stderr, &audit] {
        assert!(!text.to_lowercase().contains(CREDENTIAL), "{text}");
    }
    let lines: Vec<Value> = audit.lines().map(|line| json(line.as_bytes())).collect();
    assert_eq!(lines.len(), echoes.len());
    for line in &lines {
        let id = line["correlation_id"].as_str().expect("an id");
        echoes[id_number(id) - 1].assert_recorded(line);
    }
    // Each came once, as it was judged, and bears the credential in its one place.
    let requests = upstream.requests();
    assert_eq!(requests.len(), echoes.len());
    for ((echo, request), number) in echoes.iter().zip(&requests).zip(1..) {
        let target = format!("/stores/abc123/v3/customers/{number}/metafields/9");
        let start = format!("{} {target} HTTP/1.1", echo.method);
        let body: &[u8] = if echo.method == "PUT" { b"{}" } else { b"" };
        assert_eq!((&request.start, &*request.body), (&start, body));
        assert_eq!(request.all("x-auth-token"), [CREDENTIAL], "{}", echo.name);
    }
    super::tell(group, echoes.len());
}

fn with_field(status: u16, field: &str) -> String {
    format!("HTTP/1.1 {status} x\r\n{field}\r\nContent-Length: 2\r\n\r\n{{}}")
}

#[test]
fn a_credential_in_a_head_is_withheld() {
    let loud = CREDENTIAL.to_uppercase();
    let mixed = "Canary-Credential-5F1e0C4d";
    let fields = [
        format!("X-Field: {CREDENTIAL}"),
        format!("X-Field: a{CREDENTIAL}b"),
        format!("X-Field:{CREDENTIAL}\t"),
        format!("X-Field: a\r\nX-Field: {CREDENTIAL}"),
        format!("X-Auth-Token: {CREDENTIAL}"),
        format!("Set-Cookie: token={CREDENTIAL}"),
        format!("Connection: {CREDENTIAL}"),
        format!("X-Gateway-Code: {CREDENTIAL}"),
        format!("X-Correlation-Id: {CREDENTIAL}"),
        format!("Content-Type: text/{CREDENTIAL}"),
        format!("Location: https://elsewhere.test/?{CREDENTIAL}"),
        format!("X-Field: \u{e9}{CREDENTIAL}\u{e9}"),
        format!("{CREDENTIAL}: x"),
        format!("X-{CREDENTIAL}-Y: x"),
        format!("{loud}: x"),
        format!("{mixed}: x"),
    ];
    let mut echoes = Vec::new();
    for status in [200, 422, 500] {
        for field in &fields {
            echoes.push(Echo::new(field, with_field(status, field), ECHOED));
        }
    }
    let long = format!(
        "HTTP/1.1 200 x\r\n{}\r\nContent-Length: 3000000\r\n\r\n",
        fields[0]
    );
    echoes.push(Echo::new("before a long body", long, ECHOED));
    let head = Echo::new("in an answer to HEAD", with_field(200, &fields[0]), ECHOED);
    echoes.push(Echo {
        method: "HEAD",
        ..head
    });
    run("credentials in a head", &echoes);
}

#[test]
fn a_credential_in_what_is_not_passed_on_goes_no_further() {
    let field = format!("X-Field: {CREDENTIAL}");
    let end = "2\r\n{}\r\n0\r\n";
    let plain = with_field(200, "X-Field: x");
    let refused = Told::Refusal(502, "upstream_credential_refused");
    let redirect = Told::Refusal(502, "upstream_redirect");
    let broken = || Told::Refusal(502, "upstream_protocol_error");
    let location = format!("Location: https://{CREDENTIAL}/");
    let echoes = [
        Echo::unseen(
            "a reason",
            plain.replacen(" x\r\n", &format!(" {CREDENTIAL}\r\n"), 1),
            "{}",
        ),
        Echo::unseen("a trailer", format!("{CHUNKED}{end}{field}\r\n\r\n"), "{}"),
        Echo::unseen(
            "a trailer's name",
            format!("{CHUNKED}{end}{CREDENTIAL}: x\r\n\r\n"),
            "{}",
        ),
        Echo::unseen(
            "an extension",
            format!("{CHUNKED}2;{CREDENTIAL}\r\n{{}}\r\n0\r\n\r\n"),
            "{}",
        ),
        Echo::unseen("behind the body", format!("{plain}{CREDENTIAL}"), "{}"),
        Echo::new("a redirect", with_field(302, &location), redirect),
        Echo::new("a refusal", with_field(401, &field), refused),
        Echo::new("a status beyond all", with_field(600, &field), broken()),
        Echo::new(
            "a broken trailer",
            format!("{CHUNKED}{end}X {CREDENTIAL}\r\n\r\n"),
            broken(),
        ),
        Echo::new(
            "a broken size",
            format!("{CHUNKED}{CREDENTIAL}\r\n{{}}\r\n"),
            broken(),
        ),
        Echo::new(
            "a transfer coding",
            with_field(200, &format!("Transfer-Encoding: {CREDENTIAL}")),
            broken(),
        ),
        Echo::new(
            "a truncated body",
            format!("HTTP/1.1 200 x\r\nContent-Length: 99\r\n\r\n{CREDENTIAL}"),
            broken(),
        ),
    ];
    run("credentials that are not passed on", &echoes);
}

/// A body in chunks that end at these places.
fn in_chunks(body: &str, mut edges: Vec<usize>) -> Vec<u8> {
    edges.push(body.len());
    let mut bytes = CHUNKED.to_owned();
    let mut begin = 0;
    for edge in edges {
        let chunk = &body.as_bytes()[begin..edge];
        let chunk = std::str::from_utf8(chunk).expect("ASCII");
        write!(bytes, "{:x}\r\n{chunk}\r\n", chunk.len()).expect("a string");
        begin = edge;
    }
    bytes.push_str("0\r\n\r\n");
    bytes.into_bytes()
}

fn with_length(status: u16, body: &str) -> String {
    format!(
        "HTTP/1.1 {status} x\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[test]
fn a_credential_in_a_body_is_withheld_wherever_the_chunks_end() {
    let length = CREDENTIAL.len();
    let body = format!("{{\"token\":\"{CREDENTIAL}\"}}");
    let begin = body.find(CREDENTIAL).expect("it is there");
    let mut echoes: Vec<Echo> = [200, 404, 422, 429, 503]
        .map(|status| Echo::new(status.to_string(), with_length(status, &body), ECHOED))
        .into();
    for edge in 0..=length {
        let two = in_chunks(&body, vec![begin + edge]);
        echoes.push(Echo::new(format!("two chunks at {edge}"), two, ECHOED));
        let three = in_chunks(&body, vec![begin + edge / 2, begin + length - edge / 3]);
        echoes.push(Echo::new(format!("three chunks by {edge}"), three, ECHOED));
    }
    let each = (1..body.len()).collect();
    echoes.push(Echo::new(
        "chunks of a byte",
        in_chunks(&body, each),
        ECHOED,
    ));
    let (most, _) = CREDENTIAL.split_at(length - 1);
    let twice = format!("canary-{most}{body}");
    echoes.push(Echo::new(
        "behind its beginning",
        with_length(200, &twice),
        ECHOED,
    ));
    echoes.push(Echo::new("alone", with_length(200, CREDENTIAL), ECHOED));
    let bare = format!("HTTP/1.1 200 x\r\n\r\n{body}");
    echoes.push(Echo::new("to the close", bare, ECHOED));
    let last = format!("{}{CREDENTIAL}", "x".repeat(MIB - length));
    echoes.push(Echo::new(
        "the last that is collected",
        with_length(200, &last),
        ECHOED,
    ));
    run("credentials in a body", &echoes);
}

#[test]
fn a_credential_in_a_long_body_is_cut_off_before_its_first_byte() {
    let length = CREDENTIAL.len();
    let filler = "x".repeat(MIB + 100);
    let body = format!("{filler}{CREDENTIAL}{filler}");
    let mut echoes = Vec::new();
    for edge in 0..length {
        let chunks = in_chunks(&body, vec![filler.len() + edge]);
        echoes.push(Echo::new(format!("two chunks at {edge}"), chunks, CUT));
    }
    for edge in 0..=length {
        // Around the place where collecting ends and passing on begins.
        let begin = "x".repeat(MIB + 1 - edge);
        let body = format!("{begin}{CREDENTIAL}{filler}");
        let chunks = in_chunks(&body, vec![begin.len() / 2, MIB + 1]);
        let told = if edge == length { ECHOED } else { CUT };
        echoes.push(Echo::new(
            format!("{edge} of it are collected"),
            chunks,
            told,
        ));
    }
    let each = (filler.len()..filler.len() + length).collect();
    echoes.push(Echo::new("chunks of a byte", in_chunks(&body, each), CUT));
    let last = format!("{filler}{filler}{CREDENTIAL}");
    echoes.push(Echo::new("at the end", with_length(200, &last), CUT));
    let bare = format!("HTTP/1.1 200 x\r\n\r\n{last}");
    echoes.push(Echo::new("at the end, to the close", bare, CUT));
    let first = format!("{CREDENTIAL}{filler}");
    echoes.push(Echo::new("at the beginning", with_length(200, &first), CUT));
    run("credentials in a long body", &echoes);
}

/// What is looked for is the credential as it is: another form of it is another text.
#[test]
fn another_form_of_the_credential_is_another_text() {
    let (begin, _) = CREDENTIAL.split_at(CREDENTIAL.len() - 1);
    let (_, end) = CREDENTIAL.split_at(1);
    let bodies = [
        begin.to_owned(),
        end.to_owned(),
        CREDENTIAL.replace("5f", "5e"),
        CREDENTIAL.replace('-', "%2D"),
        CREDENTIAL.replace('c', "\\u0063"),
        CREDENTIAL.replace('-', "-\r\n"),
        "Y2FuYXJ5LWNyZWRlbnRpYWwtNWYxZTBjNGQ=".to_owned(),
    ];
    let echoes = bodies.map(|body| Echo::unseen(&body, with_length(200, &body), &body));
    run("other forms", &echoes);
}
