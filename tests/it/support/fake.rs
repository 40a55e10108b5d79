//! Upstreams for the gateway to meet, named by what they do. Each records by connection every request
//! and every byte that was read.

use super::PATIENCE;
use super::http1::{Kind, Message, read};
use super::wire::Wire;
use rustls::ServerConfig;
use std::io::{self, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;

/// An ordinary answer.
pub const OK: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 30\r\n\r\n{\"data\":{\"id\":9},\"meta\":{}}   ";

/// What an upstream does with one connection; it ends when this returns.
type Behaviour = dyn Fn(&mut Connection) -> io::Result<()> + Send + Sync;

/// An upstream on a free port.
pub struct Fake {
    pub address: SocketAddr,
    log: Arc<Log>,
    accept: Option<JoinHandle<()>>,
}

#[expect(
    clippy::disallowed_types,
    reason = "a test's record is read from another thread"
)]
#[derive(Default)]
struct Log {
    entries: Mutex<Vec<Entry>>,
    changed: Condvar,
    closing: std::sync::atomic::AtomicBool,
}

/// What is known of one connection.
#[derive(Default)]
struct Entry {
    requests: Vec<Message>,
    raw: Vec<u8>,
    ended: bool,
}

impl Log {
    /// Changes the record of a connection.
    fn note(&self, number: usize, change: impl FnOnce(&mut Entry)) {
        let mut entries = self.entries.lock().expect("the record");
        change(entries.get_mut(number).expect("this connection's record"));
        self.changed.notify_all();
    }

    /// Waits until the records are as they should be.
    fn wait(&self, expected: &str, is_so: impl Fn(&[Entry]) -> bool) {
        let entries = self.entries.lock().expect("the record");
        let (_entries, waited) = self
            .changed
            .wait_timeout_while(entries, PATIENCE, |entries| !is_so(entries))
            .expect("the record");
        assert!(!waited.timed_out(), "{expected} expected");
    }
}

/// One connection of the gateway.
pub struct Connection {
    /// Counted from 0.
    pub number: usize,
    stream: BufReader<Recorder>,
    log: Arc<Log>,
}

/// Records each byte that is read.
struct Recorder {
    wire: Wire,
    number: usize,
    log: Arc<Log>,
}

impl Read for Recorder {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.wire.read(buffer)?;
        if count > 0 {
            self.log.note(self.number, |entry| {
                entry.raw.extend_from_slice(&buffer[..count]);
            });
        }
        Ok(count)
    }
}

impl Connection {
    /// Reads and records the next request; `None` if the gateway closed.
    pub fn request(&mut self) -> io::Result<Option<Message>> {
        let request = read(&mut self.stream, Kind::Request)?;
        if let Some(request) = &request {
            self.log.note(self.number, |entry| {
                entry.requests.push(request.clone());
            });
        }
        Ok(request)
    }

    /// Reads one byte, which is no part of a recorded request.
    pub fn one_byte(&mut self) -> io::Result<()> {
        self.stream.read_exact(&mut [0])
    }

    /// Reads this many bytes, which are no part of a recorded request.
    pub fn bytes(&mut self, count: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; count];
        self.stream.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// The protocol that ALPN agreed on.
    pub fn protocol(&self) -> Option<&[u8]> {
        self.stream.get_ref().wire.protocol()
    }

    /// Writes bytes.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.get_mut().wire.write_all(bytes.as_ref())
    }

    /// Waits for the gateway to close.
    pub fn until_closed(&mut self) -> io::Result<()> {
        self.stream.read_to_end(&mut Vec::new()).map(drop)
    }

    /// Closes the sending half.
    pub fn finish(&self) -> io::Result<()> {
        self.stream.get_ref().wire.tcp().shutdown(Shutdown::Write)
    }

    /// Closes with a reset.
    pub fn reset(&self) -> io::Result<()> {
        socket2::SockRef::from(self.stream.get_ref().wire.tcp())
            .set_linger(Some(std::time::Duration::ZERO))
    }
}

impl Fake {
    /// An upstream that does this with each connection.
    pub fn doing(
        behaviour: impl Fn(&mut Connection) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        Self::over(None, behaviour)
    }

    /// An upstream that does this with each connection, over TLS.
    pub fn over_tls(
        tls: Arc<ServerConfig>,
        behaviour: impl Fn(&mut Connection) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        Self::over(Some(tls), behaviour)
    }

    /// An upstream that works, over TLS.
    pub fn good_over_tls(tls: Arc<ServerConfig>) -> Self {
        Self::over_tls(tls, |connection| {
            while connection.request()?.is_some() {
                connection.send(OK)?;
            }
            Ok(())
        })
    }

    fn over(
        tls: Option<Arc<ServerConfig>>,
        behaviour: impl Fn(&mut Connection) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let log = Arc::new(Log::default());
        let behaviour: Arc<Behaviour> = Arc::new(behaviour);
        let accept = std::thread::spawn({
            let log = Arc::clone(&log);
            move || accept(&listener, tls.as_ref(), &log, &behaviour)
        });
        Self {
            address,
            log,
            accept: Some(accept),
        }
    }

    /// An upstream that answers every request with these bytes.
    pub fn answering(answer: impl Into<Vec<u8>>) -> Self {
        let answer = answer.into();
        Self::doing(move |connection| {
            while connection.request()?.is_some() {
                connection.send(&answer)?;
            }
            Ok(())
        })
    }

    /// An upstream that works.
    pub fn good() -> Self {
        Self::answering(OK)
    }

    /// An upstream that reads requests and never answers.
    pub fn stalling() -> Self {
        Self::doing(|connection| {
            while connection.request()?.is_some() {}
            Ok(())
        })
    }

    /// Every request so far, by connection.
    pub fn connections(&self) -> Vec<Vec<Message>> {
        let entries = self.log.entries.lock().expect("the record");
        entries.iter().map(|entry| entry.requests.clone()).collect()
    }

    /// Every request so far.
    pub fn requests(&self) -> Vec<Message> {
        self.connections().concat()
    }

    /// Every byte that was read so far, by connection.
    pub fn raw(&self) -> Vec<Vec<u8>> {
        let entries = self.log.entries.lock().expect("the record");
        entries.iter().map(|entry| entry.raw.clone()).collect()
    }

    /// Waits until this many requests have been read whole.
    pub fn wait_for(&self, count: usize) {
        self.log.wait(&format!("{count} requests"), |entries| {
            let seen: usize = entries.iter().map(|entry| entry.requests.len()).sum();
            seen >= count
        });
    }

    /// Waits until this many connections have ended.
    pub fn wait_for_ended(&self, count: usize) {
        self.log.wait(&format!("{count} ends"), |entries| {
            entries.iter().filter(|entry| entry.ended).count() >= count
        });
    }
}

fn accept(
    listener: &TcpListener,
    tls: Option<&Arc<ServerConfig>>,
    log: &Arc<Log>,
    behaviour: &Arc<Behaviour>,
) {
    for stream in listener.incoming() {
        if log.closing.load(std::sync::atomic::Ordering::Relaxed) {
            return;
        }
        let Ok(stream) = stream else { continue };
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_nodelay(true).expect("no delay");
        let number = {
            let mut entries = log.entries.lock().expect("the record");
            entries.push(Entry::default());
            entries.len() - 1
        };
        let recorder = Recorder {
            wire: Wire::new(stream, tls),
            number,
            log: Arc::clone(log),
        };
        let mut connection = Connection {
            number,
            stream: BufReader::new(recorder),
            log: Arc::clone(log),
        };
        let behaviour = Arc::clone(behaviour);
        std::thread::spawn(move || {
            // A gateway that closes in the middle is what some tests are about.
            drop(behaviour(&mut connection));
            connection.log.note(number, |entry| entry.ended = true);
        });
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.log
            .closing
            .store(true, std::sync::atomic::Ordering::Relaxed);
        // Wakes the accepting thread.
        drop(TcpStream::connect(self.address));
        if let Some(accept) = self.accept.take() {
            drop(accept.join());
        }
    }
}
