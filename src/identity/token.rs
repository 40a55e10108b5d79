//! The one place where a token may be presented: `X-Auth-Token` or `Authorization: Bearer`, exactly
//! once.

use crate::denial::Denial;
use http::HeaderMap;

/// How many characters a token has.
const LENGTH: std::ops::RangeInclusive<usize> = 16..=8192;

/// The token that the request presents, by the grammar of tokens; `None` where neither field is there. A
/// field that is there and holds no token, even an empty one, is an attempt with a token that failed.
pub fn presented_token(headers: &HeaderMap) -> Result<Option<&[u8]>, Denial> {
    let (mut own, mut standard) = (None, None);
    // One look at all of them costs less than two look-ups.
    for (name, value) in headers {
        let place = match name.as_str() {
            "x-auth-token" => &mut own,
            "authorization" => &mut standard,
            _ => continue,
        };
        if place.replace(value).is_some() {
            return Err(Denial::AmbiguousCredentials);
        }
    }
    let token = match (own, standard) {
        (Some(_), Some(_)) => return Err(Denial::AmbiguousCredentials),
        (Some(value), None) => value.as_bytes(),
        (None, Some(value)) => bearer(value.as_bytes()).ok_or(Denial::MissingToken { or: None })?,
        (None, None) => return Ok(None),
    };
    if LENGTH.contains(&token.len()) && token.iter().all(u8::is_ascii_graphic) {
        Ok(Some(token))
    } else {
        Err(Denial::InvalidToken)
    }
}

/// The credentials of the Bearer scheme, whose name is case-insensitive (RFC 9110 section 11.1).
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = value.split_at_checked("bearer ".len())?;
    scheme
        .eq_ignore_ascii_case(b"bearer ")
        .then(|| rest.trim_ascii_start())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    const TOKEN: &str = "0123456789abcdef";

    fn presented(fields: &[(&'static str, &str)]) -> Result<String, &'static str> {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(
                HeaderName::from_static(name),
                HeaderValue::from_str(value).expect("value"),
            );
        }
        let text = |token: &[u8]| String::from_utf8_lossy(token).into_owned();
        presented_token(&headers)
            .map(|token| token.map_or("none".to_owned(), text))
            .map_err(|denial| denial.code().as_str())
    }

    #[test]
    fn one_token_in_one_place() {
        let longest = "x".repeat(8192);
        for (fields, expected) in [
            (&[("x-auth-token", TOKEN)][..], Ok(TOKEN)),
            (&[("authorization", "Bearer 0123456789abcdef")], Ok(TOKEN)),
            (&[("authorization", "bEARER  0123456789abcdef")], Ok(TOKEN)),
            (
                &[("x-auth-token", TOKEN), ("x-auth-client", "any")],
                Ok(TOKEN),
            ),
            (&[("x-auth-token", longest.as_str())], Ok(longest.as_str())),
            (&[], Ok("none")),
            (&[("x-auth-client", TOKEN)], Ok("none")),
            (
                &[("authorization", "Basic dXNlcjpwYXNz")],
                Err("missing_token"),
            ),
            (&[("authorization", "Bearer")], Err("missing_token")),
            (
                &[("authorization", "Bearer0123456789abcdef")],
                Err("missing_token"),
            ),
            (&[("authorization", "Bearer ")], Err("invalid_token")),
            (&[("x-auth-token", "")], Err("invalid_token")),
            (&[("x-auth-token", "0123456789abcde")], Err("invalid_token")),
            (
                &[("x-auth-token", "01234567 89abcdef")],
                Err("invalid_token"),
            ),
            (
                &[("x-auth-token", "01234567\t89abcdef")],
                Err("invalid_token"),
            ),
            (
                &[("x-auth-token", "0123456789abcdéf")],
                Err("invalid_token"),
            ),
            (&[("x-auth-token", &"x".repeat(8193))], Err("invalid_token")),
            (
                &[("x-auth-token", TOKEN), ("x-auth-token", TOKEN)],
                Err("ambiguous_credentials"),
            ),
            (
                &[
                    ("x-auth-token", TOKEN),
                    ("authorization", "Bearer 0123456789abcdef"),
                ],
                Err("ambiguous_credentials"),
            ),
            (
                &[("x-auth-token", TOKEN), ("authorization", "Basic eA==")],
                Err("ambiguous_credentials"),
            ),
            (
                &[
                    ("authorization", "Bearer 0123456789abcdef"),
                    ("authorization", "Basic eA=="),
                ],
                Err("ambiguous_credentials"),
            ),
        ] {
            assert_eq!(
                presented(fields).as_deref(),
                expected.as_deref(),
                "{fields:.60?}"
            );
        }
    }
}
