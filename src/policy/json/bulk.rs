//! Long texts read by vector instructions. `serde_json` looks for the end of a string eight bytes at a time,
//! since it must see control characters on the way; where it is asked for the string's bytes, it leaves them
//! alone, and `memchr` finds the end. So a long text is asked for as bytes, and looked through for control characters
//! here. Whatever does not end well is read again from the body's beginning as every other text is: that reading alone
//! refuses. A body with an escape anywhere is read in the usual way at once, since `memchr` begins anew after each, and
//! what was a control character cannot be told from the bytes that are left.

use super::{Token, Walk};
use serde::de::{DeserializeSeed, Deserializer, Error, Visitor};
use std::borrow::Cow;
use std::fmt;

/// The least bytes of a body in which it pays.
const BULK: usize = 512;

/// Whether a body is worth it.
pub(in crate::policy) fn is_worth_it(body: &str) -> bool {
    body.len() >= BULK && memchr::memchr(b'\\', body.as_bytes()).is_none()
}

/// A text without control characters (RFC 8259, section 7).
fn is_clean(text: &[u8]) -> bool {
    // A minimum is one instruction for each vector, and no branch.
    text.iter().fold(u8::MAX, |least, byte| least.min(*byte)) >= b' '
}

/// Reads one text; anything else is an error, after which the body is to be read again.
pub(in crate::policy) struct Bulk<'w, 'de> {
    pub(in crate::policy) walk: &'w mut Walk<'de>,
}

impl<'de> DeserializeSeed<'de> for Bulk<'_, 'de> {
    type Value = Token<'de>;

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<Token<'de>, D::Error> {
        self.walk.within_bulk = true;
        let token = source.deserialize_bytes(Bulk {
            walk: &mut *self.walk,
        })?;
        self.walk.within_bulk = false;
        Ok(token)
    }
}

impl<'de> Visitor<'de> for Bulk<'_, 'de> {
    type Value = Token<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_bytes<E: Error>(self, bytes: &'de [u8]) -> Result<Token<'de>, E> {
        // The body is UTF-8 and a quotation mark is a character of its own, so this is the same text, not
        // looked through for UTF-8 a second time.
        let start = bytes
            .as_ptr()
            .addr()
            .wrapping_sub(self.walk.text.as_ptr().addr());
        let text = self.walk.text.get(start..start.saturating_add(bytes.len()));
        match text.filter(|text| is_clean(text.as_bytes())) {
            Some(text) => Ok(Token::Text(Cow::Borrowed(text))),
            None => Err(E::custom("not in bulk")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Any, read};
    use super::*;
    use crate::denial::Denial;

    /// What both readings say of one text, long enough to be read in bulk, and how often it was read.
    fn readings(text: &str) -> ([Result<Token<'static>, String>; 2], usize) {
        let body = format!("{}{text}", " ".repeat(BULK));
        let mut count = 0;
        let in_bulk = read(body.as_bytes(), |walk, source| {
            count += 1;
            if walk.in_bulk {
                Bulk { walk }.deserialize(source)
            } else {
                Any { walk, depth: 0 }.deserialize(source)
            }
        });
        let usual = read(body.as_bytes(), |walk, source| {
            Any { walk, depth: 0 }.deserialize(source)
        });
        ([in_bulk, usual].map(owned), count)
    }

    fn owned(outcome: Result<Token<'_>, Denial>) -> Result<Token<'static>, String> {
        match outcome {
            Ok(Token::Text(text)) => Ok(Token::Text(text.into_owned().into())),
            Ok(_) => Ok(Token::Null),
            Err(denial) => Err(denial.detail().into_owned()),
        }
    }

    fn assert_read_once(text: &str, expected: &'static str) {
        let expected = Ok(Token::Text(Cow::Borrowed(expected)));
        assert_eq!(readings(text), ([expected.clone(), expected], 1), "{text}");
    }

    #[test]
    fn a_text_that_is_right_is_read_once() {
        for (text, expected) in [
            (r#""""#, ""),
            (r#""gold""#, "gold"),
            (r#""grün 😀""#, "grün 😀"),
        ] {
            assert_read_once(text, expected);
        }
    }

    #[test]
    fn a_body_with_an_escape_is_read_in_the_usual_way() {
        for (text, expected) in [
            (
                r#""a\"b\\c\/d\n\u0000\u00e4\ud83d\ude00""#,
                "a\"b\\c/d\n\0ä😀",
            ),
            (r#""\u0061""#, "a"),
        ] {
            assert_read_once(text, expected);
            let body = format!("{}{text}", " ".repeat(BULK));
            assert!(!is_worth_it(&body) && is_worth_it(&body.replace('\\', "/")));
        }
    }

    #[test]
    fn what_bytes_may_hold_and_a_text_may_not_is_refused() {
        for text in [
            "\"\0\"",
            "\"a\u{1f}\"",
            "\"\t\"",
            "\"\n\"",
            "\"\\n\n\"",
            "\"\\n\u{1}\"",
            "\"\\ud800\"",
            "\"\\udc00\"",
            "\"\\udbff\\ud800\"",
            "\"\\ud800\\n\"",
            "\"\\x\"",
            "\"\\u12\"",
            "\"a",
            "\"a\\",
            "\"a\"b",
            "[\"a\"]x",
        ] {
            let ([in_bulk, usual], _) = readings(text);
            assert!(usual.is_err(), "{text:?}");
            assert_eq!(in_bulk, usual, "{text:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn both_readings_agree(text in "\"?([ -~]{0,40}|[\\\\\"bnu0dDcC8é😀\u{0}\n\u{1f}\u{20}\u{7f}]{0,12}|\\\\u[dD][89c][0-9]{2}){0,4}\"?[ \n]?") {
            let ([in_bulk, usual], _) = readings(&text);
            proptest::prop_assert_eq!(in_bulk, usual);
        }
    }
}
