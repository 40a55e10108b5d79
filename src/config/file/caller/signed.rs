//! The signed tokens that a caller is known by: of which issuer, and with which claims.

use std::collections::BTreeSet;

use toml::de::{DeTable, DeValue};

use super::super::issuer::short;
use super::Caller;
use crate::config::problem::{Located, shown};
use crate::config::reader::{Fault, TableReader, value};
use crate::identity::{Binding, Bindings, ClaimPath, Conflict};

/// The most claims of a binding, and the most names that lead to one.
const MOST_CLAIMS: usize = 8;
const DEEPEST: usize = 4;

const FORM: &str = "write `{ issuer = \"NAME\", subject = \"SUB\" }` or `{ issuer = \"NAME\", claims = { client_id = \"ID\" } }`";
const CLAIMS: &str = "write `{ client_id = \"crm\" }`, or for a claim within another `{ \"kubernetes.io\" = { namespace = \"crm\" } }`";

/// The signed tokens of a caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedToken {
    /// The name of an `[[issuer]]`.
    pub issuer: String,
    /// What a token must claim, all of it.
    pub claims: Binding,
}

/// Reads what the tokens must say. `known` is `None` if an issuer could not be read.
pub(super) fn signed_token(
    table: &mut TableReader<'_, '_>,
    known: Option<&BTreeSet<String>>,
) -> Option<Located<SignedToken>> {
    table.table("signed_token", FORM, |table| {
        let place = table.place();
        table.misnomer("sub", "it is called `subject` here");
        let issuer = table.required("issuer", "name an `[[issuer]]`", |found| {
            known_issuer(found, known)
        });
        let subject = table.optional("subject", |found| {
            Ok(short(value::text(found, "the `sub` of the tokens")?)?.to_owned())
        });
        let has_claims = table.has("subject") || table.has("claims");
        let claims = table.optional("claims", claims);
        if !has_claims && !table.is_partial() {
            table.fault_here(Fault::new("has neither `subject` nor `claims`").with_hint(FORM));
        }
        let mut binding = claims.map(|claims| claims.value).unwrap_or_default();
        if let Some(subject) = subject {
            let path = vec!["sub".to_owned()];
            if binding.insert(path, subject.value).is_some() {
                let fault = Fault::new("is in `claims` too, as `sub`");
                table.fault(subject.place, "subject", fault);
            }
        }
        let value = SignedToken {
            issuer: issuer?.value,
            claims: binding,
        };
        Some(Located { value, place })
    })
}

fn known_issuer(found: &DeValue<'_>, known: Option<&BTreeSet<String>>) -> Result<String, Fault> {
    let text = value::text(found, "an issuer's name")?;
    match known {
        Some(known) if !known.contains(text) => {
            let fault = value::unknown_word(text, known.iter().map(String::as_str));
            Err(Fault {
                message: format!("{} is not the name of an `[[issuer]]`", shown(text)),
                ..fault
            })
        }
        _ => Ok(text.to_owned()),
    }
}

fn claims(found: &DeValue<'_>) -> Result<Binding, Fault> {
    let Some(table) = found.as_table() else {
        return Err(Fault::mismatch("a table of claims", found).with_hint(CLAIMS));
    };
    let mut binding = Binding::new();
    collect(table, &mut Vec::new(), &mut binding)?;
    if binding.is_empty() {
        return Err(Fault::new("is empty").with_hint(CLAIMS));
    }
    if binding.len() > MOST_CLAIMS {
        return Err(Fault::new(format!("names more than {MOST_CLAIMS} claims")));
    }
    Ok(binding)
}

fn collect(table: &DeTable<'_>, path: &mut ClaimPath, binding: &mut Binding) -> Result<(), Fault> {
    for (name, value) in table {
        path.push(short(name.get_ref())?.to_owned());
        match value.get_ref() {
            DeValue::String(text) => {
                short(text)?;
                binding.insert(path.clone(), text.clone().into_owned());
            }
            DeValue::Table(inner) if inner.is_empty() => {
                let message = format!("asks for nothing within {}", shown(name.get_ref()));
                return Err(Fault::new(message).with_hint(CLAIMS));
            }
            DeValue::Table(inner) if path.len() < DEEPEST => collect(inner, path, binding)?,
            DeValue::Table(_) => {
                return Err(Fault::new(format!(
                    "goes deeper than {DEEPEST} names at {}",
                    shown(name.get_ref())
                )));
            }
            other => {
                let fault = Fault::mismatch("a text", other);
                let message = format!("{} for the claim {}", fault.message, shown(name.get_ref()));
                return Err(Fault { message, ..fault }.with_hint(CLAIMS));
            }
        }
        path.pop();
    }
    Ok(())
}

/// Reports callers of which one token would be both.
pub(super) fn refuse_overlaps(root: &mut TableReader<'_, '_>, callers: &[Option<Caller>]) {
    let signed = |caller: &Option<Caller>| caller.as_ref()?.identity.signed_token.clone();
    let bound: Vec<_> = callers
        .iter()
        .enumerate()
        .filter_map(|(index, caller)| Some((index, signed(caller)?)))
        .collect();
    let names: BTreeSet<&str> = bound
        .iter()
        .map(|(_, signed)| signed.value.issuer.as_str())
        .collect();
    for name in names {
        let of_issuer = bound
            .iter()
            .filter(|(_, signed)| signed.value.issuer == name);
        let bindings = of_issuer
            .clone()
            .map(|(index, signed)| (&signed.value.claims, *index));
        let fault = |index: usize, fault: Fault, root: &mut TableReader<'_, '_>| {
            if let Some((_, signed)) = bound.iter().find(|(known, _)| *known == index) {
                root.fault(
                    signed.place,
                    &format!("caller[{index}].signed_token"),
                    fault,
                );
            }
        };
        match Bindings::new(bindings) {
            Ok(_) => {}
            Err(Conflict::Overlap(one, other)) => {
                let first = callers.get(one).and_then(Option::as_ref);
                let first = first.map_or("", |caller| caller.name.as_str());
                let message = format!("its tokens would be tokens of the caller `{first}`, too");
                let hint = "name a claim in both that tells their tokens apart";
                fault(other, Fault::new(message).with_hint(hint), root);
            }
            Err(Conflict::TooManyKinds) => {
                let mut of_issuer = of_issuer;
                let last = of_issuer.next_back().map_or(0, |(index, _)| *index);
                let message = "the callers of this issuer are bound by more than 16 sets of claims";
                let hint = "bind callers by the same claims with other values";
                fault(last, Fault::new(message).with_hint(hint), root);
            }
        }
    }
}
