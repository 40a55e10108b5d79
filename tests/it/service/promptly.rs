//! How long it takes from the program's start until it says that it is ready, with many callers, and from the signal
//! to its end when it has nothing to do. `tests/bench/start` measures the release build.

use super::{Ground, serve};
use crate::support::gateway::token_sha256;
use crate::support::process::Process;
use crate::support::{PATIENCE, number};
use std::fmt::Write as _;
use std::os::unix::net::UnixDatagram;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// What the release build promises, for the median.
const READY: Duration = Duration::from_millis(50);
const STOPPED: Duration = Duration::from_millis(100);

#[expect(clippy::disallowed_methods, reason = "what is measured")]
fn now() -> Instant {
    Instant::now()
}

fn median(mut all: Vec<Duration>) -> Duration {
    all.sort();
    all[all.len() / 2]
}

#[test]
fn it_is_ready_and_gone_at_once() {
    let callers = number("START_CALLERS", 1000);
    let rounds = number("START_ROUNDS", 3);
    let ground = Ground::new();
    let config = ground.config("gateway.toml", "127.0.0.1:0", "");
    let mut text = std::fs::read_to_string(&config).expect("the configuration");
    for number in 0..callers {
        let digest = token_sha256(&format!("token-of-the-caller-{number}"));
        writeln!(
            text,
            "[[caller]]\nname = \"caller-{number}\"\ntoken_sha256 = [\"{digest}\"]\nscopes = [\"store_v2_customers\"]\nnamespaces = [\"team-{number}\", \"team-{number}.*\"]"
        )
        .expect("a string");
    }
    ground.setup.folder.write("gateway.toml", text);
    let path = ground.setup.folder.path().join("notify.sock");
    let manager = UnixDatagram::bind(&path).expect("a socket");
    manager.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let (mut ready, mut stopped) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let mut command = serve(&config);
        command.env("NOTIFY_SOCKET", &path).stdout(Stdio::null());
        let begun = now();
        let gateway = Process::spawn(&mut command);
        loop {
            let mut buffer = [0; 4096];
            let count = manager.recv(&mut buffer).expect("it says that it is ready");
            if buffer[..count].starts_with(b"READY=1") {
                break;
            }
        }
        ready.push(begun.elapsed());
        let begun = now();
        gateway.signal("TERM");
        assert_eq!(gateway.end().code, Some(0));
        stopped.push(begun.elapsed());
    }
    let (ready, stopped) = (median(ready), median(stopped));
    println!(
        "{callers} callers, median of {rounds}: ready after {:.1} ms, ended {:.1} ms after the signal",
        ready.as_secs_f64() * 1e3,
        stopped.as_secs_f64() * 1e3
    );
    // A build without optimisation on a busy machine is only held to be no slower by orders of magnitude.
    let leniency = if cfg!(debug_assertions) { 40 } else { 1 };
    assert!(ready < READY * leniency, "{ready:?}");
    assert!(stopped < STOPPED * leniency, "{stopped:?}");
}
