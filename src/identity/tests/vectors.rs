//! Tokens a case a line, each with the exact outcome.
#![expect(clippy::too_many_lines, reason = "tables of cases")]
#![expect(clippy::string_slice, reason = "tokens are ASCII")]

use super::signer::{Alg, b64, sign, token};
use super::*;

const RSA: &str = r#"{"alg":"RS256","kid":"r1"}"#;
const EC: &str = r#"{"alg":"ES256","kid":"e1","typ":"JWT"}"#;

/// The claims of a good token, some of them replaced by another JSON text, or left out where that is empty.
fn claims(changes: &[(&str, &str)]) -> String {
    let (begin, end) = ((NOW - 10).to_string(), (NOW + 300).to_string());
    let usual = [
        ("iss", "\"https://issuer.test\""),
        ("aud", "\"gateway\""),
        ("sub", "\"app\""),
        ("iat", &begin),
        ("exp", &end),
    ];
    let other = |name: &str| changes.iter().find(|(change, _)| *change == name);
    let mut members: Vec<(&str, &str)> = usual
        .into_iter()
        .map(|(name, value)| (name, other(name).map_or(value, |(_, value)| *value)))
        .collect();
    let is_new = |(name, _): &&(&str, &str)| usual.iter().all(|(usual, _)| usual != name);
    members.extend(changes.iter().filter(is_new));
    members.retain(|(_, value)| !value.is_empty());
    let members = members
        .iter()
        .map(|(name, value)| format!("\"{name}\":{value}"));
    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
}

/// A token that is good but for these claims.
fn with(changes: &[(&str, &str)]) -> String {
    token(EC, claims(changes), Alg::Es256)
}

/// A token that is good but for its header.
fn headed(header: &str, alg: Alg) -> String {
    token(header, claims(&[]), alg)
}

fn at(name: &str, offset: i64) -> String {
    let seconds = i64::try_from(NOW).unwrap() + offset;
    with(&[(name, &seconds.to_string())])
}

/// A good token with one of its three parts replaced.
fn replaced(place: usize, part: impl Fn(&str) -> String) -> String {
    let token = with(&[]);
    let mut parts: Vec<String> = token.split('.').map(ToOwned::to_owned).collect();
    parts[place] = part(&parts[place]);
    parts.join(".")
}

/// Signed over parts that are no plain base64url of anything.
fn signed_as_it_is(header: &str, payload: &str) -> String {
    let signed = format!("{header}.{payload}");
    let signature = b64(sign(Alg::Es256, signed.as_bytes()));
    format!("{signed}.{signature}")
}

fn check(cases: &[(&str, String, Result<&str, Rejection>)]) {
    let wrong: Vec<_> = cases
        .iter()
        .filter_map(|(name, token, expected)| {
            let found = judged(token);
            let expected = expected.map(ToOwned::to_owned);
            (found != expected).then(|| format!("{name}: {found:?}, not {expected:?}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_good_token_is_of_its_caller() {
    check(&[
        ("RS256", headed(RSA, Alg::Rs256), Ok("app")),
        (
            "PS256",
            headed(r#"{"alg":"PS256","kid":"p1"}"#, Alg::Ps256),
            Ok("app"),
        ),
        ("ES256", headed(EC, Alg::Es256), Ok("app")),
        (
            "ES384",
            headed(r#"{"alg":"ES384","kid":"e3"}"#, Alg::Es384),
            Ok("app"),
        ),
        (
            "EdDSA",
            headed(r#"{"alg":"EdDSA","kid":"d1"}"#, Alg::Ed25519),
            Ok("app"),
        ),
        (
            "Ed25519",
            headed(r#"{"alg":"Ed25519","kid":"d1"}"#, Alg::Ed25519),
            Ok("app"),
        ),
        (
            "no kid, one key of the algorithm",
            headed(r#"{"alg":"ES256"}"#, Alg::Es256),
            Ok("app"),
        ),
        (
            "typ of RFC 9068",
            headed(r#"{"alg":"ES256","typ":"at+jwt"}"#, Alg::Es256),
            Ok("app"),
        ),
        (
            "typ in full",
            headed(r#"{"alg":"ES256","typ":"Application/AT+JWT"}"#, Alg::Es256),
            Ok("app"),
        ),
        (
            "thumbprints",
            headed(r#"{"alg":"ES256","x5t":"x","x5t#S256":"y"}"#, Alg::Es256),
            Ok("app"),
        ),
        (
            "cty",
            headed(r#"{"alg":"ES256","cty":"json"}"#, Alg::Es256),
            Ok("app"),
        ),
        (
            "aud as a list",
            with(&[("aud", r#"["x","gateway-2"]"#)]),
            Ok("app"),
        ),
        (
            "unknown claims",
            with(&[("x", r#"{"y":[1,null]}"#)]),
            Ok("app"),
        ),
        (
            "white space",
            token(EC, format!(" {}\n", claims(&[])), Alg::Es256),
            Ok("app"),
        ),
        ("no iat", with(&[("iat", "")]), Ok("app")),
        ("nbf", at("nbf", -1), Ok("app")),
        (
            "a fraction of a second",
            with(&[("exp", &format!("{}.5", NOW + 1))]),
            Ok("app"),
        ),
        ("an exponent", with(&[("nbf", "1.7e9")]), Ok("app")),
        (
            "bound by a nested claim",
            with(&[
                ("sub", "\"x\""),
                ("kubernetes.io", r#"{"namespace":"crm"}"#),
            ]),
            Ok("crm"),
        ),
        (
            "scopes as a list",
            with(&[("scope", r#"["store_v2_customers"]"#)]),
            Ok("app"),
        ),
        (
            "another issuer",
            token(
                EC,
                claims(&[("iss", "\"https://second.test\"")]),
                Alg::Other,
            ),
            Ok("elsewhere"),
        ),
    ]);
}

#[test]
fn a_signature_is_by_the_key_and_the_algorithm_of_the_issuer() {
    use Rejection::{Algorithm, AmbiguousKey, NoKeys, Signature, UnknownKey};
    let none = |alg| headed(&format!(r#"{{"alg":"{alg}","kid":"r1"}}"#), Alg::Nothing);
    let zero = "A".repeat(86);
    // The order of P-256 (FIPS 186-5), which no r or s may reach.
    let order = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
    let order: Vec<u8> = (0..32)
        .map(|i| u8::from_str_radix(&order[2 * i..2 * i + 2], 16).unwrap())
        .collect();
    check(&[
        ("alg none", none("none"), Err(Algorithm)),
        ("alg None", none("None"), Err(Algorithm)),
        ("alg of no letters", none(""), Err(Algorithm)),
        (
            "alg missing",
            headed(r#"{"kid":"r1"}"#, Alg::Rs256),
            Err(Algorithm),
        ),
        (
            "alg a number",
            headed(r#"{"alg":256,"kid":"r1"}"#, Alg::Rs256),
            Err(Algorithm),
        ),
        (
            "alg a list",
            headed(r#"{"alg":["RS256"],"kid":"r1"}"#, Alg::Rs256),
            Err(Algorithm),
        ),
        (
            "alg in another case",
            headed(r#"{"alg":"rs256","kid":"r1"}"#, Alg::Rs256),
            Err(Algorithm),
        ),
        (
            "alg with a space",
            headed(r#"{"alg":"RS256 ","kid":"r1"}"#, Alg::Rs256),
            Err(Algorithm),
        ),
        (
            "HS256 by the public key",
            headed(r#"{"alg":"HS256","kid":"r1"}"#, Alg::Hs256),
            Err(Algorithm),
        ),
        (
            "RS256 over an HMAC",
            headed(RSA, Alg::Hs256),
            Err(Signature),
        ),
        (
            "RS384",
            headed(r#"{"alg":"RS384","kid":"r1"}"#, Alg::Rs256),
            Err(Algorithm),
        ),
        (
            "ES512",
            headed(r#"{"alg":"ES512","kid":"e1"}"#, Alg::Es256),
            Err(Algorithm),
        ),
        (
            "ES256K",
            headed(r#"{"alg":"ES256K","kid":"e1"}"#, Alg::Es256),
            Err(Algorithm),
        ),
        (
            "RS256 by a key for PS256",
            headed(r#"{"alg":"RS256","kid":"p1"}"#, Alg::Rs256),
            Err(Algorithm),
        ),
        (
            "PS256 by a key for RS256",
            headed(r#"{"alg":"PS256","kid":"r1"}"#, Alg::RsAsPs),
            Err(Algorithm),
        ),
        (
            "PS256 said to be RS256",
            headed(RSA, Alg::RsAsPs),
            Err(Signature),
        ),
        (
            "RS256 said to be PS256",
            headed(r#"{"alg":"PS256","kid":"p1"}"#, Alg::Rs256),
            Err(Signature),
        ),
        (
            "ES384 by a key for ES256",
            headed(r#"{"alg":"ES384","kid":"e1"}"#, Alg::Es256),
            Err(Algorithm),
        ),
        (
            "ES256 by a key for ES384",
            headed(r#"{"alg":"ES256","kid":"e3"}"#, Alg::Es384),
            Err(Algorithm),
        ),
        (
            "EdDSA by a key for ES256",
            headed(r#"{"alg":"EdDSA","kid":"e1"}"#, Alg::Ed25519),
            Err(Algorithm),
        ),
        (
            "ES256 by an RSA key",
            headed(r#"{"alg":"ES256","kid":"r1"}"#, Alg::Es256),
            Err(Algorithm),
        ),
        (
            "kid of another key",
            headed(r#"{"alg":"ES256","kid":"e1"}"#, Alg::Other),
            Err(Signature),
        ),
        (
            "kid unknown",
            headed(r#"{"alg":"ES256","kid":"e2"}"#, Alg::Es256),
            Err(UnknownKey),
        ),
        (
            "kid in another case",
            headed(r#"{"alg":"ES256","kid":"E1"}"#, Alg::Es256),
            Err(UnknownKey),
        ),
        (
            "kid a path",
            headed(r#"{"alg":"ES256","kid":"../e1"}"#, Alg::Es256),
            Err(UnknownKey),
        ),
        (
            "kid missing where two fit",
            token(
                r#"{"alg":"ES256"}"#,
                claims(&[("iss", "\"https://twins.test\"")]),
                Alg::Es256,
            ),
            Err(AmbiguousKey),
        ),
        (
            "kid where the keys have none",
            token(EC, claims(&[("iss", "\"https://twins.test\"")]), Alg::Es256),
            Err(UnknownKey),
        ),
        (
            "the key of another issuer",
            token(
                EC,
                claims(&[("iss", "\"https://second.test\"")]),
                Alg::Es256,
            ),
            Err(Signature),
        ),
        (
            "another issuer's key for this one",
            headed(EC, Alg::Other),
            Err(Signature),
        ),
        (
            "an algorithm of another issuer",
            token(
                RSA,
                claims(&[("iss", "\"https://second.test\"")]),
                Alg::Rs256,
            ),
            Err(Algorithm),
        ),
        (
            "keys that never came",
            token(EC, claims(&[("iss", "\"https://down.test\"")]), Alg::Es256),
            Err(NoKeys),
        ),
        (
            "no signature",
            replaced(2, |_| String::new()),
            Err(Signature),
        ),
        (
            "r and s zero",
            replaced(2, |_| zero.clone()),
            Err(Signature),
        ),
        (
            "r and s the order",
            replaced(2, |_| b64([&order[..], &order].concat())),
            Err(Signature),
        ),
        (
            "r zero",
            replaced(2, |s| format!("{}{}", "A".repeat(42), &s[42..])),
            Err(Signature),
        ),
        ("in DER", headed(EC, Alg::EsAsDer), Err(Signature)),
        (
            "one byte short",
            replaced(2, |_| b64(&sign(Alg::Es256, b"x")[..63])),
            Err(Signature),
        ),
        (
            "one byte more",
            replaced(2, |_| b64([&sign(Alg::Es256, b"x")[..], &[0]].concat())),
            Err(Signature),
        ),
        (
            "of another token",
            replaced(2, |_| b64(sign(Alg::Es256, b"x"))),
            Err(Signature),
        ),
        (
            "RSA of zeros",
            {
                let t = headed(RSA, Alg::Rs256);
                format!("{}.{}", t.rsplit_once('.').unwrap().0, b64([0; 256]))
            },
            Err(Signature),
        ),
        (
            "RSA with a zero before",
            {
                let t = headed(RSA, Alg::Rs256);
                let (m, _) = t.rsplit_once('.').unwrap();
                format!(
                    "{m}.{}",
                    b64([&[0][..], &sign(Alg::Rs256, m.as_bytes())].concat())
                )
            },
            Err(Signature),
        ),
        (
            "the payload changed",
            replaced(1, |_| b64(claims(&[("exp", &(NOW + 301).to_string())]))),
            Err(Signature),
        ),
        (
            "the header changed",
            replaced(0, |_| b64(r#"{"alg":"ES256","kid":"e1"}"#)),
            Err(Signature),
        ),
    ]);
}

#[test]
fn a_header_brings_nothing_of_its_own() {
    use Rejection::Header;
    let member = |member: &str| {
        headed(
            &format!(r#"{{"alg":"ES256","kid":"e1",{member}}}"#),
            Alg::Es256,
        )
    };
    let own_key = format!(r#""jwk":{}"#, jwk(Alg::Other, "e1", ""));
    let embedded = headed(
        &format!(r#"{{"alg":"ES256","kid":"e1",{own_key}}}"#),
        Alg::Other,
    );
    let forbidden = Err(Header("it has a member that is not accepted"));
    let json = Err(Header("it is not strict JSON"));
    let id = Err(Header("`kid` is not a short text"));
    let typ = Err(Header("`typ` is neither JWT nor at+jwt"));
    check(&[
        ("a key of its own", embedded, forbidden),
        ("jwk null", member(r#""jwk":null"#), forbidden),
        (
            "jku",
            member(r#""jku":"https://issuer.test/jwks""#),
            forbidden,
        ),
        ("x5u", member(r#""x5u":"https://issuer.test/x""#), forbidden),
        ("x5c", member(r#""x5c":["MII"]"#), forbidden),
        ("crit unknown", member(r#""crit":["x"],"x":1"#), forbidden),
        ("crit empty", member(r#""crit":[]"#), forbidden),
        (
            "crit of b64",
            member(r#""crit":["b64"],"b64":false"#),
            forbidden,
        ),
        ("b64 false", member(r#""b64":false"#), forbidden),
        ("b64 true", member(r#""b64":true"#), forbidden),
        ("zip", member(r#""zip":"DEF""#), forbidden),
        ("enc", member(r#""enc":"A128GCM""#), forbidden),
        ("alg twice", member(r#""alg":"ES256""#), json),
        (
            "alg twice, once escaped",
            member(r#""\u0061lg":"none""#),
            json,
        ),
        (
            "kid a number",
            headed(r#"{"alg":"ES256","kid":1}"#, Alg::Es256),
            id,
        ),
        (
            "kid null",
            headed(r#"{"alg":"ES256","kid":null}"#, Alg::Es256),
            id,
        ),
        (
            "kid empty",
            headed(r#"{"alg":"ES256","kid":""}"#, Alg::Es256),
            id,
        ),
        (
            "kid huge",
            headed(
                &format!(r#"{{"alg":"ES256","kid":"{}"}}"#, "k".repeat(257)),
                Alg::Es256,
            ),
            id,
        ),
        (
            "typ of a logout token",
            headed(r#"{"alg":"ES256","typ":"logout+jwt"}"#, Alg::Es256),
            typ,
        ),
        (
            "typ of a proof",
            headed(r#"{"alg":"ES256","typ":"dpop+jwt"}"#, Alg::Es256),
            typ,
        ),
        (
            "typ a number",
            headed(r#"{"alg":"ES256","typ":1}"#, Alg::Es256),
            typ,
        ),
        ("an empty header", headed("", Alg::Es256), json),
        (
            "a list",
            headed("[]", Alg::Es256),
            Err(Header("it is not an object")),
        ),
        (
            "a text",
            headed("\"ES256\"", Alg::Es256),
            Err(Header("it is not an object")),
        ),
        ("no JSON", headed("alg=ES256", Alg::Es256), json),
        (
            "a byte-order mark",
            headed("\u{feff}{\"alg\":\"ES256\"}", Alg::Es256),
            json,
        ),
        (
            "invalid UTF-8",
            token(
                b"{\"alg\":\"ES256\",\"x\":\"\xff\"}",
                claims(&[]),
                Alg::Es256,
            ),
            json,
        ),
        (
            "deep",
            headed(
                &format!(
                    r#"{{"alg":"ES256","x":{}1{}}}"#,
                    "[".repeat(40),
                    "]".repeat(40)
                ),
                Alg::Es256,
            ),
            json,
        ),
    ]);
}

#[test]
fn one_token_has_one_spelling() {
    use Rejection::{Encoding, Header, Payload, Signature};
    let good = with(&[]);
    let padded = |place: usize| replaced(place, |part| format!("{part}="));
    let trailing = |text: &str| {
        // The last letter of a part of 64 bytes carries two bits, and four that mean nothing.
        let (start, last) = text.split_at(text.len() - 1);
        let value = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let index = value.find(last).unwrap();
        format!("{start}{}", &value[index + 1..=index + 1])
    };
    let header = b64(EC);
    check(&[
        ("two parts", "a.b".to_owned(), Err(Encoding)),
        ("one part", "abc".to_owned(), Err(Encoding)),
        ("four parts", format!("{good}."), Err(Encoding)),
        ("five parts", format!("{good}.a.b"), Err(Encoding)),
        ("a dot before", format!(".{good}"), Err(Encoding)),
        (
            "no parts",
            "..".to_owned(),
            Err(Header("it is not strict JSON")),
        ),
        ("a padded signature", padded(2), Err(Encoding)),
        ("a padded payload", padded(1), Err(Encoding)),
        ("a padded header", padded(0), Err(Encoding)),
        (
            "bits that mean nothing",
            replaced(2, trailing),
            Err(Encoding),
        ),
        (
            "plain base64",
            replaced(2, |_| "+/".repeat(43)),
            Err(Encoding),
        ),
        (
            "a truncated signature",
            good[..good.len() - 1].to_owned(),
            Err(Encoding),
        ),
        (
            "a signature of a byte less",
            good[..good.len() - 2].to_owned(),
            Err(Signature),
        ),
        (
            "a line break",
            replaced(1, |part| format!("{part}\n")),
            Err(Encoding),
        ),
        (
            "a NUL",
            replaced(1, |part| format!("{part}\0")),
            Err(Encoding),
        ),
        (
            "a letter of no alphabet",
            replaced(2, |part| part.replacen(|_| true, "é", 1)),
            Err(Encoding),
        ),
        (
            "JSON that is not encoded",
            signed_as_it_is(EC, &b64(claims(&[]))),
            Err(Encoding),
        ),
        (
            "a payload that is not encoded",
            signed_as_it_is(&header, "{}"),
            Err(Encoding),
        ),
        (
            "encoded twice",
            token(b64(EC), claims(&[]), Alg::Es256),
            Err(Header("it is not strict JSON")),
        ),
        (
            "a payload encoded twice",
            token(EC, b64(claims(&[])), Alg::Es256),
            Err(Payload),
        ),
        ("an empty payload", token(EC, "", Alg::Es256), Err(Payload)),
    ]);
}

#[test]
fn claims_have_their_types() {
    use Rejection::{Audience, Claim, Issuer, Payload, SeveralCallers, TooLong, Unbound};
    let deep = format!("{}1{}", "{\"a\":".repeat(40), "}".repeat(40));
    let huge = format!("\"{}\"", "x".repeat(5000));
    check(&[
        ("iss missing", with(&[("iss", "")]), Err(Issuer)),
        (
            "iss a list",
            with(&[("iss", "[\"https://issuer.test\"]")]),
            Err(Issuer),
        ),
        (
            "iss with a slash",
            with(&[("iss", "\"https://issuer.test/\"")]),
            Err(Issuer),
        ),
        (
            "iss in another case",
            with(&[("iss", "\"https://Issuer.test\"")]),
            Err(Issuer),
        ),
        (
            "iss unknown",
            with(&[("iss", "\"https://evil.test\"")]),
            Err(Issuer),
        ),
        (
            "iss twice",
            token(
                EC,
                claims(&[]).replacen('{', "{\"iss\":\"x\",", 1),
                Alg::Es256,
            ),
            Err(Payload),
        ),
        (
            "sub twice",
            token(
                EC,
                claims(&[]).replacen('{', "{\"s\\u0075b\":\"x\",", 1),
                Alg::Es256,
            ),
            Err(Payload),
        ),
        (
            "something after",
            token(EC, format!("{} {{}}", claims(&[])), Alg::Es256),
            Err(Payload),
        ),
        (
            "a list",
            token(EC, format!("[{}]", claims(&[])), Alg::Es256),
            Err(Issuer),
        ),
        (
            "invalid UTF-8",
            token(EC, [claims(&[]).as_bytes(), b"\xff"].concat(), Alg::Es256),
            Err(Payload),
        ),
        (
            "a lone surrogate",
            with(&[("x", "\"\\ud800\"")]),
            Err(Payload),
        ),
        ("deep", with(&[("x", &deep)]), Err(Payload)),
        ("a huge number", with(&[("exp", "1e999")]), Err(Payload)),
        ("a huge claim", with(&[("x", &huge)]), Ok("app")),
        ("aud missing", with(&[("aud", "")]), Err(Claim("aud"))),
        ("aud null", with(&[("aud", "null")]), Err(Claim("aud"))),
        (
            "aud a number in a list",
            with(&[("aud", "[\"gateway\",1]")]),
            Err(Claim("aud")),
        ),
        (
            "aud an object",
            with(&[("aud", "{\"gateway\":1}")]),
            Err(Claim("aud")),
        ),
        ("aud empty", with(&[("aud", "[]")]), Err(Audience)),
        (
            "aud another",
            with(&[("aud", "\"gateway-3\"")]),
            Err(Audience),
        ),
        (
            "aud in another case",
            with(&[("aud", "\"Gateway\"")]),
            Err(Audience),
        ),
        (
            "aud of two words",
            with(&[("aud", "\"gateway other\"")]),
            Err(Audience),
        ),
        ("exp missing", with(&[("exp", "")]), Err(Claim("exp"))),
        (
            "exp a text",
            with(&[("exp", &format!("\"{}\"", NOW + 300))]),
            Err(Claim("exp")),
        ),
        ("exp null", with(&[("exp", "null")]), Err(Claim("exp"))),
        ("exp negative", with(&[("exp", "-1")]), Err(Claim("exp"))),
        (
            "exp beyond exact numbers",
            with(&[("exp", "9007199254740992")]),
            Err(Claim("exp")),
        ),
        ("nbf a text", with(&[("nbf", "\"0\"")]), Err(Claim("nbf"))),
        ("iat true", with(&[("iat", "true")]), Err(Claim("iat"))),
        ("sub a number", with(&[("sub", "1")]), Err(Claim("sub"))),
        ("sub null", with(&[("sub", "null")]), Err(Claim("sub"))),
        (
            "sub of nobody",
            with(&[("sub", "\"nobody\"")]),
            Err(Unbound),
        ),
        (
            "sub in another case",
            with(&[("sub", "\"App\"")]),
            Err(Unbound),
        ),
        ("sub missing", with(&[("sub", "")]), Err(Unbound)),
        (
            "a bound claim of another type",
            with(&[("sub", ""), ("kubernetes.io", "{\"namespace\":[\"crm\"]}")]),
            Err(Unbound),
        ),
        (
            "a bound claim with a dot",
            with(&[("sub", ""), ("kubernetes.io.namespace", "\"crm\"")]),
            Err(Unbound),
        ),
        (
            "of two callers",
            with(&[("kubernetes.io", "{\"namespace\":\"crm\"}")]),
            Err(SeveralCallers),
        ),
        (
            "scopes of another type",
            with(&[("scope", "1")]),
            Err(Claim("scope_claim")),
        ),
        (
            "a number among scopes",
            with(&[("scope", "[\"store_v2_customers\",1]")]),
            Err(Claim("scope_claim")),
        ),
        ("valid for too long", at("exp", 3600), Err(TooLong)),
        (
            "valid for too long, issued long ago",
            at("iat", -3301),
            Err(TooLong),
        ),
        (
            "no iat and valid for too long",
            with(&[("iat", ""), ("exp", &(NOW + 3601).to_string())]),
            Err(TooLong),
        ),
    ]);
}

#[test]
fn times_are_judged_by_the_second_and_the_skew() {
    use Rejection::{Expired, NotYet, Signature};
    let early = format!("{}.5", NOW - 30);
    let bad = replaced(1, |_| b64(claims(&[("exp", "1")])));
    check(&[
        ("expired within the skew", at("exp", -29), Ok("app")),
        (
            "expired half a second within the skew",
            with(&[("exp", &early)]),
            Ok("app"),
        ),
        ("expired by the skew", at("exp", -30), Err(Expired)),
        ("expired long ago", at("exp", -86400), Err(Expired)),
        ("expired at the epoch", with(&[("exp", "0")]), Err(Expired)),
        ("expired and another's signature", bad, Err(Signature)),
        ("valid within the skew", at("nbf", 30), Ok("app")),
        ("valid after the skew", at("nbf", 31), Err(NotYet)),
        ("issued within the skew", at("iat", 30), Ok("app")),
        ("issued after the skew", at("iat", 31), Err(NotYet)),
    ]);
}

#[test]
fn a_caller_learns_only_what_it_can_mend() {
    for (rejection, code) in [
        (Rejection::Expired, "expired_token"),
        (Rejection::NoKeys, "issuer_unavailable"),
        (Rejection::Unbound, "unknown_token"),
        (Rejection::SeveralCallers, "unknown_token"),
        (Rejection::Encoding, "invalid_token"),
        (Rejection::Header("x"), "invalid_token"),
        (Rejection::Payload, "invalid_token"),
        (Rejection::Issuer, "invalid_token"),
        (Rejection::Algorithm, "invalid_token"),
        (Rejection::UnknownKey, "invalid_token"),
        (Rejection::AmbiguousKey, "invalid_token"),
        (Rejection::Signature, "invalid_token"),
        (Rejection::Claim("x"), "invalid_token"),
        (Rejection::Audience, "invalid_token"),
        (Rejection::NotYet, "invalid_token"),
        (Rejection::TooLong, "invalid_token"),
    ] {
        let denial = crate::denial::Denial::from(rejection);
        assert_eq!(denial.code().as_str(), code, "{rejection:?}");
        if code == "invalid_token" {
            assert_eq!(denial.detail(), "the signed token is not acceptable here");
        }
    }
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_judged(token in proptest::collection::vec(proptest::num::u8::ANY, 0..400)) {
        let digest = Digest::of(&token);
        let outcome = ISSUERS.identify(&token, digest, (&mut Memory::default(), 1), now());
        proptest::prop_assert!(outcome.is_err());
    }

    #[test]
    fn a_token_with_another_letter_is_no_token(place in 0_usize..10_000, letter in "[A-Za-z0-9_.-]") {
        let good = with(&[]);
        let place = place % good.len();
        let mut token = good.clone();
        token.replace_range(place..=place, &letter);
        proptest::prop_assert_eq!(judged(&token).is_ok(), token == good);
    }
}
