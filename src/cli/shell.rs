//! What belongs to a shell: completions, and the man pages.

use super::{Arguments, MISUSED, complain};
use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;
use std::io::{self, Write};

/// What a man page has that no argument says, in the language of man pages (man(7)).
const SECTIONS: &str = r#".SH "EXIT STATUS"
.TP
.B 0
done
.TP
.B 1
failed while running
.TP
.B 2
wrong usage or configuration
.TP
.B 3
\fBexplain\fR says denied
.SH SIGNALS
.TP
.B SIGTERM\fR, \fBSIGINT
stop accepting, answer what is open, end; a second one ends at once
.TP
.B SIGHUP
read the configuration and all that it names again
.TP
.B SIGUSR1
open the audit log's file again, after it was moved away
.SH ENVIRONMENT
.TP
.B METAFIELD_GATEWAY_LOG
how much of the operational log goes to standard error: \fBerror\fR, \fBwarn\fR, \fBinfo\fR (the default) or \fBdebug\fR
"#;

/// Prints the completions for a shell.
pub(super) fn completions(shell: Shell) -> io::Result<u8> {
    let mut script = Vec::new();
    let mut command = Arguments::command();
    let name = command.get_name().to_owned();
    clap_complete::generate(shell, &mut command, name, &mut script);
    io::stdout().lock().write_all(&script)?;
    Ok(0)
}

/// Prints a man page: of the program, or of one of its commands.
pub(super) fn man(name: Option<&str>) -> io::Result<u8> {
    let mut program = Arguments::command();
    program.build();
    let page = match name {
        None => of_program(program)?,
        Some(name) => {
            let Some(command) = program.find_subcommand(name) else {
                return unknown(&program, name);
            };
            let mut page = Vec::new();
            Man::new(command.clone()).render(&mut page)?;
            page
        }
    };
    io::stdout().lock().write_all(&page)?;
    Ok(0)
}

fn of_program(program: Command) -> io::Result<Vec<u8>> {
    let man = Man::new(program);
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    man.render_subcommands_section(&mut page)?;
    page.write_all(SECTIONS.as_bytes())?;
    man.render_version_section(&mut page)?;
    Ok(page)
}

fn unknown(program: &Command, name: &str) -> io::Result<u8> {
    let known: Vec<&str> = program.get_subcommands().map(Command::get_name).collect();
    let error = io::Error::other(format!("there is no command `{}`", name.escape_debug()));
    complain(&error, Some(&format!("known are {}", known.join(", "))))?;
    Ok(MISUSED)
}
