//! `token`: a fresh caller token, shown once, and the line that goes into the configuration.

use super::FAILED;
use crate::identity::Digest;
use std::io::{self, Write};

/// Marks a token of this gateway, so that secret scanners and people know one when they see it.
const PREFIX: &str = "mfg_";

pub(super) fn token() -> io::Result<u8> {
    let mut bytes = [0; 32];
    if aws_lc_rs::rand::fill(&mut bytes).is_err() {
        writeln!(io::stderr(), "error: the system gave no random bytes")?;
        return Ok(FAILED);
    }
    let token = format!("{PREFIX}{}", hex(&bytes));
    writeln!(
        io::stderr(),
        "The token, shown this once: give it to the application, as its X-Auth-Token."
    )?;
    writeln!(io::stdout(), "{token}")?;
    writeln!(
        io::stderr(),
        "Its digest, for the caller's entry in the configuration:"
    )?;
    writeln!(
        io::stdout(),
        "token_sha256 = [\"{}\"]",
        hex(Digest::of(token.as_bytes()).as_ref())
    )?;
    Ok(0)
}

pub(super) fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or_default();
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 0x0f)])
        .collect()
}
