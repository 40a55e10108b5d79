//! `check`: everything that is wrong with the configuration and what it names. It binds no address
//! and opens no audit log; whether those are free and can be written shows when `serve` starts.

use super::{MISUSED, heard, load};
use crate::config::materials::exposed;
use crate::config::warnings::{MOST, warnings};
use crate::config::{File, LoadError, Problem};
use serde_json::{Value, json};
use std::io::{self, Write};
use std::path::Path;

/// How the outcome is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Output {
    Text,
    Json,
}

pub(super) fn check(path: &Path, without_secrets: bool, output: Output) -> io::Result<u8> {
    let file = if without_secrets {
        load::try_file(path)
    } else {
        load::try_whole(path).map(|loaded| loaded.file)
    };
    let found = file.as_ref().map_or_else(
        |_| Vec::new(),
        |file| {
            let mut found = warnings(file, now());
            if !without_secrets {
                found.extend(exposed(&file.named()));
            }
            found
        },
    );
    let checked = Checked {
        path,
        without_secrets,
        file: file.as_ref(),
        warnings: &found,
    };
    match output {
        Output::Text => checked.tell(),
        Output::Json => checked.write_json(),
    }
}

/// What was found.
struct Checked<'a> {
    path: &'a Path,
    without_secrets: bool,
    file: Result<&'a File, &'a LoadError>,
    warnings: &'a [Problem],
}

impl Checked<'_> {
    /// The outcome for people; gives the exit code.
    fn tell(&self) -> io::Result<u8> {
        let file = match self.file {
            Ok(file) => file,
            Err(error) => return load::report(self.path, error),
        };
        heard(warn(self.path, self.warnings))?;
        let (stores, callers) = (file.stores.len(), file.callers.len());
        let left_out = if self.without_secrets {
            "; nothing that it names was read"
        } else {
            ""
        };
        let plural = |count: usize| if count == 1 { "" } else { "s" };
        heard(writeln!(
            io::stdout(),
            "{}: ok, {stores} store{}, {callers} caller{}{left_out}",
            self.path.display(),
            plural(stores),
            plural(callers)
        ))?;
        Ok(0)
    }

    /// The outcome as one JSON object, whatever it is: for machines.
    fn write_json(&self) -> io::Result<u8> {
        let listed = |problems: &[Problem]| problems.iter().map(problem).collect::<Vec<_>>();
        let problems = self.file.err();
        let problems = problems.map_or_else(Vec::new, |error| load::problems(self.path, error));
        let told = json!({
            "file": self.path.display().to_string(),
            "ok": problems.is_empty(),
            "problems": listed(&problems),
            "warnings": listed(self.warnings),
            "stores": self.file.ok().map(|file| file.stores.len()),
            "callers": self.file.ok().map(|file| file.callers.len()),
            "secrets_read": !self.without_secrets,
        });
        heard(writeln!(io::stdout(), "{told:#}"))?;
        Ok(if problems.is_empty() { 0 } else { MISUSED })
    }
}

fn problem(problem: &Problem) -> Value {
    json!({
        "line": problem.line,
        "column": problem.column,
        "key": problem.key,
        "message": problem.message,
        "hint": problem.hint,
    })
}

/// Tells what is right and hardly meant; it does not change the exit code.
fn warn(path: &Path, warnings: &[Problem]) -> io::Result<()> {
    let mut out = io::stderr().lock();
    let file = path.display().to_string();
    for warning in warnings.iter().take(MOST) {
        writeln!(out, "warning: {}", warning.in_file(&file))?;
    }
    match warnings.len().checked_sub(MOST) {
        Some(more) if more > 0 => writeln!(out, "and {more} more warnings"),
        _ => Ok(()),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "tokens are about to expire by the clock"
)]
pub(super) fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}
