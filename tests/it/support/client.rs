//! A client that writes exactly the bytes it is given.

use super::PATIENCE;
use super::http1::{Kind, Message, read};
use std::io::{self, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;

/// A connection to the gateway.
#[derive(Debug)]
pub struct Client<S: Read + Write = TcpStream> {
    stream: BufReader<S>,
}

impl Client {
    /// Connects by TCP.
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the gateway listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_write_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_nodelay(true).expect("no delay");
        Self::over(stream)
    }

    /// Closes the sending half.
    pub fn finish(&mut self) {
        self.stream
            .get_ref()
            .shutdown(Shutdown::Write)
            .expect("the sending half was open");
    }
}

impl Client<UnixStream> {
    /// Connects by a Unix socket.
    pub fn connect_unix(path: &Path) -> Self {
        let stream = UnixStream::connect(path).expect("the gateway listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        Self::over(stream)
    }
}

impl<S: Read + Write> Client<S> {
    /// Speaks over a stream that is open.
    pub fn over(stream: S) -> Self {
        Self {
            stream: BufReader::new(stream),
        }
    }

    /// Writes bytes; an error if the gateway has closed.
    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes.as_ref())?;
        self.stream.get_mut().flush()
    }

    /// Writes bytes.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).expect("the gateway reads");
    }

    /// Reads one answer, or what stands in its place.
    pub fn try_answer(&mut self, to_head: bool) -> io::Result<Option<Message>> {
        read(&mut self.stream, Kind::Answer { to_head })
    }

    /// Reads one answer.
    pub fn answer(&mut self) -> Message {
        self.try_answer(false)
            .expect("an answer")
            .expect("an answer before the end")
    }

    /// Reads one answer to a HEAD request.
    pub fn answer_to_head(&mut self) -> Message {
        self.try_answer(true)
            .expect("an answer")
            .expect("an answer before the end")
    }

    /// Whether the gateway closes without another byte, and without a reset.
    pub fn is_closed(&mut self) -> bool {
        matches!(self.stream.read(&mut [0]), Ok(0))
    }

    /// Reads this many bytes.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.stream.read_exact(&mut bytes).expect("so many bytes");
        bytes
    }

    /// Reads whatever comes before the gateway closes or resets.
    pub fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        // A reset ends the bytes as well as a close; what came before it is kept.
        drop(self.stream.read_to_end(&mut rest));
        rest
    }

    /// Sends a request and reads its answer.
    pub fn exchange(&mut self, request: &Request) -> Message {
        self.send(request.to_bytes());
        self.try_answer(request.method == "HEAD")
            .expect("an answer")
            .expect("an answer before the end")
    }
}

/// A well-formed request, to be changed by the test.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    pub target: String,
    pub fields: Vec<(String, String)>,
    pub body: Option<Vec<u8>>,
}

/// The path of one metafield.
pub const ONE: &str = "/stores/abc123/v3/customers/7/metafields/9";
/// The path of one customer's metafields.
pub const CUSTOMER: &str = "/stores/abc123/v3/customers/7/metafields";
/// The path of all metafields.
pub const ALL: &str = "/stores/abc123/v3/customers/metafields";

impl Request {
    /// A request with the writer's token and no body.
    pub fn new(method: &str, target: &str) -> Self {
        let fields = vec![
            ("Host".to_owned(), "gateway.test".to_owned()),
            ("X-Auth-Token".to_owned(), super::gateway::WRITER.to_owned()),
        ];
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            fields,
            body: None,
        }
    }

    /// An update of one metafield with this body.
    pub fn update(body: impl Into<Vec<u8>>) -> Self {
        Self::new("PUT", ONE).json(body)
    }

    /// The same with a JSON body.
    pub fn json(self, body: impl Into<Vec<u8>>) -> Self {
        Self {
            body: Some(body.into()),
            ..self
        }
        .with("Content-Type", "application/json")
    }

    /// The same with one more field.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same without a field.
    pub fn without(mut self, name: &str) -> Self {
        self.fields
            .retain(|(found, _)| !found.eq_ignore_ascii_case(name));
        self
    }

    /// The same with another value of a field.
    pub fn instead(self, name: &str, value: &str) -> Self {
        self.without(name).with(name, value)
    }

    /// The head alone, with the body's length if there is a body and no framing was given.
    pub fn head(&self) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target).into_bytes();
        for (name, value) in &self.fields {
            head.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        let framed = self.fields.iter().any(|(name, _)| {
            name.eq_ignore_ascii_case("content-length")
                || name.eq_ignore_ascii_case("transfer-encoding")
        });
        if let Some(body) = self.body.as_ref().filter(|_| !framed) {
            head.extend_from_slice(format!("Content-Length: {}\r\n", body.len()).as_bytes());
        }
        head.extend_from_slice(b"\r\n");
        head
    }

    /// The whole request.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.head();
        bytes.extend_from_slice(self.body.as_deref().unwrap_or_default());
        bytes
    }

    /// The whole request with its body in chunks of this size.
    pub fn chunked(&self, size: usize) -> Vec<u8> {
        let mut bytes = self.clone().with("Transfer-Encoding", "chunked").head();
        for chunk in self.body.as_deref().unwrap_or_default().chunks(size) {
            bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            bytes.extend_from_slice(chunk);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"0\r\n\r\n");
        bytes
    }
}
