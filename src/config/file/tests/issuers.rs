//! `[[issuer]]`, and the callers that are bound to one: what is read, and what is said of mistakes.

use super::bad::check;
use super::*;
use crate::identity::Algorithm;

const GOOD: &str =
    "[[issuer]]\nname = \"idp\"\nissuer = \"https://idp.example\"\naudience = \"gw\"\n";

/// A configuration with an issuer and a caller; each has these lines more.
fn with(issuer: &str, caller: &str) -> String {
    let caller = format!("[[caller]]\nname = \"b\"\nscopes = [\"store_v2_customers\"]\n{caller}");
    format!("{GOOD}{issuer}\n{STORE}{caller}\n")
}

const FILE: &str = "jwks = { file = \"jwks.json\" }";

#[test]
fn an_issuer_has_defaults() {
    let file = read_good(&with(
        FILE,
        "signed_token = { issuer = \"idp\", subject = \"app\" }",
    ));
    let issuer = &file.issuers[0];
    assert_eq!(issuer.audience, ["gw"]);
    assert_eq!(
        issuer.jwks.value,
        Jwks::File("/etc/gateway/jwks.json".into())
    );
    assert_eq!(issuer.algorithms, issuer::ALGORITHMS);
    assert_eq!(issuer.scope_claim, None);
    assert_eq!(
        (issuer.clock_skew, issuer.max_lifetime),
        (issuer::CLOCK_SKEW, issuer::MAX_LIFETIME)
    );
    let signed = file.callers[0].identity.signed_token.as_ref().unwrap();
    assert_eq!(signed.value.issuer, "idp");
    let claims: Vec<_> = signed.value.claims.iter().collect();
    assert_eq!(claims, [(&vec!["sub".to_owned()], &"app".to_owned())]);
    assert!(file.callers[0].identity.tokens.is_empty());
}

#[test]
fn every_key_of_an_issuer_is_taken_over() {
    let issuer = "jwks = { url = \"https://idp.example:8443/keys?x=1\", ca = \"ca.crt\", refresh = \"1m\", keep = \"2h\" }\n\
        algorithms = [\"PS256\", \"ES384\", \"EdDSA\"]\nscope_claim = \"scope\"\nclock_skew = \"0s\"\nmax_lifetime = \"1h\"";
    let text = with(
        issuer,
        "signed_token = { issuer = \"idp\", claims = { azp = \"x\", \"kubernetes.io\" = { pod = { name = \"y\" } } } }",
    );
    let file = read_good(&text.replace("\"gw\"", "[\"gw\", \"other\"]"));
    let issuer = &file.issuers[0];
    assert_eq!(issuer.audience, ["gw", "other"]);
    let Jwks::Url(remote) = &issuer.jwks.value else {
        panic!("a URL")
    };
    assert_eq!(remote.origin.authority, "idp.example:8443");
    assert_eq!(remote.target, "/keys?x=1");
    assert_eq!(
        remote.ca.as_ref().unwrap().value,
        Path::new("/etc/gateway/ca.crt")
    );
    let seconds = Duration::from_secs;
    assert_eq!((remote.refresh, remote.keep), (seconds(60), seconds(7200)));
    let algorithms = [Algorithm::Ps256, Algorithm::Es384, Algorithm::Ed25519];
    assert_eq!(issuer.algorithms, algorithms);
    assert_eq!(issuer.scope_claim.as_deref(), Some("scope"));
    assert_eq!(
        (issuer.clock_skew, issuer.max_lifetime),
        (seconds(0), seconds(3600))
    );
    let signed = file.callers[0].identity.signed_token.as_ref().unwrap();
    let paths: Vec<_> = signed
        .value
        .claims
        .keys()
        .map(|path| path.join("/"))
        .collect();
    assert_eq!(paths, ["azp", "kubernetes.io/pod/name"]);
}

#[test]
fn wrong_issuers_are_named() {
    let caller = "signed_token = { issuer = \"idp\", subject = \"app\" }";
    check(&ISSUERS.map(|(issuer, expected)| (with(issuer, caller), expected)));
}

#[test]
fn wrong_bindings_are_named() {
    check(&BINDINGS.map(|(caller, expected)| (with(FILE, caller), expected)));
}

#[test]
fn issuers_are_told_apart() {
    let twice = with(
        &format!("{FILE}\n{GOOD}{FILE}"),
        "signed_token = { issuer = \"idp\", subject = \"app\" }",
    );
    check(&[(
        twice,
        "7:8 issuer[1].name: is the same as on line 2 | each must be there once: change this one or leave it out\n8:10 issuer[1].issuer: is the same as on line 3 | each must be there once: change this one or leave it out",
    )]);
}

const ISSUERS: [(&str, &str); 29] = [
    (
        "",
        "1:1 issuer[0].jwks: is missing | write `{ file = \"jwks.json\" }` or `{ url = \"https://issuer.example/jwks.json\" }`",
    ),
    (
        "jwks = \"jwks.json\"",
        "5:8 issuer[0].jwks: expected a table, found a string | write `{ file = \"jwks.json\" }` or `{ url = \"https://issuer.example/jwks.json\" }`",
    ),
    (
        "jwks = {}",
        "5:8 issuer[0].jwks: has neither `file` nor `url` | write `{ file = \"jwks.json\" }` or `{ url = \"https://issuer.example/jwks.json\" }`",
    ),
    (
        "jwks = { file = \"a\", url = \"https://a.example/k\" }",
        "5:8 issuer[0].jwks: has both `file` and `url` | write `{ file = \"jwks.json\" }` or `{ url = \"https://issuer.example/jwks.json\" }`",
    ),
    (
        "jwks = { keys = [] }",
        "5:8 issuer[0].jwks: has neither `file` nor `url` | write `{ file = \"jwks.json\" }` or `{ url = \"https://issuer.example/jwks.json\" }`\n5:10 issuer[0].jwks.keys: unknown key | the keys belong into a file of their own: name it with `file`",
    ),
    (
        "jwks = { file = \"a\", refresh = \"1m\" }",
        "5:22 issuer[0].jwks.refresh: unknown key | known here are `file`, `url`",
    ),
    (
        "jwks = { url = \"http://a.example/k\" }",
        "5:16 issuer[0].jwks.url: would fetch keys without encryption from another machine | whoever can change them on their way could sign tokens: write `https://`",
    ),
    (
        "jwks = { url = \"https://a.example\" }",
        "5:16 issuer[0].jwks.url: has no path that can be asked for | name the key set itself: the `jwks_uri` of the issuer's `/.well-known/openid-configuration`",
    ),
    (
        "jwks = { url = \"https://a.example/k#x\" }",
        "5:16 issuer[0].jwks.url: must not have a fragment",
    ),
    (
        "jwks = { url = \"https://a.example?x\" }",
        "5:16 issuer[0].jwks.url: has no path that can be asked for | name the key set itself: the `jwks_uri` of the issuer's `/.well-known/openid-configuration`",
    ),
    (
        "jwks = { url = \"https://user:word@a.example/k\" }",
        "5:16 issuer[0].jwks.url: must not hold a user or a password | the gateway authenticates with each store's `credential`",
    ),
    (
        "jwks = { url = \"ftp://a.example/k\" }",
        "5:16 issuer[0].jwks.url: the scheme `ftp` is not known | known are `https` and `http`",
    ),
    (
        "jwks = { url = \"a.example/k\" }",
        "5:16 issuer[0].jwks.url: is not a URL with scheme and host | write it as `https://api.bigcommerce.com`",
    ),
    (
        "jwks = { url = \"https://a.example/ä b\" }",
        "5:16 issuer[0].jwks.url: has no path that can be asked for | name the key set itself: the `jwks_uri` of the issuer's `/.well-known/openid-configuration`",
    ),
    (
        "jwks = { url = \"https://a.example/k\", refresh = \"9s\" }",
        "5:49 issuer[0].jwks.refresh: is shorter than `10s` | new keys do not wait for it: a token that names one has them fetched",
    ),
    (
        "jwks = { url = \"https://a.example/k\", refresh = \"2h\", keep = \"1h\" }",
        "5:62 issuer[0].jwks.keep: is shorter than `refresh` | keys would not count until their next turn",
    ),
    (
        "jwks = { url = \"https://a.example/k\", keep = \"0s\" }",
        "5:46 issuer[0].jwks.keep: must be longer than nothing",
    ),
    (
        "jwks = { file = \"jwks.json\" }\nalgorithms = []",
        "6:14 issuer[0].algorithms: is empty | leave the key out for the default",
    ),
    (
        "jwks = { file = \"jwks.json\" }\nalgorithms = [\"none\"]",
        "6:15 issuer[0].algorithms[0]: `none` proves nothing about who signed | whoever can check such a token can make one",
    ),
    (
        "jwks = { file = \"jwks.json\" }\nalgorithms = [\"HS256\"]",
        "6:15 issuer[0].algorithms[0]: `HS256` proves nothing about who signed | whoever can check such a token can make one",
    ),
    (
        "jwks = { file = \"jwks.json\" }\nalgorithms = [\"rs256\", \"RS512\"]",
        "6:15 issuer[0].algorithms[0]: `rs256` is not known | known are `RS256`, `PS256`, `ES256`, `ES384`, `EdDSA`\n6:24 issuer[0].algorithms[1]: `RS512` is not known | known are `RS256`, `PS256`, `ES256`, `ES384`, `EdDSA`",
    ),
    (
        "jwks = { file = \"jwks.json\" }\nalgorithms = \"RS256\"",
        "6:14 issuer[0].algorithms: expected an array, found a string | write brackets, even round a single entry: `[...]`",
    ),
    (
        "jwks = { file = \"jwks.json\" }\nclock_skew = \"6m\"",
        "6:14 issuer[0].clock_skew: is longer than `5m` | mend the clock that is so wrong",
    ),
    (
        "jwks = { file = \"jwks.json\" }\nclock_skew = 30",
        "6:14 issuer[0].clock_skew: expected a duration, found an integer | a duration is a number and `us`, `ms`, `s`, `m` or `h`, in quotes, such as `\"2.5s\"`",
    ),
    (
        "jwks = { file = \"jwks.json\" }\nmax_lifetime = \"0s\"",
        "6:16 issuer[0].max_lifetime: must be longer than nothing",
    ),
    (
        "jwks = { file = \"jwks.json\" }\nscope_claim = \"\"",
        "6:15 issuer[0].scope_claim: is empty",
    ),
    (
        "jwks = { file = \"jwks.json\" }\nscope_claims = \"scope\"",
        "6:1 issuer[0].scope_claims: unknown key | did you mean `scope_claim`?",
    ),
    (
        "jwks = { file = \"jwks.json\" }\nsecret = \"abc\"",
        "6:1 issuer[0].secret: unknown key | tokens are checked by public keys alone: name them with `jwks`",
    ),
    (
        "jwks_uri = \"https://a.example/k\"",
        "1:1 issuer[0].jwks: is missing | write `{ file = \"jwks.json\" }` or `{ url = \"https://issuer.example/jwks.json\" }`\n5:1 issuer[0].jwks_uri: unknown key | it belongs into `jwks = { ... }`",
    ),
];

const BINDINGS: [(&str, &str); 19] = [
    (
        "signed_token = { issuer = \"idp\", subject = \"a\", claims = { a = {} } }",
        "12:58 caller[0].signed_token.claims: asks for nothing within `a` | write `{ client_id = \"crm\" }`, or for a claim within another `{ \"kubernetes.io\" = { namespace = \"crm\" } }`",
    ),
    (
        "",
        "9:1 caller[0].token_sha256: is missing | it is the SHA-256 of the token in 64 hex digits, not the token: `metafield-gateway token` prints both; or bind the caller with `signed_token`, `certificate` or `unix`",
    ),
    (
        "signed_token = \"app\"",
        "12:16 caller[0].signed_token: expected a table, found a string | write `{ issuer = \"NAME\", subject = \"SUB\" }` or `{ issuer = \"NAME\", claims = { client_id = \"ID\" } }`",
    ),
    (
        "signed_token = {}",
        "12:16 caller[0].signed_token.issuer: is missing | name an `[[issuer]]`\n12:16 caller[0].signed_token: has neither `subject` nor `claims` | write `{ issuer = \"NAME\", subject = \"SUB\" }` or `{ issuer = \"NAME\", claims = { client_id = \"ID\" } }`",
    ),
    (
        "signed_token = { issuer = \"idq\", subject = \"a\" }",
        "12:27 caller[0].signed_token.issuer: `idq` is not the name of an `[[issuer]]` | did you mean `idp`? known are `idp`",
    ),
    (
        "signed_token = { issuer = \"idp\" }",
        "12:16 caller[0].signed_token: has neither `subject` nor `claims` | write `{ issuer = \"NAME\", subject = \"SUB\" }` or `{ issuer = \"NAME\", claims = { client_id = \"ID\" } }`",
    ),
    (
        "signed_token = { issuer = \"idp\", sub = \"a\" }",
        "12:16 caller[0].signed_token: has neither `subject` nor `claims` | write `{ issuer = \"NAME\", subject = \"SUB\" }` or `{ issuer = \"NAME\", claims = { client_id = \"ID\" } }`\n12:34 caller[0].signed_token.sub: unknown key | it is called `subject` here",
    ),
    (
        "signed_token = { issuer = \"idp\", subject = \"\" }",
        "12:44 caller[0].signed_token.subject: is empty",
    ),
    (
        "signed_token = { issuer = \"idp\", subject = 7 }",
        "12:44 caller[0].signed_token.subject: expected the `sub` of the tokens, found an integer",
    ),
    (
        "signed_token = { issuer = \"idp\", claims = {} }",
        "12:43 caller[0].signed_token.claims: is empty | write `{ client_id = \"crm\" }`, or for a claim within another `{ \"kubernetes.io\" = { namespace = \"crm\" } }`",
    ),
    (
        "signed_token = { issuer = \"idp\", claims = [\"a\"] }",
        "12:43 caller[0].signed_token.claims: expected a table of claims, found an array | write `{ client_id = \"crm\" }`, or for a claim within another `{ \"kubernetes.io\" = { namespace = \"crm\" } }`",
    ),
    (
        "signed_token = { issuer = \"idp\", claims = { a = 1 } }",
        "12:43 caller[0].signed_token.claims: expected a text, found an integer for the claim `a` | write `{ client_id = \"crm\" }`, or for a claim within another `{ \"kubernetes.io\" = { namespace = \"crm\" } }`",
    ),
    (
        "signed_token = { issuer = \"idp\", claims = { a = [\"x\"] } }",
        "12:43 caller[0].signed_token.claims: expected a text, found an array for the claim `a` | write `{ client_id = \"crm\" }`, or for a claim within another `{ \"kubernetes.io\" = { namespace = \"crm\" } }`",
    ),
    (
        "signed_token = { issuer = \"idp\", claims = { a = { b = { c = { d = { e = \"x\" } } } } } }",
        "12:43 caller[0].signed_token.claims: goes deeper than 4 names at `d`",
    ),
    (
        "signed_token = { issuer = \"idp\", claims = { a = \"1\", b = \"1\", c = \"1\", d = \"1\", e = \"1\", f = \"1\", g = \"1\", h = \"1\", i = \"1\" } }",
        "12:43 caller[0].signed_token.claims: names more than 8 claims",
    ),
    (
        "signed_token = { issuer = \"idp\", subject = \"a\", claims = { sub = \"a\" } }",
        "12:44 caller[0].signed_token.subject: is in `claims` too, as `sub`",
    ),
    (
        "signed_token = { issuer = \"idp\", subject = \"a\" }\n[[caller]]\nname = \"c\"\nscopes = [\"store_v2_customers\"]\nsigned_token = { issuer = \"idp\", subject = \"a\" }",
        "16:16 caller[1].signed_token: its tokens would be tokens of the caller `b`, too | name a claim in both that tells their tokens apart",
    ),
    (
        "signed_token = { issuer = \"idp\", subject = \"a\" }\n[[caller]]\nname = \"c\"\nscopes = [\"store_v2_customers\"]\nsigned_token = { issuer = \"idp\", subject = \"a\", claims = { x = \"1\" } }",
        "16:16 caller[1].signed_token: its tokens would be tokens of the caller `b`, too | name a claim in both that tells their tokens apart",
    ),
    (
        "signed_token = { issuer = \"idp\", subject = \"a\" }\n[[caller]]\nname = \"c\"\nscopes = [\"store_v2_customers\"]\nsigned_token = { issuer = \"idp\", subject = \"b\" }",
        "",
    ),
];
