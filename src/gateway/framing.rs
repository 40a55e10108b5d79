//! Questions about the head of BigCommerce's answer before any of its body is read: may a status of this kind
//! be passed on, and is it plain where the body ends.

use super::head::is_plainly_chunked;
use crate::denial::Denial;
use http::header::{CONTENT_LENGTH, HeaderValue, TRANSFER_ENCODING};
use http::{HeaderMap, StatusCode};

/// BigCommerce's 401 is about the gateway's credential, not the caller's; a redirect would lead the
/// caller's token elsewhere.
pub(super) fn check_status(status: StatusCode) -> Result<(), Denial> {
    if status == StatusCode::UNAUTHORIZED {
        Err(Denial::UpstreamCredentialRefused)
    } else if status.is_redirection() {
        Err(Denial::UpstreamRedirect {
            status: status.as_u16(),
        })
    } else if status.is_informational() || status.as_u16() > 599 {
        Err(Denial::UpstreamProtocolError {
            cause: format!("status {}", status.as_u16()),
        })
    } else {
        Ok(())
    }
}

/// Such an answer is read by its chunks (RFC 9112 section 6.3), but the length that it leaves
/// standing would frame another body for the client.
pub(super) fn check_framing(headers: &mut HeaderMap) -> Result<(), Denial> {
    let is_coded = headers.contains_key(TRANSFER_ENCODING);
    if is_coded && !is_plainly_chunked(headers) {
        return Err(Denial::UpstreamProtocolError {
            cause: "the answer has another transfer coding than chunked".to_owned(),
        });
    }
    if is_coded && headers.contains_key(CONTENT_LENGTH) {
        return Err(Denial::UpstreamProtocolError {
            cause: "the answer has both `Transfer-Encoding` and `Content-Length`".to_owned(),
        });
    }
    make_length_plain(headers)
}

/// A length that is said several times alike is said once from here on (RFC 9110 section 8.6); who reads answers does
/// not look at the one of an answer to `HEAD`.
fn make_length_plain(headers: &mut HeaderMap) -> Result<(), Denial> {
    let Some(plain) = declared_length(headers)? else {
        return Ok(());
    };
    let mut lines = headers.get_all(CONTENT_LENGTH).iter();
    let first = lines.next().map(HeaderValue::as_bytes).unwrap_or_default();
    if lines.next().is_some() || !first.iter().all(u8::is_ascii_digit) {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(plain));
    }
    Ok(())
}

/// The length that a head declares, once or several times alike.
pub(super) fn declared_length(headers: &HeaderMap) -> Result<Option<u64>, Denial> {
    let lines = headers.get_all(CONTENT_LENGTH).iter();
    let lengths = lines.map(|line| length(line.as_bytes()));
    let Some(declared) = lengths.reduce(|one, other| one.filter(|_| one == other)) else {
        return Ok(None);
    };
    declared.map(Some).ok_or_else(malformed_length)
}

/// The number in a line, which may be a list of one number.
fn length(line: &[u8]) -> Option<u64> {
    let numbers = line.split(|byte| *byte == b',').map(|number| {
        let digits = std::str::from_utf8(number.trim_ascii()).ok()?;
        digits
            .bytes()
            .all(|byte| byte.is_ascii_digit())
            .then(|| digits.parse().ok())?
    });
    numbers.reduce(|one, other| one.filter(|_| one == other))?
}

fn malformed_length() -> Denial {
    Denial::UpstreamProtocolError {
        cause: "the answer's `Content-Length` is not one number".to_owned(),
    }
}
