//! The command line, a file a command. Results go to stdout, everything else to stderr; the exit
//! codes are 0 done, 1 failed while running, 2 wrong usage or configuration.

mod check;
mod descriptors;
pub mod explain;
mod hardening;
mod health;
mod load;
mod log;
mod sandbox;
mod serve;
mod service;
mod shell;
mod token;

use check::Output;
use clap::{Parser, Subcommand};
use clap_complete::Shell;
use std::ffi::OsString;
use std::fmt::Display;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

const FAILED: u8 = 1;
const MISUSED: u8 = 2;
/// `explain` says denied.
const DENIED: u8 = 3;

/// Puts one shared BigCommerce credential behind policy: callers send their normal requests with a
/// token of their own, and the gateway decides, swaps the token for the real one, and forwards.
#[derive(Debug, Parser)]
#[command(name = "metafield-gateway", version, max_term_width = 100)]
#[command(
    after_help = "Begin with:\n  metafield-gateway sandbox                       all of it on this machine, nothing to configure\n  metafield-gateway token                         a token for a caller, and its line for the configuration\n  metafield-gateway check --config gateway.toml   what is wrong, by line and column\n  metafield-gateway serve --config gateway.toml   run it\n\nThe operational log goes to stderr; METAFIELD_GATEWAY_LOG=error|warn|info|debug sets how much of it.\nExit codes: 0 done, 1 failed while running, 2 wrong usage or configuration, 3 explain says denied."
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
        /// Tell the outcome as one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Show each step of the decision on a request, and who could see and change the field afterwards
    ///
    /// Reads the configuration and the body alone: no credential, no key, no network.
    Explain {
        /// The configuration file
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// The caller whose request it is, by its name in the configuration
        #[arg(long, value_name = "NAME")]
        caller: String,
        /// The method
        #[arg(long, value_name = "METHOD")]
        method: String,
        /// The path, with a query if there is one, such as /stores/abc123/v3/customers/7/metafields/9
        #[arg(long, value_name = "PATH")]
        path: String,
        /// A file with the body; - for standard input
        #[arg(long, value_name = "FILE")]
        body: Option<PathBuf>,
        /// Tell the decision as one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Ask the running gateway whether it lives, as a probe does; exit code 0 or 1
    Health {
        /// The configuration file, whose `admin.address` is asked
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Ask whether it is ready to take requests
        #[arg(long)]
        ready: bool,
    },
    /// Print a fresh caller token once, and the line with its digest for the configuration
    Token,
    /// Run the gateway in front of an embedded in-memory store, with demo callers and lines to paste
    Sandbox {
        /// Where the gateway listens; port 0 picks a free one
        #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
        listen: std::net::SocketAddr,
    },
    /// Print the completions for a shell
    ///
    /// For bash: metafield-gateway completions bash > ~/.local/share/bash-completion/completions/metafield-gateway
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print a man page
    ///
    /// To look at it: metafield-gateway man | man -l -
    Man {
        /// One of the commands; without, the page of the program
        #[arg(value_name = "COMMAND")]
        of: Option<String>,
    },
}

fn output(json: bool) -> Output {
    if json { Output::Json } else { Output::Text }
}

/// Runs the command that the process was started with.
pub fn run() -> ExitCode {
    run_with(std::env::args_os())
}

fn run_with(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    if let Err(error) = hardening::apply() {
        let what = io::Error::other(format!(
            "the process cannot keep its memory to itself: {error}"
        ));
        return ended(complain(&what, None).map(|()| FAILED));
    }
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
            json,
        } => check::check(&config, without_secrets, output(json)),
        Command::Explain {
            config,
            caller,
            method,
            path,
            body,
            json,
        } => {
            let body = body.as_deref();
            explain::command(&config, &caller, &method, &path, body, output(json))
        }
        Command::Health { config, ready } => health::health(&config, ready),
        Command::Token => token::token(),
        Command::Sandbox { listen } => sandbox::sandbox(listen),
        Command::Completions { shell } => shell::completions(shell),
        Command::Man { of } => shell::man(of.as_deref()),
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

/// What nobody hears changes no exit code: that is an answer too.
fn heard(told: io::Result<()>) -> io::Result<()> {
    match told {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        told => told,
    }
}

/// Prints an error with its causes, and what to do about it.
fn complain(error: &dyn std::error::Error, hint: Option<&dyn Display>) -> io::Result<()> {
    let mut text = format!("error: {error}");
    let mut source = error.source();
    while let Some(inner) = source {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        source = inner.source();
    }
    text.push('\n');
    if let Some(hint) = hint {
        text.push_str("  hint: ");
        text.push_str(&hint.to_string());
        text.push('\n');
    }
    heard(io::stderr().lock().write_all(text.as_bytes()))
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
