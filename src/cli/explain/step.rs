//! The steps of a decision, in the order in which the gateway takes them. The outcome is what the policy
//! says, by the same functions; a step only tells what was compared, by the same checks.

use super::compared::compared;
use super::condition::Condition;
use super::explanation::{Asked, Explanation, Mark, Step};
use crate::config::Policy;
use crate::denial::{Code, Denial, Place};
use crate::policy::{Grants, Judged, Operation, Reported, Route, checks, permit};
use crate::quota::CallerTerms;
use bytes::Bytes;
use http::Method;

/// Explains a request of one of the policy's callers, by its place in the configuration.
pub fn explain(policy: &Policy, caller: usize, asked: &Asked<'_>) -> Explanation {
    let mut found = Explanation {
        steps: Vec::new(),
        outcome: Ok(()),
        condition: None,
        reported: Reported::default(),
        operation: None,
        items: Vec::new(),
    };
    let outcome = decide(policy, caller, asked, &mut found);
    found.outcome = outcome;
    found.steps = steps(policy, caller, asked, &found);
    found
}

fn decide(
    policy: &Policy,
    caller: usize,
    asked: &Asked<'_>,
    found: &mut Explanation,
) -> Result<(), Denial> {
    let limits = &policy.limits;
    if asked.target.len() > limits.target {
        return Err(Denial::TargetTooLong {
            limit: limits.target,
        });
    }
    let method = Method::from_bytes(asked.method.as_bytes());
    let reads = matches!(method, Ok(Method::GET | Method::HEAD));
    if reads && !asked.body.is_empty() {
        return Err(Denial::MalformedRequest {
            reason: "GET and HEAD take no body",
        });
    }
    let (path, query) = asked.parts();
    let route = Route::parse(path).ok_or(Denial::UnknownRoute)?;
    let not_allowed = Denial::MethodNotAllowed {
        allow: route.allow(),
    };
    let operation = method.ok().and_then(|method| route.operation(&method));
    let operation = operation.ok_or(not_allowed)?;
    found.operation = Some(operation.clone());
    let number = caller;
    let caller = policy.callers.get(caller).ok_or(Denial::UnknownToken)?;
    if !policy.stores.contains(&operation.store) {
        return Err(Denial::UnknownStore);
    }
    let limit = limits.body_of(operation.verb);
    let permitted = permit(&caller.grants, operation, &mut found.reported)?;
    let queried = permitted.query(query, &mut found.reported)?;
    if asked.body.len() > limit {
        return Err(Denial::BodyTooLarge { limit });
    }
    let body = Bytes::copy_from_slice(asked.body);
    let judged = queried.body(&policy.rules, body, &mut found.items, &mut found.reported)?;
    let largest = policy
        .spending
        .get(number)
        .and_then(CallerTerms::largest_batch);
    let largest = largest.filter(|_| judged.operation().verb.is_batch());
    if let Some(limit) = largest.filter(|limit| found.items.len() > *limit) {
        return Err(Denial::BatchOverGrant { limit });
    }
    found.condition = match &judged {
        Judged::Allowed(_) => None,
        Judged::Veiled(..) => Some(Condition::Answer),
        Judged::Unproven(unproven) if unproven.look_up().is_some() => Some(Condition::Owner),
        Judged::Unproven(_) => Some(Condition::Owners),
    };
    Ok(())
}

/// The names of the steps, in their order.
const ORDER: [&str; 21] = [
    "target",
    "framing",
    "path",
    "method",
    "token",
    "store",
    "scopes",
    "stores",
    "operations",
    "customers",
    "namespaces",
    "keys",
    "query",
    "limits",
    "headers",
    "size",
    "json",
    "fields",
    "batch_items",
    "grants on fields",
    "ownership",
];

/// The step at which a request is denied.
fn step_of(denial: &Denial) -> &'static str {
    match denial {
        Denial::TargetTooLong { .. } => "target",
        Denial::UnknownRoute => "path",
        Denial::MethodNotAllowed { .. } => "method",
        Denial::UnknownToken => "token",
        Denial::UnknownStore => "store",
        Denial::ScopeDenied { .. } => "scopes",
        Denial::StoreDenied => "stores",
        Denial::OperationDenied => "operations",
        Denial::CustomerDenied | Denial::CustomerUnproven { .. } => "customers",
        Denial::NamespaceUnproven { .. } => "namespaces",
        Denial::KeyUnproven { .. } => "keys",
        Denial::MalformedQuery { .. } | Denial::UnknownQueryKey { .. } => "query",
        Denial::BodyTooLarge { .. } => "size",
        Denial::BatchOverGrant { .. } => "batch_items",
        Denial::Fields(faults) if faults.iter().any(|fault| is_of_grants(fault.code)) => {
            "grants on fields"
        }
        Denial::BatchTooLarge { .. } | Denial::Fields(_) => "fields",
        Denial::MalformedRequest { .. } => "framing",
        _ => "json",
    }
}

fn is_of_grants(code: Code) -> bool {
    matches!(
        code,
        Code::PermissionSetDenied | Code::NamespaceDenied | Code::KeyDenied | Code::CustomerDenied
    )
}

fn steps(policy: &Policy, caller: usize, asked: &Asked<'_>, found: &Explanation) -> Vec<Step> {
    let denied = found.outcome.as_ref().err().map(step_of);
    let at = denied.and_then(|name| ORDER.iter().position(|known| *known == name));
    let grants = policy.callers.get(caller).map(|caller| &caller.grants);
    let mark = |index: usize, name: &str| match at {
        Some(at) if index > at => Mark::NotReached,
        Some(at) if index == at => Mark::Denied,
        _ if matches!(name, "headers" | "token" | "limits") => Mark::NotJudged,
        _ if name == "ownership" && found.condition.is_some() => Mark::Depends,
        _ if grants.is_some_and(|grants| is_reported(grants, name, found, asked)) => Mark::Reported,
        _ => Mark::Ok,
    };
    let steps = ORDER.iter().enumerate().map(|(index, name)| {
        let mark = mark(index, name);
        let compared = match (mark, &found.outcome) {
            (Mark::NotReached, _) => String::new(),
            (Mark::Denied, Err(denial)) if tells_the_fault(name) => fault(denial),
            _ => compared(policy, caller, asked, found, name),
        };
        Step {
            name,
            mark,
            compared,
        }
    });
    steps.collect()
}

/// Whether what the step compares is a rule, which does not show what is wrong with this request.
fn tells_the_fault(name: &str) -> bool {
    matches!(
        name,
        "framing" | "path" | "method" | "query" | "json" | "fields" | "grants on fields"
    )
}

fn fault(denial: &Denial) -> String {
    let places = places(denial);
    let Some((place, reason)) = places.first() else {
        return denial.detail().into_owned();
    };
    match places.len() - 1 {
        0 => format!("{place}: {reason}"),
        more => format!("{place}: {reason}; and {more} more"),
    }
}

/// Whether a check of grants that only report has something against the request.
fn is_reported(grants: &Grants, name: &str, found: &Explanation, asked: &Asked<'_>) -> bool {
    let Some(operation) = found.operation.as_ref().filter(|_| grants.only_report()) else {
        return false;
    };
    match name {
        "batch_items" => grants
            .batch_items
            .is_some_and(|most| found.items.len() > most),
        "grants on fields" => checks::ITEM.iter().any(|check| {
            let items = found.items.iter().enumerate();
            let verb = operation.verb;
            verb.has_body()
                && items
                    .into_iter()
                    .any(|(at, item)| check.judge(grants, verb, at, item).is_some())
        }),
        _ => {
            let by_head = checks::HEAD.iter().filter(|check| check.name == name);
            let by_head = by_head
                .into_iter()
                .any(|check| (check.judge)(grants, operation).is_err());
            by_head || is_listed_outside(grants, name, operation, asked)
        }
    }
}

/// Whether a list asks for more than it may, by the outcome of a caller that is held to this grant alone.
fn is_listed_outside(
    grants: &Grants,
    name: &str,
    operation: &Operation,
    asked: &Asked<'_>,
) -> bool {
    let mut alone = Grants::of_scopes(grants.scopes.clone());
    match name {
        "namespaces" => alone.namespaces.clone_from(&grants.namespaces),
        "keys" => alone.keys.clone_from(&grants.keys),
        _ => return false,
    }
    let (_, query) = asked.parts();
    let mut reported = Reported::default();
    let outcome = permit(&alone, operation.clone(), &mut reported)
        .and_then(|permitted| permitted.query(query, &mut reported));
    outcome.is_err_and(|denial| step_of(&denial) == name)
}

/// The places of a denial, as the answer's `errors` names them.
pub(super) fn places(denial: &Denial) -> Vec<(String, String)> {
    let Denial::Fields(faults) = denial else {
        return Vec::new();
    };
    let place = |place: &Place| match place {
        Place::Body => "body".to_owned(),
        Place::Field(field) => field.to_string(),
        Place::Item(index, None) => format!("item {index}"),
        Place::Item(index, Some(field)) => format!("item {index}, {field}"),
    };
    faults
        .iter()
        .map(|fault| (place(&fault.place), fault.reason.to_string()))
        .collect()
}
