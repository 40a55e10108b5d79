//! The fields of a metafield: their lengths, their words, and how a body is read into them.
//!
//! Every bad field of a body is named, not only the first. Fields this store does not know are
//! ignored, as are those it sets by itself (`date_created`, `owner_client_id` and the like).

use serde_json::{Map, Value};

use super::answer::Refusal;

/// What a writer says about a metafield.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fields {
    pub(super) namespace: String,
    pub(super) key: String,
    pub(super) value: String,
    pub(super) permission_set: String,
    pub(super) description: String,
}

/// The fields one body names: all may be absent.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) namespace: Option<String>,
    pub(super) key: Option<String>,
    pub(super) value: Option<String>,
    pub(super) permission_set: Option<String>,
    pub(super) description: Option<String>,
}

impl Draft {
    /// Reads the fields that are there.
    pub(super) fn read(item: &Map<String, Value>) -> Result<Self, Refusal> {
        let mut bad = Vec::new();
        let mut take = |name, least, most| match text(item.get(name), least, most) {
            Ok(text) => text,
            Err(reason) => {
                bad.push((name, reason));
                None
            }
        };
        let draft = Self {
            namespace: take("namespace", 1, 64),
            key: take("key", 1, 64),
            value: take("value", 1, 65_535),
            permission_set: take("permission_set", 1, 64),
            description: take("description", 0, 255),
        };
        if let Some(word) = &draft.permission_set
            && !PERMISSION_SETS.contains(&word.as_str())
        {
            let reason = format!("must be one of {}", PERMISSION_SETS.join(", "));
            bad.push(("permission_set", reason));
        }
        if bad.is_empty() {
            Ok(draft)
        } else {
            Err(Refusal::Invalid(bad))
        }
    }

    /// The fields of a new metafield; all but the description must be there.
    pub(super) fn complete(self) -> Result<Fields, Refusal> {
        let mut bad = Vec::new();
        let mut need = |name, field: Option<String>| {
            field.unwrap_or_else(|| {
                bad.push((name, "is required".to_owned()));
                String::new()
            })
        };
        let fields = Fields {
            namespace: need("namespace", self.namespace),
            key: need("key", self.key),
            value: need("value", self.value),
            permission_set: need("permission_set", self.permission_set),
            description: self.description.unwrap_or_default(),
        };
        if bad.is_empty() {
            Ok(fields)
        } else {
            Err(Refusal::Invalid(bad))
        }
    }

    /// The fields of a metafield after an update: what is absent stays.
    pub(super) fn over(self, old: &Fields) -> Fields {
        let pick = |new: Option<String>, old: &String| new.unwrap_or_else(|| old.clone());
        Fields {
            namespace: pick(self.namespace, &old.namespace),
            key: pick(self.key, &old.key),
            value: pick(self.value, &old.value),
            permission_set: pick(self.permission_set, &old.permission_set),
            description: pick(self.description, &old.description),
        }
    }
}

/// A body as JSON.
#[expect(
    clippy::disallowed_methods,
    reason = "a lenient reading is wanted here: the strict one is the gateway's"
)]
pub(super) fn parse(body: &[u8]) -> Result<Value, Refusal> {
    serde_json::from_slice(body).map_err(|_| Refusal::Syntax)
}

/// A body that is one object.
pub(super) fn parse_object(body: &[u8]) -> Result<Map<String, Value>, Refusal> {
    match parse(body)? {
        Value::Object(object) => Ok(object),
        _ => Err(Refusal::Syntax),
    }
}

/// A body that is an array with something in it.
pub(super) fn parse_array(body: &[u8]) -> Result<Vec<Value>, Refusal> {
    match parse(body)? {
        Value::Array(items) if items.is_empty() => {
            Err(Refusal::invalid("data", "must hold at least one item"))
        }
        Value::Array(items) => Ok(items),
        _ => Err(Refusal::Syntax),
    }
}

/// An item of a batch that must be an object.
pub(super) fn object(item: &Value) -> Result<&Map<String, Value>, Refusal> {
    item.as_object()
        .ok_or_else(|| Refusal::invalid("item", "must be an object"))
}

/// A field that must be there and hold an id.
pub(super) fn id(item: &Map<String, Value>, name: &'static str) -> Result<u64, Refusal> {
    let value = item
        .get(name)
        .ok_or_else(|| Refusal::invalid(name, "is required"))?;
    value
        .as_u64()
        .ok_or_else(|| Refusal::invalid(name, "must be an integer"))
}

fn text(field: Option<&Value>, least: usize, most: usize) -> Result<Option<String>, String> {
    match field {
        None => Ok(None),
        Some(Value::String(text)) if (least..=most).contains(&text.chars().count()) => {
            Ok(Some(text.clone()))
        }
        Some(Value::String(_)) => Err(format!("must have {least} to {most} characters")),
        Some(_) => Err("must be a string".to_owned()),
    }
}

/// Who else may see or change a metafield (schema `MetafieldBase_Put` of the reference).
const PERMISSION_SETS: [&str; 5] = [
    "app_only",
    "read",
    "write",
    "read_and_sf_access",
    "write_and_sf_access",
];
