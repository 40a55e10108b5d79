//! The tokens that Kubernetes projects into pods, with the cluster's keys in a file, sent by curl.

use super::*;
use crate::support::issuer::jwks;
use serde_json::Value;
use std::process::Command;

const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";

/// The claims of a projected token, as the API server of Kubernetes 1.30 and later makes them.
fn claims(namespace: &str, account: &str) -> Value {
    json!({
        "aud": ["metafield-gateway"],
        "exp": BEGIN + 3607,
        "iat": BEGIN,
        "iss": ISSUER,
        "jti": "5d0c4f49-7f4a-4bd7-92d2-4a3cbe0b6d4a",
        "kubernetes.io": {
            "namespace": namespace,
            "node": { "name": "node-1", "uid": "f8e4b7a2-5d1f-4b8e-9a55-0d7d4f3f7c11" },
            "pod": { "name": "sync-7d9f", "uid": "9a0f2f5e-6d4b-4c7e-8a11-0d3b5f1e2c33" },
            "serviceaccount": { "name": account, "uid": "0b6f3c1d-2e4a-4d5b-9c77-1a2b3c4d5e6f" },
        },
        "nbf": BEGIN,
        "sub": format!("system:serviceaccount:{namespace}:{account}"),
    })
}

fn gateway(upstream: &Fake, keys: &str, clock: &Clock) -> Gateway {
    let setup = Setup::new(upstream.address).with(&format!(
        "[[issuer]]\nname = \"k8s\"\nissuer = \"{ISSUER}\"\naudience = \"metafield-gateway\"\njwks = {{ file = \"jwks.json\" }}\n\
         [[caller]]\nname = \"sync\"\nsigned_token = {{ issuer = \"k8s\", subject = \"system:serviceaccount:crm:sync\" }}\n\
         scopes = [\"store_v2_customers\"]\n\
         [[caller]]\nname = \"shop\"\nsigned_token = {{ issuer = \"k8s\", claims = {{ \"kubernetes.io\" = {{ namespace = \"shop\" }} }} }}\n\
         scopes = [\"store_v2_customers_read_only\"]"
    ));
    setup.folder.write("jwks.json", keys);
    setup.start_by(clock)
}

/// What curl is answered: the status, and the gateway's code.
pub(super) fn curl(gateway: &Gateway, method: &str, token: &str) -> (u16, String) {
    let output = Command::new("curl")
        .args([
            "--silent",
            "--noproxy",
            "*",
            "--request",
            method,
            "--write-out",
        ])
        .args(["\\n%{http_code} %header{x-gateway-code}", "--header"])
        .arg(format!("Authorization: Bearer {token}"))
        .arg(format!("http://{}{ONE}", gateway.address()))
        .output();
    let text = String::from_utf8(output.expect("curl runs").stdout).expect("UTF-8");
    let (_, line) = text.rsplit_once('\n').expect("a line");
    let (status, code) = line.split_once(' ').expect("two words");
    let code = if code.is_empty() { "ok" } else { code };
    (status.parse().expect("a status"), code.to_owned())
}

/// A method, a token, and what that is answered.
type Case = (&'static str, String, (u16, String));

fn cases(key: &Key, other: &Key) -> Vec<Case> {
    let of = |namespace: &str, account: &str| key.token(&claims(namespace, account));
    let with = |member: &str, value: Value| {
        let mut claims = claims("crm", "sync");
        claims[member] = value;
        key.token(&claims)
    };
    let unknown = || refused(401, "unknown_token");
    let invalid = || refused(401, "invalid_token");
    let moved = with("kubernetes.io", json!({"namespace": "shop"}));
    vec![
        ("GET", of("crm", "sync"), ok()),
        ("DELETE", of("crm", "sync"), ok()),
        ("GET", of("shop", "web"), ok()),
        ("GET", of("shop", "worker"), ok()),
        ("DELETE", of("shop", "web"), refused(403, "scope_denied")),
        ("GET", of("crm", "web"), unknown()),
        ("GET", of("default", "sync"), unknown()),
        ("GET", moved, unknown()),
        ("GET", other.token(&claims("crm", "sync")), invalid()),
        ("GET", with("aud", json!([ISSUER])), invalid()),
        ("GET", with("aud", json!([])), invalid()),
        (
            "GET",
            with("iss", json!("https://kubernetes.default.svc")),
            invalid(),
        ),
        ("GET", with("nbf", json!(BEGIN + 31)), invalid()),
        ("GET", with("exp", json!(BEGIN + 31_536_000)), invalid()),
        (
            "GET",
            with("exp", json!(BEGIN - 30)),
            refused(401, "expired_token"),
        ),
    ]
}

#[test]
fn a_service_account_is_its_caller() {
    let (upstream, key, other) = (Fake::good(), Key::new("k8s"), Key::new("k8s"));
    let (clock, hand) = clock();
    let gateway = gateway(&upstream, &jwks(&[&key]), &clock);
    for (method, token, expected) in cases(&key, &other) {
        assert_eq!(curl(&gateway, method, &token), expected, "{method} {token}");
    }
    let sync = key.token(&claims("crm", "sync"));
    hand.advance(Duration::from_secs(3636));
    assert_eq!(curl(&gateway, "GET", &sync), ok(), "within the skew");
    hand.advance(Duration::from_secs(1));
    assert_eq!(curl(&gateway, "GET", &sync), refused(401, "expired_token"));
    let lines = gateway.stop();
    let callers: Vec<_> = lines.iter().map(|line| line["caller"].as_str()).collect();
    let known = ["sync", "sync", "shop", "shop", "shop"].map(Some);
    assert_eq!(callers[..5], known);
    assert!(callers[5..15].iter().all(Option::is_none));
}

#[test]
fn all_that_is_wrong_with_a_signed_token_has_one_answer() {
    let (upstream, key, other) = (Fake::good(), Key::new("k8s"), Key::new("k8s"));
    let gateway = gateway(&upstream, &jwks(&[&key]), &clock().0);
    let mut elsewhere = claims("crm", "sync");
    elsewhere["aud"] = json!("elsewhere");
    let answers = [
        get(&gateway, &other.token(&claims("crm", "sync"))),
        get(&gateway, &key.token(&elsewhere)),
        get(&gateway, &Key::new("unknown").token(&claims("crm", "sync"))),
        get(&gateway, "not-base64url!.at.all-of-it"),
    ];
    for answer in &answers {
        assert_eq!(answer.status(), 401);
        assert!(
            answer
                .field("www-authenticate")
                .is_some_and(|value| value.starts_with("Bearer"))
        );
        assert_eq!(answer.json(), answers[0].json());
    }
}

#[test]
fn a_file_without_usable_keys_is_named() {
    let key = Key::new("k8s");
    let private = jwks(&[&key]).replacen("{\"kty\"", "{\"d\":\"x\",\"kty\"", 1);
    for (text, expected) in [
        ("", "it is not strict JSON"),
        (
            "{\"keys\":[]}",
            "it has no key for the algorithms in `algorithms`",
        ),
        (
            private.as_str(),
            "its key 0 is a private key, and so a secret no more",
        ),
    ] {
        let folder = crate::support::gateway::Folder::new();
        folder.write("jwks.json", text);
        folder.write("token", "credential-of-the-store");
        let config = folder.write(
            "gateway.toml",
            format!(
                "[[issuer]]\nname = \"k8s\"\nissuer = \"{ISSUER}\"\naudience = \"x\"\njwks = {{ file = \"jwks.json\" }}\n\
                 [[store]]\nhash = \"abc\"\ncredential = {{ file = \"token\" }}\n\
                 [[caller]]\nname = \"a\"\nscopes = [\"store_v2_customers\"]\nsigned_token = {{ issuer = \"k8s\", subject = \"x\" }}\n"
            ),
        );
        let path = config.to_str().expect("UTF-8");
        let ended = crate::support::process::run(&["check", "--config", path]);
        assert_eq!(ended.code, Some(2), "{}", ended.stderr);
        let line =
            format!("5:17: issuer[0].jwks: the file is no set of keys for this issuer: {expected}");
        assert!(ended.stderr.contains(&line), "{}", ended.stderr);
    }
}
