//! Strict JSON (RFC 8259), so that no parser behind the gateway can read the same bytes differently:
//! UTF-8 without a byte-order mark, one value, no key twice in one object (compared after
//! unescaping), no lone surrogate, at most [`MAX_DEPTH`] levels. `serde_json` reads the tokens; no tree
//! is built, and texts without escapes are borrowed from the body.

use crate::denial::{Code, Denial, Fault, Place, shortened};
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

mod bulk;

pub(super) use bulk::Bulk;

/// The most objects and arrays that may stand within each other.
pub const MAX_DEPTH: usize = 32;

/// The serde deserializer that all readers here are built on.
pub(super) type Source<'de> = serde_json::Deserializer<serde_json::de::StrRead<'de>>;

/// A value as the rules see it: scalars whole, containers by their kind alone, their content having
/// been checked for strictness on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token<'de> {
    Null,
    Boolean,
    /// An integer token from 0 to 2^64-1; `-0`, `1.0` and `1e2` are not integer tokens.
    Integer(u64),
    /// Any other number.
    Number,
    Text(Cow<'de, str>),
    Array,
    Object,
}

/// The state of one reading: what stopped it, and which key of an unknown value imitates a field.
#[derive(Debug, Default)]
pub(super) struct Walk<'de> {
    /// The whole text.
    text: &'de str,
    /// Whether long texts are read by [`Bulk`].
    pub(super) in_bulk: bool,
    /// Whether the reading is within such a text, where an error is only a reason to read again.
    within_bulk: bool,
    stop: Option<Denial>,
    /// Set while the value of an unknown field is read: tells whether a key may not stand there.
    pub(super) imitates: Option<fn(&str) -> bool>,
    /// The first key found by `imitates`.
    pub(super) imitation: Option<String>,
    /// Whose value is being read, and what it is when that is a number beyond all that can be read: such
    /// a number is well-formed, and no rule accepts it.
    pub(super) reading: Option<(Place, Code)>,
}

impl Walk<'_> {
    /// Ends the reading with a denial of its own.
    pub(super) fn stop<E: serde::de::Error>(&mut self, denial: Denial) -> E {
        self.stop = Some(denial);
        E::custom("stopped")
    }

    /// Ends the reading at a key that stands twice.
    pub(super) fn duplicate<E: serde::de::Error>(&mut self, key: &str) -> E {
        self.stop(Denial::DuplicateKey {
            key: shortened(key),
        })
    }

    /// Refuses a container within `depth` others.
    pub(super) fn enter<E: serde::de::Error>(&mut self, depth: usize) -> Result<(), E> {
        if depth < MAX_DEPTH {
            return Ok(());
        }
        let reason = Cow::Borrowed("it is nested deeper than 32 levels");
        Err(self.stop(Denial::MalformedJson {
            reason,
            line: 0,
            column: 0,
        }))
    }
}

/// Reads the whole of `body` as one JSON value. `reader` may be called twice, and begins each time anew.
pub(super) fn read<'de, T>(
    body: &'de [u8],
    mut reader: impl FnMut(&mut Walk<'de>, &mut Source<'de>) -> serde_json::Result<T>,
) -> Result<T, Denial> {
    let malformed = |reason| Denial::MalformedJson {
        reason: Cow::Borrowed(reason),
        line: 0,
        column: 0,
    };
    let text = std::str::from_utf8(body).map_err(|_| malformed("it is not UTF-8"))?;
    if text.is_empty() {
        return Err(malformed("it is empty"));
    }
    if text.starts_with('\u{feff}') {
        return Err(malformed("it begins with a byte-order mark"));
    }
    let mut walk = Walk {
        text,
        in_bulk: bulk::is_worth_it(text),
        ..Walk::default()
    };
    let mut once = |walk: &mut Walk<'de>| {
        let mut source = serde_json::Deserializer::from_str(text);
        reader(walk, &mut source).and_then(|value| source.end().map(|()| value))
    };
    let mut outcome = once(&mut walk);
    if outcome.is_err() && walk.within_bulk {
        walk = Walk {
            text,
            ..Walk::default()
        };
        outcome = once(&mut walk);
    }
    outcome.map_err(|error| match walk.stop.take() {
        Some(denial) => denial,
        None if is_out_of_range(&error) => out_of_range(walk.reading.take()),
        None => syntax(&error),
    })
}

/// `serde_json` has no other sign of it than its message; a test holds that it still says so.
fn is_out_of_range(error: &serde_json::Error) -> bool {
    error.to_string().starts_with("number out of range")
}

fn out_of_range(reading: Option<(Place, Code)>) -> Denial {
    let (place, code) = reading.unwrap_or((Place::Body, Code::InvalidField));
    Denial::Fields(
        Fault {
            place,
            code,
            reason: "holds a number that is out of range".into(),
        }
        .into(),
    )
}

/// `serde_json`'s syntax messages name the place and never quote the input.
fn syntax(error: &serde_json::Error) -> Denial {
    let (line, column) = (error.line(), error.column());
    let text = error.to_string();
    let reason = text
        .split(" at line ")
        .next()
        .unwrap_or_default()
        .to_owned();
    Denial::MalformedJson {
        reason: Cow::Owned(reason),
        line,
        column,
    }
}

/// Reads one value of any kind, `depth` containers deep.
pub(super) struct Any<'w, 'de> {
    pub(super) walk: &'w mut Walk<'de>,
    pub(super) depth: usize,
}

impl<'de> DeserializeSeed<'de> for Any<'_, 'de> {
    type Value = Token<'de>;

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<Token<'de>, D::Error> {
        source.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Any<'_, 'de> {
    type Value = Token<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Token<'de>, E> {
        Ok(Token::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Token<'de>, E> {
        Ok(Token::Boolean)
    }

    fn visit_u64<E>(self, value: u64) -> Result<Token<'de>, E> {
        Ok(Token::Integer(value))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Token<'de>, E> {
        Ok(Token::Number)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Token<'de>, E> {
        Ok(Token::Number)
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Token<'de>, E> {
        Ok(Token::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Token<'de>, E> {
        Ok(Token::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Token<'de>, A::Error> {
        self.walk.enter(self.depth)?;
        while items
            .next_element_seed(Any {
                walk: &mut *self.walk,
                depth: self.depth + 1,
            })?
            .is_some()
        {}
        Ok(Token::Array)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Token<'de>, A::Error> {
        self.walk.enter(self.depth)?;
        let mut keys = Keys::default();
        while let Some(key) = members.next_key_seed(Key)? {
            if self.walk.imitation.is_none()
                && self.walk.imitates.is_some_and(|imitates| imitates(&key))
            {
                self.walk.imitation = Some(shortened(&key));
            }
            keys.insert(key, self.walk)?;
            members.next_value_seed(Any {
                walk: &mut *self.walk,
                depth: self.depth + 1,
            })?;
        }
        Ok(Token::Object)
    }
}

/// Reads an object's key, unescaped.
pub(super) struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<Cow<'de, str>, D::Error> {
        source.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

/// The keys of one object so far. The keys are the caller's choice, so the set keeps the standard
/// library's keyed hasher.
#[derive(Debug, Default)]
pub(super) struct Keys<'de>(HashSet<Cow<'de, str>>);

impl<'de> Keys<'de> {
    /// Adds a key; an error if it stands there already.
    pub(super) fn insert<E: serde::de::Error>(
        &mut self,
        key: Cow<'de, str>,
        walk: &mut Walk<'_>,
    ) -> Result<(), E> {
        if self.0.contains(&key) {
            return Err(walk.duplicate(&key));
        }
        self.0.insert(key);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(body: &[u8]) -> Result<Token<'_>, &'static str> {
        read(body, |walk, source| {
            Any { walk, depth: 0 }.deserialize(source)
        })
        .map_err(|denial| denial.code().as_str())
    }

    #[test]
    fn tokens_are_told_apart() {
        for (body, expected) in [
            ("null", Token::Null),
            (" true\r\n", Token::Boolean),
            ("0", Token::Integer(0)),
            ("18446744073709551615", Token::Integer(u64::MAX)),
            ("18446744073709551616", Token::Number),
            ("-0", Token::Number),
            ("-1", Token::Number),
            ("42.0", Token::Number),
            ("4.2e1", Token::Number),
            ("\"\\u0061\"", Token::Text("a".into())),
            ("\"\\ud83d\\ude00\"", Token::Text("😀".into())),
            ("[1,[2,{}]]", Token::Array),
            (
                "{\"a\":{\"a\":1},\"b\":[{\"a\":1},{\"a\":1}]}",
                Token::Object,
            ),
        ] {
            assert_eq!(outcome(body.as_bytes()), Ok(expected), "{body}");
        }
    }

    #[test]
    fn what_is_not_strict_is_refused() {
        for body in [
            "",
            " ",
            "{",
            "}",
            "{}x",
            "{} {}",
            "[1,]",
            "{\"a\":1,}",
            "{\"a\"}",
            "{a:1}",
            "{'a':1}",
            "nul",
            "NaN",
            "Infinity",
            "01",
            "1.",
            ".5",
            "+1",
            "0x1",
            "1e",
            "\"",
            "\"\t\"",
            "\"\n\"",
            "\"\\x41\"",
            "\"\\u12\"",
            "\"\\ud800\"",
            "\"\\udc00\"",
            "\"\\ud800\\u0041\"",
            "\u{feff}{}",
            "// c\n{}",
            "{/**/}",
            "[1 2]",
            "{\"a\" 1}",
            "\"\\ud800\\ud800\"",
            "{\"\\ud800\":1}",
            "\0",
            "{}\0",
        ] {
            assert_eq!(outcome(body.as_bytes()), Err("malformed_json"), "{body:?}");
        }
        // Well-formed, and beyond all that can be read.
        for body in ["1e999", "-1e999", &"9".repeat(400), "{\"a\":[1e400]}"] {
            assert_eq!(outcome(body.as_bytes()), Err("invalid_field"), "{body:?}");
        }
        for body in [
            &b"\"\xff\""[..],
            b"\"\xc0\x80\"",
            b"\"\xed\xa0\x80\"",
            b"{\"a\xff\":1}",
            b"\xff\xfe{\0}\0",
        ] {
            assert_eq!(outcome(body), Err("malformed_json"), "{body:?}");
        }
    }

    #[test]
    fn equal_keys_are_found_at_every_depth_and_in_every_spelling() {
        for body in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":1}"#,
            r#"{"\u00e4":1,"ä":1}"#,
            r#"{"x":{"a":1,"b":2,"a":3}}"#,
            r#"[[{"a":1,"a":2}]]"#,
            r#"{"":1,"":2}"#,
        ] {
            assert_eq!(outcome(body.as_bytes()), Err("duplicate_key"), "{body}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(outcome(nested(MAX_DEPTH).as_bytes()), Ok(Token::Array));
        assert_eq!(
            outcome(nested(MAX_DEPTH + 1).as_bytes()),
            Err("malformed_json")
        );
        assert_eq!(
            outcome("[".repeat(1 << 20).as_bytes()),
            Err("malformed_json")
        );
        let objects = format!("{}1{}", "{\"a\":".repeat(33), "}".repeat(33));
        assert_eq!(outcome(objects.as_bytes()), Err("malformed_json"));
    }

    #[test]
    fn the_place_of_a_syntax_error_is_named() {
        let denial = read(b"{\n \"a\": tru }", |walk, source| {
            Any { walk, depth: 0 }.deserialize(source)
        });
        let expected = "the body is not acceptable JSON: expected ident at line 2 column 10";
        assert_eq!(
            denial.map_err(|denial| denial.detail()),
            Err(expected.into())
        );
    }

    proptest::proptest! {
        #[test]
        fn what_is_accepted_serde_json_accepts_too(body in "[\\[\\]{}:,\"a1 \\\\u0]{0,24}") {
            #[expect(clippy::disallowed_methods, reason = "the comparison is the point")]
            let lenient = serde_json::from_str::<serde_json::Value>(&body);
            if outcome(body.as_bytes()).is_ok() {
                proptest::prop_assert!(lenient.is_ok());
            } else if let Ok(value) = lenient {
                // Only a repeated key may part the two: then serde_json's tree is smaller than the text.
                proptest::prop_assert!(value.to_string().len() < body.len());
            }
        }

        #[test]
        fn arbitrary_bytes_never_panic(body in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let _outcome = outcome(&body);
        }
    }
}
