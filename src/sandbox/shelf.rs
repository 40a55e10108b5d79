//! The metafields themselves: unique names, ids that are never given twice, two limits.
//!
//! Nothing here knows HTTP. Every change is done whole or not at all.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::answer::Refusal;
use super::fields::{Draft, Fields};

/// The largest customer id. Customers exist without being created: 1 up to this one.
pub const LAST_CUSTOMER: u64 = 1_000_000;

/// How many metafields a customer may have, as BigCommerce's reference says of other resources.
pub const MAX_PER_CUSTOMER: usize = 250;

/// How many metafields the store may have.
pub const MAX_IN_ALL: usize = 100_000;

/// One metafield.
#[derive(Debug)]
pub(super) struct Metafield {
    pub(super) id: u64,
    pub(super) customer: u64,
    pub(super) fields: Fields,
    pub(super) created: Timestamp,
    pub(super) modified: Timestamp,
}

impl Metafield {
    /// All fields of an answer, by their names.
    pub(super) fn to_json(&self, owner: &str) -> Map<String, Value> {
        let fields = [
            ("id", json!(self.id)),
            ("namespace", json!(self.fields.namespace)),
            ("key", json!(self.fields.key)),
            ("value", json!(self.fields.value)),
            ("permission_set", json!(self.fields.permission_set)),
            ("description", json!(self.fields.description)),
            ("resource_type", json!("customer")),
            ("resource_id", json!(self.customer)),
            ("date_created", json!(shown(self.created))),
            ("date_modified", json!(shown(self.modified))),
            ("owner_client_id", json!(owner)),
        ];
        fields
            .map(|(name, value)| (name.to_owned(), value))
            .into_iter()
            .collect()
    }

    fn name(&self) -> Name {
        (
            self.customer,
            self.fields.namespace.clone(),
            self.fields.key.clone(),
        )
    }
}

/// Customer, namespace and key: with one API account, what makes a metafield unique.
type Name = (u64, String, String);

/// All metafields of a store.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    rows: BTreeMap<u64, Metafield>,
    names: BTreeMap<Name, u64>,
    last_id: u64,
}

impl Shelf {
    /// Adds a metafield under a fresh id.
    pub(super) fn create(
        &mut self,
        customer: u64,
        fields: Fields,
        now: Timestamp,
    ) -> Result<&Metafield, Refusal> {
        is_customer(customer)?;
        let now = to_the_second(now);
        let id = self.last_id + 1;
        let row = Metafield {
            id,
            customer,
            fields,
            created: now,
            modified: now,
        };
        let name = row.name();
        if self.names.contains_key(&name) {
            return Err(Refusal::Clash);
        }
        if self.rows.len() >= MAX_IN_ALL || self.of(customer).count() >= MAX_PER_CUSTOMER {
            return Err(Refusal::Full);
        }
        self.last_id = id;
        self.names.insert(name, id);
        Ok(self.rows.entry(id).or_insert(row))
    }

    /// A metafield by its id and, where the path names one, its customer.
    pub(super) fn get(&self, customer: Option<u64>, id: u64) -> Result<&Metafield, Refusal> {
        self.rows
            .get(&id)
            .filter(|row| customer.is_none_or(|customer| row.customer == customer))
            .ok_or(Refusal::NotFound)
    }

    /// Changes the fields a draft names.
    pub(super) fn update(
        &mut self,
        customer: Option<u64>,
        id: u64,
        draft: Draft,
        now: Timestamp,
    ) -> Result<&Metafield, Refusal> {
        let row = self.rows.get_mut(&id);
        let row = row
            .filter(|row| customer.is_none_or(|customer| row.customer == customer))
            .ok_or(Refusal::NotFound)?;
        let old_name = row.name();
        let fields = draft.over(&row.fields);
        let new_name = (row.customer, fields.namespace.clone(), fields.key.clone());
        if self.names.get(&new_name).is_some_and(|taken| *taken != id) {
            return Err(Refusal::Clash);
        }
        self.names.remove(&old_name);
        self.names.insert(new_name, id);
        row.fields = fields;
        row.modified = to_the_second(now);
        Ok(row)
    }

    /// Takes a metafield away.
    pub(super) fn delete(&mut self, customer: Option<u64>, id: u64) -> Result<(), Refusal> {
        let name = self.get(customer, id)?.name();
        self.names.remove(&name);
        self.rows.remove(&id);
        Ok(())
    }

    /// Takes everything away; the ids of what was there.
    pub(super) fn clear(&mut self) -> Vec<u64> {
        self.names.clear();
        std::mem::take(&mut self.rows).into_keys().collect()
    }

    /// The metafields of one customer, or all, in no order to rely on.
    pub(super) fn all<'a>(
        &'a self,
        customer: Option<u64>,
    ) -> Box<dyn Iterator<Item = &'a Metafield> + 'a> {
        match customer {
            Some(customer) => Box::new(self.of(customer).filter_map(|id| self.rows.get(&id))),
            None => Box::new(self.rows.values()),
        }
    }

    fn of(&self, customer: u64) -> impl Iterator<Item = u64> + '_ {
        let first = (customer, String::new(), String::new());
        let names = self.names.range(first..);
        let names = names.take_while(move |((owner, ..), _)| *owner == customer);
        names.map(|(_, id)| *id)
    }
}

/// `NotFound` unless there is such a customer.
pub(super) fn is_customer(customer: u64) -> Result<(), Refusal> {
    if (1..=LAST_CUSTOMER).contains(&customer) {
        Ok(())
    } else {
        Err(Refusal::NotFound)
    }
}

/// Kept to the second, so that a date filter compares what a reader was shown.
fn to_the_second(now: Timestamp) -> Timestamp {
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}

fn shown(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string()
}
