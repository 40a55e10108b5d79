//! `check`: everything that `serve` would refuse to start with, without binding an address.

use super::load::{self, Reported};
use std::io::{self, Write};
use std::path::Path;

pub(super) fn check(path: &Path, without_secrets: bool) -> io::Result<u8> {
    let file = match load::file(path)? {
        Ok(file) => file,
        Err(Reported(code)) => return Ok(code),
    };
    if !without_secrets && let Err(Reported(code)) = load::snapshot(path, &file)? {
        return Ok(code);
    }
    let (stores, callers) = (file.stores.len(), file.callers.len());
    let left_out = if without_secrets {
        "; nothing that it names was read"
    } else {
        ""
    };
    writeln!(
        io::stdout(),
        "{}: ok, {stores} stores, {callers} callers{left_out}",
        path.display()
    )?;
    Ok(0)
}
