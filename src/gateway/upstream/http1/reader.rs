//! What an upstream's bytes over HTTP/1.1 say, without any input or output: heads, and bodies framed as RFC 9112
//! section 6.3 has it. Whatever could be read in two ways is an error, and a connection is free for another
//! request only where its answer ended as it said it would, with nothing after it.

use super::chunks::Chunks;
use super::head::{self, Framing, Parsed};
use super::words::{Malformed, Piece};
use bytes::Bytes;
use http::{HeaderMap, response};

/// The most bytes of a head, of the whole of it.
pub(super) const HEAD: usize = 64 * 1024;

/// The most bytes of the interim heads (1xx, RFC 9110 section 15.2) and the empty lines before an answer's.
const BEFORE: usize = 256 * 1024;

/// How much of a head is parsed at each turn.
const FIRST_LINE: usize = 1024;

#[derive(Debug)]
enum State {
    /// Nothing is expected: no request, or an answer that has ended.
    Silent,
    /// A head.
    Head {
        /// An answer to `HEAD` has no body, whatever it says.
        to_head: bool,
        /// The bytes of what came before it.
        before: usize,
        /// How much of what there is was looked through and holds no whole head.
        seen: usize,
    },
    /// So many more bytes.
    Length(u64),
    Chunks(Chunks),
    /// All there is until the connection closes.
    Close,
}

/// Reads answers, one after another. After an error it must not be used any more.
#[derive(Debug)]
pub(super) struct Reader {
    state: State,
    /// Whether the connection may carry another request after this answer.
    keeps: bool,
    /// For the fields of the next head.
    room: HeaderMap,
}

impl Reader {
    pub(super) fn new() -> Self {
        Self {
            state: State::Silent,
            keeps: true,
            room: HeaderMap::new(),
        }
    }

    /// The fields of the next head take up this room.
    pub(super) fn lend(&mut self, room: HeaderMap) {
        self.room = room;
    }

    /// The answer to a request is expected from now on.
    pub(super) fn expect(&mut self, to_head: bool) {
        self.state = State::Head {
            to_head,
            before: 0,
            seen: 0,
        };
    }

    /// Whether the last answer has ended, and the connection is good for another request.
    pub(super) fn is_free(&self) -> bool {
        self.keeps && matches!(self.state, State::Silent)
    }

    /// How many bytes of a body are still to come at least.
    pub(super) fn remaining(&self) -> u64 {
        match self.state {
            State::Length(left) => left,
            _ => 0,
        }
    }

    /// Takes the head of the answer off `input`, once all of it has come; interim ones are passed over.
    pub(super) fn head(&mut self, input: &mut Bytes) -> Result<Option<response::Parts>, Malformed> {
        let State::Head {
            to_head,
            before,
            seen,
        } = &mut self.state
        else {
            return Err(Malformed::Unasked);
        };
        loop {
            *before += skip_empty_lines(input);
            if *before > BEFORE {
                return Err(Malformed::Interim);
            }
            if !may_hold_a_head(input, *seen) {
                *seen = input.len();
                return within_bounds(input).map(|()| None);
            }
            let length = input.len();
            let Some(parsed) = head::parse(input, *to_head, &mut self.room)? else {
                *seen = length;
                return within_bounds(input).map(|()| None);
            };
            let taken = length - input.len();
            if taken > HEAD {
                return Err(Malformed::HeadTooLong);
            }
            *seen = 0;
            match parsed {
                Parsed::Interim => *before += taken,
                Parsed::Final {
                    head,
                    framing,
                    keeps,
                } => {
                    self.keeps = keeps && !matches!(framing, Framing::Close);
                    self.state = match framing {
                        Framing::None | Framing::Length(0) => State::Silent,
                        Framing::Length(length) => State::Length(length),
                        Framing::Chunked => State::Chunks(Chunks::new()),
                        Framing::Close => State::Close,
                    };
                    return Ok(Some(head));
                }
            }
        }
    }

    /// Takes the next piece of the body off `input`.
    pub(super) fn piece(&mut self, input: &mut Bytes) -> Result<Piece, Malformed> {
        match &mut self.state {
            State::Silent => Ok(Piece::End),
            State::Head { .. } => Err(Malformed::Unasked),
            _ if input.is_empty() => Ok(Piece::More),
            State::Length(left) => {
                let most = usize::try_from(*left).unwrap_or(usize::MAX);
                let data = input.split_to(most.min(input.len()));
                *left -= data.len() as u64;
                if *left == 0 {
                    self.state = State::Silent;
                }
                Ok(Piece::Data(data))
            }
            State::Chunks(chunks) => {
                let piece = chunks.piece(input)?;
                if piece == Piece::End {
                    self.state = State::Silent;
                }
                Ok(piece)
            }
            State::Close => Ok(Piece::Data(std::mem::take(input))),
        }
    }

    /// The upstream has closed the connection; that ends a body which has no other end.
    pub(super) fn close(&mut self) -> Result<(), Malformed> {
        self.keeps = false;
        match self.state {
            State::Silent | State::Close => {
                self.state = State::Silent;
                Ok(())
            }
            _ => Err(Malformed::Closed),
        }
    }
}

/// Whether what came after the first `seen` bytes may have completed a head: parsing what comes in drops each
/// time from the beginning would cost its square.
fn may_hold_a_head(input: &[u8], seen: usize) -> bool {
    // What is no head at all shows in its first line.
    if seen < FIRST_LINE || input.len() < seen {
        return true;
    }
    let new = input.get(seen.saturating_sub(3)..).unwrap_or_default();
    memchr::memchr_iter(b'\n', new).any(|at| {
        let after = new.get(at + 1..).unwrap_or_default();
        after.starts_with(b"\n") || after.starts_with(b"\r\n")
    })
}

fn within_bounds(input: &[u8]) -> Result<(), Malformed> {
    if input.len() < HEAD {
        Ok(())
    } else {
        Err(Malformed::HeadTooLong)
    }
}

/// Takes empty lines off the beginning (RFC 9112 section 2.2), and gives how many bytes they had.
fn skip_empty_lines(input: &mut Bytes) -> usize {
    let mut rest: &[u8] = input;
    while let Some(after) = rest
        .strip_prefix(b"\r\n")
        .or_else(|| rest.strip_prefix(b"\n"))
    {
        rest = after;
    }
    let skipped = input.len() - rest.len();
    if skipped > 0 {
        drop(input.split_to(skipped));
    }
    skipped
}
