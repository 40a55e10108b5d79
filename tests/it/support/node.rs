//! Programs of Node.js that the tests bring, with their packages from npm by their lock files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// What to do where Node.js or its packages cannot be had.
pub const REMEDY: &str =
    "this test needs Node.js with npm, and its package registry once: install `nodejs` and `npm`";

/// A program of this folder below `tests`, beside the packages that it needs. They are installed once; `version`
/// tells those of one lock file from those of another.
pub fn program(folder: &str, version: &str, name: &str) -> PathBuf {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(folder);
    let node = Path::new(env!("CARGO_TARGET_TMPDIR")).join("node");
    let place = node.join(version);
    if !place.exists() {
        let beside = node.join(format!(
            "installing-{}-{:?}",
            std::process::id(),
            std::thread::current().id()
        ));
        fs::create_dir_all(&beside).expect("a folder below target");
        for name in ["package.json", "package-lock.json"] {
            fs::copy(sources.join(name), beside.join(name)).expect("a copy");
        }
        let install = Command::new("npm")
            .args([
                "ci",
                "--ignore-scripts",
                "--no-audit",
                "--no-fund",
                "--silent",
            ])
            .current_dir(&beside)
            .output();
        succeeded(&install.unwrap_or_else(|error| panic!("{REMEDY}: {error}")));
        if fs::rename(&beside, &place).is_err() {
            // Another test or run was faster.
            assert!(place.exists(), "the packages could not be moved into place");
            drop(fs::remove_dir_all(&beside));
        }
    }
    // The program is this tree's, and the packages are found beside it.
    let own = (std::process::id(), std::thread::current().id());
    let script = place.join(format!("{}-{:?}-{name}", own.0, own.1));
    fs::copy(sources.join(name), &script).expect("a copy");
    script
}

/// What a command printed.
pub fn succeeded(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, errors) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{REMEDY}\n{out}\n{errors}");
    out
}
