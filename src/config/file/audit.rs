//! `[audit]`: where the record of decisions goes, and what happens when it cannot be written.

use std::path::Path;

use toml::de::DeValue;

use crate::config::problem::{Located, shown};
use crate::config::reader::{Fault, TableReader, value};
use crate::observe::{OnFailure, Output};

/// `audit.queue`, in lines: at 20,000 requests a second, four tenths of a second of a blocked disk;
/// at about 600 bytes a line, 5 MiB.
pub const QUEUE: usize = 8192;

/// `[audit]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audit {
    /// Where the lines go.
    pub output: Located<Output>,
    /// What becomes of a request whose line finds no room.
    pub on_failure: OnFailure,
    /// The most lines that wait to be written.
    pub queue: usize,
}

pub(super) fn audit(table: &mut TableReader<'_, '_>, base: &Path) -> Audit {
    const WORDS: [(&str, OnFailure); 2] = [
        ("refuse", OnFailure::Refuse),
        ("continue", OnFailure::Continue),
    ];
    Audit {
        output: table.or("output", Output::Stdout, output(base)),
        on_failure: table
            .or("on_failure", OnFailure::Refuse, value::choice(&WORDS))
            .value,
        queue: table
            .or("queue", QUEUE, value::integer(16..=1_048_576))
            .value,
    }
}

fn output(base: &Path) -> impl Fn(&DeValue<'_>) -> Result<Output, Fault> {
    move |found| match value::text(found, "`\"stdout\"`, `\"off\"` or a path")? {
        "stdout" => Ok(Output::Stdout),
        "off" => Ok(Output::Off),
        // A misspelt word must not become a file of that name.
        word if !word.is_empty() && !word.contains(['/', '.']) => {
            let message = format!("{} is neither `stdout` nor `off` nor a path", shown(word));
            Err(Fault::new(message)
                .with_hint(format!("for a file beside this one write `./{word}`")))
        }
        path => value::file_name(base, path).map(Output::File),
    }
}
