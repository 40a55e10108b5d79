//! Questions about a request's head: is its framing to be trusted, and does it declare a body that
//! the gateway can judge. Free functions over the parts that hyper parsed; nothing is changed.

use crate::config::Limits;
use crate::denial::Denial;
use crate::policy::vocabulary::Verb;
use http::header::TRANSFER_ENCODING;
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Method, Version};
use std::net::Ipv6Addr;

/// The name by which a gateway of this kind knows itself in `Via`.
pub(super) const PSEUDONYM: &str = "metafield-gateway";

/// The most fields of a head: hyper's own bound for HTTP/1.1, where it answers itself. Over HTTP/2 a byte
/// from the client may become a field of some hundred bytes, which a slow body would hold.
const FIELDS: usize = 100;

fn malformed(reason: &'static str) -> Denial {
    Denial::MalformedRequest { reason }
}

/// Refuses heads whose framing or target could be read in two ways.
pub(super) fn check_framing(head: &Parts, has_body: bool, limits: &Limits) -> Result<(), Denial> {
    let target = head
        .uri
        .path_and_query()
        .map_or(0, |target| target.as_str().len());
    if target > limits.target {
        return Err(Denial::TargetTooLong {
            limit: limits.target,
        });
    }
    if head.headers.len() > FIELDS {
        return Err(Denial::TooManyHeaders { limit: FIELDS });
    }
    if head.method == Method::CONNECT {
        return Err(malformed("the gateway is no tunnel: CONNECT is refused"));
    }
    // Here and below: one look at all of them costs less than a few look-ups.
    let (mut upgrades, mut is_coded, mut lengths, mut loops) = (false, false, 0, false);
    let (mut host, mut hosts) = (None, 0);
    for (name, value) in &head.headers {
        match name.as_str() {
            "upgrade" => upgrades = true,
            "transfer-encoding" => is_coded = true,
            "content-length" => lengths += 1,
            "host" => (host, hosts) = (Some(value), hosts + 1),
            "via" => loops |= names_gateway(value.as_bytes()),
            _ => {}
        }
    }
    if upgrades {
        return Err(malformed(
            "the gateway does not change protocols: send no `Upgrade`",
        ));
    }
    if is_coded && !is_plainly_chunked(&head.headers) {
        return Err(malformed(
            "`Transfer-Encoding` may only be `chunked`, and once",
        ));
    }
    if lengths > 1 {
        return Err(malformed("`Content-Length` stands more than once"));
    }
    if has_body && head.version == Version::HTTP_10 {
        return Err(malformed("a body needs HTTP/1.1 or later"));
    }
    if has_body && matches!(head.method, Method::GET | Method::HEAD) {
        return Err(malformed("GET and HEAD take no body"));
    }
    if hosts > 1 {
        return Err(malformed("`Host` stands more than once"));
    }
    check_authority(head, host)?;
    if loops {
        return Err(Denial::LoopDetected);
    }
    Ok(())
}

/// Whether no transfer coding but chunked, once, stands between the bytes and what they mean.
pub(super) fn is_plainly_chunked(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => true,
        (Some(coding), None) => coding.as_bytes().eq_ignore_ascii_case(b"chunked"),
        (Some(_), Some(_)) => false,
    }
}

/// Exactly one authority, said once or twice alike (RFC 9112 section 3.2, RFC 9113 section 8.3.1).
fn check_authority(head: &Parts, host: Option<&HeaderValue>) -> Result<(), Denial> {
    let host = match host.map(HeaderValue::as_bytes) {
        Some(host) if head.uri.authority().is_none() && is_plain_host(host) => {
            return check_scheme(head);
        }
        Some(host) => Some(
            Authority::try_from(host)
                .ok()
                .filter(is_host_and_port)
                .ok_or(malformed("`Host` is not a host and port"))?,
        ),
        None => None,
    };
    match (host, head.uri.authority()) {
        (Some(host), Some(target)) if host != *target => Err(malformed(
            "the authority in the target is not the one in `Host`",
        )),
        (None, Some(_)) if head.version < Version::HTTP_2 => Err(malformed("`Host` is missing")),
        (None, None) if head.version != Version::HTTP_10 => Err(malformed("`Host` is missing")),
        (_, Some(target)) if !is_host_and_port(target) => {
            Err(malformed("the target's authority is not a host and port"))
        }
        _ => check_scheme(head),
    }
}

/// A name or an IPv4 address, and perhaps a port: what most clients send, told without parsing it.
fn is_plain_host(host: &[u8]) -> bool {
    let is_of_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let length = host.iter().position(|byte| !is_of_name(byte));
    let (name, port) = host.split_at(length.unwrap_or(host.len()));
    let is_port = |port: &[u8]| port.iter().all(u8::is_ascii_digit);
    !name.is_empty() && (port.is_empty() || port.strip_prefix(b":").is_some_and(is_port))
}

/// RFC 3986 section 3.2 without user information, which `Authority` checks in part: a port is digits,
/// and brackets hold an IPv6 address.
fn is_host_and_port(authority: &Authority) -> bool {
    let text = authority.as_str();
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) if address.parse::<Ipv6Addr>().is_ok() => ("v6", port),
        Some(_) => return false,
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    let digits = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    !host.is_empty()
        && !host.contains('@')
        && (port.is_empty() || port.strip_prefix(':').is_some_and(digits))
}

fn check_scheme(head: &Parts) -> Result<(), Denial> {
    match head.uri.scheme_str() {
        None | Some("http" | "https") => Ok(()),
        Some(_) => Err(malformed("the target's scheme is neither http nor https")),
    }
}

/// Whether a `Via` value has this gateway's pseudonym as a received-by (RFC 9110 section 7.6.3).
fn names_gateway(via: &[u8]) -> bool {
    via.split(|byte| *byte == b',').any(|member| {
        let mut words = member
            .split(|byte| matches!(byte, b' ' | b'\t'))
            .filter(|word| !word.is_empty());
        words.next();
        words
            .next()
            .is_some_and(|by| by.eq_ignore_ascii_case(PSEUDONYM.as_bytes()))
    })
}

/// Gives the size of a header section in bytes. Refuses those that are too large, bodies where the operation has none (`GET` and `HEAD`
/// were refused before), and bodies that are not declared as plain JSON.
pub(super) fn check_headers(
    headers: &HeaderMap,
    verb: Verb,
    has_body: bool,
    limits: &Limits,
) -> Result<usize, Denial> {
    let (mut size, mut is_encoded, mut media, mut medias) = (0, false, None, 0);
    for (name, value) in headers {
        let name = name.as_str();
        match name {
            "content-encoding" => is_encoded = true,
            "content-type" => (media, medias) = (Some(value), medias + 1),
            _ => {}
        }
        // As on the wire: name, colon, space, value, line break.
        size += name.len() + value.len() + 4;
    }
    if size > limits.headers {
        return Err(Denial::HeadersTooLarge {
            limit: limits.headers,
        });
    }
    if !has_body {
        return Ok(size);
    }
    if !verb.has_body() {
        return Err(malformed("this operation takes no body"));
    }
    if is_encoded {
        return Err(Denial::UnsupportedContentEncoding);
    }
    match media {
        Some(media) if medias == 1 && is_json(media.as_bytes()) => Ok(size),
        _ => Err(Denial::UnsupportedMediaType),
    }
}

/// `application/json`, with no parameter but `charset=utf-8` (RFC 9110 section 8.3.1).
fn is_json(value: &[u8]) -> bool {
    let mut parts = value.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
    let media = parts.next().unwrap_or_default();
    let parameter = parts.next();
    media.eq_ignore_ascii_case(b"application/json")
        && parameter.is_none_or(is_utf8)
        && parts.next().is_none()
}

fn is_utf8(parameter: &[u8]) -> bool {
    let Some((name, value)) = parameter.split_at_checked("charset=".len()) else {
        return false;
    };
    let quoted = value
        .strip_prefix(b"\"")
        .and_then(|value| value.strip_suffix(b"\""));
    name.eq_ignore_ascii_case(b"charset=") && quoted.unwrap_or(value).eq_ignore_ascii_case(b"utf-8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types_are_plain_json() {
        for good in [
            "application/json",
            "Application/JSON",
            "application/json;charset=utf-8",
            "application/json; charset=UTF-8",
            "application/json ; charset=\"utf-8\"",
        ] {
            assert!(is_json(good.as_bytes()), "{good}");
        }
        for bad in [
            "",
            "text/plain",
            "application/jsonx",
            "application/json,text/plain",
            "application/json; charset=latin1",
            "application/json; charset=utf-16",
            "application/json; charset=",
            "application/json;",
            "application/json; a=b",
            "application/json; charset=utf-8; a=b",
            "application/json; charset=utf-8; charset=utf-8",
            "application/json+x",
            "application/json; charset = utf-8",
            "application/merge-patch+json",
            "application/json; charset=\"utf-8",
        ] {
            assert!(!is_json(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn what_is_told_without_parsing_is_a_host_and_port() {
        let parsed =
            |text: &str| Authority::try_from(text).is_ok_and(|host| is_host_and_port(&host));
        for (host, plain) in [
            ("gateway.test", true),
            ("a_b-c:8080", true),
            ("127.0.0.1:1", true),
            ("host:", true),
            ("[::1]:80", false),
            ("", false),
            (":80", false),
            ("a:b", false),
            ("a:1:2", false),
            ("a@b", false),
            ("a b", false),
            ("a%41", false),
        ] {
            assert_eq!(is_plain_host(host.as_bytes()), plain, "{host}");
            assert!(!plain || parsed(host), "{host}");
        }
    }

    #[test]
    fn only_a_received_by_is_a_loop() {
        for looped in [
            "1.1 metafield-gateway",
            "1.0 fred, 1.1 Metafield-Gateway (comment)",
            "HTTP/1.1\tmetafield-gateway",
        ] {
            assert!(names_gateway(looped.as_bytes()), "{looped}");
        }
        for other in [
            "",
            "1.1 fred",
            "metafield-gateway",
            "1.1 fred (metafield-gateway)",
            "1.1 metafield-gateway2",
        ] {
            assert!(!names_gateway(other.as_bytes()), "{other}");
        }
    }
}
