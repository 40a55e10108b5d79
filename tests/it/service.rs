//! The gateway as a service: sockets that are opened before it, what an init system is told, and a process that takes
//! over from another.

mod handover;
mod notified;
mod passed;
mod promptly;
mod unit;

use crate::support::fake::Fake;
use crate::support::gateway::{CREDENTIAL, Setup};
use crate::support::process::program;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

/// A gateway's configuration with what it names; it ends with the test.
struct Ground {
    setup: Setup,
    fake: Fake,
}

impl Ground {
    fn new() -> Self {
        let fake = Fake::good();
        let setup = Setup::new(fake.address);
        setup.folder.write("credential", CREDENTIAL);
        Self { setup, fake }
    }

    /// Writes the configuration of a gateway on this address, with more lines at its head.
    fn config(&self, name: &str, address: impl std::fmt::Display, head: &str) -> PathBuf {
        let listen = format!("listen.address = \"{address}\"");
        let text = self.setup.text();
        let text = text.replace("listen.address = \"127.0.0.1:0\"", &listen);
        self.setup.folder.write(name, format!("{head}\n{text}"))
    }
}

/// The command that serves a configuration.
fn serve(config: &std::path::Path) -> Command {
    program(&["serve", "--config", config.to_str().expect("UTF-8")])
}

/// A free address, with the listener that keeps it so.
fn reserved() -> (std::net::TcpListener, SocketAddr) {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let address = listener.local_addr().expect("an address");
    (listener, address)
}
