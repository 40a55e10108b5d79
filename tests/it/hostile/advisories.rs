//! What happened to others, a test each: proxies that put a credential behind policy and sent something
//! else than what they had judged. The name of a test begins with the advisory or issue.

mod bodies;
mod heads;
mod identity;
mod operators;
mod settings;
mod targets;
mod ways;

use super::{Bench, Case, check};
use crate::support::client::Request;
use crate::support::table::columns;

/// Runs a table of answers, end and bytes.
fn check_table(name: &str, table: &str) {
    let cases: Vec<Case> = columns(table)
        .map(|[answers, end, line]| Case::new(answers, end, super::text::bytes(line)))
        .collect();
    check(&format!("advisories, {name}"), &cases);
}

/// Runs a request after which the connection goes on.
fn run(bench: &mut Bench, answer: &str, request: &Request) {
    bench.run(&Case::new(answer, "open", request.to_bytes()));
}
