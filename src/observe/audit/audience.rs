//! Who is told of each line beside the audit log's output: who shows the last ones, and who sends them elsewhere. A defect
//! of theirs is none of the log's.

use super::super::line::Line;
use super::super::recent::Recent;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Who is told of each line beside the output, by the thread that writes.
#[derive(Debug, Default)]
pub struct Audience {
    /// The last decisions, where somebody may look at them.
    pub recent: Option<Recent>,
    /// What sends them elsewhere.
    pub exporter: Option<Exporter>,
}

impl Audience {
    /// Whether nobody is told.
    pub(super) const fn is_empty(&self) -> bool {
        self.recent.is_none() && self.exporter.is_none()
    }

    /// Tells of lines. Whoever fails at that is told no more: the log goes on.
    pub(super) fn tell(&mut self, lines: Vec<Line>) {
        if let Some(exporter) = &mut self.exporter {
            let told = catch_unwind(AssertUnwindSafe(|| {
                for line in &lines {
                    exporter.tell.tell(line);
                }
            }));
            if told.is_err() {
                tracing::error!(
                    "a defect ends what sends traces and records; the audit log goes on"
                );
                self.exporter = None;
            }
        }
        if let Some(recent) = &self.recent {
            recent.keep(lines);
        }
    }
}

/// What sends lines and traces elsewhere.
pub struct Exporter {
    /// The part of the requests that are traced although their callers do not say ([`Sampler::new`]).
    ///
    /// [`Sampler::new`]: crate::observe::Sampler::new
    pub sample: f64,
    /// To whom each line is told.
    pub tell: Box<dyn Tell>,
}

impl std::fmt::Debug for Exporter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exporter")
            .field("sample", &self.sample)
            .finish_non_exhaustive()
    }
}

/// One that is told of each line. It must not wait for anybody.
pub trait Tell: Send {
    /// Takes what it needs of a line.
    fn tell(&mut self, line: &Line);
}
