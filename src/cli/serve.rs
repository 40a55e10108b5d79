//! `serve`: the gateway until a signal, then its drain.

use super::check::now;
use super::load::{self, Reported};
use super::service::{self, Watchdog};
use super::{FAILED, complain, descriptors, log};
use crate::config::File;
use crate::config::warnings::{HARDLY_MEANT, warnings};
use crate::observe::Clock;
use crate::server::{Ended, Inherited, Predecessor, Server, Source, Stage};
use std::io;
use std::path::Path;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// How often it is looked whether the workers accept connections, right after the start.
const READY: Duration = Duration::from_millis(1);

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
    let (inherited, predecessor) = match inherit(&loaded.file) {
        Ok(found) => found,
        Err(error) => {
            complain(
                &error,
                Some(&"stop the process that has the sockets, or start this one as the same user"),
            )?;
            return Ok(FAILED);
        }
    };
    match Server::start_with(loaded, Some(source), inherited, &Clock::system()) {
        Ok(server) => run(server, drain_delay, predecessor, || Ok(())),
        Err(error) => {
            complain(&error, error.hint().as_ref().map(|hint| hint as _))?;
            Ok(FAILED)
        }
    }
}

/// The listening sockets that are there already: the init system's, or those of the gateway that this one replaces.
fn inherit(file: &File) -> io::Result<(Inherited, Option<Predecessor>)> {
    let inherited = Inherited::from_environment().map_err(|error| {
        let message = format!("the sockets in LISTEN_FDS cannot be used: {error}");
        io::Error::new(error.kind(), message)
    })?;
    let Some(path) = file.handover.as_ref().filter(|_| inherited.is_empty()) else {
        return Ok((inherited, None));
    };
    let found = Predecessor::find(&path.value).map_err(|error| {
        let path = path.value.display();
        let message = format!("cannot take over by {path} (`handover`): {error}");
        io::Error::new(error.kind(), message)
    })?;
    Ok(found.map_or((inherited, None), |(inherited, predecessor)| {
        (inherited, Some(predecessor))
    }))
}

/// Runs a started gateway to its end; gives the exit code. `announce` is called when signals are
/// listened for: who reads it may signal at once.
pub(super) fn run(
    mut server: Server,
    drain_delay: Duration,
    predecessor: Option<Predecessor>,
    announce: impl FnOnce() -> io::Result<()>,
) -> io::Result<u8> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let signals = runtime.block_on(async { Signals::new() })?;
    runtime.block_on(accepting(&server));
    if let Err(error) = take_over(&mut server, predecessor) {
        tracing::error!(%error, "the gateway has not started");
        server.advance(Stage::Draining);
        server.wait();
        runtime.shutdown_background();
        return Ok(FAILED);
    }
    if let Err(error) = server.offer() {
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        tracing::error!(%error, cause, "no other process can take over from this one");
    }
    service::ready();
    announce()?;
    tracing::info!(address = %server.address, "listening");
    if let Some(admin) = &server.admin {
        tracing::info!(address = %admin, "admin listening");
    }
    if let Some(page) = &server.page {
        tracing::info!(address = %page, "status page listening");
    }
    let in_order = runtime.block_on(until_drained(&server, signals, drain_delay));
    let ended = server.wait();
    // Whoever drains for a second signal is done with it.
    runtime.shutdown_background();
    Ok(exit_code(ended, in_order))
}

/// Waits for a signal and begins the drain; a second signal ends it. `false` if a worker failed.
async fn until_drained(server: &Server, mut signals: Signals, drain_delay: Duration) -> bool {
    let delay = tokio::select! {
        name = signals.next(server) => {
            tracing::info!(signal = name, "draining");
            drain_delay
        }
        () = server.handed_over() => {
            tracing::info!("another process has taken over the listening sockets: draining");
            // Whoever connects is served by that one.
            Duration::ZERO
        }
        () = failed(server) => {
            tracing::error!("a worker ended unexpectedly; the others are drained");
            service::stopping();
            server.advance(Stage::Draining);
            return false;
        }
    };
    service::stopping();
    signals.is_leaving = true;
    server.advance(Stage::Leaving);
    let second = tokio::select! {
        name = signals.next(server) => Some(name),
        () = tokio::time::sleep(delay) => None,
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

/// A gateway that accepts connections has its sockets for itself, and the other one may drain.
fn take_over(server: &mut Server, predecessor: Option<Predecessor>) -> io::Result<()> {
    if !server.is_ready() {
        return Err(io::Error::other("a worker failed at once"));
    }
    if let Some(predecessor) = predecessor {
        predecessor.release()?;
        tracing::info!("the listening sockets of another process were taken over");
        server.own();
    }
    Ok(())
}

async fn accepting(server: &Server) {
    while !server.is_ready() && !server.has_failed() {
        tokio::time::sleep(READY).await;
    }
}

/// Waits until a worker has failed; meanwhile an init system is told that they have not.
async fn failed(server: &Server) {
    let mut watchdog = Watchdog::new();
    while !server.has_failed() {
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = watchdog.is_due() => watchdog.tell(&server.pulses()),
        }
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
    user: Signal,
    /// Set when the init system was told that the gateway stops.
    is_leaving: bool,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            user: signal(SignalKind::user_defined1())?,
            is_leaving: false,
        })
    }

    /// The next signal that asks for the end; a hang-up asks for a reload, the user's first for the audit log's file to
    /// be opened again.
    async fn next(&mut self, server: &Server) -> &'static str {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return "SIGTERM",
                _ = self.interrupt.recv() => return "SIGINT",
                _ = self.user.recv() => server.reopen_audit(),
                _ = self.hangup.recv() => {
                    if !self.is_leaving {
                        service::reloading();
                    }
                    tokio::select! {
                        () = server.reloaded() => if !self.is_leaving {
                            service::ready();
                        },
                        _ = self.terminate.recv() => return "SIGTERM",
                        _ = self.interrupt.recv() => return "SIGINT",
                    }
                }
            }
        }
    }
}
