//! What a reload has changed, in a few words for the log: names and counts, and nothing of what was read.

use crate::config::file::{Caller, Grants};
use crate::config::{File, Snapshot};
use crate::policy::Enforcement;
use std::collections::HashMap;

/// How many names are told of each kind.
const NAMED: usize = 5;

/// What differs between two configurations, and in what they name.
pub(super) fn told(before: (&File, &Snapshot), after: (&File, &Snapshot)) -> String {
    let mut changes = of_files(before.0, after.0);
    changes.extend(of_materials(before.1, after.1, after.0));
    if changes.is_empty() {
        return "nothing that counts".to_owned();
    }
    changes.join("; ")
}

fn of_files(before: &File, after: &File) -> Vec<String> {
    let lists = [
        of_list(
            "stores",
            &before.stores,
            &after.stores,
            |store| store.hash.as_str(),
            |_, _| "",
        ),
        of_list(
            "callers",
            &before.callers,
            &after.callers,
            |caller| &caller.name,
            of_caller,
        ),
        of_list(
            "issuers",
            &before.issuers,
            &after.issuers,
            |issuer| &issuer.name,
            |_, _| "",
        ),
    ];
    let drain = |file: &File| (file.drain_timeout, file.drain_delay);
    let tables = [
        ("workers", before.workers == after.workers),
        ("drain", drain(before) == drain(after)),
        (
            "reload_interval",
            before.reload_interval == after.reload_interval,
        ),
        ("listen", before.listen == after.listen),
        ("admin", before.admin == after.admin),
        ("upstream", before.upstream == after.upstream),
        ("audit", before.audit == after.audit),
        ("policy", before.policy == after.policy),
        ("limits", before.limits == after.limits),
        ("quota", before.quota == after.quota),
    ];
    let changed = tables.into_iter().filter(|(_, is_same)| !is_same);
    let changed = changed.map(|(table, _)| table.to_owned());
    lists.into_iter().flatten().chain(changed).collect()
}

/// What came, went and changed of a list of named entries.
fn of_list<E: PartialEq>(
    kind: &str,
    before: &[E],
    after: &[E],
    name: fn(&E) -> &str,
    what: fn(&E, &E) -> &'static str,
) -> Option<String> {
    let by_name = |list| -> HashMap<&str, &E> { Iterator::map(list, |e| (name(e), e)).collect() };
    let (old, new) = (by_name(before.iter()), by_name(after.iter()));
    let pick = |list: &[E], of: &dyn Fn(&E) -> Option<String>| names(list.iter().filter_map(of));
    let told = [
        (
            "new",
            pick(after, &|entry| {
                (!old.contains_key(name(entry))).then(|| name(entry).to_owned())
            }),
        ),
        (
            "gone",
            pick(before, &|entry| {
                (!new.contains_key(name(entry))).then(|| name(entry).to_owned())
            }),
        ),
        (
            "changed",
            pick(after, &|entry| {
                let old = old.get(name(entry)).filter(|old| **old != entry)?;
                Some(format!("{}{}", name(entry), what(old, entry)))
            }),
        ),
    ];
    let told = told.into_iter();
    let told: Vec<String> = told
        .filter_map(|(word, names)| Some(format!("{word} {}", names?)))
        .collect();
    (!told.is_empty()).then(|| format!("{kind}: {}", told.join(", ")))
}

/// What of a caller is another: what widens or narrows it must not look like a new token.
fn of_caller(before: &Caller, after: &Caller) -> &'static str {
    let grants = |caller: &Caller| Grants {
        enforcement: None,
        ..caller.grants.clone()
    };
    let enforcement = |caller: &Caller| {
        let enforcement = caller.grants.enforcement.as_ref();
        enforcement.map_or(Enforcement::Enforce, |found| found.value)
    };
    match (
        enforcement(before) == enforcement(after),
        (before.scopes == after.scopes) && grants(before) == grants(after),
        before.identity == after.identity,
    ) {
        (false, true, true) => " (enforcement)",
        (false, ..) => " (enforcement and more)",
        (true, false, true) => " (scopes or grants)",
        (true, false, false) => " (scopes or grants, and identity)",
        (true, true, _) => " (identity)",
    }
}

/// The first of some names, and how many more there are; `None` without any.
fn names(names: impl Iterator<Item = String>) -> Option<String> {
    let names: Vec<String> = names.collect();
    let shown = names.get(..NAMED).unwrap_or(&names).join(", ");
    match names.len() {
        0 => None,
        count if count > NAMED => Some(format!("{shown} and {} more", count - NAMED)),
        _ => Some(shown),
    }
}

/// What the files hold that the configuration names.
/// Whether another password or authority is named by the same words.
fn is_let_in_otherwise(before: &Snapshot, after: &Snapshot) -> bool {
    let both = before.shared.as_ref().zip(after.shared.as_ref());
    both.is_some_and(|(old, new)| (&old.password, &old.roots) != (&new.password, &new.roots))
}

fn of_materials(before: &Snapshot, after: &Snapshot, file: &File) -> Vec<String> {
    let stores = file.stores.iter().filter(|store| {
        let (old, new) = (
            before.credentials(&store.hash),
            after.credentials(&store.hash),
        );
        old.zip(new).is_some_and(|(old, new)| !old.is_same(new))
    });
    let credentials = names(stores.map(|store| store.hash.to_string()));
    let issuers = after.signers.issuers.list().iter().filter(|issuer| {
        let old = before.signers.issuers.list().iter();
        let mut old = old.filter(|old| old.settings.name == issuer.settings.name);
        old.any(|old| issuer.keys.differ_from_file(&old.keys))
    });
    let keys = names(issuers.map(|issuer| issuer.settings.name.clone()));
    [
        credentials.map(|stores| format!("credentials of {stores}")),
        (before.server_tls != after.server_tls).then(|| "the listener's certificates".to_owned()),
        keys.map(|issuers| format!("keys of {issuers}")),
        is_let_in_otherwise(before, after).then(|| "how the shared server lets in".to_owned()),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::file::read;
    use std::path::Path;

    const STORE: &str = "[[store]]\nhash = \"abc\"\ncredential = { file = \"token\" }\n";

    fn file(text: &str) -> File {
        read(text, Path::new("")).unwrap_or_else(|problems| panic!("{}", problems.report("f")))
    }

    fn caller(number: usize, more: &str) -> String {
        format!(
            "[[caller]]\nname = \"app-{number}\"\ntoken_sha256 = [\"{number:064}\"]\nscopes = [\"store_v2_customers\"]\n{more}\n"
        )
    }

    #[test]
    fn what_came_went_and_changed_is_named() {
        let many: String = (10..17).map(|number| caller(number, "")).collect();
        let before = format!("{STORE}{}{}", caller(1, ""), caller(2, ""));
        for (after, expected) in [
            (format!("# A word.\n\n{before}"), &[][..]),
            (
                format!(
                    "{STORE}{}{}",
                    caller(1, "namespaces = [\"crm\"]"),
                    caller(3, "")
                ),
                &["callers: new app-3, gone app-2, changed app-1 (scopes or grants)"],
            ),
            (
                format!("{before}{many}"),
                &["callers: new app-10, app-11, app-12, app-13, app-14 and 2 more"],
            ),
            (
                format!("limits.body = \"2KiB\"\nupstream.deadline = \"2s\"\n{before}"),
                &["upstream", "limits"],
            ),
            (
                format!(
                    "{STORE}{}{}",
                    caller(1, "enforcement = \"report\""),
                    caller(2, "")
                ),
                &["callers: changed app-1 (enforcement)"],
            ),
            (
                before.replace("0001\"", "0009\""),
                &["callers: changed app-1 (identity)"],
            ),
            (
                before.replace("\"abc\"", "\"def\""),
                &["stores: new def, gone abc"],
            ),
        ] {
            assert_eq!(of_files(&file(&before), &file(&after)), expected, "{after}");
        }
    }
}
