//! HTTP/2 frame by frame, so that a test can send what no library would write. It is not the gateway's
//! parser: fields are written as plain literals, whatever their bytes, and of the header blocks that
//! come back only a bare 431 is known. What an answer says is read in its body.

use super::PATIENCE;
use super::fake::OK;
use super::http1::json;
use std::collections::BTreeMap;
use std::io::{self, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

/// The first bytes of a connection.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The types of frames.
pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const PRIORITY: u8 = 2;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PUSH_PROMISE: u8 = 5;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

/// Their flags.
pub const END_STREAM: u8 = 0x1;
pub const ACK: u8 = 0x1;
pub const END_HEADERS: u8 = 0x4;
pub const PADDED: u8 = 0x8;
pub const WITH_PRIORITY: u8 = 0x20;

/// The most that a frame may carry by default.
pub const MAX_FRAME: usize = 16_384;

/// A header block of nothing but `:status 431`, as h2 writes it: an indexed name and a Huffman string.
const BARE_431: &[u8] = &[0x48, 0x83, 0x69, 0x90, 0xff];

/// A frame that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

impl Frame {
    /// Its first four bytes as a number.
    fn word(&self, at: usize) -> u32 {
        let bytes = self.payload[at..at + 4].try_into().expect("four bytes");
        u32::from_be_bytes(bytes)
    }
}

/// A frame.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let payload = payload.as_ref();
    let length = u32::try_from(payload.len())
        .expect("a length")
        .to_be_bytes();
    let mut bytes = length[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// A whole header block, in as many frames as it needs.
pub fn headers(stream: u32, flags: u8, block: &[u8]) -> Vec<u8> {
    let (first, rest) = block.split_at(block.len().min(MAX_FRAME));
    let mut pieces: Vec<_> = std::iter::once((HEADERS, flags, first))
        .chain(rest.chunks(MAX_FRAME).map(|piece| (CONTINUATION, 0, piece)))
        .collect();
    pieces.last_mut().expect("one").1 |= END_HEADERS;
    let frames = pieces
        .iter()
        .map(|(kind, flags, piece)| frame(*kind, *flags, stream, piece));
    frames.collect::<Vec<_>>().concat()
}

/// A reset with this code.
pub fn reset(stream: u32, code: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, code.to_be_bytes())
}

/// A window's increment.
pub fn window(stream: u32, increment: u32) -> Vec<u8> {
    frame(WINDOW_UPDATE, 0, stream, increment.to_be_bytes())
}

/// A frame of settings.
pub fn settings(values: &[(u16, u32)]) -> Vec<u8> {
    let mut payload = Vec::new();
    for (name, value) in values {
        payload.extend(name.to_be_bytes());
        payload.extend(value.to_be_bytes());
    }
    frame(SETTINGS, 0, 0, payload)
}

/// An integer of RFC 7541 section 5.1 behind the bits of `begin`.
fn integer(begin: u8, prefix: u32, value: usize) -> Vec<u8> {
    let most = (1_usize << prefix) - 1;
    let byte = |value: usize| u8::try_from(value).expect("a byte");
    if value < most {
        return vec![begin | byte(value)];
    }
    let (mut bytes, mut rest) = (vec![begin | byte(most)], value - most);
    while rest >= 0x80 {
        bytes.push(byte(rest % 0x80) | 0x80);
        rest /= 0x80;
    }
    bytes.push(byte(rest));
    bytes
}

/// A string without Huffman coding.
fn string(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let bytes = bytes.as_ref();
    [&integer(0, 7, bytes.len()), bytes].concat()
}

/// A field that leaves the table alone.
pub fn literal(name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Vec<u8> {
    [vec![0], string(name), string(value)].concat()
}

/// A field with a name of the table.
pub fn named(index: usize, value: impl AsRef<[u8]>) -> Vec<u8> {
    [integer(0, 4, index), string(value)].concat()
}

/// A field that goes into the table, as its newest entry: number 62.
pub fn indexing(name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Vec<u8> {
    [vec![0x40], string(name), string(value)].concat()
}

/// A field of the table.
pub fn indexed(index: usize) -> Vec<u8> {
    integer(0x80, 7, index)
}

/// An order to the table to keep at most this many bytes.
pub fn table_size(size: usize) -> Vec<u8> {
    integer(0x20, 5, size)
}

/// A header block of these fields.
pub fn block<N: AsRef<[u8]>, V: AsRef<[u8]>>(fields: &[(N, V)]) -> Vec<u8> {
    let fields = fields.iter().map(|(name, value)| literal(name, value));
    fields.collect::<Vec<_>>().concat()
}

/// The name of an error (RFC 9113 section 7).
fn reason(code: u32) -> String {
    const NAMES: [&str; 14] = [
        "NO_ERROR",
        "PROTOCOL_ERROR",
        "INTERNAL_ERROR",
        "FLOW_CONTROL_ERROR",
        "SETTINGS_TIMEOUT",
        "STREAM_CLOSED",
        "FRAME_SIZE_ERROR",
        "REFUSED_STREAM",
        "CANCEL",
        "COMPRESSION_ERROR",
        "CONNECT_ERROR",
        "ENHANCE_YOUR_CALM",
        "INADEQUATE_SECURITY",
        "HTTP_1_1_REQUIRED",
    ];
    let known = usize::try_from(code).ok().and_then(|code| NAMES.get(code));
    known.map_or_else(|| code.to_string(), |name| (*name).to_owned())
}

/// A connection to the gateway.
pub struct Wire {
    stream: BufReader<TcpStream>,
    answers: BTreeMap<u32, (Vec<u8>, Vec<u8>)>,
}

impl Wire {
    /// Connects and says nothing.
    pub fn open(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).expect("the gateway listens"))
    }

    /// Speaks over a connection that is open.
    pub fn over(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_write_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_nodelay(true).expect("no delay");
        Self {
            stream: BufReader::new(stream),
            answers: BTreeMap::new(),
        }
    }

    /// Connects and agrees on settings.
    pub fn connect(address: SocketAddr) -> Self {
        Self::connect_with(address, &[])
    }

    /// Connects and agrees on these settings.
    pub fn connect_with(address: SocketAddr, values: &[(u16, u32)]) -> Self {
        let mut wire = Self::open(address);
        wire.agree(values);
        wire
    }

    /// Sends the preface and settings, acknowledges the gateway's, and waits for it to do so too and to
    /// open its window.
    pub fn agree(&mut self, values: &[(u16, u32)]) {
        self.send([PREFACE, &settings(values)].concat());
        let mut heard = Vec::new();
        while heard.len() < 3 {
            let frame = self.frame().expect("settings");
            heard.push((frame.kind, frame.flags));
        }
        heard.sort_unstable();
        let expected = [(SETTINGS, 0), (SETTINGS, ACK), (WINDOW_UPDATE, 0)];
        assert_eq!(heard, expected);
        self.send(frame(SETTINGS, ACK, 0, []));
    }

    /// Writes bytes; an error if the gateway has closed.
    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes.as_ref())
    }

    /// Writes bytes.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).expect("the gateway reads");
    }

    /// Another handle on the connection, to write while this one reads.
    pub fn writer(&self) -> TcpStream {
        self.stream.get_ref().try_clone().expect("a descriptor")
    }

    /// Reads a frame; an error where the connection ends.
    pub fn frame(&mut self) -> io::Result<Frame> {
        let mut head = [0; 9];
        self.stream.read_exact(&mut head)?;
        let [a, b, c, kind, flags, stream @ ..] = head;
        let mut payload = vec![0; usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c)];
        self.stream.read_exact(&mut payload)?;
        Ok(Frame {
            kind,
            flags,
            stream: u32::from_be_bytes(stream),
            payload,
        })
    }

    /// Reads until this stream or the connection has ended, and tells all that ended or was refused
    /// until then; other streams are named by their number.
    pub fn events(&mut self, watched: u32) -> Vec<String> {
        let mut events = Vec::new();
        loop {
            match self.next_event() {
                Ok((0, event)) => events.push(event),
                Ok((stream, event)) if stream == watched => {
                    events.push(event);
                    return events;
                }
                Ok((stream, event)) => events.push(format!("{stream}: {event}")),
                Err(error) => {
                    events.push(end(&error).to_owned());
                    return events;
                }
            }
        }
    }

    /// Reads until a stream has ended or was refused, or the connection goes away: stream 0. An error where
    /// it has ended.
    pub fn next_event(&mut self) -> io::Result<(u32, String)> {
        loop {
            let frame = self.frame()?;
            let stream = frame.stream;
            if let Some(event) = self.event(frame) {
                return Ok((stream, event));
            }
        }
    }

    /// What a frame ends or refuses, if it does.
    fn event(&mut self, frame: Frame) -> Option<String> {
        match frame.kind {
            RST_STREAM => return Some(format!("reset {}", reason(frame.word(0)))),
            GOAWAY => {
                let reason = reason(frame.word(4));
                let why = String::from_utf8_lossy(&frame.payload[8..]).into_owned();
                return Some(format!("goaway {reason} {why}").trim_end().to_owned());
            }
            HEADERS => self.answers.entry(frame.stream).or_default().0 = frame.payload,
            DATA => {
                let answer = self.answers.get_mut(&frame.stream).expect("a head first");
                answer.1.extend(frame.payload);
            }
            _ => return None,
        }
        if frame.flags & END_STREAM == 0 {
            return None;
        }
        let (head, body) = self.answers.remove(&frame.stream).expect("a head first");
        Some(told(&head, &body))
    }
}

/// How a connection ended.
fn end(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => "closed",
        io::ErrorKind::ConnectionReset => "broken",
        _ => panic!("neither a frame nor an end: {error}"),
    }
}

/// What an answer says: the status and the code of a refusal, or that it is the upstream's.
fn told(head: &[u8], body: &[u8]) -> String {
    if OK.ends_with(&*String::from_utf8_lossy(body)) && !body.is_empty() {
        return "200".to_owned();
    }
    if body.is_empty() && head == BARE_431 {
        return "431".to_owned();
    }
    if body.is_empty() {
        return format!("a head of {head:x?}");
    }
    let problem = json(body);
    format!(
        "{} {}",
        problem["status"],
        problem["code"].as_str().expect("a code")
    )
}
