//! From a configuration file's path to a snapshot, with one report of everything that is wrong.

use super::{MISUSED, heard};
use crate::config::load::{load, text};
use crate::config::materials::Outside;
use crate::config::problem::Place;
use crate::config::{File, LoadError, Loaded, Problem, Seen, file};
use std::io::{self, Write};
use std::path::Path;

const ABSENT: &str =
    "`--config` names the configuration file; config/minimal.toml is the least that works";

const CLOSED: &str = "let the user that the gateway runs as read it";

const FOLDER: &str = "`--config` names a file; where one that is not there is mounted, some container engines make a folder";

/// Why nothing was loaded: the report has been printed, this is the exit code.
pub(super) struct Reported(pub(super) u8);

/// Reads the file and all that it names.
pub(super) fn whole(path: &Path) -> io::Result<Result<(Loaded, Seen), Reported>> {
    let (seen, loaded) = load(path, None);
    or_report(path, loaded.map(|loaded| (loaded, seen)))
}

/// Reads the file alone.
pub(super) fn file(path: &Path) -> io::Result<Result<File, Reported>> {
    or_report(path, try_file(path))
}

/// The same without a report.
pub(super) fn try_file(path: &Path) -> Result<File, LoadError> {
    let base = path.parent().unwrap_or(Path::new(""));
    let text = text(path, &Outside::default()).map_err(LoadError::Unreadable)?;
    file::read(&text, base).map_err(LoadError::Problems)
}

/// Reads the file and all that it names, without a report.
pub(super) fn try_whole(path: &Path) -> Result<Loaded, LoadError> {
    load(path, None).1
}

fn or_report<T>(path: &Path, outcome: Result<T, LoadError>) -> io::Result<Result<T, Reported>> {
    match outcome {
        Ok(value) => Ok(Ok(value)),
        Err(error) => Ok(Err(Reported(report(path, &error)?))),
    }
}

/// Tells why nothing was loaded; gives the exit code.
pub(super) fn report(path: &Path, error: &LoadError) -> io::Result<u8> {
    heard(told(path, error))?;
    Ok(MISUSED)
}

fn told(path: &Path, error: &LoadError) -> io::Result<()> {
    let mut out = io::stderr().lock();
    match error {
        LoadError::Unreadable(_) => {
            for problem in problems(path, error) {
                writeln!(out, "error: {}", problem.message)?;
                if let Some(hint) = problem.hint {
                    writeln!(out, "  hint: {hint}")?;
                }
            }
        }
        LoadError::Problems(problems) => {
            let report = problems.report(&path.display().to_string()).to_string();
            writeln!(out, "{}", report.trim_end())?;
        }
    }
    Ok(())
}

/// Why nothing was loaded, as problems; that of the whole file has no key.
pub(super) fn problems(path: &Path, error: &LoadError) -> Vec<Problem> {
    match error {
        LoadError::Unreadable(error) => {
            let message = format!("cannot read {}: {error}", path.display());
            let problem = Problem::new(Place::START, "", message);
            vec![match error.kind() {
                io::ErrorKind::NotFound => problem.with_hint(ABSENT),
                io::ErrorKind::PermissionDenied => problem.with_hint(CLOSED),
                io::ErrorKind::IsADirectory => problem.with_hint(FOLDER),
                _ => problem,
            }]
        }
        LoadError::Problems(problems) => problems.iter().cloned().collect(),
    }
}
