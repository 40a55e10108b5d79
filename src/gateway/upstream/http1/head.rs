//! The head of an upstream's answer, and how its body ends by what the head says (RFC 9112 section 6.3).

use super::words::{FIELDS, Malformed};
use crate::gateway::framing::Declared;
use crate::gateway::head::is_plainly_chunked;
use bytes::Bytes;
use http::header::{
    CONNECTION, CONTENT_LENGTH, InvalidHeaderName, InvalidHeaderValue, TRANSFER_ENCODING,
};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, Version, response};
use std::mem::MaybeUninit;

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

/// Takes a head off `input`; `None` if it is not all there. The fields of one that is take up `room`.
pub(super) fn parse(
    input: &mut Bytes,
    to_head: bool,
    room: &mut HeaderMap,
) -> Result<Option<Parsed>, Malformed> {
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
    let mut headers = std::mem::take(room);
    headers.clear();
    headers.reserve(parsed.headers.len());
    // Most answers have neither, and each look-up costs as much as a field.
    let (mut is_coded, mut has_options) = (false, false);
    let mut declared = Declared::Nothing;
    for field in parsed.headers.iter() {
        let name = name(field.name);
        let value = value(input, field.value);
        let (Ok(name), Ok(value)) = (name, value) else {
            return Err(Malformed::Head(httparse::Error::HeaderValue));
        };
        is_coded |= name == TRANSFER_ENCODING;
        has_options |= name == CONNECTION;
        if name == CONTENT_LENGTH {
            declared.add(field.value);
        }
        headers.append(name, value);
    }
    drop(input.split_to(length));
    if is_coded && is_old {
        return Err(Malformed::OldCoding);
    }
    let framing = if to_head || is_bodiless(status) {
        Framing::None
    } else if is_coded {
        coded(&headers)
    } else {
        match declared {
            Declared::Nothing => Framing::Close,
            Declared::Length(length) if length <= LONGEST => Framing::Length(length),
            Declared::Length(_) | Declared::Unclear => return Err(Malformed::Length),
        }
    };
    let keeps = status != StatusCode::SWITCHING_PROTOCOLS
        && if has_options {
            keeps(&headers, is_old)
        } else {
            !is_old
        };
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

/// BigCommerce's own fields, which every answer has and which would each be allocated anew, and how it writes them.
static KNOWN: [(&str, HeaderName); 5] = [
    (
        "X-Rate-Limit-Requests-Left",
        HeaderName::from_static("x-rate-limit-requests-left"),
    ),
    (
        "X-Rate-Limit-Requests-Quota",
        HeaderName::from_static("x-rate-limit-requests-quota"),
    ),
    (
        "X-Rate-Limit-Time-Reset-Ms",
        HeaderName::from_static("x-rate-limit-time-reset-ms"),
    ),
    (
        "X-Rate-Limit-Time-Window-Ms",
        HeaderName::from_static("x-rate-limit-time-window-ms"),
    ),
    ("X-Request-Id", HeaderName::from_static("x-request-id")),
];

const JSON: HeaderValue = HeaderValue::from_static("application/json");

fn name(bytes: &str) -> Result<HeaderName, InvalidHeaderName> {
    if bytes.starts_with(['x', 'X']) {
        // To compare texts letter by letter costs more than to compare them twice.
        let is_usual =
            |(usual, name): &&(&str, HeaderName)| bytes == *usual || bytes == name.as_str();
        let is_known = |(usual, _): &&(&str, HeaderName)| usual.eq_ignore_ascii_case(bytes);
        let usual = KNOWN.iter().find(is_usual);
        if let Some((_, name)) = usual.or_else(|| KNOWN.iter().find(is_known)) {
            return Ok(name.clone());
        }
    }
    HeaderName::from_bytes(bytes.as_bytes())
}

/// The values share the head's memory, but for the one that nearly every answer has, which need not.
fn value(head: &Bytes, bytes: &[u8]) -> Result<HeaderValue, InvalidHeaderValue> {
    if bytes == JSON.as_bytes() {
        return Ok(JSON);
    }
    HeaderValue::from_maybe_shared(head.slice_ref(bytes))
}

/// Whether an answer with this status has no body.
fn is_bodiless(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::SWITCHING_PROTOCOLS | StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
    )
}

/// How a body with a transfer coding ends. One other than `chunked`, and one beside a length, is for the whole head's
/// judge to refuse; until then the body ends with its connection.
fn coded(headers: &HeaderMap) -> Framing {
    if is_plainly_chunked(headers) && !headers.contains_key(CONTENT_LENGTH) {
        Framing::Chunked
    } else {
        Framing::Close
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_known_however_it_is_spelled() {
        for (usual, known) in &KNOWN {
            assert_eq!(usual.to_ascii_lowercase(), known.as_str());
            for spelled in [usual, known.as_str(), &usual.to_ascii_uppercase()] {
                assert_eq!(name(spelled).ok().as_ref(), Some(known));
            }
            let longer = name(&format!("{usual}s")).expect("a name");
            assert_eq!(longer.as_str(), format!("{known}s"));
        }
    }
}
