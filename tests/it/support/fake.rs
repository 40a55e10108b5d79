//! Upstreams for the gateway to meet, named by what they do. Each records the exact bytes of every
//! request by connection.

use super::PATIENCE;
use super::http1::{Kind, Message, read};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
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
    entries: Mutex<Vec<Vec<Message>>>,
    changed: Condvar,
    closing: std::sync::atomic::AtomicBool,
}

/// One connection of the gateway.
pub struct Connection {
    /// Counted from 0.
    pub number: usize,
    stream: BufReader<Wire>,
    log: Arc<Log>,
}

/// What a connection's bytes go over.
enum Wire {
    Tcp(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Wire {
    fn new(tcp: TcpStream, tls: Option<&Arc<ServerConfig>>) -> Self {
        match tls {
            None => Self::Tcp(tcp),
            Some(config) => {
                let tls = ServerConnection::new(Arc::clone(config)).expect("a configuration");
                Self::Tls(Box::new(StreamOwned::new(tls, tcp)))
            }
        }
    }

    fn tcp(&self) -> &TcpStream {
        match self {
            Self::Tcp(tcp) => tcp,
            Self::Tls(tls) => &tls.sock,
        }
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(tcp) => tcp.read(buffer),
            Self::Tls(tls) => tls.read(buffer),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(tcp) => tcp.write(bytes),
            Self::Tls(tls) => tls.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(tcp) => tcp.flush(),
            Self::Tls(tls) => tls.flush(),
        }
    }
}

impl Connection {
    /// Reads and records the next request; `None` if the gateway closed.
    pub fn request(&mut self) -> io::Result<Option<Message>> {
        let request = read(&mut self.stream, Kind::Request)?;
        if let Some(request) = &request {
            let mut entries = self.log.entries.lock().expect("the record");
            entries
                .get_mut(self.number)
                .expect("this connection's record")
                .push(request.clone());
            self.log.changed.notify_all();
        }
        Ok(request)
    }

    /// Reads one byte of a request, which is not recorded.
    pub fn one_byte(&mut self) -> io::Result<()> {
        self.stream.read_exact(&mut [0])
    }

    /// Reads this many bytes, which are not recorded.
    pub fn bytes(&mut self, count: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; count];
        self.stream.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// The protocol that ALPN agreed on.
    pub fn protocol(&self) -> Option<&[u8]> {
        match self.stream.get_ref() {
            Wire::Tcp(_) => None,
            Wire::Tls(tls) => tls.conn.alpn_protocol(),
        }
    }

    /// Writes bytes.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes.as_ref())
    }

    /// Waits for the gateway to close.
    pub fn until_closed(&mut self) -> io::Result<()> {
        self.stream.read_to_end(&mut Vec::new()).map(drop)
    }

    /// Closes the sending half.
    pub fn finish(&self) -> io::Result<()> {
        self.stream.get_ref().tcp().shutdown(Shutdown::Write)
    }

    /// Closes with a reset.
    pub fn reset(&self) -> io::Result<()> {
        socket2::SockRef::from(self.stream.get_ref().tcp())
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
        self.log.entries.lock().expect("the record").clone()
    }

    /// Every request so far.
    pub fn requests(&self) -> Vec<Message> {
        self.connections().concat()
    }

    /// Waits until this many requests have been read whole.
    pub fn wait_for(&self, count: usize) {
        let entries = self.log.entries.lock().expect("the record");
        let few =
            |entries: &mut Vec<Vec<Message>>| entries.iter().map(Vec::len).sum::<usize>() < count;
        let (_entries, waited) = self
            .log
            .changed
            .wait_timeout_while(entries, PATIENCE, few)
            .expect("the record");
        assert!(!waited.timed_out(), "{count} requests were expected");
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
            entries.push(Vec::new());
            entries.len() - 1
        };
        let mut connection = Connection {
            number,
            stream: BufReader::new(Wire::new(stream, tls)),
            log: Arc::clone(log),
        };
        let behaviour = Arc::clone(behaviour);
        // A gateway that closes in the middle is what some tests are about.
        std::thread::spawn(move || drop(behaviour(&mut connection)));
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
