//! What the built program lets other processes of its user see of its memory: nothing.

use crate::support::gateway::Folder;
use crate::support::process::Process;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

#[test]
fn the_process_keeps_its_memory_to_itself() {
    let folder = Folder::new();
    // Another user must be able to run it, if root tests it.
    let copy = folder.path().join("gateway");
    fs::copy(env!("CARGO_BIN_EXE_metafield-gateway"), &copy).expect("a copy");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("a mode");
    let mut command = Command::new(&copy);
    command.args(["sandbox", "--listen", "127.0.0.1:0"]);
    if rustix::process::getuid().is_root() {
        command.uid(65_534).gid(65_534);
    }
    let mut process = Process::spawn(command.stdout(Stdio::piped()));
    process.bound("listening");
    let of = |file: &str| PathBuf::from(format!("/proc/{}/{file}", process.id()));
    let limits = fs::read_to_string(of("limits")).expect("limits");
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"));
    let words: Vec<&str> = core.expect("a limit").split_whitespace().collect();
    assert_eq!(words[4..6], ["0", "0"], "soft and hard limit");
    // What other processes of its user may not read belongs to root.
    for file in ["mem", "environ", "maps"] {
        assert_eq!(fs::metadata(of(file)).expect("a file").uid(), 0, "{file}");
    }
    process.signal("TERM");
    assert_eq!(process.end().code, Some(0));
}
