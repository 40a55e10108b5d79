//! A new process takes over the listening sockets while clients go on: nobody is refused, and nothing is lost.

use super::{Ground, reserved, serve};
use crate::support::PATIENCE;
use crate::support::client::{Client, Request};
use crate::support::process::{Process, run};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

const TAKEN: &str = "the listening sockets of another process were taken over";

const OFFERED: &str = "another process can take over the listening sockets";

/// Where the sockets are handed over, and the line of the configuration that says so.
fn handing(ground: &Ground) -> (PathBuf, String) {
    let socket = ground.setup.folder.path().join("handover.sock");
    let head = format!("handover = \"unix:{}\"", socket.display());
    (socket, head)
}

fn start(config: &Path) -> Process {
    Process::spawn(serve(config).stdout(Stdio::piped()))
}

/// How many requests are answered between two processes.
const BETWEEN: usize = 200;

/// One client: request after request until it is told to stop, each of which is answered with 200 and told. Gives how
/// many were sent.
fn client(
    address: SocketAddr,
    keeps: bool,
    stop: &Arc<AtomicBool>,
    answered: Sender<()>,
) -> JoinHandle<usize> {
    let stop = Arc::clone(stop);
    std::thread::spawn(move || {
        let mut count = 0;
        let mut kept: Option<Client> = None;
        while !stop.load(SeqCst) {
            let mut client = kept.take().unwrap_or_else(|| Client::connect(address));
            let request = Request::update("{\"value\":\"gold\"}");
            let answer = client.exchange(&request);
            assert_eq!(answer.status(), 200);
            count += 1;
            answered.send(()).expect("somebody counts");
            let is_last = answer.field("connection") == Some("close");
            kept = (keeps && !is_last).then_some(client);
        }
        count
    })
}

#[test]
fn nothing_is_lost_while_processes_replace_each_other() {
    let ground = Ground::new();
    let (socket, head) = handing(&ground);
    let head = format!("{head}\nadmin.address = \"127.0.0.1:0\"");
    let (free, address) = reserved();
    drop(free);
    let config = ground.config("gateway.toml", address, &head);
    let mut running = start(&config);
    assert_eq!(running.bound(" listening address="), address);
    let admin = running.bound("admin listening address=");

    let stop = Arc::new(AtomicBool::new(false));
    let (sender, answered) = channel();
    let clients: Vec<_> = (0..6)
        .map(|number| client(address, number % 2 == 0, &stop, sender.clone()))
        .collect();
    let served = || {
        for _ in 0..BETWEEN {
            answered.recv_timeout(PATIENCE).expect("clients go on");
        }
    };
    for _ in 0..3 {
        served();
        let mut next = start(&config);
        next.log_line(TAKEN);
        assert_eq!(next.bound(" listening address="), address);
        // The operator's socket goes with it.
        assert_eq!(next.bound("admin listening address="), admin);
        let before = std::mem::replace(&mut running, next);
        let ended = before.end();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert!(
            ended
                .stderr
                .contains("another process has taken over the listening sockets")
        );
        assert!(ended.stderr.contains(" drained"), "{}", ended.stderr);
    }
    served();
    stop.store(true, SeqCst);
    let sent: usize = clients
        .into_iter()
        .map(|client| client.join().expect("nothing lost"))
        .sum();
    running.signal("TERM");
    assert_eq!(running.end().code, Some(0));
    assert!(!socket.exists());
    // Each has its line in the record, whichever process served it.
    let record = std::fs::read_to_string(ground.setup.folder.path().join("audit.jsonl"));
    assert_eq!(record.expect("the record").lines().count(), sent);
    println!("{sent} requests, sent by 6 clients while 3 processes took over: all answered");
    assert!(sent >= 4 * BETWEEN, "{sent}");
    drop(ground.fake);
}

#[test]
fn one_that_does_not_start_changes_nothing() {
    let ground = Ground::new();
    let (socket, head) = handing(&ground);
    let config = ground.config("gateway.toml", "127.0.0.1:0", &head);
    let mut running = start(&config);
    let address = running.bound(" listening address=");
    drop(UnixStream::connect(&socket).expect("it is offered"));
    running.log_line("the listening sockets were not handed over");

    let wrong = ground.config("wrong.toml", "127.0.0.1:0", &format!("{head}\nwrong = 1"));
    let ended = run(&["serve", "--config", wrong.to_str().expect("UTF-8")]);
    assert_eq!(ended.code, Some(2));
    // It has the callers' socket when it cannot bind the operator's.
    let (_taken, elsewhere) = reserved();
    let admin = format!("{head}\nadmin.address = \"{elsewhere}\"");
    let late = ground.config("late.toml", "127.0.0.1:0", &admin);
    let ended = run(&["serve", "--config", late.to_str().expect("UTF-8")]);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    running.log_line("the new process has not started");
    let answer = Client::connect(address).exchange(&Request::update("{\"value\":\"gold\"}"));
    assert_eq!(answer.status(), 200);
    let mut next = start(&config);
    next.log_line(TAKEN);
    assert_eq!(running.end().code, Some(0));
    next.signal("TERM");
    assert_eq!(next.end().code, Some(0));
}

#[test]
fn one_that_drains_keeps_no_socket_open_for_a_successor() {
    let ground = Ground::new();
    let (_, head) = handing(&ground);
    let (free, address) = reserved();
    drop(free);
    let config = ground.config("gateway.toml", address, &head);
    let mut running = start(&config);
    running.bound(" listening address=");
    // A request that is not whole keeps the drain open.
    let mut slow = Client::connect(address);
    let request = Request::update("{\"value\":\"gold\"}").to_bytes();
    let (first, last) = request.split_at(request.len() - 1);
    slow.send(first);
    running.signal("TERM");
    running.log_line("draining");
    // Whoever was accepted meanwhile is let go by the drain.
    let refused = (0..100_000).any(|_| TcpStream::connect(address).is_err());
    assert!(refused, "nobody accepts there");
    // A new process finds nothing to take over, and binds the address itself.
    let mut next = start(&config);
    assert_eq!(next.bound(" listening address="), address);
    slow.send(last);
    assert_eq!(slow.answer().status(), 200);
    assert_eq!(running.end().code, Some(0));
    let mut after = start(&config);
    after.log_line(TAKEN);
    assert_eq!(next.end().code, Some(0));
    after.signal("TERM");
    assert_eq!(after.end().code, Some(0));
}

#[test]
fn a_unix_socket_goes_from_process_to_process() {
    let ground = Ground::new();
    let folder = ground.setup.folder.path();
    let (socket, head) = handing(&ground);
    let door = folder.join("gateway.sock");
    let config = ground.config("gateway.toml", format!("unix:{}", door.display()), &head);
    let mut running = start(&config);
    running.log_line(" listening address=");
    for _ in 0..2 {
        let mut next = start(&config);
        next.log_line(TAKEN);
        next.log_line(OFFERED);
        let before = std::mem::replace(&mut running, next);
        assert_eq!(before.end().code, Some(0));
        let mut client = Client::connect_unix(&door);
        let answer = client.exchange(&Request::update("{\"value\":\"gold\"}"));
        assert_eq!(answer.status(), 200);
    }
    running.signal("TERM");
    assert_eq!(running.end().code, Some(0));
    assert!(!door.exists() && !socket.exists());
}

#[test]
fn the_socket_is_its_users_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let ground = Ground::new();
    let (socket, head) = handing(&ground);
    let config = ground.config("gateway.toml", "127.0.0.1:0", &head);
    let mut running = start(&config);
    running.bound(" listening address=");
    drop(UnixStream::connect(&socket).expect("it is offered"));
    let mode = std::fs::metadata(&socket)
        .expect("a socket")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    running.log_line("the listening sockets were not handed over");
    // As root: one of another user is refused although the folder and the mode would let it in.
    let opened = Command::new("chmod").arg("666").arg(&socket).status();
    assert!(opened.expect("chmod").success());
    let folder = ground.setup.folder.path();
    let entered = Command::new("chmod").arg("711").arg(folder).status();
    assert!(entered.expect("chmod").success());
    if rustix::process::geteuid().is_root() {
        let other = Command::new("setpriv")
            .args(["--reuid=65534", "--clear-groups"])
            .args(["curl", "--silent", "--http0.9", "--unix-socket"])
            .arg(&socket)
            .arg("http://localhost/")
            .output()
            .expect("setpriv");
        assert_eq!(other.stdout, b"", "it is told nothing");
        running.log_line("the other process is of the user 65534");
    }
    running.signal("TERM");
    assert_eq!(running.end().code, Some(0));
}

#[test]
fn what_answers_there_must_be_a_gateway() {
    let ground = Ground::new();
    let (socket, head) = handing(&ground);
    let other = std::os::unix::net::UnixListener::bind(&socket).expect("a socket");
    let answering = std::thread::spawn(move || {
        use std::io::Write as _;
        let (mut stream, _) = other.accept().expect("it connects");
        stream
            .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            .expect("sent");
    });
    let config = ground.config("gateway.toml", "127.0.0.1:0", &head);
    let ended = run(&["serve", "--config", config.to_str().expect("UTF-8")]);
    answering.join().expect("it answered");
    assert_eq!(ended.code, Some(1));
    let said = format!(
        "error: cannot take over by {} (`handover`): what answers there is no gateway of this version",
        socket.display()
    );
    assert!(ended.stderr.contains(&said), "{}", ended.stderr);
}
