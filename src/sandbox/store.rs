//! The store: who may ask, what is asked, and the nine operations.
//!
//! Pure: no clock, no I/O. One call takes one request and gives one answer; it never fails.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::Options;
use super::answer::{Answer, Refusal};
use super::fields::{Draft, Fields, id, object, parse_array, parse_object};
use super::list::Listing;
use super::place::Place;
use super::quota::Quota;
use super::shelf::{Shelf, is_customer};

/// How many bytes a body may have: 8 MiB.
pub const MAX_BODY: usize = 8 * 1024 * 1024;

/// One request.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// The method.
    pub method: &'a Method,
    /// The path, as it was sent.
    pub path: &'a str,
    /// The query without its question mark, as it was sent.
    pub query: Option<&'a str>,
    /// The fields; read are `X-Auth-Token` and `Content-Type`.
    pub headers: &'a HeaderMap,
    /// The whole body.
    pub body: &'a Bytes,
}

/// A metafield to begin with.
#[derive(Debug, Clone, Copy)]
pub struct Seed<'a> {
    /// The customer's id: 1 to [`super::LAST_CUSTOMER`].
    pub customer: u64,
    /// 1 to 64 characters.
    pub namespace: &'a str,
    /// 1 to 64 characters, unique within customer and namespace.
    pub key: &'a str,
    /// 1 to 65,535 characters.
    pub value: &'a str,
    /// One of BigCommerce's five words.
    pub permission_set: &'a str,
}

/// One store's customer metafields.
#[derive(Debug)]
pub struct Store {
    hash: String,
    token: String,
    client_id: String,
    quota: Quota,
    shelf: Shelf,
}

impl Store {
    /// An empty store.
    pub fn new(options: Options) -> Self {
        Self {
            hash: options.store_hash,
            token: options.token,
            client_id: options.client_id,
            quota: Quota::new(options.limit),
            shelf: Shelf::default(),
        }
    }

    /// Adds a metafield without a request; its id, or `None` if the store would refuse it.
    pub fn seed(&mut self, seed: Seed<'_>, now: Timestamp) -> Option<u64> {
        let item = json!({
            "namespace": seed.namespace,
            "key": seed.key,
            "value": seed.value,
            "permission_set": seed.permission_set,
        });
        let fields = object(&item).and_then(new_fields).ok()?;
        let row = self.shelf.create(seed.customer, fields, now).ok()?;
        Some(row.id)
    }

    /// Accepts another token from now on, as if the credential had been replaced.
    pub fn set_token(&mut self, token: &str) {
        token.clone_into(&mut self.token);
    }

    /// How many metafields there are.
    pub fn len(&self) -> usize {
        self.shelf.all(None).count()
    }

    /// Whether there is no metafield.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Answers one request. What is not authenticated costs nothing and shows no quota.
    pub fn answer(&mut self, ask: &Ask<'_>, now: Timestamp) -> Answer {
        let answer = match self.admit(ask) {
            Err(refusal) => refusal.into(),
            Ok(route) => {
                let reading = self.quota.take(now);
                let mut answer = if reading.granted {
                    self.operate(ask, route, now).unwrap_or_else(Answer::from)
                } else {
                    Refusal::Spent.into()
                };
                reading.stamp(&mut answer.headers);
                answer
            }
        };
        if ask.method == Method::HEAD {
            answer.without_body()
        } else {
            answer
        }
    }

    /// The path behind the store's hash, for who holds the store's token.
    fn admit<'a>(&self, ask: &Ask<'a>) -> Result<&'a str, Refusal> {
        let path = ask.path.strip_prefix("/stores/");
        let (hash, route) = path
            .and_then(|path| path.split_once('/'))
            .ok_or(Refusal::NotFound)?;
        if hash != self.hash {
            return Err(Refusal::NotFound);
        }
        let mut tokens = ask.headers.get_all("x-auth-token").iter();
        let token = tokens.next().ok_or(Refusal::NoToken)?;
        if token == self.token.as_str() && tokens.next().is_none() {
            Ok(route)
        } else {
            Err(Refusal::WrongToken)
        }
    }

    fn operate(&mut self, ask: &Ask<'_>, route: &str, now: Timestamp) -> Result<Answer, Refusal> {
        let place = Place::read(route).ok_or(Refusal::NotFound)?;
        if ask.body.len() > MAX_BODY {
            return Err(Refusal::TooLarge);
        }
        match (place, ask.method.as_str()) {
            (Place::All, "GET" | "HEAD") => self.list(None, ask),
            (Place::All, "POST") => self.create_batch(json_body(ask)?, now),
            (Place::All, "PUT") => self.update_batch(json_body(ask)?, now),
            (Place::All, "DELETE") if ask.body.is_empty() => Ok(self.delete_all()),
            (Place::All, "DELETE") => self.delete_batch(json_body(ask)?),
            (Place::Customer(customer), "GET" | "HEAD") => self.list(Some(customer), ask),
            (Place::Customer(customer), "POST") => self.create(customer, json_body(ask)?, now),
            (Place::One(customer, id), "GET" | "HEAD") => self.get(customer, id),
            (Place::One(customer, id), "PUT") => self.update(customer, id, json_body(ask)?, now),
            (Place::One(customer, id), "DELETE") => self.delete(customer, id),
            (Place::All, _) => Err(Refusal::Method("GET, HEAD, POST, PUT, DELETE")),
            (Place::Customer(_), _) => Err(Refusal::Method("GET, HEAD, POST")),
            (Place::One(..), _) => Err(Refusal::Method("GET, HEAD, PUT, DELETE")),
        }
    }

    fn list(&self, customer: Option<u64>, ask: &Ask<'_>) -> Result<Answer, Refusal> {
        if let Some(customer) = customer {
            is_customer(customer)?;
        }
        let listing = Listing::read(ask.query.unwrap_or_default())?;
        Ok(listing.answer(self.shelf.all(customer), &self.client_id))
    }

    fn get(&self, customer: u64, id: u64) -> Result<Answer, Refusal> {
        let row = self.shelf.get(Some(customer), id)?;
        Ok(Answer::one(&row.to_json(&self.client_id)))
    }

    fn create(&mut self, customer: u64, body: &[u8], now: Timestamp) -> Result<Answer, Refusal> {
        is_customer(customer)?;
        let fields = new_fields(&parse_object(body)?)?;
        let row = self.shelf.create(customer, fields, now)?;
        Ok(Answer::one(&row.to_json(&self.client_id)))
    }

    /// The reference asks for the id in the body too; clients leave it out, so it may be absent.
    fn update(
        &mut self,
        customer: u64,
        path_id: u64,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Answer, Refusal> {
        self.shelf.get(Some(customer), path_id)?;
        let item = parse_object(body)?;
        if item.contains_key("id") && id(&item, "id")? != path_id {
            return Err(Refusal::invalid("id", "differs from the id in the path"));
        }
        let draft = Draft::read(&item)?;
        let row = self.shelf.update(Some(customer), path_id, draft, now)?;
        Ok(Answer::one(&row.to_json(&self.client_id)))
    }

    fn delete(&mut self, customer: u64, id: u64) -> Result<Answer, Refusal> {
        self.shelf.delete(Some(customer), id)?;
        Ok(Answer::empty())
    }

    fn create_batch(&mut self, body: &[u8], now: Timestamp) -> Result<Answer, Refusal> {
        let items = parse_array(body)?;
        Ok(each(&items, |item| {
            let item = object(item)?;
            let customer = id(item, "resource_id")?;
            if is_customer(customer).is_err() {
                return Err(Refusal::invalid("resource_id", "is no customer"));
            }
            let row = self.shelf.create(customer, new_fields(item)?, now)?;
            Ok(row.to_json(&self.client_id).into())
        }))
    }

    fn update_batch(&mut self, body: &[u8], now: Timestamp) -> Result<Answer, Refusal> {
        let items = parse_array(body)?;
        Ok(each(&items, |item| {
            let item = object(item)?;
            let (id, draft) = (id(item, "id")?, Draft::read(item)?);
            let row = self.shelf.update(None, id, draft, now)?;
            Ok(row.to_json(&self.client_id).into())
        }))
    }

    fn delete_batch(&mut self, body: &[u8]) -> Result<Answer, Refusal> {
        let items = parse_array(body)?;
        Ok(each(&items, |item| {
            let id = item
                .as_u64()
                .ok_or_else(|| Refusal::invalid("id", "must be an integer"))?;
            self.shelf.delete(None, id)?;
            Ok(id.into())
        }))
    }

    /// What the reference says of `DELETE /customers/metafields`, and what the gateway is there to
    /// keep from happening by accident.
    fn delete_all(&mut self) -> Answer {
        let ids = self.shelf.clear().into_iter().map(Value::from);
        Answer::batch(&ids.collect::<Vec<_>>(), &Map::new())
    }
}

/// The body of an operation that takes JSON, if it is labelled so.
fn json_body<'a>(ask: &Ask<'a>) -> Result<&'a [u8], Refusal> {
    let label = ask.headers.get(CONTENT_TYPE);
    let label = label
        .and_then(|label| label.to_str().ok())
        .unwrap_or_default();
    let essence = label.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        Ok(ask.body)
    } else {
        Err(Refusal::MediaType)
    }
}

fn new_fields(item: &Map<String, Value>) -> Result<Fields, Refusal> {
    Draft::read(item)?.complete()
}

/// Does the items of a batch one by one; a failure stops none of the others.
fn each(items: &[Value], mut one: impl FnMut(&Value) -> Result<Value, Refusal>) -> Answer {
    let (mut data, mut failed) = (Vec::new(), Map::new());
    for (index, item) in items.iter().enumerate() {
        match one(item) {
            Ok(value) => data.push(value),
            Err(refusal) => {
                failed.insert(index.to_string(), refusal.reason().into());
            }
        }
    }
    Answer::batch(&data, &failed)
}
