//! Questions about the head of BigCommerce's answer before any of its body is read: may a status of this kind
//! be passed on, and is it plain where the body ends.

use super::head::is_plainly_chunked;
use crate::denial::Denial;
use http::header::{CONTENT_LENGTH, HeaderValue};
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

/// Such an answer is read by its chunks (RFC 9112 section 6.3), but the length that it leaves standing would frame
/// another body for the client. A length that is said several times alike is said once from here on (RFC 9110 section
/// 8.6); who reads answers does not look at the one of an answer to `HEAD`.
pub(super) fn check_framing(headers: &mut HeaderMap) -> Result<(), Denial> {
    let (mut is_coded, mut declared, mut is_plain) = (false, Declared::Nothing, true);
    // One look at all of them costs less than a few look-ups.
    for (name, value) in &*headers {
        match name.as_str() {
            "transfer-encoding" => is_coded = true,
            "content-length" => {
                is_plain &= declared == Declared::Nothing;
                is_plain &= is_plain_number(value.as_bytes());
                declared.add(value.as_bytes());
            }
            _ => {}
        }
    }
    if is_coded && !is_plainly_chunked(headers) {
        return Err(Denial::UpstreamProtocolError {
            cause: "the answer has another transfer coding than chunked".to_owned(),
        });
    }
    if is_coded && declared != Declared::Nothing {
        return Err(Denial::UpstreamProtocolError {
            cause: "the answer has both `Transfer-Encoding` and `Content-Length`".to_owned(),
        });
    }
    match declared {
        Declared::Length(length) if !is_plain => {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        Declared::Nothing | Declared::Length(_) => {}
        Declared::Unclear => {
            return Err(Denial::UpstreamProtocolError {
                cause: "the answer's `Content-Length` is not one number".to_owned(),
            });
        }
    }
    Ok(())
}

/// Whether everybody would write the number so.
fn is_plain_number(digits: &[u8]) -> bool {
    let begins_plainly = digits.len() == 1 || !digits.starts_with(b"0");
    begins_plainly && digits.iter().all(u8::is_ascii_digit)
}

/// The length that a head declares, line by line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Declared {
    /// There is no line.
    Nothing,
    Length(u64),
    /// What the lines say is not one number.
    Unclear,
}

impl Declared {
    /// Another line, which is to say the same as those before it.
    pub(super) fn add(&mut self, line: &[u8]) {
        *self = match (*self, length(line)) {
            (Self::Nothing, Some(length)) => Self::Length(length),
            (Self::Length(before), Some(length)) if before == length => Self::Length(length),
            _ => Self::Unclear,
        };
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The lengths that an answer with these has for the client.
    fn lengths(lines: &[&'static str]) -> Option<Vec<String>> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(CONTENT_LENGTH, HeaderValue::from_static(line));
        }
        check_framing(&mut headers).ok()?;
        let lengths = headers.get_all(CONTENT_LENGTH).iter();
        Some(
            lengths
                .map(|line| line.to_str().expect("digits").to_owned())
                .collect(),
        )
    }

    #[test]
    fn a_length_is_said_once_and_as_everybody_writes_it() {
        for lines in [
            &["5"][..],
            &["05"],
            &["0000000005"],
            &["5", "5"],
            &["5, 5"],
            &["5,005"],
        ] {
            assert_eq!(lengths(lines), Some(vec!["5".to_owned()]), "{lines:?}");
        }
        assert_eq!(lengths(&["0"]), Some(vec!["0".to_owned()]));
        assert_eq!(lengths(&["00"]), Some(vec!["0".to_owned()]));
        assert_eq!(lengths(&[]), Some(Vec::new()));
        for lines in [&["5", "6"][..], &["5,6"], &["+5"], &["0x5"], &[""], &["5,"]] {
            assert_eq!(lengths(lines), None, "{lines:?}");
        }
    }
}
