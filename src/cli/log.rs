//! The operational log. It never holds a request up: lines go through a short queue to a thread that
//! writes, and when stderr is stuck and the queue full, lines are dropped and their number is said.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::prelude::*;

/// The variable that sets how much is logged.
const VARIABLE: &str = "METAFIELD_GATEWAY_LOG";

/// How many lines may wait: some seconds of a bad upstream.
const QUEUE: usize = 1024;

/// How long the last lines may take to be written at the end.
const FLUSH: Duration = Duration::from_secs(1);

/// Keeps the log's thread; dropping it writes what waits.
pub(super) struct Log {
    lines: Option<SyncSender<Message>>,
}

enum Message {
    Line(Vec<u8>),
    End(SyncSender<()>),
}

/// Starts the log. It takes this crate's events alone: a dependency's could hold headers.
pub(super) fn start() -> io::Result<Log> {
    let wanted = std::env::var(VARIABLE).unwrap_or_default();
    let level = match wanted.as_str() {
        "error" => Some(LevelFilter::ERROR),
        "warn" => Some(LevelFilter::WARN),
        "info" | "" => Some(LevelFilter::INFO),
        "debug" => Some(LevelFilter::DEBUG),
        _ => None,
    };
    let (lines, waiting) = sync_channel(QUEUE);
    let lost = Arc::<AtomicU64>::default();
    let queue = Queue {
        lines: lines.clone(),
        lost: Arc::clone(&lost),
    };
    std::thread::Builder::new()
        .name("log".to_owned())
        .spawn(move || write_lines(&waiting, &lost))?;
    let events = tracing_subscriber::fmt::layer()
        .with_writer(queue)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false);
    let ours = Targets::new().with_target("metafield_gateway", level.unwrap_or(LevelFilter::INFO));
    tracing_subscriber::registry()
        .with(events.with_filter(ours))
        .try_init()
        .map_err(io::Error::other)?;
    log_panics();
    if level.is_none() {
        tracing::warn!("{VARIABLE} is none of error, warn, info and debug: taken as info");
    }
    Ok(Log { lines: Some(lines) })
}

/// A panic ends one connection, never the process. Its message is not logged: it could hold data.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map(ToString::to_string)
            .unwrap_or_default();
        tracing::error!(place, "a defect in the gateway ended a connection");
    }));
}

impl Drop for Log {
    fn drop(&mut self) {
        let (done, wait) = sync_channel(1);
        let asked = self
            .lines
            .take()
            .is_some_and(|lines| lines.try_send(Message::End(done)).is_ok());
        if asked {
            // On failure nobody reads stderr, and there is nobody to tell.
            wait.recv_timeout(FLUSH).ok();
        }
    }
}

fn write_lines(waiting: &Receiver<Message>, lost: &AtomicU64) {
    while let Ok(message) = waiting.recv() {
        let mut out = io::stderr().lock();
        // A log that cannot be written has nowhere to say so.
        let written = match message {
            Message::Line(line) => out.write_all(&line),
            Message::End(done) => {
                // Whoever waited may have given up.
                done.send(()).ok();
                return;
            }
        };
        let count = lost.swap(0, Ordering::Relaxed);
        if count > 0 && written.is_ok() && writeln!(out, "{count} log lines were dropped").is_err()
        {
            lost.fetch_add(count, Ordering::Relaxed);
        }
    }
}

/// One end of the queue.
#[derive(Clone)]
struct Queue {
    lines: SyncSender<Message>,
    lost: Arc<AtomicU64>,
}

impl<'a> MakeWriter<'a> for Queue {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Write for Queue {
    /// One call is one line: that is how the formatter writes.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.lines.try_send(Message::Line(line.to_vec())).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
