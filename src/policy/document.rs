//! A strict JSON document as a tree, for the small texts beside the bodies: a token's header and claims, a
//! set of keys. As strict as a body's JSON, so that nobody else can read the same bytes differently. How
//! large a text may be is its reader's to say.

use super::json::{Key, Walk, read};
use crate::denial::Denial;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// Up to so many members are compared each with each, which costs less than sorting them.
const FEW: usize = 16;

/// As many members as a token's claims usually have: growing costs more than a little room.
const USUAL: usize = 10;

/// One JSON value with all that is in it.
#[derive(Debug, Clone, PartialEq)]
pub enum Document<'t> {
    /// `null`
    Null,
    /// `true` or `false`
    Boolean(bool),
    /// Any number, as exact as 64 bits of floating point are.
    Number(f64),
    /// A string, unescaped.
    Text(Cow<'t, str>),
    /// An array.
    List(Vec<Self>),
    /// An object in its own order, no key twice.
    Object(Vec<(Cow<'t, str>, Self)>),
}

impl<'t> Document<'t> {
    /// Reads the whole of a text as one value.
    pub fn read(text: &'t [u8]) -> Result<Self, Denial> {
        read(text, |walk, source| {
            Tree { walk, depth: 0 }.deserialize(source)
        })
    }

    /// The member of an object.
    pub fn get(&self, key: &str) -> Option<&Self> {
        let Self::Object(members) = self else {
            return None;
        };
        let mut members = members.iter();
        members
            .find(|(name, _)| name == key)
            .map(|(_, value)| value)
    }

    /// The text, where it is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The items, where it is an array.
    pub fn list(&self) -> Option<&[Self]> {
        match self {
            Self::List(items) => Some(items),
            _ => None,
        }
    }

    /// Whether it is an object.
    pub const fn is_object(&self) -> bool {
        matches!(self, Self::Object(_))
    }
}

struct Tree<'w, 'de> {
    walk: &'w mut Walk<'de>,
    depth: usize,
}

impl<'t> DeserializeSeed<'t> for Tree<'_, 't> {
    type Value = Document<'t>;

    fn deserialize<D: Deserializer<'t>>(self, source: D) -> Result<Document<'t>, D::Error> {
        source.deserialize_any(self)
    }
}

impl<'t> Visitor<'t> for Tree<'_, 't> {
    type Value = Document<'t>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Document<'t>, E> {
        Ok(Document::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Document<'t>, E> {
        Ok(Document::Boolean(value))
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "a number is as exact as it says"
    )]
    fn visit_u64<E>(self, value: u64) -> Result<Document<'t>, E> {
        Ok(Document::Number(value as f64))
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "a number is as exact as it says"
    )]
    fn visit_i64<E>(self, value: i64) -> Result<Document<'t>, E> {
        Ok(Document::Number(value as f64))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Document<'t>, E> {
        Ok(Document::Number(value))
    }

    fn visit_borrowed_str<E>(self, text: &'t str) -> Result<Document<'t>, E> {
        Ok(Document::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Document<'t>, E> {
        Ok(Document::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'t>>(self, mut items: A) -> Result<Document<'t>, A::Error> {
        self.walk.enter(self.depth)?;
        let mut kept = Vec::new();
        while let Some(item) = items.next_element_seed(Tree {
            walk: &mut *self.walk,
            depth: self.depth + 1,
        })? {
            kept.push(item);
        }
        Ok(Document::List(kept))
    }

    fn visit_map<A: MapAccess<'t>>(self, mut members: A) -> Result<Document<'t>, A::Error> {
        self.walk.enter(self.depth)?;
        let mut kept = Vec::with_capacity(USUAL);
        while let Some(key) = members.next_key_seed(Key)? {
            let value = members.next_value_seed(Tree {
                walk: &mut *self.walk,
                depth: self.depth + 1,
            })?;
            kept.push((key, value));
        }
        match repeated(&kept) {
            Some(key) => Err(self.walk.duplicate(key)),
            None => Ok(Document::Object(kept)),
        }
    }
}

/// A key that stands twice.
fn repeated<'m>(members: &'m [(Cow<'_, str>, Document<'_>)]) -> Option<&'m str> {
    if members.len() <= FEW {
        let mut rest = members;
        while let [(key, _), later @ ..] = rest {
            if later.iter().any(|(other, _)| other == key) {
                return Some(key);
            }
            rest = later;
        }
        return None;
    }
    let mut keys: Vec<&str> = members.iter().map(|(key, _)| key.as_ref()).collect();
    keys.sort_unstable();
    let pairs = keys.iter().zip(keys.iter().skip(1));
    pairs
        .into_iter()
        .find(|(one, next)| one == next)
        .map(|(key, _)| *key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write as _;

    fn outcome(text: &str) -> Result<Document<'_>, &'static str> {
        Document::read(text.as_bytes()).map_err(|denial| denial.code().as_str())
    }

    #[test]
    fn a_document_is_read_with_all_that_is_in_it() {
        let text = r#"{"a":[1,-2.5,"x\u0041",null],"b":{"c":true},"18446744073709551615":18446744073709551615}"#;
        let document = outcome(text).expect("strict JSON");
        let list = document.get("a").and_then(Document::list).expect("a list");
        assert_eq!(
            list,
            [
                Document::Number(1.0),
                Document::Number(-2.5),
                Document::Text("xA".into()),
                Document::Null
            ]
        );
        let inner = document.get("b").and_then(|b| b.get("c"));
        assert_eq!(inner, Some(&Document::Boolean(true)));
        assert!(document.is_object() && document.get("c").is_none());
        assert_eq!(list[2].text(), Some("xA"));
    }

    #[test]
    fn it_is_as_strict_as_a_body() {
        for (text, expected) in [
            ("", "malformed_json"),
            ("{}x", "malformed_json"),
            ("{'a':1}", "malformed_json"),
            ("\"\\ud800\"", "malformed_json"),
            ("[1e999]", "invalid_field"),
            (r#"{"a":1,"a":1}"#, "duplicate_key"),
            (r#"{"a":1,"\u0061":2}"#, "duplicate_key"),
            (r#"{"x":[{"a":1,"b":2,"a":3}]}"#, "duplicate_key"),
            (&"[".repeat(33), "malformed_json"),
        ] {
            assert_eq!(outcome(text), Err(expected), "{text}");
        }
    }

    #[test]
    fn a_key_that_stands_twice_is_found_among_many() {
        let mut members = String::new();
        for number in 0..200 {
            write!(members, "\"k{number}\":0,").expect("a string");
        }
        assert!(outcome(&format!("{{{members}\"last\":0}}")).is_ok());
        assert_eq!(
            outcome(&format!("{{{members}\"k7\":0}}")),
            Err("duplicate_key")
        );
    }
}
