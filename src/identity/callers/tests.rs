//! Whose request it is, by token, certificate and peer.

use super::*;
use crate::policy::vocabulary::Scope;
use http::{HeaderName, HeaderValue};

/// The second in which the token `until-noon-of-one` and every certificate here expire.
const NOON: i64 = 1_800_000_000;

fn caller(name: &str) -> Caller {
    let grants = Grants::of_scopes(vec![Scope::Customers]);
    Caller {
        name: name.to_owned(),
        grants,
        number: 0,
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("a time")
}

fn token(text: &str, expires: Option<i64>) -> Token {
    Token {
        digest: Digest::of(text.as_bytes()),
        expires: expires.map(at),
    }
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn table() -> Callers {
    let one = KnownBy {
        tokens: vec![
            token("first-token-of-one", None),
            token("until-noon-of-one", Some(NOON)),
        ],
        spiffe: texts(&["spiffe://example.org/one", "spiffe://example.org/one/next"]),
        dns: texts(&["one.example.org"]),
        uids: vec![1001],
        gids: vec![100],
    };
    let two = KnownBy {
        tokens: vec![token("token-number-of-two", None)],
        dns: texts(&["two.example.org"]),
        uids: vec![1002],
        gids: vec![200],
        ..KnownBy::default()
    };
    Callers::new([(caller("one"), one), (caller("two"), two)])
}

fn certificate(uri: Option<&str>, dns: &[&str]) -> Evidence {
    Evidence {
        certificate: Some(Certificate {
            uri: uri.map(Box::from),
            dns: dns.iter().map(|name| Box::from(*name)).collect(),
            not_after: at(NOON),
        }),
        authorities: None,
        unix: None,
    }
}

fn peer(uid: u32, gid: u32) -> Evidence {
    Evidence {
        certificate: None,
        authorities: None,
        unix: Some(UnixPeer { uid, gid }),
    }
}

/// Who it is and how it was known, or the code, and the name for the record.
fn judged(callers: &Callers, fields: &[(&'static str, &str)], by: &Evidence, now: i64) -> String {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.append(
            HeaderName::from_static(name),
            HeaderValue::from_str(value).expect("a value"),
        );
    }
    match callers.identify(&headers, by, at(now)) {
        Ok(identity) => format!("{} by {}", identity.caller.name, identity.means.as_str()),
        Err(Unidentified { denial, former }) => {
            let former = former.map_or("nobody", |caller| caller.name.as_str());
            format!("{} of {former}", denial.code().as_str())
        }
    }
}

#[test]
fn a_digest_is_sha_256() {
    // FIPS 180-4, example B.1.
    let expected = [
        0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22,
        0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00,
        0x15, 0xad,
    ];
    assert_eq!(Digest::of(b"abc").as_ref(), &expected);
}

#[test]
fn a_token_is_its_callers_until_it_expires() {
    for (text, now, expected) in [
        ("first-token-of-one", NOON, "one by token"),
        ("until-noon-of-one", NOON - 1, "one by token"),
        ("until-noon-of-one", NOON, "expired_token of one"),
        ("until-noon-of-one", NOON + 1, "expired_token of one"),
        ("token-number-of-two", NOON, "two by token"),
        ("token-number-of-tw", NOON, "unknown_token of nobody"),
        ("first-token-of-One", NOON, "unknown_token of nobody"),
    ] {
        for fields in [
            ("x-auth-token", text.to_owned()),
            ("authorization", format!("Bearer {text}")),
        ] {
            let seen = judged(
                &table(),
                &[(fields.0, &fields.1)],
                &Evidence::default(),
                now,
            );
            assert_eq!(seen, expected, "{fields:?} at {now}");
        }
    }
}

#[test]
fn a_token_that_is_presented_decides_alone() {
    let evidence = certificate(Some("spiffe://example.org/one"), &[]);
    for (fields, expected) in [
        (&[][..], "one by certificate"),
        (&[("x-auth-client", "any")], "one by certificate"),
        (&[("x-auth-token", "token-number-of-two")], "two by token"),
        (
            &[("x-auth-token", "token-of-nobody-here")],
            "unknown_token of nobody",
        ),
        (&[("x-auth-token", "")], "invalid_token of nobody"),
        (&[("x-auth-token", "short")], "invalid_token of nobody"),
        (&[("authorization", "")], "missing_token of nobody"),
        (
            &[("authorization", "Basic eDp5")],
            "missing_token of nobody",
        ),
        (&[("authorization", "Bearer ")], "invalid_token of nobody"),
        (
            &[("x-auth-token", ""), ("authorization", "")],
            "ambiguous_credentials of nobody",
        ),
    ] {
        for evidence in [&evidence, &peer(1001, 100)] {
            let expected = match evidence.unix {
                Some(_) => expected.replace("certificate", "unix_peer"),
                None => expected.to_owned(),
            };
            let seen = judged(&table(), fields, evidence, NOON - 1);
            assert_eq!(seen, expected, "{fields:?}");
        }
    }
}

#[test]
fn a_certificate_names_one_caller() {
    let cases: [(Option<&str>, &[&str], &str); 14] = [
        (Some("spiffe://example.org/one"), &[], "one by certificate"),
        (
            Some("spiffe://example.org/one/next"),
            &[],
            "one by certificate",
        ),
        (None, &["one.example.org"], "one by certificate"),
        (
            None,
            &["else.example.org", "two.example.org"],
            "two by certificate",
        ),
        (
            Some("spiffe://example.org/one"),
            &["one.example.org"],
            "one by certificate",
        ),
        (
            Some("spiffe://example.org/else"),
            &["two.example.org"],
            "two by certificate",
        ),
        (
            Some("spiffe://example.org/one"),
            &["two.example.org"],
            "ambiguous_certificate of nobody",
        ),
        (
            None,
            &["one.example.org", "two.example.org"],
            "ambiguous_certificate of nobody",
        ),
        (
            Some("spiffe://example.org/One"),
            &[],
            "missing_token of nobody",
        ),
        (
            Some("spiffe://example.org/one/"),
            &[],
            "missing_token of nobody",
        ),
        (Some("one.example.org"), &[], "missing_token of nobody"),
        (
            None,
            &["spiffe://example.org/one"],
            "missing_token of nobody",
        ),
        (None, &["a.one.example.org"], "missing_token of nobody"),
        (None, &[], "missing_token of nobody"),
    ];
    for (uri, dns, expected) in cases {
        let seen = judged(&table(), &[], &certificate(uri, dns), NOON);
        assert_eq!(seen, expected, "{uri:?} {dns:?}");
    }
}

#[test]
fn a_connection_does_not_outlive_its_certificate() {
    let evidence = certificate(None, &["one.example.org"]);
    for (now, expected) in [
        (NOON - 1, "one by certificate"),
        (NOON, "one by certificate"),
        (NOON + 1, "expired_certificate of one"),
    ] {
        assert_eq!(judged(&table(), &[], &evidence, now), expected, "{now}");
        // Who has a token needs no certificate.
        let fields = [("x-auth-token", "token-number-of-two")];
        assert_eq!(judged(&table(), &fields, &evidence, now), "two by token");
    }
}

#[test]
fn a_peer_is_known_by_its_user_before_its_group() {
    for (uid, gid, expected) in [
        (1001, 7, "one by unix_peer"),
        (7, 100, "one by unix_peer"),
        (1001, 200, "one by unix_peer"),
        (1002, 100, "two by unix_peer"),
        (1002, 200, "two by unix_peer"),
        (7, 200, "two by unix_peer"),
        (100, 1001, "missing_token of nobody"),
        (0, 0, "missing_token of nobody"),
        (u32::MAX, u32::MAX, "missing_token of nobody"),
    ] {
        let seen = judged(&table(), &[], &peer(uid, gid), NOON);
        assert_eq!(seen, expected, "{uid} {gid}");
    }
}

#[test]
fn who_is_nobody_is_told_what_would_do() {
    const TOKEN: &str = "send the caller's token in `X-Auth-Token` or in `Authorization: Bearer`";
    let by = |known_by| Callers::new([(caller("one"), known_by)]);
    for (known_by, expected) in [
        (KnownBy::default(), TOKEN.to_owned()),
        (
            KnownBy {
                dns: texts(&["one.example.org"]),
                ..KnownBy::default()
            },
            format!("{TOKEN}, or connect with a client certificate that a caller is bound to"),
        ),
        (
            KnownBy {
                gids: vec![100],
                ..KnownBy::default()
            },
            format!("{TOKEN}, or connect as a user or group that a caller is bound to"),
        ),
    ] {
        let callers = by(known_by);
        let refused = callers.identify(&HeaderMap::new(), &Evidence::default(), at(NOON));
        let detail = refused.map_err(|refused| refused.denial.detail().into_owned());
        assert_eq!(detail, Err(expected));
    }
}

#[test]
fn a_certificate_counts_under_the_authorities_that_are_trusted_now() {
    let authorities = |text: &str| Some(Digest::of(text.as_bytes()));
    let spiffe = vec!["spiffe://example.org/one".to_owned()];
    for (accepted, trusted, expected) in [
        (authorities("a"), authorities("a"), Ok("one")),
        (
            authorities("a"),
            authorities("b"),
            Err("expired_certificate"),
        ),
        (authorities("a"), None, Err("expired_certificate")),
    ] {
        let known_by = KnownBy {
            spiffe: spiffe.clone(),
            ..KnownBy::default()
        };
        let callers = Callers::new([(caller("one"), known_by)]).trusting(trusted);
        let evidence = Evidence {
            authorities: accepted,
            ..certificate(Some("spiffe://example.org/one"), &[])
        };
        let found = callers.identify(&HeaderMap::new(), &evidence, at(0));
        let found = found.map(|identity| identity.caller.name.as_str());
        let found = found.map_err(|unidentified| unidentified.denial.code().as_str());
        assert_eq!(found, expected);
    }
}
