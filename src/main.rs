//! The program: arguments to the library, its outcome to the exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    metafield_gateway::cli::run()
}
