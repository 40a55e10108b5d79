//! Key sets: which keys are used, which are left out and why, and which sets are refused.
#![expect(clippy::too_many_lines, reason = "a table of cases")]

use super::*;

const ALL: &[Algorithm] = &Algorithm::ALL;
const RSA_ONLY: &[Algorithm] = &[Algorithm::Rs256, Algorithm::Es256];

fn read(text: &str, algorithms: &[Algorithm]) -> Result<KeySet, SetError> {
    KeySet::read(text.as_bytes(), algorithms)
}

fn keys(keys: &[&str]) -> String {
    format!("{{\"keys\":[{}]}}", keys.join(","))
}

#[test]
fn a_key_is_used_for_one_algorithm_or_left_out() {
    let good = jwk(Alg::Es256, "good", "");
    let es = |more: &str| jwk(Alg::Other, "k", more);
    let rs = |more: &str| jwk(Alg::Rs256, "k", more);
    let short = |n: usize| {
        let n = signer::b64([&[0x80][..], &vec![1; n - 1]].concat());
        format!(r#"{{"kty":"RSA","alg":"RS256","n":"{n}","e":"AQAB"}}"#)
    };
    let with_e = |e: &[u8]| {
        let e = signer::b64(e);
        rs("").replace("\"AQAB\"", &format!("\"{e}\""))
    };
    let several = "it names no `alg`, and several of the issuer's `algorithms` fit";
    let other_kind = "its `alg` is not for a key of its kind";
    let not_issuers = "its `alg` is none of the issuer's `algorithms`";
    let purpose = "its `use` is not `sig`";
    let bits = "`n` has fewer than 2048 or more than 8192 bits";
    let exponent = "`e` is not an odd number from 2^16 to 2^32";
    let cases: Vec<(&[Algorithm], String, Option<&str>)> = vec![
        (ALL, es(""), None),
        (ALL, es(r#""alg":"ES256""#), None),
        (ALL, es(r#""use":"sig","key_ops":["sign","verify"]"#), None),
        (ALL, es(r#""x5c":["MII"],"x5t":"x","unknown":1"#), None),
        (ALL, es(r#""alg":"ES384""#), Some(other_kind)),
        (ALL, es(r#""alg":"RS256""#), Some(other_kind)),
        (ALL, es(r#""alg":"HS256""#), Some(not_issuers)),
        (ALL, es(r#""use":"enc""#), Some(purpose)),
        (ALL, es(r#""use":"""#), Some(purpose)),
        (
            ALL,
            es(r#""key_ops":["sign"]"#),
            Some("its `key_ops` lack `verify`"),
        ),
        (
            ALL,
            es(r#""key_ops":[]"#),
            Some("its `key_ops` lack `verify`"),
        ),
        (
            ALL,
            es(r#""key_ops":"verify""#),
            Some("its `key_ops` lack `verify`"),
        ),
        (
            ALL,
            es(r#""use":1"#),
            Some("a member is not the text that it should be"),
        ),
        (ALL, rs(""), Some(several)),
        (RSA_ONLY, rs(""), None),
        (ALL, rs(r#""alg":"PS256""#), None),
        (RSA_ONLY, rs(r#""alg":"PS256""#), Some(not_issuers)),
        (
            RSA_ONLY,
            jwk(Alg::Es384, "k", ""),
            Some("none of the issuer's `algorithms` is for a key of its kind"),
        ),
        (
            RSA_ONLY,
            jwk(Alg::Ed25519, "k", ""),
            Some("none of the issuer's `algorithms` is for a key of its kind"),
        ),
        (ALL, jwk(Alg::Ed25519, "k", r#""alg":"Ed25519""#), None),
        (
            ALL,
            jwk(Alg::Ed25519, "k", "").replace("Ed25519", "X25519"),
            Some("none of the issuer's `algorithms` is for a key of its kind"),
        ),
        (
            ALL,
            r#"{"kty":"oct","k":"AAAA"}"#.to_owned(),
            Some("its `kty` is not RSA, EC or OKP"),
        ),
        (
            ALL,
            r#"{"kty":"AKP","alg":"ML-DSA-44","pub":"x"}"#.to_owned(),
            Some("its `kty` is not RSA, EC or OKP"),
        ),
        (ALL, r"{}".to_owned(), Some("`kty` is missing")),
        (
            ALL,
            r#"{"kty":"EC","crv":"P-256","x":"AA"}"#.to_owned(),
            Some("a number of the key is missing"),
        ),
        (
            ALL,
            r#"{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}"#.to_owned(),
            Some("a coordinate is not as long as the curve's"),
        ),
        (
            ALL,
            format!(
                r#"{{"kty":"EC","crv":"P-256","x":"{0}","y":"{0}"}}"#,
                signer::b64([1; 32])
            ),
            Some("it is not a key of its kind"),
        ),
        (
            ALL,
            es("").replace("\"y\":\"", "\"y\":\"="),
            Some("a number of the key is not base64url"),
        ),
        (ALL, short(255), Some(bits)),
        (ALL, short(128), Some(bits)),
        (ALL, short(1025), Some(bits)),
        (
            ALL,
            with_e(&[3]).replace('}', ",\"alg\":\"RS256\"}"),
            Some(exponent),
        ),
        (
            ALL,
            with_e(&[1, 0, 0]).replace('}', ",\"alg\":\"RS256\"}"),
            Some(exponent),
        ),
        (
            ALL,
            with_e(&[0, 1, 0, 1]).replace('}', ",\"alg\":\"RS256\"}"),
            Some(exponent),
        ),
        (
            ALL,
            with_e(&[1, 0, 0, 0, 1]).replace('}', ",\"alg\":\"RS256\"}"),
            Some(exponent),
        ),
        (
            ALL,
            rs("")
                .replace("\"n\":\"", "\"n\":\"AAAA")
                .replace('}', ",\"alg\":\"RS256\"}"),
            Some("`n` is not an odd number in its shortest form"),
        ),
    ];
    for (algorithms, key, expected) in cases {
        let set = read(&keys(&[&good, &key]), algorithms).unwrap();
        let found: Vec<_> = set
            .left_out
            .iter()
            .map(|left| (left.index, left.reason))
            .collect();
        let expected: Vec<_> = expected.into_iter().map(|reason| (1, reason)).collect();
        assert_eq!(found, expected, "{key}");
        assert_eq!(set.count(), 2 - expected.len());
    }
}

#[test]
fn a_set_that_cannot_be_trusted_is_refused_as_a_whole() {
    let good = jwk(Alg::Es256, "good", "");
    let private =
        |member: &str| keys(&[&good, &jwk(Alg::Other, "k", &format!("\"{member}\":\"x\""))]);
    let many: Vec<&str> = std::iter::repeat_n(good.as_str(), 65).collect();
    for (text, expected) in [
        (private("d"), SetError::Private(1)),
        (private("p"), SetError::Private(1)),
        (private("oth"), SetError::Private(1)),
        (
            r#"{"keys":[{"kty":"oct","d":"x"}]}"#.to_owned(),
            SetError::Private(0),
        ),
        (keys(&[&good, &good]), SetError::Twice("good".to_owned())),
        (keys(&many), SetError::TooMany),
        (keys(&[]), SetError::Empty),
        (keys(&[r#"{"kty":"oct","k":"AAAA"}"#]), SetError::Empty),
        (keys(&["1"]), SetError::NotASet),
        ("{}".to_owned(), SetError::NotASet),
        ("[]".to_owned(), SetError::NotASet),
        (r#"{"keys":{}}"#.to_owned(), SetError::NotASet),
        (format!("{} x", keys(&[&good])), SetError::NotJson),
        (
            keys(&[&good]).replacen('{', "{\"keys\":[],", 1),
            SetError::NotJson,
        ),
        (String::new(), SetError::NotJson),
        ("<html>".to_owned(), SetError::NotJson),
        (" ".repeat(LARGEST_SET + 1), SetError::TooLarge),
    ] {
        assert_eq!(read(&text, ALL).err(), Some(expected), "{text:.200}");
    }
}

#[test]
fn equal_sets_are_equal_however_they_are_written() {
    let (one, other) = (jwk(Alg::Es256, "a", ""), jwk(Alg::Other, "a", ""));
    let set = |key: &str| read(&keys(&[key]), ALL).unwrap();
    assert_eq!(set(&one), set(&one.replace(',', " ,\n")));
    assert_ne!(set(&one), set(&other));
    assert_ne!(set(&one), set(&jwk(Alg::Es256, "b", "")));
    assert_eq!(set(&one).ids(), "a");
}

#[test]
fn a_key_that_stands_for_two_algorithms_counts_for_the_first() {
    let named = |id: &str, algorithm: &str| jwk(Alg::Rs256, id, &format!(r#""alg":"{algorithm}""#));
    let set = read(&keys(&[&named("a", "RS256"), &named("b", "PS256")]), ALL).expect("a set");
    let reason = "the same key stands before it for another algorithm";
    assert_eq!(set.left_out, [LeftOut { index: 1, reason }]);
    assert_eq!(set.ids(), "a");
    // Under two names it may stand.
    let set = read(&keys(&[&named("a", "RS256"), &named("b", "RS256")]), ALL).expect("a set");
    assert_eq!((set.count(), set.left_out.len()), (2, 0));
}

#[test]
fn what_an_issuer_serves_takes_away_what_it_does_not_list() {
    let (one, two) = (jwk(Alg::Es256, "one", ""), jwk(Alg::Es384, "two", ""));
    let private = |key: &str| key.replacen('{', r#"{"d":"x","#, 1);
    let renamed = two.replace("two", "three");
    let many: Vec<&str> = std::iter::once(one.as_str())
        .chain(std::iter::repeat_n(two.as_str(), 64))
        .collect();
    let served = |text: &str| {
        let set = KeySet::served(text.as_bytes(), ALL).expect("a set");
        let left_out: Vec<usize> = set.left_out.iter().map(|left| left.index).collect();
        (set.ids(), left_out)
    };
    for (text, ids, left_out) in [
        (keys(&[&one, &two]), "one, two", &[][..]),
        (keys(&[]), "", &[]),
        (keys(&[r#"{"kty":"oct","k":"AAAA"}"#]), "", &[0]),
        // No token tells the two apart.
        (keys(&[&two, &one, &two]), "one", &[0, 2]),
        // What everyone has read is a secret no more, under whatever name it stands.
        (keys(&[&one, &private(&two)]), "one", &[1]),
        (keys(&[&one, &two, &private(&renamed)]), "one", &[1, 2]),
        (keys(&[&private(&one), &one]), "", &[0, 1]),
    ] {
        assert_eq!(served(&text), (ids.to_owned(), left_out.to_vec()), "{text}");
    }
    let (ids, left_out) = served(&keys(&many));
    assert_eq!((ids.as_str(), left_out.len()), ("one", 64));
    for text in [
        "",
        "<html>",
        "[]",
        "{}",
        r#"{"keys":{}}"#,
        r#"{"keys":[1]}"#,
    ] {
        assert!(KeySet::served(text.as_bytes(), ALL).is_err(), "{text}");
    }
}
