//! Files and variables, read whole and with a bound: the only I/O of this floor. Everything that was read,
//! or could not be, goes into one digest, by which a later look tells whether anything has changed.

use std::cell::RefCell;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Read};
use std::path::Path;

use aws_lc_rs::digest::{Context, SHA256};
use zeroize::Zeroizing;

/// A digest of everything that was read. Two that are equal come from the same bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

/// The way to files and variables, and the digest of what came from there.
#[expect(missing_debug_implementations, reason = "it has seen secrets")]
pub struct Outside<'v> {
    variables: &'v dyn Fn(&str) -> Option<OsString>,
    seen: RefCell<Context>,
}

impl Default for Outside<'_> {
    fn default() -> Self {
        Self::new(&|name| std::env::var_os(name))
    }
}

impl<'v> Outside<'v> {
    /// The files of this machine, and these variables.
    pub fn new(variables: &'v dyn Fn(&str) -> Option<OsString>) -> Self {
        Self {
            variables,
            seen: RefCell::new(Context::new(&SHA256)),
        }
    }

    /// A file's whole content, at most `most` bytes less one. Wiped when dropped.
    pub fn file(&self, path: &Path, most: usize) -> io::Result<Zeroizing<Vec<u8>>> {
        let content = read(path, most);
        match &content {
            Ok(content) => self.note(b"content", content),
            Err(error) => self.note(b"error", error.kind().to_string().as_bytes()),
        }
        content
    }

    /// A variable's value.
    pub fn variable(&self, name: &str) -> Option<OsString> {
        let value = (self.variables)(name);
        match &value {
            Some(value) => self.note(b"value", value.as_encoded_bytes()),
            None => self.note(b"unset", b""),
        }
        value
    }

    /// The digest of everything that was read so far.
    pub fn fingerprint(&self) -> Fingerprint {
        let mut kept = [0; 32];
        let digest = self.seen.borrow().clone().finish();
        for (to, from) in kept.iter_mut().zip(digest.as_ref()) {
            *to = *from;
        }
        Fingerprint(kept)
    }

    /// With its kind and length, so that no two sequences of readings look alike.
    fn note(&self, kind: &[u8], bytes: &[u8]) {
        let mut seen = self.seen.borrow_mut();
        seen.update(kind);
        seen.update(&(bytes.len() as u64).to_be_bytes());
        seen.update(bytes);
    }
}

fn read(path: &Path, most: usize) -> io::Result<Zeroizing<Vec<u8>>> {
    let limit = u64::try_from(most).unwrap_or(u64::MAX);
    let file = fs::File::open(path)?;
    // One allocation of the final size, because a growing vector leaves copies behind. What the file says
    // of its size is not trusted further than that.
    let size = file.metadata()?.len().saturating_add(1).min(limit);
    let mut content = Zeroizing::new(Vec::with_capacity(
        usize::try_from(size).unwrap_or(most) + 1,
    ));
    let mut part = file.take(limit);
    loop {
        if content.len() == content.capacity() {
            let mut larger = Zeroizing::new(Vec::with_capacity(content.len() * 2));
            larger.extend_from_slice(&content);
            content = larger;
        }
        let room = content.capacity() - content.len();
        if (&mut part).take(room as u64).read_to_end(&mut content)? == 0 {
            break;
        }
    }
    if content.len() == most {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("{most} bytes or more"),
        ));
    }
    Ok(content)
}
