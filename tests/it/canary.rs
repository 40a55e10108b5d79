//! Secrets, values and descriptions stay where they belong: a run of the program through every kind of
//! refusal and failure, after which neither its logs nor its metrics nor any answer may hold one.
//! Each of them has the word `canary` in it.

use crate::support::client::{ALL, CUSTOMER, Client, ONE, Request};
use crate::support::fake::{Connection, Fake, OK};
use crate::support::gateway::{CREDENTIAL, ELSEWHERE, LIMITED, PAYMENTS, READER, Setup, WRITER};
use std::collections::BTreeSet;
use std::io::{self, BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;

/// The program, with everything it has printed.
struct Program {
    child: Child,
    stdout: JoinHandle<String>,
    stderr: JoinHandle<String>,
    address: SocketAddr,
    admin: SocketAddr,
}

fn address_in(line: &str) -> Option<SocketAddr> {
    let (_, address) = line.trim_end().rsplit_once("address=")?;
    address.parse().ok()
}

impl Program {
    fn serve(setup: &Setup) -> Self {
        setup.folder.write("credential", CREDENTIAL);
        let config = setup.folder.write("gateway.toml", setup.text());
        let mut child = Command::new(env!("CARGO_BIN_EXE_metafield-gateway"))
            .arg("serve")
            .arg("--config")
            .arg(config)
            .env("METAFIELD_GATEWAY_LOG", "debug")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut stdout = child.stdout.take().expect("piped");
        let stdout = std::thread::spawn(move || {
            let mut all = String::new();
            stdout.read_to_string(&mut all).expect("UTF-8");
            all
        });
        let mut stderr = BufReader::new(child.stderr.take().expect("piped"));
        let mut begin = String::new();
        let mut addresses = Vec::new();
        while addresses.len() < 2 {
            let mut line = String::new();
            let count = stderr.read_line(&mut line).expect("UTF-8");
            assert!(count > 0, "the program ended: {begin}");
            addresses.extend(address_in(&line));
            begin.push_str(&line);
        }
        let stderr = std::thread::spawn(move || {
            stderr.read_to_string(&mut begin).expect("UTF-8");
            begin
        });
        Self {
            child,
            stdout,
            stderr,
            address: addresses[0],
            admin: addresses[1],
        }
    }

    fn metrics(&self) -> String {
        let mut client = Client::connect(self.admin);
        client.send(format!(
            "GET /metrics HTTP/1.1\r\nHost: {}\r\n\r\n",
            self.admin
        ));
        client.answer().text().to_owned()
    }

    /// Drains it; gives what it printed to stdout and stderr.
    fn end(mut self) -> [String; 2] {
        let told = Command::new("kill")
            .arg(self.child.id().to_string())
            .status();
        assert!(told.expect("kill").success());
        assert!(self.child.wait().expect("it was started").success());
        [self.stdout, self.stderr].map(|output| output.join().expect("output"))
    }
}

/// Misbehaves by the customer in the path, and closes so that each request has its own connection.
fn misbehave(connection: &mut Connection) -> io::Result<()> {
    let Some(request) = connection.request()? else {
        return Ok(());
    };
    let echo = format!("HTTP/1.1 200 OK\r\nX-Echo: {CREDENTIAL}\r\nContent-Length: 0\r\n\r\n");
    let late = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n{}{CREDENTIAL}",
        "#".repeat(2_000_000)
    );
    let garbage = format!("{CREDENTIAL} {CREDENTIAL}\r\n\r\n");
    let broken = format!("HTTP/1.1 200 OK\r\nX {CREDENTIAL}: a\r\n\r\n");
    let redirect = format!(
        "HTTP/1.1 302 Found\r\nLocation: https://{CREDENTIAL}/\r\nContent-Length: 0\r\n\r\n"
    );
    let answer = match request.start.split('/').nth(5).unwrap_or_default() {
        "101" => "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n",
        "102" => &redirect,
        "103" => &garbage,
        "104" => &broken,
        "105" => &echo,
        "106" => &late,
        "107" => return connection.until_closed(),
        _ => OK,
    };
    connection.send(answer)
}

const BAD_JSON: &str = r#"{"value":"canary-value","description":"canary-description""#;
const TWICE: &str = r#"{"value":"canary-value","value":"canary-value"}"#;
const FIELDS: &str = r#"{"value":"canary-value","description":"canary-description"}"#;

fn update(body: &str) -> Request {
    Request::update(body)
}

fn failing(customer: u16) -> Request {
    let target = format!("/stores/abc123/v3/customers/{customer}/metafields/9");
    Request {
        target,
        ..update(FIELDS)
    }
}

fn by(token: &str, request: Request) -> Request {
    request.instead("X-Auth-Token", token)
}

/// A request with the code that it meets; `ok` is an answer of the upstream.
type Case = (&'static str, Request);

fn about_callers() -> Vec<Case> {
    let bearer = |token: &str| {
        update(FIELDS)
            .without("X-Auth-Token")
            .with("Authorization", token)
    };
    let write = r#"{"value":"canary-value","permission_set":"write","namespace":"crm"}"#;
    let erp = r#"{"value":"canary-value","permission_set":"read","namespace":"erp"}"#;
    vec![
        ("ok", update(FIELDS)),
        ("ok", bearer(&format!("Bearer {WRITER}"))),
        ("missing_token", update(FIELDS).without("X-Auth-Token")),
        ("missing_token", bearer("Basic Y2FuYXJ5OmNhbmFyeQ==")),
        (
            "unknown_token",
            by("canary-token-of-nobody", update(FIELDS)),
        ),
        ("invalid_token", by("canary", update(FIELDS))),
        (
            "invalid_token",
            by("canary token with spaces", update(FIELDS)),
        ),
        (
            "ambiguous_credentials",
            update(FIELDS).with("X-Auth-Token", READER),
        ),
        (
            "ambiguous_credentials",
            update(FIELDS).with("Authorization", "canary scheme"),
        ),
        ("scope_denied", by(READER, update(FIELDS))),
        ("scope_denied", by(PAYMENTS, Request::new("GET", ONE))),
        ("store_denied", by(ELSEWHERE, update(FIELDS))),
        ("operation_denied", by(LIMITED, Request::new("GET", ONE))),
        ("permission_set_denied", by(LIMITED, update(write))),
        ("namespace_denied", by(LIMITED, update(erp))),
    ]
}

fn about_requests() -> Vec<Case> {
    let query = |query: &str| Request::new("GET", &format!("{CUSTOMER}?{query}"));
    vec![
        (
            "unknown_route",
            Request::new("GET", "/stores/abc123/v3/orders"),
        ),
        (
            "unknown_store",
            Request::new("GET", "/stores/nosuch/v3/customers/metafields"),
        ),
        ("method_not_allowed", Request::new("PATCH", ONE)),
        ("malformed_request", update(FIELDS).with("Upgrade", "x")),
        ("malformed_request", Request::new("GET", ONE).json(FIELDS)),
        (
            "loop_detected",
            update(FIELDS).with("Via", "1.1 metafield-gateway"),
        ),
        ("malformed_query", query("page=%zz")),
        ("unknown_query_key", query("other=canary-value")),
        (
            "target_too_long",
            query(&format!("key=canary-{}", "x".repeat(8192))),
        ),
        (
            "headers_too_large",
            update(FIELDS).with("X-Long", &"canary".repeat(5600)),
        ),
        (
            "unsupported_media_type",
            update(FIELDS).instead("Content-Type", "canary/type"),
        ),
        (
            "unsupported_content_encoding",
            update(FIELDS).with("Content-Encoding", "gzip"),
        ),
    ]
}

fn about_bodies() -> Vec<Case> {
    let long_value = format!(r#"{{"value":"{}"}}"#, "canary".repeat(11_000));
    let long_description = format!(r#"{{"description":"{}"}}"#, "canary".repeat(50));
    let large = format!(r#"{{"value":"canary-value"}}{}"#, " ".repeat(1_100_000));
    let many = format!(
        "[{}]",
        vec![r#"{"id":1,"value":"canary-value"}"#; 251].join(",")
    );
    let batch = |body: &str| Request::new("PUT", ALL).json(body);
    let everyone = r#"{"permission_set":"everyone","value":"canary-value"}"#;
    vec![
        ("body_too_large", update(&large)),
        ("batch_too_large", batch(&many)),
        ("malformed_json", update(BAD_JSON)),
        ("malformed_json", update("{\"value\":canary}")),
        ("duplicate_key", update(TWICE)),
        ("wrong_shape", update("[\"canary-value\"]")),
        ("wrong_shape", batch(r#"{"value":"canary-value"}"#)),
        ("invalid_field", update(&long_value)),
        ("invalid_field", update(&long_description)),
        ("invalid_field", update(r#"{"value":["canary-value"]}"#)),
        ("invalid_permission_set", update(everyone)),
        ("unknown_field", update(r#"{"other":"canary-value"}"#)),
        ("missing_field", Request::new("POST", CUSTOMER).json(FIELDS)),
        ("id_mismatch", update(r#"{"id":10,"value":"canary-value"}"#)),
    ]
}

fn about_the_upstream() -> Vec<Case> {
    vec![
        ("upstream_credential_refused", failing(101)),
        ("upstream_redirect", failing(102)),
        ("upstream_protocol_error", failing(103)),
        ("upstream_protocol_error", failing(104)),
        ("credential_echoed", failing(105)),
        ("upstream_timeout", failing(107)),
    ]
}

/// Makes a request and gives all that came back.
fn all_of(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let stream = TcpStream::connect(address).expect("the gateway listens");
    let mut client = Client::over(stream);
    client.send(bytes);
    client.rest()
}

#[test]
fn nothing_secret_is_ever_told() {
    let upstream = Fake::doing(misbehave);
    let setup = Setup::new(upstream.address)
        .with("admin.address = \"127.0.0.1:0\"\nupstream.deadline = \"300ms\"")
        .with("limits.body_timeout = \"300ms\"\nlimits.header_timeout = \"500ms\"");
    let program = Program::serve(&setup);
    let mut codes = BTreeSet::new();
    let mut told = Vec::new();
    let cases = [
        about_callers(),
        about_requests(),
        about_bodies(),
        about_the_upstream(),
    ];
    for (code, request) in cases.concat() {
        let request = request.with("Connection", "close");
        let answer = all_of(program.address, &request.to_bytes());
        let answer = String::from_utf8(answer).expect("UTF-8");
        let marker = format!("x-gateway-code: {code}\r\n");
        let met = if code == "ok" {
            answer.starts_with("HTTP/1.1 200 ") && !answer.contains("x-gateway-code")
        } else {
            answer.contains(&marker)
        };
        assert!(met, "{code}: {answer}");
        codes.insert(code);
        told.push(answer);
    }
    let slow = update(FIELDS).to_bytes();
    let unfinished = [
        &slow[..slow.len() - 1],
        b"GET canary-value HTTP/9.9\r\nX-Auth-Token canary\r\n\r\n",
        b"GET / HTTP/1.1\r\nX-Auth-Token: canary-token",
    ];
    for bytes in unfinished {
        let answer = all_of(program.address, bytes);
        told.push(String::from_utf8(answer).expect("UTF-8"));
    }
    let late = failing(106).to_bytes();
    told.push(String::from_utf8(all_of(program.address, &late)).expect("UTF-8"));
    drop(upstream);
    let unreachable = update(FIELDS).with("Connection", "close").to_bytes();
    let unreachable = String::from_utf8(all_of(program.address, &unreachable)).expect("UTF-8");
    assert!(
        unreachable.contains("upstream_unreachable"),
        "{unreachable}"
    );
    told.push(unreachable);
    told.push(program.metrics());
    let [stdout, stderr] = program.end();
    assert!(stderr.contains("upstream_credential_refused"), "{stderr}");
    told.extend([stdout, stderr]);
    let audit = std::fs::read_to_string(setup.folder.path().join("audit.jsonl"));
    let audit = audit.expect("an audit log");
    for code in codes.iter().filter(|code| **code != "ok") {
        assert!(audit.contains(&format!("\"code\":\"{code}\"")), "{code}");
    }
    assert!(audit.contains("\"code\":\"body_timeout\""), "{audit}");
    told.push(audit);
    for text in &told {
        assert!(!text.to_lowercase().contains("canary"), "{text}");
    }
    assert!(codes.len() >= 36, "{} codes", codes.len());
}
