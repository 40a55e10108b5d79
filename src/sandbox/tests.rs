//! What the tests share: a store at made-up times, and the shapes they expect.

mod batches;
mod door;
mod lists;
mod operations;
mod wire;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::*;

/// 2022-06-16T18:39:00Z.
const START: i64 = 1_655_404_740;

/// A store and the time it is there.
struct Bench {
    store: Store,
    second: i64,
}

impl Bench {
    /// A store with a quota that is never in the way.
    fn new() -> Self {
        let mut options = Options::default();
        options.limit.requests = u32::MAX;
        Self {
            store: Store::new(options),
            second: START,
        }
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.second).unwrap()
    }

    fn send(&mut self, method: &str, target: &str, body: &str) -> Answer {
        let mut headers = HeaderMap::new();
        let token = HeaderValue::from_static("sandbox-store-token");
        headers.insert("x-auth-token", token);
        let label = HeaderValue::from_static("application/json; charset=utf-8");
        headers.insert("content-type", label);
        self.send_with(
            method,
            &format!("/stores/abc123/v3{target}"),
            &headers,
            body,
        )
    }

    fn send_with(&mut self, method: &str, target: &str, headers: &HeaderMap, body: &str) -> Answer {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let ask = Ask {
            method: &method.parse().unwrap(),
            path,
            query: Some(query),
            headers,
            body: &Bytes::copy_from_slice(body.as_bytes()),
        };
        let now = self.now();
        self.store.answer(&ask, now)
    }

    /// Status and body of an answer; no body is null.
    fn ask(&mut self, method: &str, target: &str, body: &str) -> (u16, Value) {
        let answer = self.send(method, target, body);
        (answer.status.as_u16(), value(&answer.body))
    }

    /// A metafield of a customer, with this key.
    fn create(&mut self, customer: u64, key: &str) -> u64 {
        let seed = Seed {
            customer,
            namespace: "crm",
            key,
            value: "blue",
            permission_set: "app_only",
        };
        self.store.seed(seed, self.now()).unwrap()
    }
}

fn value(body: &[u8]) -> Value {
    if body.is_empty() {
        Value::Null
    } else {
        fields::parse(body).unwrap()
    }
}

fn item(extra: &Value) -> Value {
    let mut item = json!({
        "namespace": "crm", "key": "tier", "value": "gold", "permission_set": "read",
    });
    for (name, value) in extra.as_object().unwrap() {
        item[name] = value.clone();
    }
    item
}

fn error(status: u16, title: &str) -> Value {
    json!({
        "status": status,
        "title": title,
        "type": "https://developer.bigcommerce.com/api-docs/getting-started/api-status-codes",
    })
}

const NOT_FOUND: &str = "The resource at that URL is not found.";
const INVALID: &str = "The request body or query is not valid";
