//! Signed tokens from their bytes to their caller: vectors after Wycheproof's for JSON web signatures, key
//! sets, and what a worker remembers.

mod cost;
mod memory;
mod sets;
mod signer;
mod vectors;

use super::*;
use crate::policy::Grants;
use crate::policy::vocabulary::Scope;
use signer::{Alg, jwk};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// The second at which every token here is judged.
const NOW: u64 = 1_800_000_000;

const MAIN: &str = "https://issuer.test";

fn now() -> Duration {
    Duration::from_secs(NOW)
}

fn caller(name: &str) -> Arc<Caller> {
    let grants = Grants::of_scopes(vec![Scope::Customers]);
    let name = name.to_owned();
    Arc::new(Caller {
        name,
        grants,
        number: 0,
    })
}

fn settings(issuer: &str, algorithms: &[Algorithm]) -> Settings {
    Settings {
        name: issuer.rsplit('/').next().unwrap().to_owned(),
        issuer: issuer.to_owned(),
        audience: vec!["gateway".to_owned(), "gateway-2".to_owned()],
        algorithms: algorithms.to_vec(),
        scope_claim: Some("scope".to_owned()),
        clock_skew: Duration::from_secs(30),
        max_lifetime: Duration::from_secs(3600),
    }
}

fn set(keys: &[String], algorithms: &[Algorithm]) -> KeySet {
    let text = format!("{{\"keys\":[{}]}}", keys.join(","));
    KeySet::read(text.as_bytes(), algorithms).unwrap()
}

fn binding(path: &[&str], value: &str) -> Binding {
    let path = path.iter().map(|name| (*name).to_owned()).collect();
    Binding::from([(path, value.to_owned())])
}

fn issuer(settings: Settings, keys: Keys, callers: &[(&str, Binding)]) -> Issuer {
    let list: Vec<_> = callers
        .iter()
        .map(|(name, binding)| (binding, caller(name)))
        .collect();
    Issuer {
        settings,
        keys: Arc::new(keys),
        bindings: Bindings::new(list).unwrap(),
    }
}

/// Four issuers: one with a key for each algorithm, one with another key under the same names of callers,
/// one with two keys that nothing tells apart, and one whose keys never came.
static ISSUERS: LazyLock<Issuers> = LazyLock::new(|| {
    let all = &Algorithm::ALL;
    let main = set(
        &[
            jwk(Alg::Rs256, "r1", r#""alg":"RS256","use":"sig""#),
            jwk(Alg::Ps256, "p1", r#""alg":"PS256""#),
            jwk(Alg::Es256, "e1", r#""key_ops":["verify"]"#),
            jwk(Alg::Es384, "e3", ""),
            jwk(Alg::Ed25519, "d1", ""),
        ],
        all,
    );
    let few = &[Algorithm::Es256];
    let second = set(&[jwk(Alg::Other, "e1", "")], few);
    let twins = set(&[jwk(Alg::Es256, "", ""), jwk(Alg::Other, "", "")], few);
    let callers = [
        ("app", binding(&["sub"], "app")),
        ("crm", binding(&["kubernetes.io", "namespace"], "crm")),
    ];
    let others = [("elsewhere", binding(&["sub"], "app"))];
    Issuers::new(vec![
        issuer(settings(MAIN, all), Keys::fixed(main), &callers),
        issuer(
            settings("https://second.test", few),
            Keys::fixed(second),
            &others,
        ),
        issuer(
            settings("https://twins.test", few),
            Keys::fixed(twins),
            &others,
        ),
        issuer(
            settings("https://down.test", few),
            Keys::fetched(Duration::from_secs(9)),
            &others,
        ),
    ])
});

fn judged(token: &str) -> Result<String, Rejection> {
    let digest = Digest::of(token.as_bytes());
    let outcome = ISSUERS.identify(token.as_bytes(), digest, (&mut Memory::default(), 1), now());
    outcome
        .map(|signed| signed.caller.name.clone())
        .map_err(|rejected| rejected.rejection)
}
