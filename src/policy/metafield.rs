//! The rules of a metafield's fields, single and in batches. All faults of a body are found in one
//! reading; a batch names every bad item by its index. The values themselves are never kept, only what
//! the decision and its record need: ids, namespace, key and permission set.

use super::field::{self, Field};
use super::json::{self, Any, Bulk, Key, Keys, Source, Token, Walk};
use super::route::Operation;
use super::rules::{Rules, UnknownFields};
use super::vocabulary::{Id, PermissionSet, Verb};
use crate::denial::{Code, Denial, Fault, Faults, Place, shortened};
use bytes::Bytes;
use compact_str::CompactString;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

/// What a body says of one metafield, as far as the decision and its record need it. The texts are
/// copies, so that a record that waits to be written does not keep a whole body in memory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Item {
    /// `id`
    pub id: Option<Id>,
    /// `permission_set`
    pub permission_set: Option<PermissionSet>,
    /// `namespace`
    pub namespace: Option<CompactString>,
    /// `key`
    pub key: Option<CompactString>,
    /// `resource_id`: the customer's id, as far as the body says
    pub resource_id: Option<Id>,
}

/// The most faults that are named of one metafield: enough to mend it, too few to make the answer a
/// multiple of the request.
const FAULTS_NAMED: usize = 8;

/// Judges a body by the rules of its operation; a batch of more than `granted` items is outside the
/// caller's grant. `items` receives what the body says, also where it is refused, for the record.
pub(super) fn judge(
    operation: &Operation,
    rules: &Rules,
    granted: Option<usize>,
    body: &Bytes,
    items: &mut Vec<Item>,
) -> Result<(), Denial> {
    let mut judge = Judge {
        operation,
        rules,
        granted,
        body,
        items,
        faults: Vec::new(),
    };
    let start = body
        .iter()
        .find(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
    let read = match (operation.verb, start) {
        (Verb::Create | Verb::Update, Some(b'{')) => {
            judge.items.reserve_exact(1);
            judge.one()
        }
        (Verb::CreateBatch | Verb::UpdateBatch, Some(b'[')) => judge.batch(),
        (Verb::DeleteBatch, Some(b'[')) => judge.ids(),
        (Verb::DeleteBatch, None) => {
            judge.fault_all(
                "send a non-empty array of ids; without one BigCommerce deletes every metafield",
            );
            Ok(())
        }
        _ => judge.other_shape(),
    };
    if let Err(denial) = read {
        // A part of a body is not what it says.
        judge.items.clear();
        return Err(denial);
    }
    Faults::found(judge.faults).map_or(Ok(()), |faults| Err(Denial::Fields(faults)))
}

struct Judge<'a> {
    operation: &'a Operation,
    rules: &'a Rules,
    granted: Option<usize>,
    body: &'a Bytes,
    items: &'a mut Vec<Item>,
    faults: Vec<Fault>,
}

impl Judge<'_> {
    /// Forgets what a reading found that begins anew.
    fn begin(&mut self) {
        self.items.clear();
        self.faults.clear();
    }

    fn one(&mut self) -> Result<(), Denial> {
        json::read(self.body, |walk, source| {
            self.begin();
            Metafield {
                walk,
                judge: self,
                index: None,
            }
            .deserialize(source)
        })
    }

    fn batch(&mut self) -> Result<(), Denial> {
        self.items()?;
        self.refuse_repeated_ids();
        Ok(())
    }

    /// Reads the items of a batch, whatever they are.
    fn items(&mut self) -> Result<(), Denial> {
        json::read(self.body, |walk, source| {
            self.begin();
            Batch { walk, judge: self }.deserialize(source)
        })
    }

    fn ids(&mut self) -> Result<(), Denial> {
        self.items()?;
        if self.items.is_empty() {
            self.fault_all(
                "must hold at least one id; without one BigCommerce deletes every metafield",
            );
        }
        self.refuse_repeated_ids();
        Ok(())
    }

    /// A body of another JSON type; it is read for its syntax first, since that answers first.
    fn other_shape(&mut self) -> Result<(), Denial> {
        json::read(self.body, |walk, source: &mut Source<'_>| {
            Any { walk, depth: 0 }.deserialize(source)
        })?;
        let expected = match self.operation.verb {
            Verb::DeleteBatch => {
                self.fault_all("must be a non-empty array of ids");
                return Ok(());
            }
            Verb::CreateBatch | Verb::UpdateBatch => "a JSON array of metafields",
            _ => "one JSON object, the metafield",
        };
        Err(Denial::WrongShape { expected })
    }

    fn refuse_repeated_ids(&mut self) {
        let mut seen = HashSet::new();
        let repeated: Vec<usize> = self
            .items
            .iter()
            .enumerate()
            .filter(|(_, item)| item.id.is_some_and(|id| !seen.insert(id)))
            .map(|(index, _)| index)
            .collect();
        for index in repeated {
            self.fault(
                Some(index),
                Some("id".into()),
                Code::InvalidField,
                "stands in an earlier item too",
            );
        }
    }

    /// The most items that a batch may have, and what to say of one with more.
    fn most_items(&self) -> (usize, Denial) {
        let limit = self.rules.batch_items;
        match self.granted {
            Some(granted) if granted < limit => {
                (granted, Denial::BatchOverGrant { limit: granted })
            }
            _ => (limit, Denial::BatchTooLarge { limit }),
        }
    }

    fn fault_all(&mut self, reason: &'static str) {
        self.faults.push(Fault {
            place: Place::Body,
            code: Code::InvalidField,
            reason: reason.into(),
        });
    }

    fn fault(
        &mut self,
        index: Option<usize>,
        field: Option<Cow<'static, str>>,
        code: Code,
        reason: impl Into<Cow<'static, str>>,
    ) {
        let place = place(index, field);
        let of_item =
            |fault: &&Fault| matches!(fault.place, Place::Item(at, _) if Some(at) == index);
        let known = match index {
            Some(_) => self.faults.iter().rev().take_while(of_item).count(),
            None => self.faults.len(),
        };
        if known < FAULTS_NAMED {
            self.faults.push(Fault {
                place,
                code,
                reason: reason.into(),
            });
        }
    }

    /// Takes the value of a known field.
    fn accept(&mut self, index: Option<usize>, item: &mut Item, field: Field, token: &Token<'_>) {
        if let Err((code, reason)) = field::judge(field, token, self.operation, self.rules) {
            self.fault(index, Some(field.as_str().into()), code, reason);
            return;
        }
        match (field, token) {
            (Field::Id, Token::Integer(value)) => item.id = Id::new(*value),
            (Field::PermissionSet, Token::Text(text)) => {
                item.permission_set = PermissionSet::from_name(text);
            }
            (Field::Namespace, Token::Text(text)) => {
                item.namespace = Some(text.as_ref().into());
            }
            (Field::Key, Token::Text(text)) => item.key = Some(text.as_ref().into()),
            (Field::ResourceId, Token::Integer(value)) => item.resource_id = Id::new(*value),
            _ => {}
        }
    }

    fn require_fields(&mut self, index: Option<usize>, seen: u16) {
        let required: &[Field] = match self.operation.verb {
            Verb::Create => &[
                Field::Namespace,
                Field::Key,
                Field::Value,
                Field::PermissionSet,
            ],
            Verb::CreateBatch => &[
                Field::ResourceId,
                Field::Namespace,
                Field::Key,
                Field::Value,
                Field::PermissionSet,
            ],
            Verb::UpdateBatch => &[Field::Id],
            _ => &[],
        };
        for field in required.iter().filter(|field| seen & field.bit() == 0) {
            self.fault(
                index,
                Some(field.as_str().into()),
                Code::MissingField,
                "is required",
            );
        }
    }
}

/// A place in the body: a field, of an item of a batch where there is one.
fn place(index: Option<usize>, field: Option<Cow<'static, str>>) -> Place {
    match (index, field) {
        (Some(index), field) => Place::Item(index, field),
        (None, Some(field)) => Place::Field(field),
        (None, None) => Place::Body,
    }
}

/// Reads the items of a batch.
struct Batch<'w, 'j, 'de> {
    walk: &'w mut Walk<'de>,
    judge: &'w mut Judge<'j>,
}

impl<'de> DeserializeSeed<'de> for Batch<'_, '_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<(), D::Error> {
        source.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Batch<'_, '_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let (limit, over) = self.judge.most_items();
        for index in 0..limit {
            let seed = Metafield {
                walk: &mut *self.walk,
                judge: &mut *self.judge,
                index: Some(index),
            };
            if items.next_element_seed(seed)?.is_none() {
                return Ok(());
            }
        }
        items.next_element_seed(Over {
            walk: self.walk,
            over,
        })?;
        Ok(())
    }
}

/// Stands where a batch must have ended: size answers before anything that is wrong with the item.
struct Over<'w, 'de> {
    walk: &'w mut Walk<'de>,
    over: Denial,
}

impl<'de> DeserializeSeed<'de> for Over<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, _: D) -> Result<(), D::Error> {
        Err(self.walk.stop(self.over))
    }
}

/// Reads one metafield, or one id of `delete_batch`.
struct Metafield<'w, 'j, 'de> {
    walk: &'w mut Walk<'de>,
    judge: &'w mut Judge<'j>,
    index: Option<usize>,
}

impl<'de> Metafield<'_, '_, 'de> {
    fn depth(&self) -> usize {
        usize::from(self.index.is_some())
    }

    fn is_id(&self) -> bool {
        self.judge.operation.verb == Verb::DeleteBatch
    }

    /// Notes whose value is read next.
    fn note(&mut self, field: Option<Cow<'static, str>>, code: Code) {
        self.walk.reading = Some((place(self.index, field), code));
    }

    /// Reads the value of a field that metafields do not have, and says what is wrong with it.
    fn unknown_member<A: MapAccess<'de>>(
        &mut self,
        key: Cow<'de, str>,
        unknown: &mut Keys<'de>,
        members: &mut A,
    ) -> Result<(), A::Error> {
        let name = shortened(&key);
        let refused =
            self.judge.rules.unknown_fields == UnknownFields::Refuse || field::imitates(&key);
        let code = if refused {
            Code::UnknownField
        } else {
            Code::InvalidField
        };
        self.note(Some(name.clone().into()), code);
        unknown.insert(key, self.walk)?;
        self.walk.imitates = Some(field::is_or_imitates);
        let depth = self.depth() + 1;
        members.next_value_seed(Any {
            walk: &mut *self.walk,
            depth,
        })?;
        self.walk.imitates = None;
        let reason = match self.walk.imitation.take() {
            _ if refused => Cow::Borrowed("is not a field of a metafield"),
            Some(inner) => {
                format!("holds the key `{inner}`, which could be taken for a field").into()
            }
            None => return Ok(()),
        };
        self.judge
            .fault(self.index, Some(name.into()), Code::UnknownField, reason);
        Ok(())
    }

    /// An item of another JSON type than the batch holds.
    fn misfit(self) {
        let expected = if self.is_id() {
            "must be an integer from 1 to 9223372036854775807"
        } else {
            "must be an object"
        };
        self.judge
            .fault(self.index, None, Code::InvalidField, expected);
        self.judge.items.push(Item::default());
    }
}

impl<'de> DeserializeSeed<'de> for Metafield<'_, '_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(mut self, source: D) -> Result<(), D::Error> {
        self.note(None, Code::InvalidField);
        source.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Metafield<'_, '_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a metafield")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.misfit();
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        self.misfit();
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        match Id::new(value).filter(|_| self.is_id()) {
            Some(id) => self.judge.items.push(Item {
                id: Some(id),
                ..Item::default()
            }),
            None => self.misfit(),
        }
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        self.misfit();
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        self.misfit();
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        self.misfit();
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<(), A::Error> {
        let depth = self.depth();
        Any {
            walk: &mut *self.walk,
            depth,
        }
        .visit_seq(items)?;
        self.misfit();
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<(), A::Error> {
        let depth = self.depth();
        if self.is_id() {
            Any {
                walk: &mut *self.walk,
                depth,
            }
            .visit_map(members)?;
            self.misfit();
            return Ok(());
        }
        let mut item = Item::default();
        let mut seen = 0;
        let mut unknown = Keys::default();
        while let Some(key) = members.next_key_seed(Key)? {
            let Some(field) = Field::from_name(&key) else {
                self.unknown_member(key, &mut unknown, &mut members)?;
                continue;
            };
            if seen & field.bit() != 0 {
                return Err(self.walk.duplicate(&key));
            }
            seen |= field.bit();
            let code = match field {
                Field::PermissionSet => Code::InvalidPermissionSet,
                _ => Code::InvalidField,
            };
            self.note(Some(field.as_str().into()), code);
            let walk = &mut *self.walk;
            let depth = depth + 1;
            let token = if field == Field::Value && walk.in_bulk {
                members.next_value_seed(Bulk { walk })?
            } else {
                members.next_value_seed(Any { walk, depth })?
            };
            self.judge.accept(self.index, &mut item, field, &token);
        }
        self.judge.require_fields(self.index, seen);
        self.judge.items.push(item);
        Ok(())
    }
}
