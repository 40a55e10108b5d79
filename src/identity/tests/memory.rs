//! What is known of a token counts as long as its key, its time and the configuration do.

use super::signer::token;
use super::*;

const KEEP: Duration = Duration::from_secs(3600);

fn good(number: u64) -> String {
    let exp = NOW + 100;
    let header = r#"{"alg":"ES256","kid":"e1"}"#;
    let claims = format!(
        r#"{{"iss":"{MAIN}","aud":"gateway","sub":"app","exp":{exp},"jti":{number},"scope":"store_v2_customers"}}"#
    );
    token(header, claims, Alg::Es256)
}

fn keys(id: &str, alg: Alg) -> KeySet {
    set(&[jwk(alg, id, "")], &[Algorithm::Es256])
}

fn fetching() -> Issuers {
    let settings = settings(MAIN, &[Algorithm::Es256]);
    let callers = [("app", binding(&["sub"], "app"))];
    let issuers = Issuers::new(vec![issuer(settings, Keys::fetched(KEEP), &callers)]);
    issuers.list()[0]
        .keys
        .end(Some(keys("e1", Alg::Es256)), now());
    issuers
}

/// Whether the token was remembered, or why it is refused.
fn ask(
    issuers: &Issuers,
    token: &str,
    memory: &mut Memory,
    generation: u64,
    now: Duration,
) -> Result<bool, Rejection> {
    let digest = Digest::of(token.as_bytes());
    let signed = issuers.identify(token.as_bytes(), digest, (memory, generation), now);
    signed
        .map(|signed| signed.remembered)
        .map_err(|rejected| rejected.rejection)
}

#[test]
fn a_repeat_is_remembered_until_it_expires() {
    let (issuers, token, mut memory) = (fetching(), good(0), Memory::default());
    let later = |seconds| now() + Duration::from_secs(seconds);
    for (seconds, expected) in [
        (0, Ok(false)),
        (0, Ok(true)),
        (129, Ok(true)),
        (130, Err(Rejection::Expired)),
        (100, Ok(false)),
        (100, Ok(true)),
    ] {
        let found = ask(&issuers, &token, &mut memory, 1, later(seconds));
        assert_eq!(found, expected, "{seconds}");
    }
}

#[test]
fn a_memory_is_of_one_configuration() {
    let (issuers, token, mut memory) = (fetching(), good(0), Memory::default());
    for (generation, expected) in [(1, false), (1, true), (2, false), (2, true), (1, false)] {
        let found = ask(&issuers, &token, &mut memory, generation, now());
        assert_eq!(found, Ok(expected), "{generation}");
    }
}

#[test]
fn what_a_removed_key_proved_is_forgotten_with_it() {
    let (issuers, token, mut memory) = (fetching(), good(0), Memory::default());
    let holder = &issuers.list()[0].keys;
    let mut ask = || ask(&issuers, &token, &mut memory, 1, now());
    assert_eq!((ask(), ask()), (Ok(false), Ok(true)));
    assert!(!holder.end(Some(keys("e1", Alg::Es256)), now()));
    assert_eq!(ask(), Ok(true), "the same keys are the same set");
    assert!(!holder.end(None, now()));
    assert_eq!(ask(), Ok(true), "a failed fetch changes nothing");
    assert!(holder.end(Some(keys("e2", Alg::Other)), now()));
    assert_eq!(ask(), Err(Rejection::UnknownKey));
    assert!(holder.end(Some(keys("e1", Alg::Other)), now()));
    assert_eq!(ask(), Err(Rejection::Signature));
    assert!(holder.end(Some(keys("e1", Alg::Es256)), now()));
    assert_eq!((ask(), ask()), (Ok(false), Ok(true)));
}

#[test]
fn keys_that_were_fetched_count_for_so_long() {
    let (issuers, mut memory) = (fetching(), Memory::default());
    let holder = &issuers.list()[0].keys;
    let exp = NOW + 3700;
    let claims = format!(
        r#"{{"iss":"{MAIN}","aud":"gateway","sub":"app","iat":{},"exp":{exp}}}"#,
        NOW + 200
    );
    let token = token(r#"{"alg":"ES256"}"#, claims, Alg::Es256);
    let mut ask = |seconds| {
        ask(
            &issuers,
            &token,
            &mut memory,
            1,
            now() + Duration::from_secs(seconds),
        )
    };
    assert_eq!(ask(3600), Ok(false));
    assert_eq!(ask(3600), Ok(true));
    assert_eq!(ask(3601), Err(Rejection::NoKeys));
    holder.end(
        Some(keys("e1", Alg::Es256)),
        now() + Duration::from_secs(3602),
    );
    assert_eq!(ask(3603), Ok(false));
    let standing = holder.standing(now() + Duration::from_secs(3605));
    assert_eq!(standing.age, Some(Duration::from_secs(3)));
    assert_eq!(
        (standing.keys, standing.succeeded, standing.failed),
        (1, 2, 0)
    );
}

#[test]
fn a_memory_is_bounded_and_keeps_what_is_asked_for() {
    let (issuers, mut memory) = (fetching(), Memory::default());
    let favourite = good(0);
    assert_eq!(ask(&issuers, &favourite, &mut memory, 1, now()), Ok(false));
    for number in 1..5000 {
        let known = facts::Known {
            issuer: 0,
            keys: Arc::new(keys("e1", Alg::Es256)),
            facts: claims_of(number),
        };
        memory.put(Digest::of(&number.to_le_bytes()), known);
        if number % 1000 == 0 {
            assert_eq!(ask(&issuers, &favourite, &mut memory, 1, now()), Ok(true));
        }
    }
    assert!(memory.count() <= 4096, "{}", memory.count());
    assert!(memory.get(&Digest::of(&1_u64.to_le_bytes())).is_none());
}

fn claims_of(number: u64) -> facts::Facts {
    facts::Facts {
        values: vec![Some(number.to_string().into())],
        scopes: None,
        not_before: Duration::ZERO,
        expires: Duration::MAX,
    }
}

#[test]
fn requests_ask_for_keys_at_a_bounded_rate_and_in_bounded_number() {
    let holder = Keys::fetched(KEEP);
    let waiting: Vec<_> = (0..64).map_while(|_| holder.ask(now())).collect();
    assert_eq!(waiting.len(), 64);
    assert!(holder.ask(now()).is_none(), "one too many");
    drop(waiting);
    holder.begin(now() + Duration::from_secs(10));
    assert!(holder.ask(now()).is_some(), "one is under way");
    holder.end(None, now());
    assert!(holder.ask(now() + Duration::from_secs(9)).is_none());
    assert!(holder.ask(now() + Duration::from_secs(10)).is_some());
    // The clock was set back: that turn is not waited for.
    let hour_ago = now().saturating_sub(Duration::from_secs(3600));
    assert!(holder.ask(hour_ago).is_some());
    let fixed = Keys::fixed(keys("e1", Alg::Es256));
    assert!(fixed.ask(now()).is_none(), "a file is not asked");
}
