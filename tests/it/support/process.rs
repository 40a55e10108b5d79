//! The built program as a process of its own.

use super::PATIENCE;
use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;

const PROGRAM: &str = env!("CARGO_BIN_EXE_metafield-gateway");

/// Names another program that is to be tested in the place of the one that was built, such as the one in a container.
const ELSEWHERE: &str = "METAFIELD_GATEWAY_PROGRAM";

/// What a program left behind.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// A program that runs; it is killed when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    lines: Receiver<String>,
    /// What [`Process::bound`] passed over.
    passed: VecDeque<String>,
    stderr: String,
    stdout: Option<JoinHandle<String>>,
    printed: Receiver<String>,
}

/// The program that is to be tested instead of what was built.
pub fn elsewhere() -> Option<OsString> {
    std::env::var_os(ELSEWHERE)
}

/// The program that is to be tested.
fn path() -> OsString {
    elsewhere().unwrap_or_else(|| PROGRAM.into())
}

/// The program with these arguments and no variables that could change what it does.
pub fn program(arguments: &[&str]) -> Command {
    through(Command::new(path()), arguments)
}

/// What a command has in common, however it comes to the program.
fn through(mut command: Command, arguments: &[&str]) -> Command {
    command
        .args(arguments)
        .env_remove("METAFIELD_GATEWAY_LOG")
        .stdin(Stdio::null());
    command
}

/// Runs the program to its end.
pub fn run(arguments: &[&str]) -> Ended {
    let output = program(arguments).output().expect("the program starts");
    Ended {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

/// Sends a signal by its name to a process.
pub fn signal(name: &str, id: u32) {
    let status = Command::new("kill")
        .args([format!("-{name}"), id.to_string()])
        .status();
    assert!(status.expect("kill runs").success());
}

/// A line of a process's status, in KiB.
pub fn kib(process: u32, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"));
    status
        .expect("the process runs")
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_suffix("kB"))
        .and_then(|value| value.trim().parse().ok())
        .expect("a number")
}

impl Process {
    /// Starts the program.
    pub fn start(arguments: &[&str]) -> Self {
        Self::spawn(program(arguments).stdout(Stdio::piped()))
    }

    /// Starts the program with its standard output elsewhere.
    pub fn start_writing_to(arguments: &[&str], stdout: OwnedFd) -> Self {
        Self::spawn(program(arguments).stdout(stdout))
    }

    /// Starts the program with a hard limit of file descriptors.
    pub fn start_with_descriptors(limit: usize, arguments: &[&str]) -> Self {
        let mut shell = Command::new("sh");
        let limit = limit.to_string();
        let command = "ulimit -n \"$0\" && exec \"$@\"";
        shell.args(["-c", command, &limit]).arg(path());
        Self::spawn(through(shell, arguments).stdout(Stdio::piped()))
    }

    /// Starts a command of the test's own making.
    pub fn spawn(command: &mut Command) -> Self {
        let mut child = command
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        // A descriptor that is the program's alone must not stay open here.
        command.stdout(Stdio::null());
        let (sender, lines) = channel();
        let stderr = child.stderr.take().expect("piped");
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                // Nobody listens any more once the test is over.
                drop(sender.send(line));
            }
        });
        let (sender, printed) = channel();
        let stdout = child.stdout.take().map(|stdout| {
            std::thread::spawn(move || collect(stdout, |line| drop(sender.send(line))))
        });
        Self {
            child,
            lines,
            passed: VecDeque::new(),
            stderr: String::new(),
            stdout,
            printed,
        }
    }

    /// Waits for a line of the operational log that holds this text.
    pub fn log_line(&mut self, text: &str) -> String {
        while let Some(line) = self.passed.pop_front() {
            if line.contains(text) {
                return line;
            }
        }
        loop {
            let line = self.next_line(text);
            if line.contains(text) {
                return line;
            }
        }
    }

    /// Waits for the next line, in the hope that it is, or comes before, one with this text.
    fn next_line(&mut self, text: &str) -> String {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => {
                self.stderr.push_str(&line);
                self.stderr.push('\n');
                line
            }
            Err(RecvTimeoutError::Disconnected | RecvTimeoutError::Timeout) => {
                panic!("no line with {text:?} came:\n{}", self.stderr)
            }
        }
    }

    /// Waits for the line that names a bound address. Other lines are kept for
    /// [`Process::log_line`]: what is begun before the listener is bound may fail before that or
    /// after it.
    pub fn bound(&mut self, text: &str) -> SocketAddr {
        let known = self.passed.iter().position(|line| line.contains(text));
        let line = known.and_then(|at| self.passed.remove(at));
        let line = line.unwrap_or_else(|| {
            loop {
                let line = self.next_line(text);
                if line.contains(text) {
                    return line;
                }
                self.passed.push_back(line);
            }
        });
        let address = line.rsplit_once("address=").map(|(_, address)| address);
        address
            .and_then(|address| address.parse().ok())
            .unwrap_or_else(|| panic!("no address: {line}"))
    }

    /// Waits for a line on stdout that holds this text; gives all lines up to it.
    pub fn printed_until(&mut self, text: &str) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let line = self.printed.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| panic!("{text:?} was not printed: {lines:?}"));
            let found = line.contains(text);
            lines.push(line);
            if found {
                return lines;
            }
        }
    }

    /// Sends a signal by its name, such as `TERM`.
    pub fn signal(&self, name: &str) {
        signal(name, self.id());
    }

    /// Tells it to end at once, and waits for that: who is killed leaves a container behind.
    pub fn leave(mut self) {
        self.signal("TERM");
        self.signal("TERM");
        drop(self.child.wait());
    }

    /// The process's number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the end.
    pub fn end(mut self) -> Ended {
        // Its stderr is closed when it has ended, so that this wait has an end too.
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => {
                    self.stderr.push_str(&line);
                    self.stderr.push('\n');
                }
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("it does not end:\n{}", self.stderr),
            }
        }
        let status: ExitStatus = self.child.wait().expect("it has ended");
        let stdout = self.stdout.take().map(JoinHandle::join);
        Ended {
            code: status.code(),
            stdout: stdout.map_or(String::new(), |text| text.expect("stdout is read")),
            stderr: std::mem::take(&mut self.stderr),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // An error means that it has ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Reads everything, and tells each line as it comes.
fn collect(stdout: ChildStdout, tell: impl Fn(String)) -> String {
    let mut stdout = BufReader::new(stdout);
    let mut all = String::new();
    loop {
        let mut line = String::new();
        match stdout.read_line(&mut line) {
            Ok(0) | Err(_) => return all,
            Ok(_) => {
                all.push_str(&line);
                tell(line.trim_end().to_owned());
            }
        }
    }
}
