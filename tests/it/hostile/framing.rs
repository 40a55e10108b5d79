//! Requests whose end could be seen in two places. Wherever the gateway sees it, what follows is not
//! smuggled past the judgement: `EVIL` is a second request that would be served if it were one.

mod chunks;
mod codings;
mod heads;
mod lengths;
mod protocols;

use super::text::bytes;
use super::{Case, check};
use crate::support::table::columns;

/// Runs a table of answers, end and bytes.
fn check_table(group: &str, table: &str) {
    check(group, &cases(table));
}

fn cases(table: &str) -> Vec<Case> {
    columns(table)
        .map(|[answers, end, line]| Case::new(answers, end, bytes(line)))
        .collect()
}
