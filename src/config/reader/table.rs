//! The fields of one table, taken by name.

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::value::Fault;
use super::{Findings, suggest, twice};
use crate::config::problem::{Located, Place, shown};

/// Takes the fields of one table.
#[derive(Debug)]
pub struct TableReader<'r, 't> {
    table: &'r DeTable<'r>,
    path: String,
    place: Place,
    known: Vec<&'static str>,
    misnomers: Vec<(&'static str, &'static str)>,
    is_sound: bool,
    findings: &'r mut Findings<'t>,
}

impl<'r, 't> TableReader<'r, 't> {
    /// Opens a table, lets `read` take its fields, and reports what it left.
    pub(super) fn read<T>(
        table: &'r DeTable<'r>,
        path: String,
        place: Place,
        findings: &'r mut Findings<'t>,
        read: impl FnOnce(&mut TableReader<'_, 't>) -> T,
    ) -> T {
        let mut reader = TableReader {
            table,
            path,
            place,
            known: Vec::new(),
            misnomers: Vec::new(),
            is_sound: true,
            findings,
        };
        let found = read(&mut reader);
        reader.report_unknown_keys();
        found
    }

    /// Where the table begins.
    pub const fn place(&self) -> Place {
        self.place
    }

    /// Whether the syntax is broken somewhere, so that what seems to be missing may be there.
    pub const fn is_partial(&self) -> bool {
        !self.findings.broken_lines.is_empty()
    }

    /// Whether every field taken so far was right, so that it makes sense to compare them.
    pub const fn is_sound(&self) -> bool {
        self.is_sound
    }

    /// Where the value of this key stands, or the table if it has none. Does not take the key.
    pub fn place_of(&self, key: &str) -> Place {
        let value = self.table.get(key);
        value.map_or(self.place, |value| self.findings.place(value.span()))
    }

    /// Whether the table has this key. Unlike the other methods, this does not take it.
    pub fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Whether the table has a string under this key.
    pub fn holds_text(&self, key: &str) -> bool {
        self.table
            .get(key)
            .is_some_and(|value| value.get_ref().is_str())
    }

    /// Reports a problem with the table itself.
    pub fn fault_here(&mut self, fault: Fault) {
        self.is_sound = false;
        self.findings.fault(self.place, self.path.as_str(), fault);
    }

    /// Reports a problem with one of the table's keys.
    pub fn fault(&mut self, place: Place, key: &str, fault: Fault) {
        let key = self.path_of(key);
        self.is_sound = false;
        self.findings.fault(place, key, fault);
    }

    /// Names a key that people write but that does not exist, and what to do instead.
    pub fn misnomer(&mut self, key: &'static str, hint: &'static str) {
        self.misnomers.push((key, hint));
    }

    /// A field that may be left out; `None` also if it is wrong, which then is reported.
    pub fn optional<T>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&DeValue<'_>) -> Result<T, Fault>,
    ) -> Option<Located<T>> {
        let (place, value) = self.take(key)?;
        match parse(value) {
            Ok(value) => Some(Located { value, place }),
            Err(fault) => {
                self.fault(place, key, fault);
                None
            }
        }
    }

    /// A field with a default.
    pub fn or<T>(
        &mut self,
        key: &'static str,
        default: T,
        parse: impl FnOnce(&DeValue<'_>) -> Result<T, Fault>,
    ) -> Located<T> {
        let place = self.place;
        let default = Located {
            value: default,
            place,
        };
        self.optional(key, parse).unwrap_or(default)
    }

    /// A field that must be there; `hint` shows how it could look.
    pub fn required<T>(
        &mut self,
        key: &'static str,
        hint: &str,
        parse: impl FnOnce(&DeValue<'_>) -> Result<T, Fault>,
    ) -> Option<Located<T>> {
        self.report_missing(key, hint);
        self.optional(key, parse)
    }

    /// A list that may be left out, but not be empty; no entry twice. `hint` is for the empty list.
    pub fn list<T: PartialEq>(
        &mut self,
        key: &'static str,
        hint: &str,
        mut parse: impl FnMut(&DeValue<'_>, Place) -> Result<T, Fault>,
    ) -> Option<Vec<T>> {
        let mut kept: Vec<Located<T>> = Vec::new();
        let found = self.entries(key, hint, usize::MAX, |entry, place| {
            let value = parse(entry, place)?;
            if let Some(earlier) = kept.iter().find(|earlier| earlier.value == value) {
                return Err(twice(earlier.place));
            }
            kept.push(Located { value, place });
            Ok(())
        });
        found.map(|_| kept.into_iter().map(|kept| kept.value).collect())
    }

    /// A list that is not empty, and its place; `hint` is for the empty one.
    fn array(&mut self, key: &'static str, hint: &str) -> Option<(Place, &'r DeArray<'r>)> {
        let (place, value) = self.take(key)?;
        let Some(entries) = value.as_array() else {
            let fault = Fault::mismatch("an array", value);
            let hint = "write brackets, even round a single entry: `[...]`";
            self.fault(place, key, fault.with_hint(hint));
            return None;
        };
        if entries.is_empty() {
            self.fault(place, key, Fault::new("is empty").with_hint(hint));
            return None;
        }
        Some((place, entries))
    }

    /// As [`TableReader::list`], of at most `most` entries, where whoever parses them looks for repeated
    /// ones.
    pub fn entries<T>(
        &mut self,
        key: &'static str,
        hint: &str,
        most: usize,
        mut parse: impl FnMut(&DeValue<'_>, Place) -> Result<T, Fault>,
    ) -> Option<Vec<T>> {
        let (place, entries) = self.array(key, hint)?;
        if entries.len() > most {
            let fault = Fault::new(format!("has {} entries", entries.len()));
            self.fault(place, key, fault.with_hint(format!("the most are {most}")));
            return None;
        }
        let mut kept = Vec::new();
        for (index, entry) in entries.iter().enumerate() {
            let place = self.findings.place(entry.span());
            match parse(entry.get_ref(), place) {
                Ok(entry) => kept.push(entry),
                Err(fault) => self.fault(place, &format!("{key}[{index}]"), fault),
            }
        }
        // A list that lost entries must not look like a shorter one.
        (kept.len() == entries.len()).then_some(kept)
    }

    /// A list whose entries are values or tables, and not empty. `unique` may refuse an entry for what came
    /// before it. `hint` is for the empty list.
    pub fn list_or_tables<T>(
        &mut self,
        key: &'static str,
        hint: &str,
        mut parse: impl FnMut(&DeValue<'_>) -> Result<T, Fault>,
        mut read: impl FnMut(&mut TableReader<'_, 't>) -> Option<T>,
        mut unique: impl FnMut(&T, Place) -> Result<(), Fault>,
    ) -> Option<Vec<Located<T>>> {
        let (_, entries) = self.array(key, hint)?;
        let mut kept = Vec::new();
        for (index, entry) in entries.iter().enumerate() {
            let (place, name) = (self.findings.place(entry.span()), format!("{key}[{index}]"));
            let found = if entry.get_ref().is_table() {
                match self.element(&name, hint, entry, &mut read) {
                    Some(found) => Ok(found),
                    None => continue,
                }
            } else {
                parse(entry.get_ref())
            };
            match found.and_then(|value| unique(&value, place).map(|()| value)) {
                Ok(value) => kept.push(Located { value, place }),
                Err(fault) => self.fault(place, &name, fault),
            }
        }
        // A list that lost entries must not look like a shorter one.
        (kept.len() == entries.len()).then_some(kept)
    }

    /// Reports a key that is not there; `hint` shows how it could look.
    pub fn must_have(&mut self, key: &'static str, hint: &str) {
        self.report_missing(key, hint);
    }

    /// A list that must be there and not be empty.
    pub fn required_list<T: PartialEq>(
        &mut self,
        key: &'static str,
        hint: &str,
        parse: impl FnMut(&DeValue<'_>, Place) -> Result<T, Fault>,
    ) -> Option<Vec<T>> {
        self.report_missing(key, hint);
        self.list(key, hint, parse)
    }

    /// A table whose keys all have defaults: read as an empty one if it is left out; `None` if it is
    /// no table, which then is reported.
    pub fn section<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut TableReader<'_, 't>) -> T,
    ) -> Option<T> {
        if self.has(key) {
            let hint = format!("write `[{key}]` and its keys below");
            return self.table(key, &hint, |table| Some(read(table)));
        }
        self.note(key);
        let (path, place) = (self.path_of(key), self.place);
        Some(TableReader::read(
            &DeTable::new(),
            path,
            place,
            self.findings,
            read,
        ))
    }

    /// A table that may be left out; `hint` is for a value of another type.
    pub fn table<T>(
        &mut self,
        key: &'static str,
        hint: &str,
        read: impl FnOnce(&mut TableReader<'_, 't>) -> Option<T>,
    ) -> Option<T> {
        let (place, value) = self.take(key)?;
        let Some(table) = value.as_table() else {
            self.fault(
                place,
                key,
                Fault::mismatch("a table", value).with_hint(hint),
            );
            return None;
        };
        TableReader::read(table, self.path_of(key), place, self.findings, read)
    }

    /// A table that must be there.
    pub fn required_table<T>(
        &mut self,
        key: &'static str,
        hint: &str,
        read: impl FnOnce(&mut TableReader<'_, 't>) -> Option<T>,
    ) -> Option<T> {
        self.report_missing(key, hint);
        self.table(key, hint, read)
    }

    /// The tables `[[key]]`, at least one; `None` for one that is wrong, which then is reported.
    pub fn tables<T>(
        &mut self,
        key: &'static str,
        hint: &str,
        read: impl FnMut(&mut TableReader<'_, 't>) -> Option<T>,
    ) -> Option<Vec<Option<T>>> {
        self.report_missing(key, hint);
        self.optional_tables(key, hint, read)
    }

    /// The tables `[[key]]`, of which there may be none.
    pub fn optional_tables<T>(
        &mut self,
        key: &'static str,
        hint: &str,
        mut read: impl FnMut(&mut TableReader<'_, 't>) -> Option<T>,
    ) -> Option<Vec<Option<T>>> {
        let (place, value) = self.take(key)?;
        let Some(tables) = value.as_array() else {
            self.fault(
                place,
                key,
                Fault::mismatch("an array of tables", value).with_hint(hint),
            );
            return None;
        };
        if tables.is_empty() {
            self.fault(place, key, Fault::new("is empty").with_hint(hint));
        }
        let mut found = Vec::new();
        for (index, entry) in tables.iter().enumerate() {
            found.push(self.element(&format!("{key}[{index}]"), hint, entry, &mut read));
        }
        Some(found)
    }

    fn element<T>(
        &mut self,
        key: &str,
        hint: &str,
        entry: &Spanned<DeValue<'_>>,
        read: impl FnOnce(&mut TableReader<'_, 't>) -> Option<T>,
    ) -> Option<T> {
        let place = self.findings.place(entry.span());
        let Some(table) = entry.get_ref().as_table() else {
            self.fault(
                place,
                key,
                Fault::mismatch("a table", entry.get_ref()).with_hint(hint),
            );
            return None;
        };
        TableReader::read(table, self.path_of(key), place, self.findings, read)
    }

    fn take(&mut self, key: &'static str) -> Option<(Place, &'r DeValue<'r>)> {
        self.note(key);
        let table = self.table;
        let value = table.get(key)?;
        Some((self.findings.place(value.span()), value.get_ref()))
    }

    fn note(&mut self, key: &'static str) {
        self.known.push(key);
        if self.path.is_empty() {
            self.findings.top_level.push(key);
        }
        #[cfg(test)]
        self.findings
            .asked
            .insert(without_indices(&self.path_of(key)));
    }

    fn report_missing(&mut self, key: &'static str, hint: &str) {
        if !self.has(key) && !self.is_partial() {
            self.fault(self.place, key, Fault::new("is missing").with_hint(hint));
        }
    }

    fn report_unknown_keys(&mut self) {
        let table = self.table;
        for key in table.keys() {
            let name = key.get_ref().as_ref();
            if self.known.contains(&name) {
                continue;
            }
            let misnomer = self
                .misnomers
                .iter()
                .find(|(misnomer, _)| *misnomer == name);
            let hint = match misnomer {
                Some((_, hint)) => (*hint).to_owned(),
                None => self.hint_for(name),
            };
            let place = self.findings.place(key.span());
            self.fault(
                place,
                &bare(name),
                Fault::new("unknown key").with_hint(hint),
            );
        }
    }

    fn hint_for(&self, name: &str) -> String {
        if !self.path.is_empty() && self.findings.top_level.contains(&name) {
            return "it stands at the top level: move it above the first `[table]`".to_owned();
        }
        if let Some(near) = suggest::nearest(name, self.known.iter().copied()) {
            return format!("did you mean `{near}`?");
        }
        let known: Vec<_> = self.known.iter().map(|key| format!("`{key}`")).collect();
        format!("known here are {}", known.join(", "))
    }

    fn path_of(&self, key: &str) -> String {
        match self.path.as_str() {
            "" => key.to_owned(),
            path => format!("{path}.{key}"),
        }
    }
}

/// A key as it stands in a path: quoted unless it is bare.
fn bare(key: &str) -> String {
    let is_bare = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if !key.is_empty() && key.len() <= 64 && key.bytes().all(is_bare) {
        return key.to_owned();
    }
    shown(key).replace('`', "\"")
}

#[cfg(test)]
fn without_indices(path: &str) -> String {
    path.split('[')
        .enumerate()
        .map(|(index, part)| match part.split_once(']') {
            Some((_, rest)) if index > 0 => format!("[]{rest}"),
            _ => part.to_owned(),
        })
        .collect()
}
