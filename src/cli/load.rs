//! From a configuration file's path to a snapshot, with one report of everything that is wrong.

use super::MISUSED;
use crate::config::{File, Problems, Snapshot, file, materials};
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Arc;

/// The most bytes of a configuration file: some ten thousand callers.
const LARGEST: u64 = 16 * 1024 * 1024;

/// Why nothing was loaded: the report has been printed, this is the exit code.
pub(super) struct Reported(pub(super) u8);

/// Reads the file alone. If it has problems, those of what it names are reported with them, unless that
/// is not to be touched.
pub(super) fn file(path: &Path, with_secrets: bool) -> io::Result<Result<File, Reported>> {
    let text = match read_text(path) {
        Ok(text) => text,
        Err(error) => {
            writeln!(
                io::stderr(),
                "error: cannot read {}: {error}",
                path.display()
            )?;
            return Ok(Err(Reported(MISUSED)));
        }
    };
    let base = path.parent().unwrap_or(Path::new(""));
    let (outcome, named) = file::read_with_names(&text, base);
    let outcome = outcome.map_err(|problems| {
        match with_secrets
            .then(|| materials::read(&named).err())
            .flatten()
        {
            Some(others) => problems.and(others),
            None => problems,
        }
    });
    or_report(path, outcome)
}

/// Reads what the file names, and compiles all of it.
pub(super) fn snapshot(path: &Path, file: &File) -> io::Result<Result<Arc<Snapshot>, Reported>> {
    let snapshot =
        materials::read(&file.named()).and_then(|materials| Snapshot::compile(file, materials));
    or_report(path, snapshot.map(Arc::new))
}

fn read_text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let length = std::fs::File::open(path)?
        .take(LARGEST + 1)
        .read_to_string(&mut text)?;
    if length as u64 > LARGEST {
        return Err(io::Error::other(format!(
            "it is larger than {LARGEST} bytes"
        )));
    }
    Ok(text)
}

fn or_report<T>(path: &Path, outcome: Result<T, Problems>) -> io::Result<Result<T, Reported>> {
    match outcome {
        Ok(value) => Ok(Ok(value)),
        Err(problems) => {
            let name = path.display().to_string();
            writeln!(
                io::stderr(),
                "{}",
                problems.report(&name).to_string().trim_end()
            )?;
            Ok(Err(Reported(MISUSED)))
        }
    }
}
