//! `customers`: ids and inclusive ranges of them.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use toml::de::DeValue;

use super::MOST_ENTRIES;
use crate::config::problem::{Located, Place, shown};
use crate::config::reader::{Fault, TableReader, value};
use crate::policy::vocabulary::Id;

const FORM: &str =
    "write an id without quotes, such as `42`, or both ends of a range in quotes: `\"1000-1999\"`";

/// The ranges before, by their first customer, each with its last one and where it stands.
type Seen = BTreeMap<Id, (Id, Place)>;

/// The customers; none may stand twice, since who takes one away must not leave it in another entry.
pub(super) fn customers(
    table: &mut TableReader<'_, '_>,
) -> Option<Located<Vec<RangeInclusive<Id>>>> {
    const KEY: &str = "customers";
    let mut seen = Seen::new();
    let place = table.place_of(KEY);
    let hint = "leave the key out to allow every customer";
    let value = table.entries(KEY, hint, MOST_ENTRIES, |found, place| {
        let range = range(found)?;
        refuse_overlap(&range, &seen)?;
        seen.insert(*range.start(), (*range.end(), place));
        Ok(range)
    })?;
    Some(Located { value, place })
}

fn range(found: &DeValue<'_>) -> Result<RangeInclusive<Id>, Fault> {
    let Some(text) = found.as_str() else {
        if found.as_integer().is_none() {
            return Err(Fault::mismatch("a customer's id or a range", found).with_hint(FORM));
        }
        return value::integer(1..=Id::MAX)(found).map(|number| {
            let id = Id::new(number).unwrap_or(Id::LARGEST);
            id..=id
        });
    };
    let ends = text
        .split_once('-')
        .and_then(|(from, to)| Id::parse(from).zip(Id::parse(to)));
    match ends {
        Some((from, to)) if from <= to => Ok(from..=to),
        Some(_) => Err(Fault::new(format!("{} ends before it begins", shown(text)))
            .with_hint("write the smaller id first")),
        None => Err(
            Fault::new(format!("{} is not a range of customers' ids", shown(text))).with_hint(FORM),
        ),
    }
}

fn refuse_overlap(range: &RangeInclusive<Id>, seen: &Seen) -> Result<(), Fault> {
    let before = seen.range(..=*range.end()).next_back();
    match before {
        Some((_, (last, first))) if last >= range.start() => Err(Fault::new(format!(
            "holds customers that are on line {} too",
            first.line
        ))
        .with_hint("each must be there once: let the ranges not overlap")),
        _ => Ok(()),
    }
}
