//! The query: decoded once, judged decoded, written anew. Every operation has a closed list of keys;
//! each may stand once. What is sent upstream is always in one canonical encoding (RFC 3986 section
//! 2.1, upper-case hexadecimal), so that no other reading of it exists.

use super::grants::checks::{self, Pair};
use super::grants::{Grants, Reported};
use super::route::Operation;
use super::vocabulary::{Id, Verb};
use crate::denial::{Denial, shortened};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::borrow::Cow;

/// The keys of the list operations.
///
/// Source: BigCommerce, Customers v3 reference, "Get Customer Metafields".
pub const LIST_KEYS: [&str; 14] = [
    "page",
    "limit",
    "key",
    "key:in",
    "namespace",
    "namespace:in",
    "direction",
    "include_fields",
    "date_created:min",
    "date_created:max",
    "date_modified:min",
    "date_modified:max",
    "before",
    "after",
];

/// Everything but the unreserved characters of RFC 3986 section 2.3.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A query that was judged, in its canonical encoding; empty where there is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query(String);

impl Query {
    /// The text after the question mark.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Judges the query of an operation by its keys and the caller's grants.
pub(super) fn judge(
    operation: &Operation,
    raw: Option<&str>,
    grants: &Grants,
    reported: &mut Reported,
) -> Result<Query, Denial> {
    let pairs = pairs(raw.unwrap_or_default())?;
    let query = match operation.verb {
        Verb::List | Verb::ListAll => {
            grants.hold(permit_list(grants, &pairs), reported)?;
            list_query(&pairs)?
        }
        Verb::Update => {
            update_query(operation.metafield, &pairs)?;
            Query::default()
        }
        _ => {
            refuse_keys(&pairs)?;
            Query::default()
        }
    };
    Ok(query)
}

fn pairs(raw: &str) -> Result<Vec<Pair<'_>>, Denial> {
    let mut pairs: Vec<Pair<'_>> = Vec::new();
    if raw.is_empty() {
        return Ok(pairs);
    }
    for piece in raw.split('&') {
        let (key, value) = piece.split_once('=').ok_or(Denial::MalformedQuery {
            reason: "each part of the query must be `key=value`",
        })?;
        let pair = (decode(key)?, decode(value)?);
        if pairs.iter().any(|(known, _)| *known == pair.0) {
            return Err(Denial::MalformedQuery {
                reason: "each query key may stand only once",
            });
        }
        // More different keys than exist: one of them is unknown, and the list stays short.
        if pairs.len() == LIST_KEYS.len() {
            return Err(unknown(&pair.0));
        }
        pairs.push(pair);
    }
    Ok(pairs)
}

fn decode(text: &str) -> Result<Cow<'_, str>, Denial> {
    if !text
        .bytes()
        .any(|byte| matches!(byte, b'%' | b'+') || !byte.is_ascii_graphic())
    {
        return Ok(text.into());
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => hex(bytes.next())? << 4 | hex(bytes.next())?,
            other => other,
        });
    }
    let decoded = String::from_utf8(decoded).map_err(|_| Denial::MalformedQuery {
        reason: "the query is not UTF-8",
    })?;
    if decoded.chars().any(char::is_control) {
        return Err(Denial::MalformedQuery {
            reason: "the query holds a control character",
        });
    }
    Ok(decoded.into())
}

fn hex(digit: Option<u8>) -> Result<u8, Denial> {
    digit
        .and_then(|digit| char::from(digit).to_digit(16))
        .and_then(|digit| u8::try_from(digit).ok())
        .ok_or(Denial::MalformedQuery {
            reason: "the query holds a malformed percent escape",
        })
}

fn unknown(key: &str) -> Denial {
    Denial::UnknownQueryKey {
        key: shortened(key),
    }
}

fn refuse_keys(pairs: &[Pair<'_>]) -> Result<(), Denial> {
    pairs.first().map_or(Ok(()), |(key, _)| Err(unknown(key)))
}

/// `update` also knows the metafield's id as a query key; it must say what the path says.
fn update_query(metafield: Option<Id>, pairs: &[Pair<'_>]) -> Result<(), Denial> {
    for (key, value) in pairs {
        if key != "metafieldId" {
            return Err(unknown(key));
        }
        if Id::parse(value) != metafield {
            return Err(Denial::MalformedQuery {
                reason: "the query's `metafieldId` is not the id in the path; leave it out",
            });
        }
    }
    Ok(())
}

/// What the caller's grants say of a list.
fn permit_list(grants: &Grants, pairs: &[Pair<'_>]) -> Result<(), Denial> {
    checks::QUERY
        .iter()
        .try_for_each(|check| (check.judge)(grants, pairs))
}

fn list_query(pairs: &[Pair<'_>]) -> Result<Query, Denial> {
    let mut out = String::new();
    for (key, value) in pairs {
        let known = LIST_KEYS
            .iter()
            .find(|known| *known == key)
            .ok_or_else(|| unknown(key))?;
        if !out.is_empty() {
            out.push('&');
        }
        out.push_str(known);
        out.push('=');
        out.extend(utf8_percent_encode(value, ESCAPED));
    }
    Ok(Query(out))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::route::Route;
    use crate::policy::vocabulary::Scope;
    use http::Method;

    const ALL: &str = "/stores/abc/v3/customers/metafields";
    const ONE: &str = "/stores/abc/v3/customers/7/metafields/9";

    fn judged(method: &Method, path: &str, raw: &str) -> Result<String, &'static str> {
        let operation = Route::parse(path)
            .and_then(|route| route.operation(method))
            .expect("operation");
        judge(
            &operation,
            Some(raw),
            &Grants::of_scopes(vec![Scope::Customers]),
            &mut Reported::default(),
        )
        .map(|query| query.as_str().to_owned())
        .map_err(|denial| denial.code().as_str())
    }

    #[test]
    fn lists_are_written_in_one_encoding() {
        for (raw, expected) in [
            ("", ""),
            ("page=2&limit=50", "page=2&limit=50"),
            ("key%3Ain=a%2cb", "key:in=a%2Cb"),
            ("key:in=a,b", "key:in=a%2Cb"),
            ("namespace=Sales+Department", "namespace=Sales%20Department"),
            (
                "namespace=Sales%20Department",
                "namespace=Sales%20Department",
            ),
            ("n%61mespace=%C3%A4%26%3D%25", "namespace=%C3%A4%26%3D%25"),
            (
                "date_created:min=2024-05-14T09:34:00",
                "date_created:min=2024-05-14T09%3A34%3A00",
            ),
            ("after=", "after="),
            ("key==a?b/", "key=%3Da%3Fb%2F"),
        ] {
            assert_eq!(
                judged(&Method::GET, ALL, raw).as_deref(),
                Ok(expected),
                "{raw}"
            );
        }
    }

    #[test]
    fn bad_queries_are_refused() {
        for (method, path, raw, code) in [
            (Method::GET, ALL, "colour=red", "unknown_query_key"),
            (Method::GET, ALL, "Page=1", "unknown_query_key"),
            (Method::GET, ALL, "metafieldId=9", "unknown_query_key"),
            (Method::GET, ONE, "page=1", "unknown_query_key"),
            (Method::DELETE, ONE, "page=1", "unknown_query_key"),
            (Method::PUT, ONE, "page=1", "unknown_query_key"),
            (Method::PUT, ALL, "metafieldId=9", "unknown_query_key"),
            (Method::PUT, ONE, "metafieldId=8", "malformed_query"),
            (Method::PUT, ONE, "metafieldId=09", "malformed_query"),
            (Method::PUT, ONE, "metafieldId=", "malformed_query"),
            (
                Method::PUT,
                ONE,
                "metafieldId=9&metafieldId=9",
                "malformed_query",
            ),
            (Method::GET, ALL, "page=1&page=1", "malformed_query"),
            (Method::GET, ALL, "page=1&p%61ge=1", "malformed_query"),
            (Method::GET, ALL, "page", "malformed_query"),
            (Method::GET, ALL, "page=1&", "malformed_query"),
            (Method::GET, ALL, "&page=1", "malformed_query"),
            (Method::GET, ALL, "page=%", "malformed_query"),
            (Method::GET, ALL, "page=%4", "malformed_query"),
            (Method::GET, ALL, "page=%zz", "malformed_query"),
            (Method::GET, ALL, "page=%+1", "malformed_query"),
            (Method::GET, ALL, "key=%ff", "malformed_query"),
            (Method::GET, ALL, "key=%C0%80", "malformed_query"),
            (Method::GET, ALL, "key=%00", "malformed_query"),
            (
                Method::GET,
                ALL,
                "key=%0d%0aX-Auth-Token:%20x",
                "malformed_query",
            ),
            (Method::GET, ALL, "key=%C2%85", "malformed_query"),
        ] {
            assert_eq!(
                judged(&method, path, raw),
                Err(code),
                "{method} {path}?{raw}"
            );
        }
    }

    #[test]
    fn the_id_in_an_updates_query_is_not_forwarded() {
        assert_eq!(
            judged(&Method::PUT, ONE, "metafieldId=9").as_deref(),
            Ok("")
        );
        assert_eq!(judged(&Method::PUT, ONE, "").as_deref(), Ok(""));
    }

    proptest::proptest! {
        #[test]
        fn a_judged_query_is_its_own_canonical_form(raw in "((page|key|key:in|after)=[ -~]{0,12}&?){0,4}") {
            if let Ok(once) = judged(&Method::GET, ALL, &raw) {
                proptest::prop_assert_eq!(judged(&Method::GET, ALL, &once), Ok(once.clone()));
                proptest::prop_assert!(once.bytes().all(|byte| byte.is_ascii_graphic()));
            }
        }
    }
}
