//! `check`: everything that is wrong with the configuration and what it names. It binds no address
//! and opens no audit log; whether those are free and can be written shows when `serve` starts.

use super::load::{self, Reported};
use crate::config::Problem;
use crate::config::materials::exposed;
use crate::config::warnings::{MOST, warnings};
use std::io::{self, Write};
use std::path::Path;

pub(super) fn check(path: &Path, without_secrets: bool) -> io::Result<u8> {
    let file = if without_secrets {
        load::file(path)?
    } else {
        load::whole(path)?.map(|(loaded, _)| loaded.file)
    };
    let file = match file {
        Ok(file) => file,
        Err(Reported(code)) => return Ok(code),
    };
    let mut found = warnings(&file, now());
    if !without_secrets {
        found.extend(exposed(&file.named()));
    }
    warn(path, &found)?;
    let (stores, callers) = (file.stores.len(), file.callers.len());
    let left_out = if without_secrets {
        "; nothing that it names was read"
    } else {
        ""
    };
    let plural = |count: usize| if count == 1 { "" } else { "s" };
    writeln!(
        io::stdout(),
        "{}: ok, {stores} store{}, {callers} caller{}{left_out}",
        path.display(),
        plural(stores),
        plural(callers)
    )?;
    Ok(0)
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
