//! Sockets that the init system has opened (`sd_listen_fds(3)`): who connects while no gateway runs is served by the
//! next one.

use super::{Ground, reserved};
use crate::support::client::{Client, Request};
use crate::support::process::Process;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Command, Stdio};

const PROGRAM: &str = env!("CARGO_BIN_EXE_metafield-gateway");

/// Starts a gateway with this socket as an init system passes it.
fn start(config: &Path, socket: &TcpListener) -> Process {
    let script = "LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" serve --config \"$1\" 3<&0 </dev/null";
    let socket = OwnedFd::from(socket.try_clone().expect("a socket"));
    let mut command = Command::new("sh");
    command
        .args(["-c", script, PROGRAM, config.to_str().expect("UTF-8")])
        .env_remove("METAFIELD_GATEWAY_LOG")
        .stdin(Stdio::from(socket))
        .stdout(Stdio::piped());
    Process::spawn(&mut command)
}

#[test]
fn a_restart_keeps_who_waits_at_the_socket() {
    let ground = Ground::new();
    let (socket, address) = reserved();
    let config = ground.config("gateway.toml", address, "");
    // Nobody accepts yet.
    let mut early = Client::connect(address);
    early.send(Request::update("{\"value\":\"gold\"}").to_bytes());
    for _ in 0..2 {
        let mut gateway = start(&config, &socket);
        assert_eq!(gateway.bound(" listening address="), address);
        assert_eq!(early.answer().status(), 200);
        let mut during = Client::connect(address);
        assert_eq!(
            during
                .exchange(&Request::update("{\"value\":\"gold\"}"))
                .status(),
            200
        );
        drop((early, during));
        gateway.signal("TERM");
        assert_eq!(gateway.end().code, Some(0));
        early = Client::connect(address);
        early.send(Request::update("{\"value\":\"gold\"}").to_bytes());
    }
}

#[test]
fn a_socket_that_nobody_wants_is_named() {
    let ground = Ground::new();
    let (socket, address) = reserved();
    let config = ground.config("gateway.toml", "127.0.0.1:0", "");
    // Port 0 takes it whatever its port is.
    let mut gateway = start(&config, &socket);
    assert_eq!(gateway.bound(" listening address="), address);
    gateway.signal("TERM");
    gateway.end();
    let (other, elsewhere) = reserved();
    drop(other);
    let config = ground.config("gateway.toml", elsewhere, "");
    let ended = start(&config, &socket).end();
    assert_eq!(ended.code, Some(1));
    let said = format!(
        "error: a listening socket on {address} was passed to this process, and none of `listen.address`, `admin.address` and `admin.page` is there\n  hint: give the socket unit and the configuration the same address\n"
    );
    assert!(ended.stderr.contains(&said), "{}", ended.stderr);
}
