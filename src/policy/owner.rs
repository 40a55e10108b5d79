//! Whose a metafield is: its namespace, its key and its customer, and what BigCommerce's answers say of
//! that. An answer is believed where it can be read in one way only: JSON to its end, no member that
//! counts standing twice. What it leaves out (`include_fields`) is not guessed.

use super::json::{self, Key, Source, Walk};
use super::route::Operation;
use super::vocabulary::Id;
use crate::denial::Denial;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// The most characters of a namespace and of a key.
///
/// Source: BigCommerce, Customers v3 reference, schema `Metafield`.
const LONGEST_NAME: usize = 64;

/// Where a metafield belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Namespace and key, one after the other.
    names: Box<str>,
    /// Where the key begins.
    key: u16,
    customer: Option<Id>,
}

impl Owner {
    /// An owner; `None` where a name is none that a metafield may have.
    pub fn new(namespace: &str, key: &str, customer: Option<Id>) -> Option<Self> {
        let is_name = |text: &str| (1..=LONGEST_NAME).contains(&text.chars().count());
        (is_name(namespace) && is_name(key)).then_some(())?;
        Some(Self {
            names: [namespace, key].concat().into(),
            key: u16::try_from(namespace.len()).ok()?,
            customer,
        })
    }

    /// The metafield's namespace.
    pub fn namespace(&self) -> &str {
        self.names.get(..usize::from(self.key)).unwrap_or_default()
    }

    /// The metafield's key.
    pub fn key(&self) -> &str {
        self.names.get(usize::from(self.key)..).unwrap_or_default()
    }

    /// The customer it belongs to, where that is known.
    pub const fn customer(&self) -> Option<Id> {
        self.customer
    }

    /// Whether the metafield may be where the operation's path looks for it: an id belongs to one customer,
    /// and the grants judge a request by the customer of its path.
    pub fn may_be_at(&self, operation: &Operation) -> bool {
        match (self.customer, operation.customer) {
            (Some(own), Some(named)) => own == named,
            _ => true,
        }
    }
}

/// The owners that a body of BigCommerce's names: `data` is one metafield or a list of them. Empty where
/// nothing, or nothing reliable, is said.
pub fn owners_in(body: &[u8]) -> Vec<(Id, Owner)> {
    read(body).unwrap_or_default()
}

/// The owner of this metafield, where the body says nothing but that.
pub fn owner_in(body: &[u8], id: Id) -> Option<Owner> {
    let mut owners = read(body).ok()?.into_iter();
    match (owners.next(), owners.next()) {
        (Some((found, owner)), None) if found == id => Some(owner),
        _ => None,
    }
}

fn read(body: &[u8]) -> Result<Vec<(Id, Owner)>, Denial> {
    let mut owners = Vec::new();
    json::read(body, |walk, source: &mut Source<'_>| {
        let owners = &mut owners;
        Answer { walk, owners }.deserialize(source)
    })?;
    Ok(owners)
}

/// The whole answer: an object with `data`.
struct Answer<'w, 'de> {
    walk: &'w mut Walk<'de>,
    owners: &'w mut Vec<(Id, Owner)>,
}

/// The value of `data`: a metafield, or a list of them.
struct Data<'w, 'de> {
    walk: &'w mut Walk<'de>,
    owners: &'w mut Vec<(Id, Owner)>,
    is_item: bool,
}

impl<'de> DeserializeSeed<'de> for Answer<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<(), D::Error> {
        source.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Answer<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an answer with `data`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut seen = false;
        while let Some(key) = members.next_key_seed(Key)? {
            if key != "data" {
                members.next_value::<IgnoredAny>()?;
                continue;
            }
            if std::mem::replace(&mut seen, true) {
                return Err(self.walk.duplicate(&key));
            }
            members.next_value_seed(Data {
                walk: &mut *self.walk,
                owners: &mut *self.owners,
                is_item: false,
            })?;
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Data<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<(), D::Error> {
        source.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Data<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a metafield or a list of them")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    /// An id alone, as the answer to `delete_batch` has it.
    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        if self.is_item {
            self.walk.enter(super::MAX_DEPTH)?;
        }
        while items
            .next_element_seed(Data {
                walk: &mut *self.walk,
                owners: &mut *self.owners,
                is_item: true,
            })?
            .is_some()
        {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut found = Found::default();
        while let Some(key) = members.next_key_seed(Key)? {
            let repeated = match key.as_ref() {
                "id" => found.id.replace(members.next_value()?).is_some(),
                "resource_id" => found.customer.replace(members.next_value()?).is_some(),
                "namespace" => found.namespace.replace(members.next_value()?).is_some(),
                "key" => found.key.replace(members.next_value()?).is_some(),
                "resource_type" => found.kind.replace(members.next_value()?).is_some(),
                _ => {
                    members.next_value::<IgnoredAny>()?;
                    false
                }
            };
            if repeated {
                return Err(self.walk.duplicate(&key));
            }
        }
        self.owners.extend(found.owner());
        Ok(())
    }
}

/// What one item says, as far as it counts. A member of another type makes the answer unreadable.
#[derive(Default)]
struct Found<'de> {
    id: Option<u64>,
    customer: Option<u64>,
    namespace: Option<Text<'de>>,
    key: Option<Text<'de>>,
    kind: Option<Text<'de>>,
}

impl Found<'_> {
    fn owner(self) -> Option<(Id, Owner)> {
        // Another resource's metafields have ids of their own.
        if self.kind.is_some_and(|kind| kind.0 != "customer") {
            return None;
        }
        let id = Id::new(self.id?)?;
        let customer = self.customer.and_then(Id::new);
        let owner = Owner::new(&self.namespace?.0, &self.key?.0, customer)?;
        Some((id, owner))
    }
}

/// A string, borrowed where it has no escapes.
struct Text<'de>(Cow<'de, str>);

impl<'de> serde::Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        Key.deserialize(source).map(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Items in many spellings, good ones and others.
    const ITEM: &str = r#"\{("id":[19],|"i\\u0064":9,){0,2}("namespace":"[ab]",|"n\\u0061mespace":"c",|"x":\{"key":"y"\},){0,3}"key":("k"|"\\u006b"|7)(,"key":"z")?\}|7|null"#;

    fn told(body: &str) -> Vec<(u64, String, String, Option<u64>)> {
        owners_in(body.as_bytes())
            .into_iter()
            .map(|(id, owner)| {
                let customer = owner.customer().map(Id::get);
                let (namespace, key) = (owner.namespace().to_owned(), owner.key().to_owned());
                (id.get(), namespace, key, customer)
            })
            .collect()
    }

    fn row(
        id: u64,
        namespace: &str,
        key: &str,
        customer: u64,
    ) -> (u64, String, String, Option<u64>) {
        (id, namespace.to_owned(), key.to_owned(), Some(customer))
    }

    #[test]
    fn answers_tell_whose_their_metafields_are() {
        let nine = r#"{"id":9,"namespace":"crm","key":"tier","resource_id":7,"resource_type":"customer","value":"{\"namespace\":\"x\"}"}"#;
        let ten = r#"{"key":"\u006b","namespace":"\u00e4","id":10,"resource_id":8,"x":[{"id":1}]}"#;
        for (body, expected) in [
            (
                format!(r#"{{"data":{nine},"meta":{{}}}}"#),
                vec![row(9, "crm", "tier", 7)],
            ),
            (
                format!(r#"{{"meta":{{"data":[1]}},"data":[{nine},{ten}],"errors":[]}}"#),
                vec![row(9, "crm", "tier", 7), row(10, "ä", "k", 8)],
            ),
            (
                r#"{"data":{"id":9,"namespace":"a","key":"b"}}"#.to_owned(),
                vec![(9, "a".to_owned(), "b".to_owned(), None)],
            ),
        ] {
            assert_eq!(told(&body), expected, "{body}");
        }
    }

    #[test]
    fn what_is_left_out_is_not_guessed() {
        let long = "n".repeat(65);
        for body in [
            r#"{"data":[]}"#,
            r#"{"data":null}"#,
            r#"{"data":[1,2]}"#,
            r#"{"meta":{}}"#,
            r#"{"data":{"id":9,"key":"k","resource_id":7}}"#,
            r#"{"data":{"id":9,"namespace":"n","resource_id":7}}"#,
            r#"{"data":{"namespace":"n","key":"k","resource_id":7}}"#,
            r#"{"data":{"id":0,"namespace":"n","key":"k"}}"#,
            r#"{"data":{"id":9,"namespace":"","key":"k"}}"#,
            &format!(r#"{{"data":{{"id":9,"namespace":"{long}","key":"k"}}}}"#),
            r#"{"data":{"id":9,"namespace":"n","key":"k","resource_type":"product"}}"#,
        ] {
            assert_eq!(told(body), [], "{body}");
        }
    }

    #[test]
    fn what_could_be_read_otherwise_tells_nothing() {
        for body in [
            "",
            "[]",
            "7",
            r#"{"data":{"id":9,"namespace":"n","key":"k"}"#,
            r#"{"data":{"id":9,"namespace":"n","key":"k"}}x"#,
            r#"{"data":{"id":9,"namespace":"n","key":"k"},"data":[]}"#,
            r#"{"data":{"id":9,"namespace":"n","key":"k"},"d\u0061ta":[]}"#,
            r#"{"data":{"id":9,"namespace":"n","key":"k","namespace":"m"}}"#,
            r#"{"data":{"id":9,"namespace":"n","key":"k","k\u0065y":"m"}}"#,
            r#"{"data":{"id":9,"id":8,"namespace":"n","key":"k"}}"#,
            r#"{"data":{"id":"9","namespace":"n","key":"k"}}"#,
            r#"{"data":{"id":9.0,"namespace":"n","key":"k"}}"#,
            r#"{"data":{"id":9,"namespace":7,"key":"k"}}"#,
            r#"{"data":{"id":9,"namespace":"n","key":null}}"#,
            r#"{"data":[{"id":9,"namespace":"n","key":"k"},[]]}"#,
            r#"{"data":[{"id":9,"namespace":"n","key":"k"},"x"]}"#,
            r#"{"data":[{"id":9,"namespace":"n","key":"k"},{"id":8,"id":8}]}"#,
        ] {
            assert_eq!(told(body), [], "{body}");
        }
    }

    #[test]
    fn one_metafield_is_believed_to_be_itself_alone() {
        let nine = r#"{"id":9,"namespace":"n","key":"k","resource_id":7}"#;
        let id = |id| Id::new(id).expect("an id");
        let alone = format!(r#"{{"data":{nine}}}"#);
        assert!(owner_in(alone.as_bytes(), id(9)).is_some());
        assert!(owner_in(alone.as_bytes(), id(8)).is_none());
        let listed = format!(r#"{{"data":[{nine},{nine}]}}"#);
        assert!(owner_in(listed.as_bytes(), id(9)).is_none());
        assert!(owner_in(b"{}", id(9)).is_none());
    }

    proptest::proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(body in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let _owners = owners_in(&body);
        }

        #[test]
        fn what_is_believed_another_reader_finds_too(
            items in proptest::collection::vec(ITEM, 0..3),
            form in proptest::sample::select(vec![r#"{"data":ITEMS}"#, r#"{"data":[ITEMS]}"#, r#"{"data":ITEMS,"data":[]}"#, r#"{"m":[ITEMS],"data":ITEMS}"#]),
        ) {
            let body = form.replace("ITEMS", &items.join(","));
            #[expect(clippy::disallowed_methods, reason = "the comparison is the point")]
            let other = serde_json::from_str::<serde_json::Value>(&body).unwrap_or_default();
            let data = other.get("data").cloned().unwrap_or_default();
            let found: Vec<_> = data.as_array().cloned().unwrap_or(vec![data]);
            for (id, owner) in owners_in(body.as_bytes()) {
                let shows = |item: &&serde_json::Value| {
                    item.get("id").and_then(serde_json::Value::as_u64) == Some(id.get())
                        && item.get("namespace").is_some_and(|text| text == owner.namespace())
                        && item.get("key").is_some_and(|text| text == owner.key())
                };
                proptest::prop_assert!(found.iter().find(shows).is_some(), "{}", body);
            }
        }

        #[test]
        fn names_come_apart_where_they_were_joined(namespace in "\\PC{1,64}", key in "\\PC{1,64}") {
            let owner = Owner::new(&namespace, &key, None).expect("an owner");
            proptest::prop_assert_eq!(owner.namespace(), namespace);
            proptest::prop_assert_eq!(owner.key(), key);
        }
    }
}
