//! A body in chunks (RFC 9112 section 7.1). Sizes are bare hexadecimal numbers, lines end in CR and LF, and what
//! extensions and trailers say is read past and dropped, within bounds.

use super::words::{FIELDS, Malformed, Piece};
use bytes::Bytes;

/// The most bytes of a chunk's line, and of the trailers.
const LINE: usize = 16 * 1024;

/// The most bytes of all extensions of a body: nobody needs any.
const EXTENSIONS: usize = 16 * 1024;

#[derive(Debug)]
enum State {
    Size,
    Data(u64),
    /// The end of a chunk's line.
    DataEnd,
    Trailers,
}

/// How far a body in chunks has been read.
#[derive(Debug)]
pub(super) struct Chunks {
    state: State,
    /// The bytes of the extensions so far.
    extensions: usize,
}

impl Chunks {
    pub(super) fn new() -> Self {
        Self {
            state: State::Size,
            extensions: 0,
        }
    }

    /// Takes the next piece off `input`.
    pub(super) fn piece(&mut self, input: &mut Bytes) -> Result<Piece, Malformed> {
        loop {
            match &mut self.state {
                State::Size => {
                    let Some(line) = line(input)? else {
                        return Ok(Piece::More);
                    };
                    let (size, extension) = size(&line)?;
                    self.extensions += extension;
                    if self.extensions > EXTENSIONS {
                        return Err(Malformed::Chunk("long extensions"));
                    }
                    self.state = match size {
                        0 => State::Trailers,
                        size => State::Data(size),
                    };
                }
                State::Data(_) if input.is_empty() => return Ok(Piece::More),
                State::Data(left) => {
                    let most = usize::try_from(*left).unwrap_or(usize::MAX);
                    let data = input.split_to(most.min(input.len()));
                    *left -= data.len() as u64;
                    if *left == 0 {
                        self.state = State::DataEnd;
                    }
                    return Ok(Piece::Data(data));
                }
                State::DataEnd => match input.get(..2) {
                    Some(b"\r\n") => {
                        drop(input.split_to(2));
                        self.state = State::Size;
                    }
                    None if input.is_empty() || input.starts_with(b"\r") => {
                        return Ok(Piece::More);
                    }
                    _ => return Err(Malformed::Chunk("longer than its size")),
                },
                State::Trailers => return trailers(input),
            }
        }
    }
}

/// Takes a line off `input`, without its end; `None` if it is not all there.
fn line(input: &mut Bytes) -> Result<Option<Bytes>, Malformed> {
    let window = input.get(..LINE).unwrap_or(input);
    let Some(end) = memchr::memchr(b'\n', window) else {
        return if input.len() < LINE {
            Ok(None)
        } else {
            Err(Malformed::Chunk("a long line"))
        };
    };
    let mut line = input.split_to(end + 1);
    line.truncate(end);
    if line.last() != Some(&b'\r') {
        return Err(Malformed::Chunk("a line that ends in a bare line feed"));
    }
    line.truncate(end - 1);
    Ok(Some(line))
}

/// The size in a chunk's line, and the length of its extension.
fn size(line: &[u8]) -> Result<(u64, usize), Malformed> {
    let digits = line
        .iter()
        .position(|byte| !byte.is_ascii_hexdigit())
        .unwrap_or(line.len());
    let (digits, rest) = line.split_at(digits);
    let extension = rest.trim_ascii_start();
    if digits.is_empty() || !(extension.is_empty() || extension.starts_with(b";")) {
        return Err(Malformed::Chunk("a size that is no number"));
    }
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let blank = rest.get(..rest.len() - extension.len()).unwrap_or_default();
    if !blank.iter().all(is_blank) || memchr::memchr(b'\r', extension).is_some() {
        return Err(Malformed::Chunk("a control character in a chunk's line"));
    }
    let mut size = 0_u64;
    for digit in digits {
        let digit = char::from(*digit).to_digit(16).unwrap_or_default();
        let next = size.checked_mul(16).map(|size| size + u64::from(digit));
        size = next.ok_or(Malformed::Chunk("a size beyond 64 bits"))?;
    }
    Ok((size, extension.len()))
}

/// Takes the trailers off `input`, up to the empty line that ends the body.
fn trailers(input: &mut Bytes) -> Result<Piece, Malformed> {
    if input.starts_with(b"\r\n") {
        drop(input.split_to(2));
        return Ok(Piece::End);
    }
    let window = input.get(..LINE).unwrap_or(input);
    let Some(end) = memchr::memmem::find(window, b"\r\n\r\n") else {
        return if input.len() < LINE {
            Ok(Piece::More)
        } else {
            Err(Malformed::Chunk("long trailers"))
        };
    };
    let section = input.split_to(end + 4);
    let is_bare = |at: usize| !section.get(..at).unwrap_or_default().ends_with(b"\r");
    if memchr::memchr_iter(b'\n', &section).any(is_bare) {
        return Err(Malformed::Chunk("a trailer that ends in a bare line feed"));
    }
    let mut fields = [httparse::EMPTY_HEADER; FIELDS];
    match httparse::parse_headers(&section, &mut fields) {
        Ok(httparse::Status::Complete((length, _))) if length == section.len() => Ok(Piece::End),
        _ => Err(Malformed::Chunk("a malformed trailer")),
    }
}
