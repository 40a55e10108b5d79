//! `serve` as a process: its addresses, its signals and its end.

use crate::support::client::{Client, Request};
use crate::support::fake::Fake;
use crate::support::gateway::{CREDENTIAL, Folder, Setup, WRITER, token_sha256};
use crate::support::http1::json;
use crate::support::process::{Process, run, signal};
use std::collections::HashSet;
use std::io::Read;
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many clients the loaded gateway has, and how many answers they have before the signal.
const CLIENTS: usize = 64;
const BEFORE_SIGNAL: usize = 512;

/// The path of a configuration in front of this upstream.
fn configuration(folder: &Folder, upstream: &Fake, more: &str) -> String {
    folder.write("credential", CREDENTIAL);
    let text = Setup::new(upstream.address).with(more).workers(2).text();
    let text = text.replace("./audit.jsonl", "stdout");
    let path = folder.write("gateway.toml", text);
    path.to_str().expect("UTF-8").to_owned()
}

#[test]
fn the_addresses_are_named_and_a_signal_drains() {
    for signal in ["TERM", "INT"] {
        let (upstream, folder) = (Fake::good(), Folder::new());
        let path = configuration(&folder, &upstream, "admin.address = \"127.0.0.1:0\"");
        let mut gateway = Process::start(&["serve", "--config", &path]);
        let address = gateway.bound(" listening address=");
        let admin = gateway.bound("admin listening address=");
        let answer = Client::connect(address).exchange(&Request::update("{}"));
        assert_eq!(answer.status(), 200);
        let mut operator = Client::connect(admin);
        operator.send("GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n");
        assert_eq!(operator.answer().status(), 200);
        gateway.signal(signal);
        let ended = gateway.end();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert!(ended.stderr.contains(&format!("SIG{signal}")));
        let lines: Vec<_> = ended.stdout.lines().collect();
        assert_eq!(lines.len(), 1, "{lines:?}");
        let line = json(lines[0].as_bytes());
        assert_eq!(line["decision"], "allowed");
        assert_eq!(line["upstream_status"], 200);
        assert!(!ended.stderr.contains(CREDENTIAL));
    }
}

#[test]
fn a_pipe_that_takes_parts_of_lines_gets_each_line_once() {
    const REQUESTS: usize = 1000;
    let (upstream, folder) = (Fake::good(), Folder::new());
    let path = configuration(&folder, &upstream, "audit.on_failure = \"continue\"");
    let (mut ours, theirs) = std::io::pipe().expect("a pipe");
    // What it cannot take it refuses, as a pipe that another program has set so.
    rustix::io::ioctl_fionbio(&theirs, true).expect("a mode");
    let mut gateway = Process::start_writing_to(&["serve", "--config", &path], theirs.into());
    let mut client = Client::connect(gateway.bound(" listening address="));
    for _ in 0..REQUESTS {
        let answer = client.exchange(&Request::new("GET", "/nowhere"));
        assert_eq!(answer.status(), 404);
    }
    // The pipe is full. Some room lets the next batch in part through, and no more.
    gateway.log_line("the audit log cannot be written");
    let mut begin = [0; 8192];
    ours.read_exact(&mut begin).expect("lines");
    gateway.log_line("the audit log can be written again");
    gateway.log_line("the audit log cannot be written");
    let reader = std::thread::spawn(move || {
        let mut text = String::from_utf8(begin.to_vec()).expect("UTF-8");
        ours.read_to_string(&mut text).expect("UTF-8");
        text
    });
    drop(client);
    gateway.signal("TERM");
    assert_eq!(gateway.end().code, Some(0));
    let text = reader.join().expect("no panic");
    let ids: HashSet<String> = text
        .lines()
        .map(|line| json(line.as_bytes())["correlation_id"].to_string())
        .collect();
    assert_eq!((text.lines().count(), ids.len()), (REQUESTS, REQUESTS));
}

#[test]
fn a_signal_is_heeded_as_soon_as_the_address_is_named() {
    let (upstream, folder) = (Fake::good(), Folder::new());
    let path = configuration(&folder, &upstream, "");
    for _ in 0..5 {
        let mut gateway = Process::start(&["serve", "--config", &path]);
        gateway.log_line(" listening address=");
        gateway.signal("TERM");
        let ended = gateway.end();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    }
}

/// Sends requests until an answer says that it is the connection's last; counts the answers.
fn until_told_to_leave(mut client: Client, answers: &AtomicUsize, enough: impl Fn()) {
    let request = Request::update(r#"{"permission_set":"app_only"}"#);
    loop {
        let answer = client.exchange(&request);
        assert_eq!((answer.status(), answer.code()), (200, None));
        if answers.fetch_add(1, Ordering::Relaxed) + 1 == BEFORE_SIGNAL {
            enough();
        }
        if answer.field("connection") == Some("close") {
            assert!(client.is_closed());
            return;
        }
    }
}

#[test]
fn under_load_no_answer_and_no_audit_line_is_lost() {
    let (upstream, folder) = (Fake::good(), Folder::new());
    let path = configuration(&folder, &upstream, "");
    let mut gateway = Process::start(&["serve", "--config", &path]);
    let address = gateway.bound(" listening address=");
    let (answers, id) = (AtomicUsize::new(0), gateway.id());
    std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            let client = Client::connect(address);
            let (answers, terminate) = (&answers, || signal("TERM", id));
            scope.spawn(move || until_told_to_leave(client, answers, terminate));
        }
    });
    let ended = gateway.end();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let answers = answers.into_inner();
    assert!(answers >= BEFORE_SIGNAL);
    assert_eq!(ended.stdout.lines().count(), answers);
    assert_eq!(upstream.requests().len(), answers);
    for line in ended.stdout.lines() {
        assert_eq!(json(line.as_bytes())["decision"], "allowed");
    }
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let (upstream, folder) = (Fake::stalling(), Folder::new());
    let path = configuration(&folder, &upstream, "upstream.deadline = \"10m\"");
    let mut gateway = Process::start(&["serve", "--config", &path]);
    let mut client = Client::connect(gateway.bound(" listening address="));
    client.send(Request::update("{}").to_bytes());
    upstream.wait_for(1);
    gateway.signal("TERM");
    gateway.log_line("draining");
    gateway.signal("TERM");
    let ended = gateway.end();
    assert_eq!(ended.code, Some(1), "a request was cut");
    assert!(ended.stderr.contains("ending at once"), "{}", ended.stderr);
    assert!(!matches!(client.try_answer(false), Ok(Some(_))));
    let line = json(ended.stdout.trim_end().as_bytes());
    assert_eq!(line["sent"], "unknown", "what was cut is recorded");
}

#[test]
fn a_hang_up_loads_what_has_changed() {
    let (upstream, folder) = (Fake::good(), Folder::new());
    let path = configuration(&folder, &upstream, "reload_interval = \"24h\"");
    let mut gateway = Process::start(&["serve", "--config", &path]);
    let address = gateway.bound(" listening address=");
    gateway.signal("HUP");
    gateway.log_line("the configuration is as it was");
    let mut client = Client::connect(address);
    assert_eq!(client.exchange(&Request::update("{}")).status(), 200);
    let text = std::fs::read_to_string(&path).expect("the file");
    folder.write("gateway.toml", text.replacen("[[caller]]", "[[caler]]", 1));
    gateway.signal("HUP");
    gateway.log_line("the new configuration is refused");
    gateway.log_line("caler: unknown key");
    folder.write(
        "gateway.toml",
        text.replace(&token_sha256(WRITER), &token_sha256("another-canary-token")),
    );
    gateway.signal("HUP");
    let told = gateway.log_line("a new configuration is in force generation=2");
    assert!(
        told.contains("changed=\"callers: changed writer (identity)\""),
        "{told}"
    );
    assert_eq!(client.exchange(&Request::update("{}")).status(), 401);
}

#[test]
fn a_busy_port_is_named() {
    let (upstream, folder) = (Fake::good(), Folder::new());
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("bound").to_string();
    let path = configuration(
        &folder,
        &upstream,
        &format!("admin.address = \"{address}\""),
    );
    let ended = run(&["serve", "--config", &path]);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    for part in [&*address, "admin.address", "in use"] {
        assert!(ended.stderr.contains(part), "{}", ended.stderr);
    }
    let ended = run(&["sandbox", "--listen", &address]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("--listen 127.0.0.1:0"));
}
