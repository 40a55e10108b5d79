//! From a configuration file's path to a snapshot, with one report of everything that is wrong.

use super::MISUSED;
use crate::config::load::{load, text};
use crate::config::materials::Outside;
use crate::config::{File, LoadError, Loaded, Seen, file};
use std::io::{self, Write};
use std::path::Path;

/// Why nothing was loaded: the report has been printed, this is the exit code.
pub(super) struct Reported(pub(super) u8);

/// Reads the file and all that it names.
pub(super) fn whole(path: &Path) -> io::Result<Result<(Loaded, Seen), Reported>> {
    let (seen, loaded) = load(path, None);
    or_report(path, loaded.map(|loaded| (loaded, seen)))
}

/// Reads the file alone.
pub(super) fn file(path: &Path) -> io::Result<Result<File, Reported>> {
    let base = path.parent().unwrap_or(Path::new(""));
    let file = text(path, &Outside::default())
        .map_err(LoadError::Unreadable)
        .and_then(|text| file::read(&text, base).map_err(LoadError::Problems));
    or_report(path, file)
}

fn or_report<T>(path: &Path, outcome: Result<T, LoadError>) -> io::Result<Result<T, Reported>> {
    let mut out = io::stderr().lock();
    match outcome {
        Ok(value) => return Ok(Ok(value)),
        Err(LoadError::Unreadable(error)) => {
            writeln!(out, "error: cannot read {}: {error}", path.display())?;
            if error.kind() == io::ErrorKind::NotFound {
                writeln!(
                    out,
                    "  hint: `--config` names the configuration file; config/minimal.toml is the least that works"
                )?;
            }
        }
        Err(LoadError::Problems(problems)) => {
            let report = problems.report(&path.display().to_string()).to_string();
            writeln!(out, "{}", report.trim_end())?;
        }
    }
    Ok(Err(Reported(MISUSED)))
}
