//! The upstream as a process of its own, so that it can be killed and paused.

use crate::support::process::signal;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A loopback address that is no connection's own: while nobody listens on the upstream's port, no other
/// socket can come by it, and a connection to it cannot meet itself.
const ADDRESS: [u8; 4] = [127, 0, 0, 2];
const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/upstream.py");

/// An upstream; it is killed when dropped.
#[derive(Debug)]
pub struct Upstream {
    pub address: SocketAddr,
    record: PathBuf,
    child: Child,
}

impl Upstream {
    /// Starts it on a free port; it adds what it receives to this file.
    pub fn start(record: &Path) -> Self {
        let (child, address) = spawn(SocketAddr::from((ADDRESS, 0)), record);
        Self {
            address,
            record: record.to_owned(),
            child,
        }
    }

    /// Kills it in the middle of whatever it does.
    pub fn kill(&mut self) {
        self.child.kill().expect("it ran");
        self.child.wait().expect("it ran");
    }

    /// Starts it again on its port.
    pub fn restart(&mut self) {
        let (child, address) = spawn(self.address, &self.record);
        self.child = child;
        assert_eq!(address, self.address);
    }

    /// On each of its connections, hangs up in the middle of the next request.
    pub fn hang_up(&self) {
        signal("USR1", self.child.id());
    }

    /// Stops it, so that it neither accepts nor reads nor answers.
    pub fn pause(&self) {
        signal("STOP", self.child.id());
    }

    /// Lets it go on.
    pub fn resume(&self) {
        signal("CONT", self.child.id());
    }

    /// Ends it once its connections have ended: what reached it is in its record.
    pub fn end(mut self) {
        signal("TERM", self.child.id());
        let status = self.child.wait().expect("it ran");
        assert!(status.success(), "{status}");
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        // An error means that it has ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn spawn(address: SocketAddr, record: &Path) -> (Child, SocketAddr) {
    let mut child = Command::new("python3")
        .arg(PROGRAM)
        .args([address.ip().to_string(), address.port().to_string()])
        .arg(record)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3");
    let mut line = String::new();
    let stdout = child.stdout.take().expect("piped");
    let read = BufReader::new(stdout).read_line(&mut line);
    let port = line
        .trim_end()
        .strip_prefix("listening ")
        .and_then(|port| port.parse().ok());
    let Some(port) = port.filter(|_| read.is_ok()) else {
        drop(child.kill());
        drop(child.wait());
        panic!("the upstream did not start on {address}: {line:?}");
    };
    (child, SocketAddr::new(address.ip(), port))
}
