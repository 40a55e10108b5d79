//! What is wrong with a body: each fault with its place, its code and what to do about it.

use super::Code;
use super::push_text;
use std::borrow::Cow;
use std::collections::HashMap;

/// Where in a body a fault is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The body as a whole.
    Body,
    /// A field of the one object.
    Field(Cow<'static, str>),
    /// An item of a batch, by its index from 0, or a field of it.
    Item(usize, Option<Cow<'static, str>>),
}

/// One thing wrong with a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where.
    pub place: Place,
    /// Which kind.
    pub code: Code,
    /// What to do about it.
    pub reason: Cow<'static, str>,
}

/// All that is wrong with a body, in its order; the first decides the code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults(Vec<Fault>);

impl From<Fault> for Faults {
    fn from(fault: Fault) -> Self {
        Self(vec![fault])
    }
}

impl Faults {
    /// The faults found, or `None` where there are none.
    pub fn found(list: Vec<Fault>) -> Option<Self> {
        if list.is_empty() {
            None
        } else {
            Some(Self(list))
        }
    }

    /// Every fault, in the body's order.
    pub fn iter(&self) -> impl Iterator<Item = &Fault> {
        self.0.iter()
    }

    pub(super) fn code(&self) -> Code {
        self.0
            .first()
            .map_or(Code::InvalidField, |fault| fault.code)
    }

    pub(super) fn detail(&self) -> &'static str {
        match self.code() {
            Code::PermissionSetDenied => "the caller is not granted this permission set",
            Code::NamespaceDenied => "the caller is not granted this namespace",
            Code::OwnershipUnknown => {
                "the caller is limited, and whose these metafields are is not known"
            }
            Code::KeyDenied => "the caller is not granted this key",
            Code::CustomerDenied => "the caller is not granted this customer",
            _ => "the body has fields that are not acceptable",
        }
    }

    /// The members of `errors`: a field, or an item's index, to its reasons.
    pub(super) fn push_json(&self, out: &mut Vec<u8>) {
        if let [fault] = self.0.as_slice() {
            push_member(out, &fault.key(), &fault.text());
            return;
        }
        let mut groups: Vec<(Cow<'_, str>, String)> = Vec::new();
        let mut known: HashMap<Cow<'_, str>, usize> = HashMap::new();
        for fault in &self.0 {
            let key = fault.key();
            let group = known.get(&key).and_then(|place| groups.get_mut(*place));
            if let Some((_, reasons)) = group {
                reasons.push_str("; ");
                reasons.push_str(&fault.text());
            } else {
                known.insert(key.clone(), groups.len());
                groups.push((key, fault.text().into_owned()));
            }
        }
        for (place, (key, reasons)) in groups.iter().enumerate() {
            if place > 0 {
                out.push(b',');
            }
            push_member(out, key, reasons);
        }
    }
}

impl Fault {
    fn key(&self) -> Cow<'_, str> {
        match &self.place {
            Place::Body => "body".into(),
            Place::Field(name) => name.as_ref().into(),
            Place::Item(index, _) => index.to_string().into(),
        }
    }

    fn text(&self) -> Cow<'_, str> {
        match &self.place {
            Place::Item(_, Some(field)) => format!("{field}: {}", self.reason).into(),
            _ => self.reason.as_ref().into(),
        }
    }
}

/// A piece of a caller's text that is short enough to be repeated in an answer.
pub fn shortened(text: &str) -> String {
    const SHOWN: usize = 64;
    let mut shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

fn push_member(out: &mut Vec<u8>, key: &str, reasons: &str) {
    push_text(out, key);
    out.push(b':');
    push_text(out, reasons);
}

#[cfg(test)]
mod tests {
    use super::super::Denial;
    use super::*;

    #[test]
    fn faults_are_grouped_by_item_and_escaped() {
        let fault = |place, code, reason: &'static str| Fault {
            place,
            code,
            reason: reason.into(),
        };
        let faults = Faults::found(vec![
            fault(
                Place::Item(1, Some("key".into())),
                Code::MissingField,
                "is required",
            ),
            fault(
                Place::Item(1, Some("a\"b".into())),
                Code::UnknownField,
                "is unknown",
            ),
            fault(
                Place::Item(7, None),
                Code::InvalidField,
                "must be an object",
            ),
            fault(
                Place::Item(1, Some("id".into())),
                Code::InvalidField,
                "is there twice",
            ),
        ]);
        let body = Denial::Fields(faults.expect("faults")).to_json();
        let text = String::from_utf8(body).expect("UTF-8");
        assert!(
            text.contains(
                r#""errors":{"1":"key: is required; a\"b: is unknown; id: is there twice","7":"must be an object"}"#
            ),
            "{text}"
        );
        assert!(text.contains(r#""code":"missing_field""#), "{text}");
    }

    #[test]
    fn long_texts_are_shortened_at_a_character() {
        assert_eq!(shortened("short"), "short");
        assert_eq!(shortened(&"ä".repeat(70)), format!("{}…", "ä".repeat(64)));
    }
}
