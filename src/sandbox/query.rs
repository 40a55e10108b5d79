//! The query string, read as a lenient server reads it: percent-decoded once, a malformed escape
//! stands for itself, and the last of two equal keys wins.

use std::fmt::Write as _;

/// The decoded pairs of a query, in order.
#[derive(Debug)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn read(text: &str) -> Self {
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        Self(pairs.map(|(k, v)| (decode(k), decode(v))).collect())
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        let last = self.0.iter().rev().find(|(name, _)| name == key);
        last.map(|(_, value)| value.as_str())
    }

    /// The pairs under other keys than these, encoded, each followed by `&`.
    pub(super) fn without(&self, keys: &[&str]) -> String {
        let mut text = String::new();
        for (key, value) in &self.0 {
            if !keys.contains(&key.as_str()) {
                encode(key, &mut text);
                text.push('=');
                encode(value, &mut text);
                text.push('&');
            }
        }
        text
    }
}

/// Appends a text with everything but RFC 3986's unreserved characters escaped.
pub(super) fn encode(text: &str, into: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            into.push(char::from(byte));
        } else {
            write!(into, "%{byte:02X}").ok();
        }
    }
}

fn decode(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((first, after)) = rest.split_first() {
        let escape = after.split_at_checked(2).filter(|_| *first == b'%');
        if let Some((byte, after)) = escape.and_then(|(hex, after)| Some((value(hex)?, after))) {
            bytes.push(byte);
            rest = after;
        } else {
            bytes.push(if *first == b'+' { b' ' } else { *first });
            rest = after;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn value(hex: &[u8]) -> Option<u8> {
    let digits = hex.iter().map(|digit| char::from(*digit).to_digit(16));
    let value = digits.reduce(|high, low| Some(high? * 16 + low?))??;
    u8::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_decoded_once() {
        let table = [
            ("a=1", "1"),
            ("a=x+y%20z", "x y z"),
            ("a=%2541", "%41"),
            ("a=%4", "%4"),
            ("a=%zz%+", "%zz% "),
            ("a=%c3%A4", "ä"),
            ("a=%ff", "\u{fffd}"),
            ("a=b=c", "b=c"),
            ("&&%61=1&", "1"),
            ("a=1&a=2", "2"),
            ("a", ""),
        ];
        for (text, value) in table {
            assert_eq!(Query::read(text).get("a"), Some(value), "{text}");
        }
        assert_eq!(Query::read("").get(""), None);
    }

    #[test]
    fn pairs_are_encoded_back() {
        let query = Query::read("key:in=a,b&page=2&namespace=x+%c3%a4");
        assert_eq!(
            query.without(&["page"]),
            "key%3Ain=a%2Cb&namespace=x%20%C3%A4&"
        );
    }
}
