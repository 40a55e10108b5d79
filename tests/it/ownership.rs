//! Ownership: two teams behind one credential, each with its namespaces, against the embedded store where it
//! plays its part, and against an upstream that misbehaves where it would not.

mod answers;
mod look_ups;
mod races;
mod remembered;
mod teams;

use crate::support::client::{Client, Request};
use crate::support::fake::{Connection, Fake};
use crate::support::gateway::{CREDENTIAL, Gateway, Setup, WRITER, token_sha256};
use crate::support::http1::Message;
use metafield_gateway::sandbox::{Options, Running, Seed, spawn};
use serde_json::Value;
use std::io;
use std::net::SocketAddr;

/// A caller that keeps to `crm` and `crm.*`.
const CRM: &str = "canary-token-of-crm-team";
/// A caller that keeps to `ads`.
const ADS: &str = "canary-token-of-ads-team";

/// The gateway's callers and these two. Nothing can be added with [`Setup::with`] after them.
fn with_teams(setup: Setup) -> Setup {
    [
        ("crm-team", CRM, r#"["crm", "crm.*"]"#),
        ("ads-team", ADS, r#"["ads"]"#),
    ]
    .into_iter()
    .fold(setup, |setup, (name, token, namespaces)| {
        let digest = token_sha256(token);
        setup.with(&format!(
            "[[caller]]\nname = \"{name}\"\ntoken_sha256 = [\"{digest}\"]\nscopes = [\"store_v2_customers\"]\nnamespaces = {namespaces}"
        ))
    })
}

/// The embedded store and the gateway in front of it.
struct Ground {
    store: Running,
    gateway: Gateway,
}

impl Ground {
    fn new() -> Self {
        Self::with(|setup| setup)
    }

    fn with(change: impl FnOnce(Setup) -> Setup) -> Self {
        let store = spawn(Options {
            token: CREDENTIAL.to_owned(),
            ..Options::default()
        });
        let store = store.expect("a store");
        let gateway = with_teams(change(Setup::new(store.address))).start();
        Self { store, gateway }
    }

    /// Adds a metafield of customer 7 behind the gateway's back.
    fn seed(&self, namespace: &str, key: &str) -> u64 {
        let seed = Seed {
            customer: 7,
            namespace,
            key,
            value: "canary-value",
            permission_set: "app_only",
        };
        let store = self.store.shared();
        let id = store.with_store(|store| store.seed(seed, jiff::Timestamp::UNIX_EPOCH));
        id.expect("room")
    }

    fn send(&self, token: &str, method: &str, target: &str, body: &str) -> Message {
        self.gateway.exchange(&request(token, method, target, body))
    }

    /// Sends straight to the store, as another program would.
    fn elsewhere(&self, method: &str, target: &str, body: &str) -> Message {
        Client::connect(self.store.address).exchange(&request(CREDENTIAL, method, target, body))
    }

    /// What the store says of a metafield of customer 7.
    fn truth(&self, id: u64) -> Value {
        let answer = self.elsewhere("GET", &one(id), "");
        assert_eq!(answer.status(), 200);
        answer.json()["data"].clone()
    }

    /// What has reached the store since this was asked the last time.
    fn reached(&self) -> Vec<String> {
        let shared = self.store.shared();
        let seen = shared.seen();
        shared.forget();
        seen.iter()
            .map(|seen| format!("{} {}", seen.method, seen.target))
            .collect()
    }
}

/// The path of a metafield of customer 7.
fn one(id: u64) -> String {
    format!("/stores/abc123/v3/customers/7/metafields/{id}")
}

/// A request with a body, if there is any.
fn request(token: &str, method: &str, target: &str, body: &str) -> Request {
    let request = Request::new(method, target).instead("X-Auth-Token", token);
    if body.is_empty() {
        request
    } else {
        request.json(body)
    }
}

/// The status, and the code of the gateway's own answers.
fn outcome(answer: &Message) -> String {
    match answer.code() {
        Some(code) => format!("{} {code}", answer.status()),
        None => answer.status().to_string(),
    }
}

/// An upstream that answers each request with what this says.
fn upstream(
    answer: impl Fn(&Message, &mut Connection) -> io::Result<()> + Send + Sync + 'static,
) -> Fake {
    Fake::doing(move |connection| {
        while let Some(request) = connection.request()? {
            answer(&request, connection)?;
        }
        Ok(())
    })
}

/// An answer with a JSON body.
fn json(status: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

/// The answer that shows metafield 9 of customer 7 in a namespace.
fn nine_in(namespace: &str) -> String {
    let body = format!(
        r#"{{"data":{{"id":9,"resource_id":7,"resource_type":"customer","namespace":"{namespace}","key":"k","value":"v"}},"meta":{{}}}}"#
    );
    json("200 OK", &body)
}

/// The gateway with the teams in front of an upstream.
fn before(address: SocketAddr) -> Gateway {
    with_teams(Setup::new(address)).start()
}

/// How many requests of this method an upstream has got.
fn count(upstream: &Fake, method: &str) -> usize {
    let requests = upstream.requests();
    let begins = |request: &&Message| request.start.starts_with(method);
    requests.iter().filter(begins).count()
}
