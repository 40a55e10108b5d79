//! One load: from the file's path to a snapshot or every problem, with a digest of all that was read. Blocks
//! on files.

use super::file::{self, File, Named};
use super::materials::{self, Fingerprint, Outside};
use super::problem::Problems;
use super::snapshot::Snapshot;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// The most bytes of a configuration file: some ten thousand callers.
pub const LARGEST: usize = 16 << 20;

/// What was loaded.
#[expect(missing_debug_implementations, reason = "it holds credentials")]
pub struct Loaded {
    /// The file as plain data.
    pub file: File,
    /// What it means.
    pub snapshot: Arc<Snapshot>,
}

/// Why nothing could be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file itself cannot be read.
    #[error("cannot read the configuration file")]
    Unreadable(#[source] io::Error),
    /// Everything that is wrong with it, and with what it names.
    #[error("the configuration has problems")]
    Problems(Problems),
}

/// What a load has looked at, and how it was.
#[derive(Debug)]
pub struct Seen {
    named: Named,
    fingerprint: Fingerprint,
}

impl Seen {
    /// What the file at this path and all that it named then are like now. Blocks on files.
    pub fn look(&self, path: &Path) -> Fingerprint {
        let outside = Outside::default();
        // Whatever cannot be read is part of the digest too.
        drop(text(path, &outside));
        drop(materials::read(&self.named, &outside));
        outside.fingerprint()
    }

    /// Whether a look has found something else than this load.
    pub fn differs(&self, look: Fingerprint) -> bool {
        look != self.fingerprint
    }
}

/// Loads the file at this path, and what it names. `previous` is what the new snapshot is to replace.
pub fn load(path: &Path, previous: Option<&Snapshot>) -> (Seen, Result<Loaded, LoadError>) {
    let outside = Outside::default();
    let mut named = Named::default();
    let loaded = load_noting(path, previous, &outside, &mut named);
    let fingerprint = outside.fingerprint();
    (Seen { named, fingerprint }, loaded)
}

fn load_noting(
    path: &Path,
    previous: Option<&Snapshot>,
    outside: &Outside<'_>,
    named: &mut Named,
) -> Result<Loaded, LoadError> {
    let text = text(path, outside).map_err(LoadError::Unreadable)?;
    let base = path.parent().unwrap_or(Path::new(""));
    let outcome;
    (outcome, *named) = file::read_with_names(&text, base);
    // What is named is looked at in any case: all problems are told at once.
    let materials = materials::read(named, outside);
    let (file, materials) = match (outcome, materials) {
        (Ok(file), Ok(materials)) => (file, materials),
        (Err(problems), Ok(_)) | (Ok(_), Err(problems)) => {
            return Err(LoadError::Problems(problems));
        }
        (Err(problems), Err(others)) => return Err(LoadError::Problems(problems.and(others))),
    };
    let snapshot =
        Snapshot::compile_after(&file, materials, previous).map_err(LoadError::Problems)?;
    Ok(Loaded {
        file,
        snapshot: Arc::new(snapshot),
    })
}

/// The text of a configuration file.
pub fn text(path: &Path, outside: &Outside<'_>) -> io::Result<String> {
    let mut bytes = outside.file(path, LARGEST)?;
    String::from_utf8(std::mem::take(&mut *bytes))
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8"))
}
