//! What a caller's grants say of requests: a table of decisions, a case a line, judged as the gateway judges,
//! in report mode too, and explained by `explain`.

mod explained;
mod reported;
mod table;

use http::Method;
use metafield_gateway::config::{Policy, file};
use metafield_gateway::denial::{Code, Denial, Place};
use metafield_gateway::identity::Caller;
use metafield_gateway::policy::{Judged, Reported, Route, permit};
use std::path::Path;
use std::sync::Arc;
use table::{CASES, Case};

/// The configuration of a case: one caller with its grants.
fn configuration(case: &Case, more: &str) -> String {
    let grants = case.grants.replace("; ", "\n");
    let (policy, grants): (Vec<&str>, Vec<&str>) =
        grants.lines().partition(|line| line.starts_with("policy."));
    let scopes = if grants.iter().any(|line| line.starts_with("scopes")) {
        ""
    } else {
        "scopes = [\"store_v2_customers\"]"
    };
    format!(
        "{}\n[[store]]\nhash = \"abc123\"\ncredential = {{ file = \"absent\" }}\n\
         [[store]]\nhash = \"def456\"\ncredential = {{ file = \"absent\" }}\n\
         [[caller]]\nname = \"app\"\ntoken_sha256 = [\"{}\"]\n{scopes}\n{}\n{more}\n",
        policy.join("\n"),
        "0".repeat(64),
        grants.join("\n")
    )
}

fn policy(case: &Case, more: &str) -> Policy {
    let text = configuration(case, more);
    let file = file::read(&text, Path::new("/"));
    let file = file.unwrap_or_else(|problems| panic!("{}", problems.report("case")));
    Policy::of(&file)
}

/// The method and the target of a case, without the common part of its path.
fn target(case: &Case) -> (&str, String) {
    let (method, rest) = case.request.split_once(' ').expect("a method");
    let (store, rest) = match rest.strip_prefix("def456:") {
        Some(rest) => ("def456", rest),
        None => ("abc123", rest),
    };
    (method, format!("/stores/{store}/v3/customers/{rest}"))
}

/// The outcome of a decision: a code with its places, or what is still to be done, and what is reported.
fn decided(case: &Case, policy: &Policy) -> (String, Option<&'static str>) {
    let caller: &Arc<Caller> = &policy.callers[0];
    let (method, target) = target(case);
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target.as_str(), None),
    };
    let method: Method = method.parse().expect("a method");
    let operation = Route::parse(path).and_then(|route| route.operation(&method));
    let operation = operation.expect("an operation");
    let mut reported = Reported::default();
    let judged = permit(&caller.grants, operation, &mut reported)
        .and_then(|permitted| permitted.query(query, &mut reported))
        .and_then(|queried| {
            let body = case.body.as_bytes().to_vec().into();
            queried.body(&policy.rules, body, &mut Vec::new(), &mut reported)
        });
    let outcome = match judged {
        Ok(Judged::Allowed(_)) => "allowed".to_owned(),
        Ok(Judged::Veiled(..)) => "if its answer is within".to_owned(),
        Ok(Judged::Unproven(_)) => "if its owners are within".to_owned(),
        Err(denial) => told(&denial),
    };
    (outcome, reported.code().map(Code::as_str))
}

fn told(denial: &Denial) -> String {
    let code = denial.code().as_str();
    let Denial::Fields(faults) = denial else {
        return code.to_owned();
    };
    let places = faults.iter().map(|fault| match &fault.place {
        Place::Body => "body".to_owned(),
        Place::Field(field) => field.to_string(),
        Place::Item(index, None) => index.to_string(),
        Place::Item(index, Some(field)) => format!("{index}.{field}"),
    });
    let places: Vec<String> = places.collect();
    format!("{code} {}", places.join(" "))
}

#[test]
fn the_table_is_what_is_decided() {
    assert!(CASES.len() >= 60, "{}", CASES.len());
    for case in CASES {
        let (outcome, _) = decided(case, &policy(case, ""));
        assert_eq!(
            outcome, case.outcome,
            "{} | {} | {}",
            case.grants, case.request, case.body
        );
    }
}
