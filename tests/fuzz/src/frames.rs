//! HTTP/2 frames written as text, so that a fuzzer can change them byte by byte and a person can read
//! what it found. A line a frame:
//!
//! ```text
//! H 1 5 :method=PUT|:path=/x|x-auth-token=abc    HEADERS on stream 1, flags 5
//! C 1 4 a=b                                      CONTINUATION
//! T 1 5 a=b                                      HEADERS whose fields enter the dynamic table
//! I 1 5 62 62 2                                  HEADERS of indexed fields
//! D 1 1 {"value":"x"}                            DATA
//! F 8 0 0 00000400                               any frame: type, stream, flags, payload in hexadecimal
//! X 0102                                         bytes as they are
//! ```
//!
//! In names, values and DATA `^0d` stands for the byte 0x0d. Numbers are decimal. What cannot be read as a
//! frame is sent as it is.

/// The bytes of a client's connection, in pieces, and what its fields and bodies say as one text.
pub struct Script {
    pub pieces: Vec<Vec<u8>>,
    pub said: Vec<u8>,
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The most frames of one script: a test of kinds, not of numbers.
const FRAMES: usize = 64;

impl Script {
    /// Reads a script; the preface and empty SETTINGS come first.
    pub fn read(text: &[u8]) -> Self {
        let mut script = Self {
            pieces: Vec::new(),
            said: Vec::new(),
        };
        let mut start = PREFACE.to_vec();
        start.extend(frame(4, 0, 0, &[]));
        script.pieces.push(start);
        for line in text.split(|byte| *byte == b'\n').take(FRAMES) {
            let piece = script.line(line).unwrap_or_else(|| line.to_vec());
            script.pieces.push(piece);
        }
        script
    }

    fn line(&mut self, line: &[u8]) -> Option<Vec<u8>> {
        let (kind, rest) = line.split_first()?;
        let mut words = rest.strip_prefix(b" ")?.splitn(3, |byte| *byte == b' ');
        if *kind == b'X' {
            return hex(words.next()?);
        }
        let first = number(words.next()?)?;
        let second = number(words.next()?)?;
        let payload = words.next().unwrap_or_default();
        let flags = u8::try_from(second).ok()?;
        Some(match kind {
            b'H' => frame(1, flags, first, &self.fields(payload, 0x00)),
            b'C' => frame(9, flags, first, &self.fields(payload, 0x00)),
            b'T' => frame(1, flags, first, &self.fields(payload, 0x40)),
            b'I' => frame(1, flags, first, &indexed(payload)?),
            b'D' => {
                let data = unescaped(payload);
                self.said.extend_from_slice(&data);
                frame(0, flags, first, &data)
            }
            b'F' => {
                let mut words = payload.splitn(2, |byte| *byte == b' ');
                let flags = u8::try_from(number(words.next()?)?).ok()?;
                let bytes = hex(words.next().unwrap_or_default())?;
                frame(u8::try_from(first).ok()?, flags, second, &bytes)
            }
            _ => return None,
        })
    }

    /// A field block of literals (RFC 7541 section 6.2), without Huffman coding.
    fn fields(&mut self, text: &[u8], representation: u8) -> Vec<u8> {
        let mut block = Vec::new();
        for field in text
            .split(|byte| *byte == b'|')
            .filter(|field| !field.is_empty())
        {
            // A pseudo-header's name begins with the colon, and a name may be empty.
            let at = field
                .iter()
                .position(|byte| *byte == b'=')
                .unwrap_or(field.len());
            let name = unescaped(&field[..at]);
            let value = unescaped(field.get(at + 1..).unwrap_or_default());
            block.push(representation);
            for text in [&name, &value] {
                integer(&mut block, 0x00, 7, text.len());
                block.extend_from_slice(text);
                self.said.extend_from_slice(text);
                self.said.push(b' ');
            }
        }
        block
    }
}

/// Fields by their place in the tables (RFC 7541 section 6.1).
fn indexed(text: &[u8]) -> Option<Vec<u8>> {
    let mut block = Vec::new();
    for word in text
        .split(|byte| *byte == b' ')
        .filter(|word| !word.is_empty())
    {
        integer(&mut block, 0x80, 7, usize::try_from(number(word)?).ok()?);
    }
    Some(block)
}

/// An integer with a prefix (RFC 7541 section 5.1).
fn integer(out: &mut Vec<u8>, first: u8, bits: u32, mut value: usize) {
    let most = (1_usize << bits) - 1;
    if value < most {
        out.push(first | u8::try_from(value).expect("less than the prefix"));
        return;
    }
    out.push(first | u8::try_from(most).expect("a byte"));
    value -= most;
    while value >= 128 {
        out.push(u8::try_from(value % 128).expect("a byte") | 0x80);
        value /= 128;
    }
    out.push(u8::try_from(value).expect("a byte"));
}

/// A frame (RFC 9113 section 4.1).
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    let mut frame = length.to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

fn number(word: &[u8]) -> Option<u32> {
    std::str::from_utf8(word).ok()?.parse().ok()
}

fn hex(word: &[u8]) -> Option<Vec<u8>> {
    word.chunks(2)
        .map(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok())
        .collect()
}

fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        let escape = after.get(..2).filter(|_| *byte == b'^').and_then(hex);
        rest = if escape.is_some() { &after[2..] } else { after };
        out.extend(escape.unwrap_or_else(|| vec![*byte]));
    }
    out
}
