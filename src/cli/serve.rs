//! `serve`: the gateway until a signal, then its drain.

use super::check::now;
use super::load::{self, Reported};
use super::{FAILED, complain, descriptors, log};
use crate::config::warnings::{HARDLY_MEANT, warnings};
use crate::server::{Ended, Server, Source, Stage};
use std::io;
use std::path::Path;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// How often it is looked whether a worker has failed.
const LOOK: Duration = Duration::from_secs(1);

pub(super) fn serve(path: &Path) -> io::Result<u8> {
    let (loaded, seen) = match load::whole(path)? {
        Ok(whole) => whole,
        Err(Reported(code)) => return Ok(code),
    };
    let _log = log::start()?;
    descriptors::raise(&loaded.file);
    let warnings = warnings(&loaded.file, now()).len();
    if warnings > 0 {
        tracing::warn!(warnings, "{HARDLY_MEANT}");
    }
    let drain_delay = loaded.file.drain_delay;
    let source = Source {
        path: path.to_owned(),
        seen,
    };
    match Server::start(loaded, Some(source)) {
        Ok(server) => run(server, drain_delay, || Ok(())),
        Err(error) => {
            complain(&error, error.hint().as_ref().map(|hint| hint as _))?;
            Ok(FAILED)
        }
    }
}

/// Runs a started gateway to its end; gives the exit code. `announce` is called when signals are
/// listened for: who reads it may signal at once.
pub(super) fn run(
    server: Server,
    drain_delay: Duration,
    announce: impl FnOnce() -> io::Result<()>,
) -> io::Result<u8> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let signals = runtime.block_on(async { Signals::new() })?;
    announce()?;
    tracing::info!(address = %server.address, "listening");
    if let Some(admin) = &server.admin {
        tracing::info!(address = %admin, "admin listening");
    }
    let in_order = runtime.block_on(until_drained(&server, signals, drain_delay));
    let ended = server.wait();
    // Whoever drains for a second signal is done with it.
    runtime.shutdown_background();
    Ok(exit_code(ended, in_order))
}

/// Waits for a signal and begins the drain; a second signal ends it. `false` if a worker failed.
async fn until_drained(server: &Server, mut signals: Signals, drain_delay: Duration) -> bool {
    tokio::select! {
        name = signals.next(server) => tracing::info!(signal = name, "draining"),
        () = failed(server) => {
            tracing::error!("a worker ended unexpectedly; the others are drained");
            server.advance(Stage::Draining);
            return false;
        }
    }
    server.advance(Stage::Leaving);
    let second = tokio::select! {
        name = signals.next(server) => Some(name),
        () = tokio::time::sleep(drain_delay) => None,
    };
    server.advance(Stage::Draining);
    let second = if second.is_some() {
        second
    } else {
        tokio::select! {
            name = signals.next(server) => Some(name),
            () = finished(server) => None,
        }
    };
    if let Some(name) = second {
        tracing::warn!(signal = name, "ending at once");
        server.advance(Stage::Stopped);
    }
    true
}

async fn failed(server: &Server) {
    while !server.has_failed() {
        tokio::time::sleep(LOOK).await;
    }
}

async fn finished(server: &Server) {
    while !server.has_finished() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn exit_code(ended: Ended, in_order: bool) -> u8 {
    if !ended.audited {
        tracing::error!("the last audit lines could not be written");
    }
    let clean = in_order && ended.cut == 0 && ended.failed == 0 && ended.audited;
    if clean {
        tracing::info!("drained");
    }
    if clean { 0 } else { FAILED }
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// The next signal that asks for the end; a hang-up asks for a reload.
    async fn next(&mut self, server: &Server) -> &'static str {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return "SIGTERM",
                _ = self.interrupt.recv() => return "SIGINT",
                _ = self.hangup.recv() => server.reload(),
            }
        }
    }
}
