//! The status page: where it is, who sees it, and what it tells. What a person sees of it is in `page::seen`.

mod seen;

use crate::support::client::{Client, Request};
use crate::support::fake::Fake;
use crate::support::gateway::{CREDENTIAL, Gateway, READER, Setup, WRITER};
use crate::support::http1::{Message, json};
use metafield_gateway::server::{Bound, Stage};
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;

/// What a page says when it asks for events.
const EVENTS: &str = "Accept: text/event-stream\r\n";

/// A metafield's text that must not be shown.
const VALUE: &str = "canary-value-of-a-metafield";

fn setup(upstream: &Fake) -> Setup {
    Setup::new(upstream.address).with("admin.address = \"127.0.0.1:0\"")
}

fn page_address(gateway: &Gateway) -> SocketAddr {
    match gateway.page() {
        Some(Bound::Tcp(address)) => address,
        other => panic!("no page by TCP: {other:?}"),
    }
}

fn ask(address: SocketAddr, method: &str, path: &str, more: &str) -> Message {
    let mut client = Client::connect(address);
    client.send(format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\n{more}Connection: close\r\n\r\n"
    ));
    let answer = client.try_answer(method == "HEAD");
    answer.expect("an answer").expect("an answer")
}

/// A stream of events that is read as it comes.
struct Events(BufReader<TcpStream>);

impl Events {
    fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the page's listener");
        stream
            .set_read_timeout(Some(crate::support::PATIENCE))
            .expect("a timeout");
        let request =
            format!("GET /events HTTP/1.1\r\nHost: {address}\r\nAccept: text/event-stream\r\n\r\n");
        (&stream).write_all(request.as_bytes()).expect("written");
        let mut events = Self(BufReader::new(stream));
        let head = events.until("");
        assert!(head[0].contains("200"), "{head:?}");
        events
    }

    fn until(&mut self, end: &str) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            let count = self.0.read_line(&mut line).expect("a line");
            let line = line.trim_end().to_owned();
            assert!(count > 0, "the stream ended: {lines:?}");
            if line == end {
                return lines;
            }
            lines.push(line);
        }
    }

    /// The next state.
    fn next(&mut self) -> serde_json::Value {
        loop {
            let mut line = String::new();
            assert!(self.0.read_line(&mut line).expect("a line") > 0, "the end");
            if let Some(data) = line.strip_prefix("data: ") {
                return json(data.trim_end().as_bytes());
            }
        }
    }

    /// Waits for a state that fits.
    fn until_state(&mut self, fits: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
        for _ in 0..60 {
            let state = self.next();
            if fits(&state) {
                return state;
            }
        }
        panic!("no state fits");
    }
}

#[test]
fn it_is_where_only_this_machine_can_connect() {
    let upstream = Fake::good();
    let own = "admin.page = \"127.0.0.1:0\"";
    for (address, key, beside, apart) in [
        ("127.0.0.1:0", "", 200, false),
        ("0.0.0.0:0", "", 404, false),
        ("0.0.0.0:0", "admin.page = \"on\"", 200, false),
        ("127.0.0.1:0", "admin.page = \"off\"", 404, false),
        ("0.0.0.0:0", own, 404, true),
    ] {
        let setup = Setup::new(upstream.address);
        let gateway = setup
            .with(&format!("admin.address = \"{address}\"\n{key}"))
            .start();
        let mut admin = gateway.admin_address();
        admin.set_ip([127, 0, 0, 1].into());
        for (path, status) in [("/", beside), ("/livez", 200), ("/metrics", 200)] {
            let answer = ask(admin, "GET", path, "");
            assert_eq!(answer.status(), status, "{address} {key} {path}");
        }
        if apart {
            let page = page_address(&gateway);
            assert_ne!(page, admin);
            for (path, status) in [("/", 200), ("/livez", 404), ("/metrics", 404)] {
                assert_eq!(ask(page, "GET", path, "").status(), status, "{path}");
            }
        }
        assert_eq!(gateway.page().is_some(), apart || beside == 200);
    }
}

#[test]
fn a_browser_is_told_to_run_nothing_else_and_to_keep_nothing() {
    let upstream = Fake::good();
    let gateway = setup(&upstream).start();
    let admin = gateway.admin_address();
    let answer = ask(admin, "GET", "/", "");
    let policy = answer.field("content-security-policy").expect("a policy");
    for part in [
        "default-src 'none'",
        "script-src 'sha256-",
        "style-src 'sha256-",
        "connect-src 'self'",
        "frame-ancestors 'none'",
    ] {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    for (name, value) in [
        ("content-type", "text/html; charset=utf-8"),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-resource-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
    ] {
        assert_eq!(answer.field(name), Some(value), "{name}");
    }
    for (method, path, more, status) in [
        ("HEAD", "/", "", 200),
        ("HEAD", "/events", EVENTS, 200),
        ("HEAD", "/events", "", 406),
        ("GET", "/events", "Accept: */*\r\n", 406),
        ("POST", "/", "", 405),
        ("POST", "/events", "", 405),
        ("GET", "/", "Sec-Fetch-Site: cross-site\r\n", 200),
        ("GET", "/events", "Sec-Fetch-Site: cross-site\r\n", 403),
        ("GET", "/events", "Sec-Fetch-Site: same-site\r\n", 403),
        (
            "HEAD",
            "/events",
            "Sec-Fetch-Site: same-origin\r\nAccept: text/event-stream\r\n",
            200,
        ),
        (
            "GET",
            "/events",
            "Origin: http://other.example\r\nAccept: text/event-stream\r\n",
            403,
        ),
        ("GET", "/", "Host: rebound.example\r\n", 403),
        ("GET", "/index.html", "", 404),
    ] {
        let answer = ask(admin, method, path, more);
        assert_eq!(answer.status(), status, "{method} {path} {more}");
    }
}

#[test]
fn a_state_tells_what_was_decided_and_no_secret() {
    let upstream = Fake::good();
    let gateway = setup(&upstream).start();
    let mut client = gateway.connect();
    let body = format!(
        r#"{{"permission_set":"read","namespace":"crm","key":"tier","value":"{VALUE}","description":"{VALUE}"}}"#
    );
    client.exchange(&Request::update(body.as_str()));
    client.exchange(&Request::update(body.as_str()).instead("X-Auth-Token", READER));
    client.exchange(&Request::update("{}").instead("X-Auth-Token", "nobody-knows-this-token"));
    gateway.wait_for_metric("metafield_gateway_audit_lines_total", 3.0);
    let mut events = Events::open(gateway.admin_address());
    let state = events.next();
    let decisions = state["decisions"].as_array().expect("a list");
    let told: Vec<_> = decisions
        .iter()
        .map(|decision| {
            let of = |name: &str| decision[name].as_str().unwrap_or("-").to_owned();
            (
                of("caller"),
                of("operation"),
                of("decision"),
                of("code"),
                of("namespace"),
                decision["upstream_status"].as_u64(),
            )
        })
        .collect();
    let row = |caller: &str, decision: &str, code: &str, namespace: &str, status| {
        let [caller, decision, code, namespace] =
            [caller, decision, code, namespace].map(str::to_owned);
        (
            caller,
            "update".to_owned(),
            decision,
            code,
            namespace,
            status,
        )
    };
    assert_eq!(
        told,
        [
            row("writer", "allowed", "-", "crm", Some(200)),
            row("reader", "denied", "scope_denied", "-", None),
            row("-", "denied", "unknown_token", "-", None),
        ]
    );
    let callers = &state["callers"];
    assert_eq!(
        (&callers[0]["name"], &callers[0]["denied"]),
        (&"reader".into(), &1.into())
    );
    assert_eq!(
        (&callers[1]["name"], &callers[1]["allowed"]),
        (&"writer".into(), &1.into())
    );
    for secret in [WRITER, READER, CREDENTIAL, VALUE, "nobody-knows-this-token"] {
        assert!(!state.to_string().contains(secret), "{secret}");
    }
    // Later states tell only what is new.
    client.exchange(&Request::update(body.as_str()));
    let (mut decisions, mut callers) = (Vec::new(), Vec::new());
    while decisions.is_empty() || callers.is_empty() {
        let state = events.next();
        decisions.extend(state["decisions"].as_array().expect("a list").clone());
        callers.extend(state["callers"].as_array().expect("a list").clone());
    }
    assert_eq!((decisions.len(), callers.len()), (1, 1));
    assert_eq!(decisions[0]["number"], 4);
    assert_eq!(callers[0]["allowed"], 2);
}

#[test]
fn a_socket_of_its_own_is_its_users_alone() {
    let upstream = Fake::good();
    let gateway = setup(&upstream)
        .with("admin.page = \"unix:page.sock\"\nlisten.socket_mode = \"0666\"")
        .listening("listen.address = \"unix:gateway.sock\"")
        .start();
    let path = gateway.folder.path().join("page.sock");
    let mode = std::fs::metadata(&path).expect("the socket").permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);
    let mut client = Client::connect_unix(&path);
    client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(client.answer().status(), 200);
    assert_eq!(ask(gateway.admin_address(), "GET", "/", "").status(), 404);
}

#[test]
fn so_many_pages_may_look_and_others_are_told() {
    let upstream = Fake::good();
    let gateway = setup(&upstream).start();
    let admin = gateway.admin_address();
    let mut pages: Vec<_> = (0..8).map(|_| Events::open(admin)).collect();
    for page in &mut pages {
        page.next();
    }
    assert_eq!(ask(admin, "GET", "/events", EVENTS).status(), 503);
    assert_eq!(ask(admin, "GET", "/livez", "").status(), 200);
    drop(pages.pop());
    // Its place is free when the gateway has noticed, at its next tick.
    pages[0].next();
    let freed = (0..100).any(|_| {
        pages[0].next();
        ask(admin, "HEAD", "/livez", "");
        let stream = TcpStream::connect(admin).expect("the listener");
        let request =
            format!("GET /events HTTP/1.1\r\nHost: {admin}\r\nAccept: text/event-stream\r\n\r\n");
        (&stream).write_all(request.as_bytes()).expect("written");
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).expect("a line");
        line.contains("200")
    });
    assert!(freed, "the place of a page that is closed is not free");
}

#[test]
fn what_is_wrong_is_told() {
    let upstream = Fake::good();
    let setup = setup(&upstream).auditing("/dev/full");
    let text = setup.text();
    let gateway = setup.start_with(&text.replace(
        "[[caller]]\nname = \"writer\"",
        "[[caller]]\nweight = 3\nname = \"writer\"",
    ));
    let mut events = Events::open(gateway.admin_address());
    let state = events.next();
    let warnings = state["configuration"]["warnings"].to_string();
    assert!(
        warnings.contains("caller[0].weight: has no effect"),
        "{warnings}"
    );
    assert_eq!(state["stage"], "serving");
    gateway.exchange(&Request::update("{}"));
    let state = events.until_state(|state| state["audit"]["failing"] == true);
    // A decision that cannot be written is shown all the same.
    let mut seen = state["decisions"].as_array().expect("a list").len();
    while seen == 0 {
        seen = events.next()["decisions"].as_array().expect("a list").len();
    }
    gateway.reload_with("[[caller]]\nname = 5\n");
    let refused = events.until_state(|state| !state["configuration"]["report"].is_null());
    let report = refused["configuration"]["report"].to_string();
    assert!(report.contains("caller[0].name"), "{report}");
    assert_eq!(refused["configuration"]["generation"], 1);
    gateway.advance(Stage::Leaving);
    events.until_state(|state| state["stage"] == "leaving");
}

#[test]
fn without_an_audit_log_no_decision_is_kept() {
    let upstream = Fake::good();
    let gateway = setup(&upstream).auditing("off").start();
    gateway.exchange(&Request::update("{}"));
    let mut events = Events::open(gateway.admin_address());
    let state = events.until_state(|state| state["requests"][0]["count"] == 1);
    assert_eq!(state["audit"]["is_on"], false);
    assert_eq!(state["decisions"], serde_json::json!([]));
    assert_eq!(state["callers"][0]["allowed"], 1);
}
