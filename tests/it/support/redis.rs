//! Redis servers: the distribution's own, each on a free port of this machine, with its data in a folder that is
//! removed.

use super::PATIENCE;
use super::gateway::Folder;
use super::process::signal;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const REMEDY: &str = "this test needs `redis-server`: install the package of that name";

/// A server that runs; it is killed when dropped.
#[derive(Debug)]
pub struct Redis {
    child: Child,
    pub port: u16,
    settings: Vec<String>,
    folder: Folder,
}

/// A port that is free now. Whoever takes it looks whether it got it.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("its address").port()
}

impl Redis {
    /// A server with nothing but memory.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same with more settings, as `--name`, `value`.
    pub fn start_with(settings: &[&str]) -> Self {
        let settings: Vec<String> = settings.iter().map(|text| (*text).to_owned()).collect();
        loop {
            let (port, folder) = (free_port(), Folder::new());
            let child = spawn(port, &settings, &folder);
            let mut redis = Self {
                child,
                port,
                settings: settings.clone(),
                folder,
            };
            if redis.answers() {
                return redis;
            }
        }
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    #[expect(clippy::disallowed_methods, reason = "a process is waited for")]
    /// Waits until it answers anything; not if it has ended, as when its port was another's.
    fn answers(&mut self) -> bool {
        let address = SocketAddr::from(([127, 0, 0, 1], self.port));
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if self.child.try_wait().expect("a child").is_some() {
                return false;
            }
            if ping(address) {
                return true;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("{REMEDY}; it does not answer on {address}")
    }

    pub fn signal(&self, name: &str) {
        signal(name, self.child.id());
    }

    /// Kills it; what it knew is lost.
    pub fn kill(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it has ended");
    }

    /// Starts it again on the same port.
    pub fn start_again(&mut self) {
        self.child = spawn(self.port, &self.settings, &self.folder);
        assert!(self.answers(), "its port was taken meanwhile");
    }

    /// What a command answers, as text.
    pub fn command(&self, words: &[&str]) -> String {
        command(self.port, words)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // A stopped one ends too.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Has a server on this port answer a command.
pub fn command(port: u16, words: &[&str]) -> String {
    let output = Command::new("redis-cli")
        .args(["-p", &port.to_string()])
        .args(words)
        .output();
    let output = output.unwrap_or_else(|error| panic!("{REMEDY}: {error}"));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn spawn(port: u16, settings: &[String], folder: &Folder) -> Child {
    let child = Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
        .args(["--save", "", "--appendonly", "no", "--dir"])
        .arg(folder.path())
        .args(settings)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn();
    child.unwrap_or_else(|error| panic!("{REMEDY}: {error}"))
}

fn ping(address: SocketAddr) -> bool {
    let Ok(mut stream) = TcpStream::connect(address) else {
        return false;
    };
    let set = stream.set_read_timeout(Some(Duration::from_secs(1)));
    let mut answer = [0; 1];
    // One that asks for a password, or speaks TLS alone, answers or closes: it is there.
    set.is_ok() && stream.write_all(b"PING\r\n").is_ok() && stream.read(&mut answer).is_ok()
}
