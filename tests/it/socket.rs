//! The door of a Unix socket.

use crate::support::client::{Client, Request};
use crate::support::fake::Fake;
use crate::support::gateway::{Folder, Setup};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;

fn setup(upstream: &Fake, socket: &Path, mode: &str) -> Setup {
    Setup::new(upstream.address).listening(&format!(
        "listen.address = \"unix:{}\"\n{mode}",
        socket.display()
    ))
}

fn mode_of(socket: &Path) -> u32 {
    let found = std::fs::metadata(socket).expect("the socket");
    found.permissions().mode() & 0o777
}

#[test]
fn requests_come_by_a_socket_with_the_configured_mode() {
    let (upstream, folder) = (Fake::good(), Folder::new());
    let socket = folder.path().join("gateway.sock");
    for (line, mode) in [("", 0o660), ("listen.socket_mode = \"0606\"", 0o606)] {
        let gateway = setup(&upstream, &socket, line).start();
        assert_eq!(mode_of(&socket), mode);
        let mut client = Client::connect_unix(&socket);
        for _ in 0..2 {
            assert_eq!(client.exchange(&Request::update("{}")).status(), 200);
        }
        let refused = Request::update("{}").without("X-Auth-Token");
        assert_eq!(client.exchange(&refused).code(), Some("missing_token"));
        let lines = gateway.stop();
        assert_eq!(lines.len(), 3);
        assert!(lines.iter().all(|line| line["peer"] == "unix"), "{lines:?}");
        assert!(!socket.exists(), "the socket is removed at the end");
    }
}

#[test]
fn a_stale_socket_is_replaced() {
    let (upstream, folder) = (Fake::good(), Folder::new());
    let socket = folder.path().join("gateway.sock");
    drop(UnixListener::bind(&socket).expect("a socket that nobody answers on"));
    assert!(socket.exists());
    let gateway = setup(&upstream, &socket, "").start();
    let answer = Client::connect_unix(&socket).exchange(&Request::update("{}"));
    assert_eq!(answer.status(), 200);
    drop(gateway);
    assert!(!socket.exists());
}

#[test]
fn a_large_refused_body_does_not_hide_the_refusal() {
    let (upstream, folder) = (Fake::good(), Folder::new());
    let socket = folder.path().join("gateway.sock");
    let _gateway = setup(&upstream, &socket, "").start();
    let large = Request::update(vec![b' '; 3 * 1024 * 1024]);
    let answer = Client::connect_unix(&socket).exchange(&large);
    assert_eq!(answer.code(), Some("body_too_large"));
}
