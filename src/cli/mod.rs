//! The command line, a file a command. Results go to stdout, everything else to stderr; the exit
//! codes are 0 done, 1 failed while running, 2 wrong usage or configuration.

mod check;
mod load;
mod sandbox;
mod serve;
mod token;

use clap::{Parser, Subcommand};
use std::ffi::OsString;
use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::prelude::*;

const FAILED: u8 = 1;
const MISUSED: u8 = 2;

/// The variable that sets how much is logged.
const LOG_VARIABLE: &str = "METAFIELD_GATEWAY_LOG";

/// Puts one shared BigCommerce credential behind policy: callers send their normal requests with a
/// token of their own, and the gateway decides, swaps the token for the real one, and forwards.
#[derive(Debug, Parser)]
#[command(name = "metafield-gateway", version, max_term_width = 100)]
#[command(
    after_help = "The operational log goes to stderr; METAFIELD_GATEWAY_LOG=error|warn|info|debug sets how much of it.\nExit codes: 0 done, 1 failed while running, 2 wrong usage or configuration."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway until SIGTERM or SIGINT, then drain; a second signal ends it at once
    Serve {
        /// The configuration file
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Check a configuration and name every problem with its place
    Check {
        /// The configuration file
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Read nothing but the configuration file, as on a build machine
        #[arg(long)]
        without_secrets: bool,
    },
    /// Print a fresh caller token once, and the line with its digest for the configuration
    Token,
    /// Run the gateway in front of an embedded in-memory store, with demo callers and lines to paste
    Sandbox {
        /// Where the gateway listens; port 0 picks a free one
        #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
        listen: std::net::SocketAddr,
    },
}

/// Runs the command that the process was started with.
pub fn run() -> ExitCode {
    run_with(std::env::args_os())
}

fn run_with(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            let code = if error.use_stderr() { MISUSED } else { 0 };
            return ended(error.print().map(|()| code));
        }
    };
    let code = match arguments.command {
        Command::Serve { config } => serve::serve(&config),
        Command::Check {
            config,
            without_secrets,
        } => check::check(&config, without_secrets),
        Command::Token => token::token(),
        Command::Sandbox { listen } => sandbox::sandbox(listen),
    };
    ended(code)
}

/// A result that nobody reads any more (a closed pipe) is no failure of ours.
fn ended(code: io::Result<u8>) -> ExitCode {
    match code {
        Ok(code) => ExitCode::from(code),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(FAILED),
    }
}

/// Prints an error with its causes, and what to do about it.
fn complain(error: &dyn std::error::Error, hint: Option<&dyn Display>) -> io::Result<()> {
    let mut out = io::stderr().lock();
    write!(out, "error: {error}")?;
    let mut source = error.source();
    while let Some(inner) = source {
        write!(out, ": {inner}")?;
        source = inner.source();
    }
    writeln!(out)?;
    if let Some(hint) = hint {
        writeln!(out, "  hint: {hint}")?;
    }
    Ok(())
}

/// Starts the operational log. It takes this crate's events alone: a dependency's could hold headers.
fn start_log() {
    let level = match std::env::var(LOG_VARIABLE).as_deref() {
        Ok("error") => LevelFilter::ERROR,
        Ok("warn") => LevelFilter::WARN,
        Ok("debug") => LevelFilter::DEBUG,
        _ => LevelFilter::INFO,
    };
    let events = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false);
    let ours = Targets::new().with_target("metafield_gateway", level);
    // An error means that a log has been started already, which serves as well.
    if tracing_subscriber::registry()
        .with(events.with_filter(ours))
        .try_init()
        .is_err()
    {
        tracing::debug!("the log was started before");
    }
    log_panics();
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

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_sound() {
        Arguments::command().debug_assert();
    }
}
