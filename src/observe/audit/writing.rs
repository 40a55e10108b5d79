//! The thread that writes the audit log. What the output has taken is never written again, and what it has not is
//! kept until it is, or until the file is opened again: then from the beginning of the line that was cut.

use super::super::line::Line;
use super::{Audience, State};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

/// How long the writer waits before it tries a failing output again: short enough that a moment's
/// trouble passes unnoticed, long enough not to spin.
const RETRY: Duration = Duration::from_millis(200);

/// How long the writer gathers lines after a write, unless the queue is half full before: waking it for each line would
/// cost a request more than its record does.
const GATHERING: Duration = Duration::from_millis(10);

/// The most bytes gathered for one write.
const BATCH: usize = 64 * 1024;

/// The most bytes that are kept for the next batch.
const KEPT: usize = 2 * BATCH;

/// What the thread is sent.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly all of them are lines")]
pub(super) enum Message {
    /// A line, in its place.
    Line(Line, OwnedSemaphorePermit),
    /// The output is to be opened again.
    Reopen,
}

/// The places of a batch's lines.
#[derive(Default)]
struct Places {
    all: Option<OwnedSemaphorePermit>,
    lines: u64,
}

impl Places {
    fn add(&mut self, place: OwnedSemaphorePermit) {
        self.lines += 1;
        match &mut self.all {
            // All are of one queue. Together they are given back at the cost of one.
            Some(all) => all.merge(place),
            None => self.all = Some(place),
        }
    }

    fn give_back(&mut self) {
        *self = Self::default();
    }
}

/// Where the lines go.
pub(super) struct Sink {
    output: Box<dyn Write + Send>,
    /// The file, if it is one that can be opened again.
    path: Option<PathBuf>,
}

impl Sink {
    /// An output that is open.
    pub(super) fn new(output: Box<dyn Write + Send>) -> Self {
        Self { output, path: None }
    }

    /// A file, which is made where there is none.
    pub(super) fn file(path: &Path) -> io::Result<Self> {
        Ok(Self {
            output: Box::new(open(path)?),
            path: Some(path.to_owned()),
        })
    }

    /// Opens the file at its path again, which may be another by now. Says whether it is.
    fn reopen(&mut self) -> bool {
        let Some(path) = &self.path else {
            tracing::info!("the audit log is no file that could be opened again");
            return false;
        };
        let path = path.display();
        match self.path.as_deref().map(open) {
            Some(Ok(file)) => {
                self.output = Box::new(file);
                tracing::info!(%path, "the audit log was opened again");
                true
            }
            Some(Err(error)) => {
                tracing::error!(%path, %error, "the audit log cannot be opened again: the file before is written on");
                false
            }
            None => false,
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o640)
        .open(path)
}

/// Writes what comes until nobody can send any more.
pub(super) fn write_lines(
    mut messages: mpsc::UnboundedReceiver<Message>,
    mut sink: Sink,
    state: &State,
    audience: &mut Audience,
) {
    let mut batch = Vec::with_capacity(BATCH);
    let mut places = Places::default();
    let mut shown = Vec::new();
    while let Some(first) = messages.blocking_recv() {
        let mut next = Some(first);
        while let Some(message) = next {
            if let Message::Line(line, place) = message {
                line.push_json(&mut batch);
                places.add(place);
                if !audience.is_empty() {
                    shown.push(line);
                }
            }
            next = (batch.len() < BATCH)
                .then(|| messages.try_recv().ok())
                .flatten();
        }
        // Before they are written: an operator looks when that fails.
        audience.tell(std::mem::take(&mut shown));
        if state.is_to_reopen() {
            sink.reopen();
        }
        write_all(&batch, &mut sink, state);
        state.written.fetch_add(places.lines, Ordering::Relaxed);
        let was_full = batch.len() >= BATCH;
        places.give_back();
        batch.clear();
        batch.shrink_to(KEPT);
        if !was_full && !messages.is_closed() {
            std::thread::park_timeout(GATHERING);
        }
    }
}

/// Writes a batch, for as long as it takes. The output keeps nothing back, so that what it has taken
/// need not be flushed.
fn write_all(batch: &[u8], sink: &mut Sink, state: &State) {
    let mut taken = 0;
    while let Some(rest) = batch.get(taken..).filter(|rest| !rest.is_empty()) {
        match sink.output.write(rest) {
            Ok(count @ 1..) => {
                taken += count;
                if state.failing.swap(false, Ordering::Relaxed) {
                    tracing::warn!("the audit log can be written again");
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            failure => {
                if !state.failing.swap(true, Ordering::Relaxed) {
                    let cause = failure.err().map_or_else(
                        || "nothing was written".to_owned(),
                        |error| error.to_string(),
                    );
                    tracing::error!(cause, "the audit log cannot be written");
                }
                std::thread::sleep(RETRY);
                if state.is_to_reopen() && sink.reopen() {
                    // Each line is whole in one of the files.
                    taken = line_begin(batch, taken);
                }
            }
        }
    }
}

/// Where the line begins in which a position is.
fn line_begin(batch: &[u8], at: usize) -> usize {
    let before = batch.get(..at).unwrap_or_default();
    memchr::memrchr(b'\n', before).map_or(0, |end| end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_was_cut_is_written_from_its_beginning() {
        let batch = b"one\ntwo\nthree\n";
        for (at, begin) in [(0, 0), (2, 0), (4, 4), (6, 4), (8, 8), (14, 14)] {
            assert_eq!(line_begin(batch, at), begin, "{at}");
        }
    }
}
