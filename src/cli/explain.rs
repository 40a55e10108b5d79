//! `explain`: what the gateway would decide of a request, step by step, and who could see and change the
//! field afterwards. It reads the configuration file and the body alone: no credential, no key, no network.

mod after;
mod compared;
mod condition;
mod explanation;
mod spent;
mod step;
mod told;

pub use condition::Condition;
pub use explanation::{Asked, Explanation, Mark, Step};
pub use step::explain;

use super::check::Output;
use super::load::{self, Reported};
use super::{DENIED, MISUSED, complain, heard};
use crate::config::reader::value::unknown_word;
use crate::config::{File, Policy};
use crate::policy::Operation;
use std::io::{self, Read, Write};
use std::path::Path;
use told::Told;

/// How many names of known callers are shown where one is not known.
const SHOWN: usize = 20;

pub(super) fn command(
    config: &Path,
    caller: &str,
    method: &str,
    target: &str,
    body: Option<&Path>,
    output: Output,
) -> io::Result<u8> {
    let file = match load::file(config)? {
        Ok(file) => file,
        Err(Reported(code)) => return Ok(code),
    };
    if let Some((_, rest)) = target.split_once("://") {
        let path = rest.find('/').and_then(|at| rest.get(at..));
        let error = io::Error::other("--path: a path is wanted, and no URL");
        complain(
            &error,
            path.map(|path| format!("--path '{path}'"))
                .as_ref()
                .map(|hint| hint as _),
        )?;
        return Ok(MISUSED);
    }
    let policy = Policy::of(&file);
    let Some(index) = file.callers.iter().position(|known| known.name == caller) else {
        return unknown_caller(&file, caller);
    };
    let largest = file.limits.body.max(file.limits.batch_body);
    let body = match body.map(|path| read(path, largest)).transpose() {
        Ok(body) => body.unwrap_or_default(),
        Err(error) => {
            complain(&error, None)?;
            return Ok(MISUSED);
        }
    };
    let asked = Asked {
        method,
        target,
        body: &body,
    };
    let explanation = explain(&policy, index, &asked);
    let told = Told {
        policy: &policy,
        caller: index,
        asked: &asked,
        explanation: &explanation,
        hint: hint(&asked, &explanation),
    };
    let mut out = io::stdout().lock();
    heard(match output {
        Output::Text => told.print(&mut out),
        Output::Json => writeln!(out, "{:#}", told.json()),
    })?;
    Ok(if explanation.outcome.is_ok() {
        0
    } else {
        DENIED
    })
}

fn unknown_caller(file: &File, caller: &str) -> io::Result<u8> {
    let names = file.callers.iter().map(|caller| caller.name.as_str());
    let fault = unknown_word(caller, names.take(SHOWN));
    let error = io::Error::other(format!("--caller: {}", fault.message));
    complain(&error, fault.hint.as_ref().map(|hint| hint as _))?;
    Ok(MISUSED)
}

/// A body of at most one byte more than may be sent, so that one that is too large is seen to be.
fn read(path: &Path, largest: usize) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    let limit = u64::try_from(largest).unwrap_or(u64::MAX).saturating_add(1);
    let named = |error: io::Error| {
        io::Error::new(error.kind(), format!("--body: {}: {error}", path.display()))
    };
    if path == Path::new("-") {
        io::stdin().lock().take(limit).read_to_end(&mut body)?;
    } else {
        let file = std::fs::File::open(path).map_err(named)?;
        file.take(limit).read_to_end(&mut body).map_err(named)?;
    }
    Ok(body)
}

/// What a denial may come from that is no matter of the gateway's, but of how it was asked here.
fn hint(asked: &Asked<'_>, explanation: &Explanation) -> Option<&'static str> {
    if asked.method.bytes().any(|byte| byte.is_ascii_lowercase()) {
        return Some("methods are written in capitals, as in `--method PUT`");
    }
    if explanation.operation.is_none() && !asked.target.starts_with("/stores/") {
        return Some("a path begins with `/stores/{store_hash}/v3/customers`");
    }
    let takes_body = |operation: &Operation| operation.verb.has_body();
    let is_at_json = explanation
        .steps
        .iter()
        .any(|step| step.name == "json" && step.mark == Mark::Denied);
    let wants_body = explanation.operation.as_ref().is_some_and(takes_body);
    (wants_body && is_at_json && asked.body.is_empty())
        .then_some("give the body with `--body FILE`, or `--body -` for standard input")
}
