//! Small readers over TOML's spanned tables. A reader takes fields by name and goes on after each
//! problem, so that one run names them all; what was not taken is an unknown key. Every key that is
//! in the file is either read or reported: a table is closed by whoever opened it, not by whoever
//! reads it, so nobody can forget.

mod lines;
mod suggest;
mod table;
pub mod value;

#[cfg(test)]
use std::collections::BTreeSet;
use std::ops::Range;

use toml::de::DeTable;

use self::lines::Lines;
pub use self::table::TableReader;
pub use self::value::Fault;
use crate::config::problem::{Place, Problem, Problems};

/// What to do about what the syntax does not allow; the message says what was expected.
fn syntax_hint(message: &str) -> &'static str {
    if message == "duplicate key" {
        "a key or a `[table]` may stand once; keys of one table belong together"
    } else if message.starts_with("invalid date") || message.starts_with("invalid time") {
        "numbers and a dash are a date in TOML: put anything else in quotes, such as the range `\"1000-1999\"`"
    } else {
        "the file is TOML: see https://toml.io/en/v1.0.0"
    }
}

/// Reads a whole document: what `read` makes of its root table, or every problem.
pub fn document<T>(
    text: &str,
    read: impl FnOnce(&mut TableReader<'_, '_>) -> Option<T>,
) -> Result<T, Problems> {
    let (found, findings) = walk(text, read);
    match (found, Problems::found(findings.problems)) {
        (Some(found), None) => Ok(found),
        (_, Some(problems)) => Err(problems),
        // A reader that gives up without a word is a fault of ours, but not worth a panic.
        (None, None) => Err(Problem::new(Place::START, "", "cannot be read").into()),
    }
}

/// As [`document`], with everything that was found on the way.
pub(super) fn walk<'t, T>(
    text: &'t str,
    read: impl FnOnce(&mut TableReader<'_, 't>) -> Option<T>,
) -> (Option<T>, Findings<'t>) {
    let (root, errors) = DeTable::parse_recoverable(text);
    let mut findings = Findings::new(text);
    for error in errors {
        let place = findings.lines.place(error.span().unwrap_or_default().start);
        // What follows on the same line is most often a consequence.
        if !findings.broken_lines.contains(&place.line) {
            findings.broken_lines.push(place.line);
            findings.problems.push(
                Problem::new(place, "", error.message()).with_hint(syntax_hint(error.message())),
            );
        }
    }
    let syntax = findings.problems.len();
    let found = TableReader::read(
        root.get_ref(),
        String::new(),
        Place::START,
        &mut findings,
        read,
    );
    let broken = std::mem::take(&mut findings.broken_lines);
    let mut index = 0;
    findings.problems.retain(|problem| {
        index += 1;
        index <= syntax || !broken.contains(&problem.line)
    });
    (found, findings)
}

/// What was found so far in one document.
#[derive(Debug)]
pub struct Findings<'t> {
    lines: Lines<'t>,
    problems: Vec<Problem>,
    broken_lines: Vec<usize>,
    /// The keys that stand above all tables.
    top_level: Vec<&'static str>,
    /// Every key that was asked for, arrays as `caller[].name`.
    #[cfg(test)]
    pub(super) asked: BTreeSet<String>,
}

impl<'t> Findings<'t> {
    fn new(text: &'t str) -> Self {
        Self {
            lines: Lines::new(text),
            problems: Vec::new(),
            broken_lines: Vec::new(),
            top_level: Vec::new(),
            #[cfg(test)]
            asked: BTreeSet::new(),
        }
    }

    fn place(&self, span: Range<usize>) -> Place {
        self.lines.place(span.start)
    }

    fn fault(&mut self, place: Place, key: impl Into<String>, fault: Fault) {
        let Fault { message, hint } = fault;
        let problem = Problem {
            hint,
            ..Problem::new(place, key, message)
        };
        self.problems.push(problem);
    }

    #[cfg(test)]
    pub(super) fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

/// The fault of a value that must be unique and is not.
pub fn twice(first: Place) -> Fault {
    Fault::new(format!("is the same as on line {}", first.line))
        .with_hint("each must be there once: change this one or leave it out")
}
