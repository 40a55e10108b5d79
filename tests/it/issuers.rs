//! Signed tokens through a real gateway: from a Kubernetes cluster's keys in a file, from a real provider
//! of `OpenID`, and from an issuer that goes down, comes up again and rolls its keys while the test moves the
//! gateway's clock.

mod failing;
mod https;
mod kubernetes;
mod provider;
mod rolling;

use crate::support::client::{ONE, Request};
use crate::support::fake::Fake;
use crate::support::gateway::{Gateway, Setup};
use crate::support::http1::Message;
use crate::support::issuer::Key;
use metafield_gateway::observe::{Clock, Hand};
use serde_json::json;
use std::time::Duration;

/// The second at which the gateway's clock begins.
const BEGIN: u64 = 1_800_000_000;
const MINUTE: Duration = Duration::from_secs(60);

fn clock() -> (Clock, Hand) {
    Clock::set(Duration::from_secs(BEGIN))
}

/// A gateway whose keys of `idp` are there; `app` of that issuer is its caller `signed`.
fn setup(upstream: &Fake, jwks: &str) -> Setup {
    Setup::new(upstream.address)
        .with("admin.address = \"127.0.0.1:0\"")
        .with(&format!(
            "[[issuer]]\nname = \"idp\"\nissuer = \"https://idp.test\"\naudience = \"gateway\"\njwks = {jwks}\n\
             [[caller]]\nname = \"signed\"\nsigned_token = {{ issuer = \"idp\", subject = \"app\" }}\n\
             scopes = [\"store_v2_customers\"]"
        ))
}

/// A token for `app` that is valid from the beginning for an hour.
fn token(key: &Key) -> String {
    key.token(&json!({
        "iss": "https://idp.test", "aud": "gateway", "sub": "app", "iat": BEGIN, "exp": BEGIN + 3600,
    }))
}

/// What a `GET` with this token is answered.
fn get(gateway: &Gateway, token: &str) -> Message {
    gateway.exchange(&Request::new("GET", ONE).instead("X-Auth-Token", token))
}

/// Its status and the gateway's code.
fn outcome(gateway: &Gateway, token: &str) -> (u16, String) {
    let answer = get(gateway, token);
    (answer.status(), answer.code().unwrap_or("ok").to_owned())
}

fn ok() -> (u16, String) {
    (200, "ok".to_owned())
}

fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

/// How often the issuer's keys were fetched with this outcome.
fn refreshes(outcome: &str) -> String {
    format!("metafield_gateway_issuer_refreshes_total{{issuer=\"idp\",outcome=\"{outcome}\"}}")
}

/// What readiness says, but for how the configuration stands.
fn readiness(gateway: &Gateway) -> String {
    let answer = gateway.admin("/readyz");
    let lines = answer.text().split_inclusive('\n');
    let lines = lines.filter(|line| !line.starts_with("configuration: "));
    lines.collect()
}
