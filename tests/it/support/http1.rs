//! Just enough HTTP/1.1 to read what a peer sent, byte for byte. It is not the gateway's parser.

use std::io::{self, Read};

/// A message that was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// The first line, without its line break.
    pub start: String,
    /// The fields in their order, names as they were sent.
    pub fields: Vec<(String, String)>,
    /// The body, decoded if it was chunked.
    pub body: Vec<u8>,
}

impl Message {
    /// The status of an answer.
    pub fn status(&self) -> u16 {
        self.start
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok())
            .expect("a status line")
    }

    /// The values of a field, whatever the case of its name.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let named = self
            .fields
            .iter()
            .filter(|(found, _)| found.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str()).collect()
    }

    /// The value of a field that stands at most once.
    pub fn field(&self, name: &str) -> Option<&str> {
        let all = self.all(name);
        assert!(all.len() <= 1, "{name} stands {} times", all.len());
        all.first().copied()
    }

    /// The gateway's code, if it made the answer itself.
    pub fn code(&self) -> Option<&str> {
        self.field("x-gateway-code")
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        json(&self.body)
    }

    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a body in UTF-8")
    }
}

/// Reads JSON; panics on anything else.
#[expect(
    clippy::disallowed_methods,
    reason = "tests read what the gateway wrote"
)]
pub fn json(bytes: &[u8]) -> serde_json::Value {
    serde_json::from_slice(bytes)
        .unwrap_or_else(|error| panic!("{error}: {:?}", String::from_utf8_lossy(bytes)))
}

/// How the end of a body is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A request: without a length there is no body.
    Request,
    /// An answer to this kind of request.
    Answer { to_head: bool },
}

/// Reads one message; `None` if the peer closed before its first byte.
pub fn read(stream: &mut impl Read, kind: Kind) -> io::Result<Option<Message>> {
    let Some(start) = line(stream)? else {
        return Ok(None);
    };
    let mut message = Message {
        start,
        ..Message::default()
    };
    loop {
        let line = line(stream)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').ok_or(io::ErrorKind::InvalidData)?;
        message
            .fields
            .push((name.to_owned(), value.trim().to_owned()));
    }
    let bodiless = match kind {
        Kind::Request => false,
        Kind::Answer { to_head } => to_head || matches!(message.status(), 100..200 | 204 | 304),
    };
    if bodiless {
        return Ok(Some(message));
    }
    message.body = if message.field("transfer-encoding") == Some("chunked") {
        chunks(stream)?
    } else if let Some(length) = message.field("content-length") {
        exactly(stream, length.parse().map_err(io::Error::other)?)?
    } else if kind == Kind::Request {
        Vec::new()
    } else {
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest)?;
        rest
    };
    Ok(Some(message))
}

fn line(stream: &mut impl Read) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    loop {
        let mut byte = [0];
        let count = match stream.read(&mut byte) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            outcome => outcome?,
        };
        if count == 0 {
            return if line.is_empty() {
                Ok(None)
            } else {
                Err(io::ErrorKind::UnexpectedEof.into())
            };
        }
        line.push(byte[0]);
        if line.ends_with(b"\r\n") {
            line.truncate(line.len() - 2);
            return String::from_utf8(line).map(Some).map_err(io::Error::other);
        }
    }
}

fn exactly(stream: &mut impl Read, length: usize) -> io::Result<Vec<u8>> {
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok(body)
}

fn chunks(stream: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let size = line(stream)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let size = usize::from_str_radix(size.split(';').next().unwrap_or_default(), 16)
            .map_err(io::Error::other)?;
        body.extend(exactly(stream, size)?);
        if size == 0 {
            while line(stream)?.is_some_and(|trailer| !trailer.is_empty()) {}
            return Ok(body);
        }
        line(stream)?;
    }
}
