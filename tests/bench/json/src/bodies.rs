//! The bodies: updates as callers send them, short, long and in batches.

use http::Method;
use metafield_gateway::policy::{Operation, Route};
use serde_json::{Value, json};

/// A long body's bytes.
const LONG: usize = 64 << 10;

/// A body and the operation it is sent for.
#[derive(Debug)]
pub struct Body {
    /// Its name in the table.
    pub name: &'static str,
    /// The body.
    pub text: Vec<u8>,
    pub(crate) operation: Operation,
}

impl Body {
    /// The body by which instructions are counted.
    pub const SMALL: &str = "200 bytes";

    /// Every body, in the order of the table.
    pub fn all() -> Vec<Self> {
        let escaped = r#"{\"favourite\":120188,\"delivery\":24681},"#;
        let items: Vec<Value> = (1..=10).map(item).collect();
        let batch = Value::from(items);
        vec![
            update(Self::SMALL, small()),
            update("64 KiB, ASCII", long("A customer's note in plain words. ")),
            update("64 KiB, escapes", long(escaped)),
            update("64 KiB, Cyrillic", long("Заметкаопокупателе")),
            updates("batch of 10", batch.to_string()),
            updates("batch of 10, pretty", format!("{batch:#}")),
        ]
    }
}

fn update(name: &'static str, text: String) -> Body {
    body(name, "customers/7/metafields/9", text)
}

fn updates(name: &'static str, text: String) -> Body {
    body(name, "customers/metafields", text)
}

fn body(name: &'static str, place: &str, text: String) -> Body {
    let route = Route::parse(&format!("/stores/abc123/v3/{place}")).expect("a route");
    Body {
        name,
        text: text.into(),
        operation: route.operation(&Method::PUT).expect("an update"),
    }
}

fn small() -> String {
    let text = json!({
        "permission_set": "app_only",
        "namespace": "loyalty.programme",
        "key": "tier_of_the_year",
        "value": "gold, ever since the fourth order of this spring",
        "description": "What the customer is told at the till."
    })
    .to_string();
    assert_eq!(text.len(), 200);
    text
}

/// An update whose value is this again and again; all of it has [`LONG`] bytes.
fn long(again: &str) -> String {
    let (start, end) = (r#"{"permission_set":"app_only","value":""#, "\"}");
    let room = LONG - start.len() - end.len();
    let whole = again.repeat(room / again.len());
    let rest = ".".repeat(room - whole.len());
    format!("{start}{whole}{rest}{end}")
}

fn item(number: u32) -> Value {
    json!({
        "id": 41_200 + number,
        "permission_set": "app_only",
        "namespace": "loyalty.program",
        "key": format!("tier_of_the_year_{number}"),
        "value": format!("gold, since order {number} of this spring"),
        "description": "What the customer is told at the till"
    })
}
