//! The units of `deploy/systemd`: systemd reads them without a complaint, and little of the machine is left to the
//! service.

use crate::support::gateway::Folder;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const UNITS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/systemd");
const PROGRAM: &str = env!("CARGO_BIN_EXE_metafield-gateway");

/// The most that systemd may find exposed, of 100.
const EXPOSED: u32 = 12;

/// The units, with the program where it is on this machine.
fn units(folder: &Folder) -> [PathBuf; 2] {
    ["metafield-gateway.service", "metafield-gateway.socket"].map(|name| {
        let text = fs::read_to_string(Path::new(UNITS).join(name)).expect("the unit");
        folder.write(
            name,
            text.replace("/usr/local/bin/metafield-gateway", PROGRAM),
        )
    })
}

#[test]
fn systemd_reads_the_units() {
    let folder = Folder::new();
    let output = Command::new("systemd-analyze")
        .args(["verify", "--man=no", "--recursive-errors=no"])
        .args(units(&folder))
        .output()
        .expect("systemd-analyze");
    let said = String::from_utf8_lossy(&output.stderr);
    // Other units of the machine are not ours.
    let own: Vec<&str> = said
        .lines()
        .filter(|line| line.contains("metafield-gateway"))
        .collect();
    assert_eq!(own, [""; 0], "{said}");
}

#[test]
fn little_is_exposed() {
    let folder = Folder::new();
    let [service, _] = units(&folder);
    let output = Command::new("systemd-analyze")
        .args(["security", "--offline=yes", "--no-pager"])
        .arg(format!("--threshold={EXPOSED}"))
        .arg(service)
        .output()
        .expect("systemd-analyze");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    let overall = said
        .lines()
        .find(|line| line.contains("Overall exposure level"));
    println!("{}", overall.expect("the level").trim());
}
