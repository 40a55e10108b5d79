//! What a signed token costs: judging it whole against the bare check of its signature, and judging it
//! again. The tests do one round for the outcomes; `tests/bench/tokens` does many, and there the times count.

use super::*;
use signer::token;
use std::hint::black_box;
use std::time::Instant;

/// How many different tokens are judged one after the other.
const TOKENS: usize = 64;

/// What judging a token may cost, in bare checks of its signature, and judging it again, in nanoseconds.
const MOST_CHECKS: f64 = 1.2;
const MOST_AGAIN: f64 = 2000.0;

/// Nanoseconds for each of the tokens.
#[expect(clippy::disallowed_methods, reason = "this is what is measured")]
fn time(mut each: impl FnMut(usize)) -> f64 {
    let begun = Instant::now();
    (0..TOKENS).for_each(&mut each);
    #[expect(clippy::cast_precision_loss, reason = "64")]
    let count = TOKENS as f64;
    begun.elapsed().as_secs_f64() * 1e9 / count
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_unstable_by(f64::total_cmp);
    times[times.len() / 2]
}

/// A token as an issuer makes it, different from the others.
fn usual(alg: Alg, name: &str, kid: &str, number: usize) -> String {
    let header = format!(r#"{{"alg":"{name}","typ":"at+jwt","kid":"{kid}"}}"#);
    let payload = format!(
        r#"{{"iss":"{MAIN}","sub":"app","aud":"gateway","exp":{},"iat":{NOW},"jti":"0f8fad5b-d9cb-469f-a165-70867728{number:04}","client_id":"app","scope":"store_v2_customers"}}"#,
        NOW + 600
    );
    token(header, payload, alg)
}

#[test]
fn a_token_costs_little_more_than_its_signature_and_again_next_to_nothing() {
    let rounds = std::env::var("TOKEN_ROUNDS").map_or(1, |text| text.parse().unwrap());
    let keys = ISSUERS.list()[0].keys.current(now()).unwrap();
    let keys = (*keys).as_ref().unwrap();
    for (alg, algorithm, name, kid) in [
        (Alg::Rs256, Algorithm::Rs256, "RS256", "r1"),
        (Alg::Ps256, Algorithm::Ps256, "PS256", "p1"),
        (Alg::Es256, Algorithm::Es256, "ES256", "e1"),
        (Alg::Es384, Algorithm::Es384, "ES384", "e3"),
        (Alg::Ed25519, Algorithm::Ed25519, "EdDSA", "d1"),
    ] {
        let tokens: Vec<String> = (0..TOKENS)
            .map(|number| usual(alg, name, kid, number))
            .collect();
        let parts: Vec<(&str, Vec<u8>)> = tokens
            .iter()
            .map(|token| token.rsplit_once('.').unwrap())
            .map(|(signed, signature)| (signed, jose::decoded(signature).unwrap()))
            .collect();
        let judge = |memory: &mut Memory, number: usize, remembered: bool| {
            let token = tokens[number].as_bytes();
            let signed = ISSUERS.identify(token, Digest::of(token), (memory, 1), now());
            assert_eq!(signed.unwrap().remembered, remembered);
        };
        let (mut bare, mut whole, mut again) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..rounds {
            bare.push(time(|number| {
                let (signed, signature) = &parts[number];
                let signed = black_box(signed.as_bytes());
                keys.verify(algorithm, Some(kid), signed, signature)
                    .unwrap();
            }));
            let mut memory = Memory::default();
            whole.push(time(|number| judge(&mut memory, number, false)));
            again.push(time(|number| judge(&mut memory, number, true)));
        }
        let length = tokens[0].len();
        let (bare, whole, again) = (median(bare), median(whole), median(again));
        let ratio = whole / bare;
        println!(
            "{name}: token of {length} bytes: signature alone {bare:.0} ns, judged whole {whole:.0} ns \
             ({ratio:.3} times), again {again:.0} ns; medians of {rounds} interleaved rounds of {TOKENS}"
        );
        if rounds > 1 {
            assert!(ratio <= MOST_CHECKS, "{ratio:.3}");
            assert!(again <= MOST_AGAIN, "{again:.0} ns");
        }
    }
}
