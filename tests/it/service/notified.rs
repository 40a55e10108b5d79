//! What the gateway tells an init system (`sd_notify(3)`).

use super::{Ground, serve};
use crate::support::PATIENCE;
use crate::support::process::Process;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};

const PROGRAM: &str = env!("CARGO_BIN_EXE_metafield-gateway");

/// Waits for a message that has this line; gives the whole message.
fn told(manager: &UnixDatagram, line: &str) -> String {
    let mut buffer = [0; 4_096];
    loop {
        let count = manager
            .recv(&mut buffer)
            .unwrap_or_else(|_| panic!("{line} does not come"));
        let text = String::from_utf8_lossy(&buffer[..count]).into_owned();
        if text.lines().any(|found| found == line) {
            return text;
        }
    }
}

#[test]
fn the_manager_is_told_each_turn_of_its_life() {
    let ground = Ground::new();
    let config = ground.config("gateway.toml", "127.0.0.1:0", "");
    let path = ground.setup.folder.path().join("notify.sock");
    let manager = UnixDatagram::bind(&path).expect("a socket");
    manager.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    // The watchdog is for the process that the manager has started.
    let mut command = Command::new("sh");
    command
        .args(["-c", "WATCHDOG_PID=$$ exec \"$0\" serve --config \"$1\""])
        .args([PROGRAM, config.to_str().expect("UTF-8")])
        .env("NOTIFY_SOCKET", &path)
        .env("WATCHDOG_USEC", "1200000")
        .stdout(Stdio::piped());
    let mut gateway = Process::spawn(&mut command);
    let address = gateway.bound(" listening address=");
    told(&manager, "READY=1");
    // It does accept.
    drop(crate::support::client::Client::connect(address));
    for _ in 0..3 {
        told(&manager, "WATCHDOG=1");
    }
    gateway.signal("HUP");
    let reloading = told(&manager, "RELOADING=1");
    assert!(reloading.contains("MONOTONIC_USEC="), "{reloading}");
    told(&manager, "READY=1");
    gateway.signal("TERM");
    told(&manager, "STOPPING=1");
    assert_eq!(gateway.end().code, Some(0));
}

#[test]
fn a_manager_that_is_gone_does_not_matter() {
    let ground = Ground::new();
    let config = ground.config("gateway.toml", "127.0.0.1:0", "");
    let mut command = serve(&config);
    command
        .env(
            "NOTIFY_SOCKET",
            ground.setup.folder.path().join("gone.sock"),
        )
        .stdout(Stdio::piped());
    let mut gateway = Process::spawn(&mut command);
    gateway.bound(" listening address=");
    gateway.signal("TERM");
    let ended = gateway.end();
    assert_eq!(ended.code, Some(0));
    assert!(ended.stderr.contains("the init system could not be told"));
}
