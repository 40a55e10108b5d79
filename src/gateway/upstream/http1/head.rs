//! The head of an upstream's answer, and how its body ends by what the head says (RFC 9112 section 6.3).

use super::reader::Malformed;
use crate::gateway::framing;
use crate::gateway::head::is_plainly_chunked;
use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, Version, response};
use std::mem::MaybeUninit;

/// The most fields of a head.
pub(super) const FIELDS: usize = 100;

/// The longest body that can be told from the marks that are made of lengths elsewhere.
const LONGEST: u64 = u64::MAX - 2;

/// How a body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// There is none.
    None,
    Length(u64),
    Chunked,
    /// With the connection.
    Close,
}

/// A whole head.
#[derive(Debug)]
pub(super) enum Parsed {
    /// Another one follows (1xx).
    Interim,
    Final {
        head: response::Parts,
        framing: Framing,
        /// Whether the connection may be used again.
        keeps: bool,
    },
}

/// Takes a head off `input`; `None` if it is not all there.
pub(super) fn parse(input: &mut Bytes, to_head: bool) -> Result<Option<Parsed>, Malformed> {
    let mut fields = [const { MaybeUninit::uninit() }; FIELDS];
    let mut parsed = httparse::Response::new(&mut []);
    let status = httparse::ParserConfig::default().parse_response_with_uninit_headers(
        &mut parsed,
        input,
        &mut fields,
    )?;
    let httparse::Status::Complete(length) = status else {
        return Ok(None);
    };
    let code = parsed.code.unwrap_or_default();
    let status = StatusCode::from_u16(code).map_err(|_| Malformed::Status)?;
    let is_old = parsed.version == Some(0);
    if status.is_informational() && status != StatusCode::SWITCHING_PROTOCOLS {
        drop(input.split_to(length));
        return Ok(Some(Parsed::Interim));
    }
    let mut headers = HeaderMap::with_capacity(parsed.headers.len());
    for field in parsed.headers.iter() {
        let name = HeaderName::from_bytes(field.name.as_bytes());
        // The values share the head's memory.
        let value = HeaderValue::from_maybe_shared(input.slice_ref(field.value));
        let (Ok(name), Ok(value)) = (name, value) else {
            return Err(Malformed::Head(httparse::Error::HeaderValue));
        };
        headers.append(name, value);
    }
    drop(input.split_to(length));
    let framing = framed(&headers, status, to_head, is_old)?;
    let keeps = keeps(&headers, is_old) && status != StatusCode::SWITCHING_PROTOCOLS;
    let (mut head, ()) = Response::new(()).into_parts();
    head.status = status;
    head.version = if is_old {
        Version::HTTP_10
    } else {
        Version::HTTP_11
    };
    head.headers = headers;
    Ok(Some(Parsed::Final {
        head,
        framing,
        keeps,
    }))
}

/// How the body ends. A transfer coding other than `chunked`, and one beside a length, is for the whole
/// head's judge to refuse; until then such a body ends with its connection.
fn framed(
    headers: &HeaderMap,
    status: StatusCode,
    to_head: bool,
    is_old: bool,
) -> Result<Framing, Malformed> {
    let is_coded = headers.contains_key(TRANSFER_ENCODING);
    if is_coded && is_old {
        return Err(Malformed::OldCoding);
    }
    let has_none = to_head
        || matches!(
            status,
            StatusCode::SWITCHING_PROTOCOLS | StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
        );
    if has_none {
        return Ok(Framing::None);
    }
    if is_coded {
        let is_plain = is_plainly_chunked(headers) && !headers.contains_key(CONTENT_LENGTH);
        return Ok(if is_plain {
            Framing::Chunked
        } else {
            Framing::Close
        });
    }
    match framing::declared_length(headers) {
        Ok(None) => Ok(Framing::Close),
        Ok(Some(length)) if length <= LONGEST => Ok(Framing::Length(length)),
        Ok(Some(_)) | Err(_) => Err(Malformed::Length),
    }
}

/// Whether the upstream goes on with the connection (RFC 9112 section 9.3).
fn keeps(headers: &HeaderMap, is_old: bool) -> bool {
    let mut keeps = !is_old;
    for line in headers.get_all(CONNECTION) {
        for option in line.as_bytes().split(|byte| *byte == b',') {
            let option = option.trim_ascii();
            if option.eq_ignore_ascii_case(b"close") {
                return false;
            }
            keeps |= option.eq_ignore_ascii_case(b"keep-alive");
        }
    }
    keeps
}
