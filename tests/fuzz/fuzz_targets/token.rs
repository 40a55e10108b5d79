//! Signed tokens and key sets. The first byte says what the input is: a token as it is sent, which nobody has
//! signed; a header and a payload, which the issuer signs whatever they are; or a key set.
#![no_main]

use fuzz::issuer::{self, AUDIENCE, ISSUER, KEY, LONGEST, NOW, SKEW, SUBJECT};
use fuzz::readings;
use libfuzzer_sys::fuzz_target;
use metafield_gateway::identity::{Algorithm, KeySet, Memory, Rejection};
use serde_json::Value;

fuzz_target!(|input: &[u8]| {
    let Some((first, rest)) = input.split_first() else {
        return;
    };
    match first % 3 {
        0 => unsigned(rest),
        1 => {
            let at = rest.iter().position(|byte| *byte == b'\n');
            let (header, payload) = rest.split_at(at.unwrap_or(rest.len()));
            signed(header, payload.get(1..).unwrap_or_default());
        }
        _ => key_set(rest),
    }
});

/// Nobody gets in without a signature.
fn unsigned(token: &[u8]) {
    let outcome = issuer::identify(token, &mut Memory::default());
    assert!(outcome.is_err(), "a token that nobody signed was accepted");
}

/// Who is accepted is, by another reading of header and payload; and the same the second time.
fn signed(header: &[u8], payload: &[u8]) {
    let token = issuer::signed(header, payload);
    let mut memory = Memory::default();
    let outcome = issuer::identify(token.as_bytes(), &mut memory);
    let again = issuer::identify(token.as_bytes(), &mut memory);
    match (&outcome, &again) {
        (Ok(first), Ok(second)) => {
            assert_eq!(first.caller.name, second.caller.name);
            assert!(!first.remembered && second.remembered);
        }
        (first, second) => assert_eq!(first, second),
    }
    assert_ne!(
        outcome.as_ref().err(),
        Some(&Rejection::Signature),
        "a good signature was refused"
    );
    if outcome.is_err() {
        return;
    }
    for part in [header, payload] {
        let read = readings::read(part).expect("a lenient reader reads it too");
        assert!(!read.repeats(), "a member stands twice");
    }
    let header: Value = serde_json::from_slice(header).expect("JSON");
    assert!(["EdDSA", "Ed25519"].contains(&header["alg"].as_str().expect("an algorithm")));
    for forbidden in ["jwk", "jku", "x5u", "x5c", "crit", "b64", "zip", "enc"] {
        assert!(header.get(forbidden).is_none(), "{forbidden}");
    }
    assert!(header.get("kid").is_none_or(|kid| kid == KEY));
    let claims: Value = serde_json::from_slice(payload).expect("JSON");
    assert_eq!(claims["iss"], ISSUER);
    assert_eq!(claims["sub"], SUBJECT);
    let audiences = match &claims["aud"] {
        Value::Array(list) => list.clone(),
        one => vec![one.clone()],
    };
    assert!(audiences.iter().all(Value::is_string));
    assert!(audiences.contains(&AUDIENCE.into()));
    let time = |name: &str| claims[name].as_f64();
    let (now, skew) = (NOW as f64, SKEW as f64);
    let expires = time("exp").expect("an end");
    assert!(now < expires + skew);
    for begin in ["nbf", "iat"] {
        match &claims[begin] {
            Value::Null if claims.get(begin).is_none() => {}
            begin => assert!(begin.as_f64().expect("a time") <= now + skew),
        }
    }
    assert!(expires - time("iat").unwrap_or(now) <= LONGEST as f64 + 1e-3);
}

/// What is good in a file is good where it is served, and no key is used that is not listed.
fn key_set(text: &[u8]) {
    let served = KeySet::served(text, &Algorithm::ALL);
    let written = KeySet::read(text, &Algorithm::ALL);
    match (&written, &served) {
        (Ok(written), Ok(served)) => assert_eq!(written, served),
        (Ok(_), Err(error)) => panic!("it is a set in a file, and else {error}"),
        (Err(_), _) => {}
    }
    let Ok(served) = served else { return };
    let tree: Value = serde_json::from_slice(text).expect("JSON");
    let list = tree["keys"].as_array().expect("a list");
    assert!(served.count() + served.left_out.len() <= list.len().min(65));
    let private = |key: &&Value| {
        let members = ["d", "p", "q", "dp", "dq", "qi", "oth"];
        members.iter().any(|member| key.get(member).is_some())
    };
    assert!(served.count() + list.iter().filter(private).count() <= list.len());
}
