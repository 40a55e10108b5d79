//! Lists: filters, order, pages and cursors.
//!
//! A page beyond the end is empty, not an error. A limit above 250 means 250. Dates without an
//! offset are UTC, and both ends of a date range belong to it.

use std::cmp::Ordering;
use std::ops::Range;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use super::answer::{Answer, Refusal};
use super::cursor;
use super::query::{Query, encode};
use super::shelf::Metafield;

/// Items on a page unless the query says otherwise.
const DEFAULT_LIMIT: usize = 50;

/// Items on a page at most.
const MAX_LIMIT: usize = 250;

/// What one list request asks for.
#[derive(Debug)]
pub(super) struct Listing {
    place: Place,
    limit: usize,
    descending: bool,
    filter: Filter,
    include: Option<Vec<String>>,
    /// The query without what says the place, for the links.
    kept: String,
}

#[derive(Debug, Clone, Copy)]
enum Place {
    Page(usize),
    After(u64),
    Before(u64),
}

impl Listing {
    pub(super) fn read(query: &str) -> Result<Self, Refusal> {
        let query = Query::read(query);
        Ok(Self {
            place: place(&query)?,
            limit: number(&query, "limit", DEFAULT_LIMIT)?.min(MAX_LIMIT),
            descending: descending(&query)?,
            filter: Filter::read(&query)?,
            include: include(&query)?,
            kept: query.without(&["page", "limit", "before", "after"]),
        })
    }

    /// The page of these metafields that was asked for.
    pub(super) fn answer<'a>(
        &self,
        rows: impl Iterator<Item = &'a Metafield>,
        owner: &str,
    ) -> Answer {
        let mut found: Vec<_> = rows.filter(|row| self.filter.keeps(row)).collect();
        found.sort_unstable_by(|a, b| self.order(a.id, b.id));
        let range = self.range(&found);
        let page = found.get(range.clone()).unwrap_or_default();
        let data: Vec<_> = page.iter().map(|row| self.shown(row, owner)).collect();
        Answer::list(&data, &self.meta(&range, found.len(), page))
    }

    fn order(&self, a: u64, b: u64) -> Ordering {
        if self.descending {
            b.cmp(&a)
        } else {
            a.cmp(&b)
        }
    }

    /// Where the page lies in the whole result.
    fn range(&self, found: &[&Metafield]) -> Range<usize> {
        let (start, end) = match self.place {
            Place::Page(page) => {
                let start = (page - 1).saturating_mul(self.limit);
                (start, start.saturating_add(self.limit))
            }
            Place::After(cursor) => {
                let start = found.partition_point(|row| self.order(row.id, cursor).is_le());
                (start, start + self.limit)
            }
            Place::Before(cursor) => {
                let end = found.partition_point(|row| self.order(row.id, cursor).is_lt());
                (end.saturating_sub(self.limit), end)
            }
        };
        start.min(found.len())..end.min(found.len())
    }

    fn shown(&self, row: &Metafield, owner: &str) -> Value {
        let mut shown = row.to_json(owner);
        if let Some(include) = &self.include {
            shown.retain(|name, _| name == "id" || include.contains(name));
        }
        Value::Object(shown)
    }

    /// Page numbers mean nothing to who follows cursors, so those get the cursors alone.
    fn meta(&self, range: &Range<usize>, total: usize, page: &[&Metafield]) -> Value {
        let cursors = self.cursor_pagination(range, total, page);
        match self.place {
            Place::Page(number) => json!({
                "pagination": self.pagination(number, range, total),
                "cursor_pagination": cursors,
            }),
            Place::After(_) | Place::Before(_) => json!({"cursor_pagination": cursors}),
        }
    }

    fn pagination(&self, number: usize, range: &Range<usize>, total: usize) -> Value {
        let mut links = Map::new();
        let mut link = |name: &str, page: usize| {
            let text = format!("?{}page={page}&limit={}", self.kept, self.limit);
            links.insert(name.to_owned(), json!(text));
        };
        if number > 1 {
            link("previous", number - 1);
        }
        link("current", number);
        if range.end < total {
            link("next", number + 1);
        }
        json!({
            "total": total,
            "count": range.len(),
            "per_page": self.limit,
            "current_page": number,
            "total_pages": total.div_ceil(self.limit),
            "links": links,
        })
    }

    fn cursor_pagination(&self, range: &Range<usize>, total: usize, page: &[&Metafield]) -> Value {
        let start = page.first().map(|row| cursor::encode(row.id));
        let end = page.last().map(|row| cursor::encode(row.id));
        let mut links = Map::new();
        let mut link = |name: &str, key: &str, cursor: &Option<String>| {
            let mut text = format!("?{}limit={}&{key}=", self.kept, self.limit);
            encode(cursor.as_deref().unwrap_or_default(), &mut text);
            links.insert(name.to_owned(), json!(text));
        };
        if range.start > 0 && start.is_some() {
            link("previous", "before", &start);
        }
        if range.end < total {
            link("next", "after", &end);
        }
        json!({
            "count": range.len(),
            "per_page": self.limit,
            "start_cursor": start,
            "end_cursor": end,
            "links": links,
        })
    }
}

/// Which metafields a query wants to see: all conditions must hold.
#[derive(Debug)]
struct Filter {
    key: Option<String>,
    keys: Option<Vec<String>>,
    namespace: Option<String>,
    namespaces: Option<Vec<String>>,
    created: (Option<Timestamp>, Option<Timestamp>),
    modified: (Option<Timestamp>, Option<Timestamp>),
}

impl Filter {
    fn read(query: &Query) -> Result<Self, Refusal> {
        Ok(Self {
            key: query.get("key").map(str::to_owned),
            keys: words(query, "key:in"),
            namespace: query.get("namespace").map(str::to_owned),
            namespaces: words(query, "namespace:in"),
            created: (
                date(query, "date_created:min")?,
                date(query, "date_created:max")?,
            ),
            modified: (
                date(query, "date_modified:min")?,
                date(query, "date_modified:max")?,
            ),
        })
    }

    fn keeps(&self, row: &Metafield) -> bool {
        let equal = |wanted: &Option<String>, is: &String| wanted.as_ref().is_none_or(|w| w == is);
        let one_of =
            |wanted: &Option<Vec<String>>, is| wanted.as_ref().is_none_or(|w| w.contains(is));
        let within = |(min, max): (Option<Timestamp>, Option<Timestamp>), is| {
            min.is_none_or(|min| min <= is) && max.is_none_or(|max| is <= max)
        };
        equal(&self.key, &row.fields.key)
            && one_of(&self.keys, &row.fields.key)
            && equal(&self.namespace, &row.fields.namespace)
            && one_of(&self.namespaces, &row.fields.namespace)
            && within(self.created, row.created)
            && within(self.modified, row.modified)
    }
}

fn place(query: &Query) -> Result<Place, Refusal> {
    let cursor = |key| {
        let text: Option<&str> = query.get(key);
        let id = text.map(|text| cursor::decode(text).ok_or(text));
        id.transpose()
            .map_err(|_| Refusal::invalid(key, "is no cursor"))
    };
    match (cursor("before")?, cursor("after")?) {
        (Some(_), Some(_)) => Err(Refusal::invalid("before", "cannot go with after")),
        (Some(id), None) => Ok(Place::Before(id)),
        (None, Some(id)) => Ok(Place::After(id)),
        (None, None) => number(query, "page", 1).map(Place::Page),
    }
}

fn number(query: &Query, key: &'static str, default: usize) -> Result<usize, Refusal> {
    match query.get(key).map(str::parse) {
        None => Ok(default),
        Some(Ok(number)) if number > 0 => Ok(number),
        Some(_) => Err(Refusal::invalid(key, "must be a positive integer")),
    }
}

fn descending(query: &Query) -> Result<bool, Refusal> {
    match query.get("direction") {
        None | Some("asc") => Ok(false),
        Some("desc") => Ok(true),
        Some(_) => Err(Refusal::invalid("direction", "must be asc or desc")),
    }
}

fn include(query: &Query) -> Result<Option<Vec<String>>, Refusal> {
    let fields = words(query, "include_fields");
    let known = |field: &String| FIELDS.contains(&field.as_str());
    match fields {
        Some(fields) if !fields.iter().all(known) => {
            Err(Refusal::invalid("include_fields", "names an unknown field"))
        }
        fields => Ok(fields),
    }
}

fn words(query: &Query, key: &str) -> Option<Vec<String>> {
    let text = query.get(key)?;
    Some(text.split(',').map(str::to_owned).collect())
}

fn date(query: &Query, key: &'static str) -> Result<Option<Timestamp>, Refusal> {
    let Some(text) = query.get(key) else {
        return Ok(None);
    };
    let utc = || {
        let local: DateTime = text.parse().ok()?;
        TimeZone::UTC.to_timestamp(local).ok()
    };
    match text.parse().ok().or_else(utc) {
        Some(time) => Ok(Some(time)),
        None => Err(Refusal::invalid(key, "must be a date or a date and time")),
    }
}

/// What `include_fields` may name (parameter `IncludeFieldsParamMetafields` of the reference).
const FIELDS: [&str; 10] = [
    "resource_id",
    "key",
    "value",
    "namespace",
    "permission_set",
    "resource_type",
    "description",
    "owner_client_id",
    "date_created",
    "date_modified",
];
