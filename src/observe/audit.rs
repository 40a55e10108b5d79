//! The audit log's queue and its writer. A place in the bounded queue is taken before anything is
//! sent upstream, so that a line cannot be lost for want of room; a thread of its own writes, so that
//! a slow output never holds a request up. While the output fails, lines wait and are written later.

mod audience;
mod writing;

pub use audience::{Audience, Exporter, Tell};

use super::line::Line;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::Thread;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use writing::{Message, Sink, write_lines};

/// What the configuration says of the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditSettings {
    /// Where lines go.
    pub output: Output,
    /// What happens to requests while they cannot be recorded.
    pub on_failure: OnFailure,
    /// How many lines may wait for the writer; one with much text counts as several.
    pub queue: usize,
}

/// Where audit lines go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Nowhere.
    Off,
    /// The standard output.
    Stdout,
    /// This file, appended to; created with mode 0640.
    File(PathBuf),
}

impl std::fmt::Display for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::Stdout => f.write_str("stdout"),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

/// What happens to requests while they cannot be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// They are refused with 503.
    Refuse,
    /// They go on unrecorded, and are counted.
    Continue,
}

/// The log as the workers see it.
#[derive(Debug, Clone)]
pub struct Audit {
    queue: Option<Queue>,
    on_failure: OnFailure,
    sample: Option<f64>,
    state: Arc<State>,
}

/// The channel has no bound of its own: a line enters it only with its places.
#[derive(Debug, Clone)]
struct Queue {
    lines: mpsc::UnboundedSender<Message>,
    places: Arc<Semaphore>,
    size: u32,
    /// The thread that writes, once it runs.
    writer: Arc<OnceLock<Thread>>,
}

#[derive(Debug, Default)]
struct State {
    failing: AtomicBool,
    written: AtomicU64,
    lost: AtomicU64,
    /// Set by whoever wants the output opened again.
    reopen: AtomicBool,
}

/// Marks the log as failing if its thread ends in any other way than by writing everything.
struct Ending<'s>(&'s State, bool);

impl Ending<'_> {
    /// Everything is written.
    fn all_is_written(mut self) {
        self.1 = true;
    }
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        if !self.1 {
            self.0.failing.store(true, Ordering::Relaxed);
        }
    }
}

impl State {
    fn is_to_reopen(&self) -> bool {
        self.reopen.swap(false, Ordering::AcqRel)
    }
}

/// A place in the queue.
#[derive(Debug)]
pub struct Place(Option<OwnedSemaphorePermit>);

/// The thread that writes; to be joined at the end with [`Writer::finish`].
#[derive(Debug, Default)]
pub struct Writer {
    done: Option<std::sync::mpsc::Receiver<()>>,
    /// Ends when the audience has had its time to send what it was told.
    told: Option<std::sync::mpsc::Receiver<()>>,
}

impl Audit {
    /// Opens the output and starts the writer, which tells the audience too.
    pub fn start(settings: &AuditSettings, audience: Audience) -> io::Result<(Self, Writer)> {
        let sink = match &settings.output {
            Output::Off if audience.exporter.is_none() => {
                let audit = Self::new(None, settings.on_failure, None);
                return Ok((audit, Writer::default()));
            }
            Output::Off => {
                // There is no record that could be missed.
                let sink = Sink::new(Box::new(io::sink()));
                return Self::start_in(sink, OnFailure::Continue, settings.queue, audience);
            }
            // Not `io::stdout()`: it keeps bytes back that it has said to be written, so that after a
            // failure nobody knows from where to go on.
            Output::Stdout => {
                let stdout = io::stdout().as_fd().try_clone_to_owned()?;
                Sink::new(Box::new(File::from(stdout)))
            }
            Output::File(path) => Sink::file(path)?,
        };
        Self::start_in(sink, settings.on_failure, settings.queue, audience)
    }

    /// Starts the writer on an output that is open already.
    pub fn start_on(
        output: Box<dyn Write + Send>,
        on_failure: OnFailure,
        queue: usize,
    ) -> io::Result<(Self, Writer)> {
        Self::start_in(Sink::new(output), on_failure, queue, Audience::default())
    }

    fn start_in(
        sink: Sink,
        on_failure: OnFailure,
        queue: usize,
        mut audience: Audience,
    ) -> io::Result<(Self, Writer)> {
        let (sender, lines) = mpsc::unbounded_channel();
        let size = u32::try_from(queue).unwrap_or(u32::MAX);
        let places = Arc::new(Semaphore::new(queue));
        let writer = Arc::<OnceLock<Thread>>::default();
        let audit = Self::new(
            Some(Queue {
                lines: sender,
                places,
                size,
                writer: Arc::clone(&writer),
            }),
            on_failure,
            audience.exporter.as_ref().map(|exporter| exporter.sample),
        );
        let (finished, done) = std::sync::mpsc::channel();
        let (told, all_told) = std::sync::mpsc::channel();
        let state = Arc::clone(&audit.state);
        let thread = std::thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || {
                let ending = Ending(&state, false);
                write_lines(lines, sink, &state, &mut audience);
                ending.all_is_written();
                // Whoever waits may have given up.
                let _gone = finished.send(());
                // What is still to be sent is sent, or given up.
                drop(audience);
                drop(told);
            })?;
        writer.get_or_init(|| thread.thread().clone());
        let writer = Writer {
            done: Some(done),
            told: Some(all_told),
        };
        Ok((audit, writer))
    }

    fn new(queue: Option<Queue>, on_failure: OnFailure, sample: Option<f64>) -> Self {
        Self {
            queue,
            on_failure,
            sample,
            state: Arc::default(),
        }
    }

    /// Takes the place of a line of this weight, of a request whose caller is known or not; `None` if the
    /// request must be refused.
    pub fn reserve(&self, weight: u32, is_known: bool) -> Option<Place> {
        let Some(queue) = &self.queue else {
            return Some(Place(None));
        };
        let refuse = self.on_failure == OnFailure::Refuse;
        if refuse && self.is_failing() {
            return None;
        }
        match queue.place(weight, is_known) {
            None if refuse => None,
            permit => Some(Place(permit)),
        }
    }

    /// Hands a line over, into its place if it has one.
    pub fn record(&self, place: Option<Place>, line: Line) {
        let Some(queue) = &self.queue else { return };
        let permit = place
            .and_then(|place| place.0)
            .or_else(|| queue.place(line.weight(), line.identified_by.is_some()));
        // The writer ends only after every sender, so that a line with a place is always taken.
        let taken =
            permit.is_some_and(|permit| queue.lines.send(Message::Line(line, permit)).is_ok());
        if !taken {
            self.state.lost.fetch_add(1, Ordering::Relaxed);
        }
        queue.hurry();
    }

    /// The part of the requests that are traced, if any are.
    pub const fn sample(&self) -> Option<f64> {
        self.sample
    }

    /// A view of the log that does not keep it open.
    pub fn health(&self) -> AuditHealth {
        let queue = self.queue.as_ref();
        AuditHealth {
            state: Arc::clone(&self.state),
            places: queue.map(|queue| (Arc::clone(&queue.places), queue.size)),
        }
    }

    /// What opens the file again; it does not keep the log open.
    pub fn reopener(&self) -> Reopener {
        Reopener {
            state: Arc::clone(&self.state),
            lines: self.queue.as_ref().map(|queue| queue.lines.downgrade()),
        }
    }

    fn is_failing(&self) -> bool {
        self.state.failing.load(Ordering::Relaxed)
    }
}

impl Queue {
    /// Lets the writer gather no longer when half of the places are taken.
    fn hurry(&self) {
        if self.places.available_permits() <= self.size as usize / 2
            && let Some(writer) = self.writer.get()
        {
            writer.unpark();
        }
    }

    /// A line heavier than the whole queue waits for all of it. Nobody in particular may take more than
    /// half of it: who only sends what is refused must not keep the callers from being recorded.
    fn place(&self, weight: u32, is_known: bool) -> Option<OwnedSemaphorePermit> {
        let half = self.size as usize / 2;
        if !is_known && self.places.available_permits() <= half {
            return None;
        }
        Arc::clone(&self.places)
            .try_acquire_many_owned(weight.min(self.size))
            .ok()
    }
}

/// How the audit log is doing.
#[derive(Debug, Clone)]
pub struct AuditHealth {
    state: Arc<State>,
    places: Option<(Arc<Semaphore>, u32)>,
}

/// Has the audit log's file opened again, after it was moved away.
#[derive(Debug)]
pub struct Reopener {
    state: Arc<State>,
    lines: Option<mpsc::WeakUnboundedSender<Message>>,
}

impl Reopener {
    /// From the next line on it is the file that is at the path then, which is made if there is none. A line that the
    /// file before could not take to its end is written anew.
    pub fn reopen(&self) {
        self.state.reopen.store(true, Ordering::Release);
        // Wakes a writer that has nothing to write; one that has looks by itself.
        if let Some(lines) = self
            .lines
            .as_ref()
            .and_then(mpsc::WeakUnboundedSender::upgrade)
        {
            drop(lines.send(Message::Reopen));
        }
    }
}

impl AuditHealth {
    /// Whether the output fails now.
    pub fn is_failing(&self) -> bool {
        self.state.failing.load(Ordering::Relaxed)
    }

    /// How many of the queue's places are taken, and how many it has; none where there is no log.
    pub fn places(&self) -> (u64, u64) {
        let Some((places, size)) = &self.places else {
            return (0, 0);
        };
        let (free, size) = (places.available_permits() as u64, u64::from(*size));
        (size.saturating_sub(free), size)
    }

    /// How many lines were written since the start.
    pub fn written(&self) -> u64 {
        self.state.written.load(Ordering::Relaxed)
    }

    /// How many lines found no room since the start.
    pub fn lost(&self) -> u64 {
        self.state.lost.load(Ordering::Relaxed)
    }
}

impl Writer {
    /// Waits until every line is written, at most `patience`. All [`Audit`]s must have been dropped.
    /// `false` if lines may be missing.
    pub fn finish(self, patience: Duration) -> bool {
        let is_written = self
            .done
            .is_none_or(|done| done.recv_timeout(patience).is_ok());
        if let Some(told) = self.told.filter(|_| is_written) {
            // Nobody's record depends on it, and it has a bound of its own.
            let _sent = told.recv_timeout(patience);
        }
        is_written
    }
}

#[cfg(test)]
mod tests;
