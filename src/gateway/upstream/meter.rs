//! Counts what passes over an upstream connection, so that it is known, not guessed, whether a byte
//! of a request has left and whether a byte of an answer has come.

use std::cell::Cell;
use std::rc::Rc;

/// Bytes handed to a connection and taken from it since it was opened.
#[derive(Debug, Default)]
pub(in crate::gateway) struct Meter {
    written: Cell<u64>,
    read: Cell<u64>,
}

impl Meter {
    /// So many bytes were handed over.
    pub(super) fn has_written(&self, count: usize) {
        self.written.set(self.written.get() + count as u64);
    }

    /// So many bytes came.
    pub(super) fn has_read(&self, count: usize) {
        self.read.set(self.read.get() + count as u64);
    }
}

/// Where a connection's counts stood when an exchange began on it.
#[derive(Debug, Clone)]
pub(in crate::gateway) struct Mark {
    meter: Rc<Meter>,
    written: u64,
    read: u64,
}

impl Mark {
    pub(super) fn set(meter: &Rc<Meter>) -> Self {
        Self {
            meter: Rc::clone(meter),
            written: meter.written.get(),
            read: meter.read.get(),
        }
    }

    /// Whether a byte has been written since.
    pub(in crate::gateway) fn wrote(&self) -> bool {
        self.meter.written.get() != self.written
    }

    /// Whether a byte has been read since.
    pub(super) fn was_read(&self) -> bool {
        self.meter.read.get() != self.read
    }
}
