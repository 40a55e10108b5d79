//! The recipe of the image: what it copies is there, and what it puts together runs by itself.
//! `tests/container/run` builds the image and runs it.

use crate::support::gateway::Folder;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const PROGRAM: &str = env!("CARGO_BIN_EXE_metafield-gateway");

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(path)).expect("a file of the repository")
}

/// The recipe's instructions, each on one line, without comments.
fn instructions() -> Vec<String> {
    read("deploy/Dockerfile")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .collect::<Vec<_>>()
        .join("\n")
        .replace("\\\n", " ")
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|line| !line.is_empty())
        .collect()
}

/// What stands after this instruction, wherever it is given.
fn given(instruction: &str) -> Vec<String> {
    instructions()
        .iter()
        .filter_map(|line| line.strip_prefix(instruction)?.strip_prefix(' '))
        .map(str::to_owned)
        .collect()
}

#[test]
fn what_is_copied_is_there_and_let_in() {
    let ignored = read(".dockerignore");
    let let_in: BTreeSet<&str> = ignored
        .lines()
        .filter_map(|line| line.strip_prefix('!'))
        .collect();
    assert!(ignored.lines().any(|line| line == "*"), "{ignored}");
    let mut copied = BTreeSet::new();
    for copy in given("COPY") {
        let mut words: Vec<_> = copy.split(' ').collect();
        if words[0].starts_with("--from=") {
            continue;
        }
        words.pop().expect("a target");
        copied.extend(words.into_iter().map(str::to_owned));
    }
    for name in &copied {
        assert!(Path::new(ROOT).join(name).exists(), "{name} is not there");
    }
    let copied: BTreeSet<&str> = copied.iter().map(String::as_str).collect();
    assert_eq!(copied, let_in);
}

#[test]
fn the_image_is_of_this_version_and_nobodys_root() {
    let version = format!("VERSION={}", env!("CARGO_PKG_VERSION"));
    assert!(given("ARG").contains(&version));
    let stages = given("FROM");
    assert_eq!(stages.last().map(String::as_str), Some("scratch"));
    assert_eq!(given("USER"), ["65532:65532"]);
    let program = "/usr/local/bin/metafield-gateway";
    assert_eq!(given("ENTRYPOINT"), [format!("[\"{program}\"]")]);
    let [health] = given("HEALTHCHECK").try_into().expect("one");
    assert!(health.contains(&format!("CMD [\"{program}\", \"health\", ")));
    let build = "deploy/build --features \"$FEATURES\"; \
        strip --strip-all target/shipped/release/metafield-gateway";
    assert!(given("RUN")[0].ends_with(build));
    // The compiler of the base is the one that the profile is of.
    let compiler = read("deploy/profile/compiler");
    let base = format!("BUILD_BASE=rust:{}-bookworm", compiler.trim());
    assert!(given("ARG").contains(&base));
}

#[test]
fn what_is_put_together_runs_by_itself() {
    let folder = Folder::new();
    let image = folder.path().join("image");
    let place = image.to_str().expect("UTF-8");
    let [_, assemble] = given("RUN").try_into().expect("a build and an assembly");
    let assemble = assemble
        .replace("target/shipped/release/metafield-gateway", PROGRAM)
        .replace("/image", place);
    let status = Command::new("sh")
        .args(["-c", &assemble])
        .env("SOURCE_DATE_EPOCH", "0")
        .current_dir(ROOT)
        .status();
    assert!(status.expect("a shell").success(), "{assemble}");
    let loader = fs::read_dir(image.join("lib64"))
        .expect("the loader's folder")
        .map(|entry| entry.expect("a file").path())
        .next();
    let libraries = Command::new(loader.expect("a loader"))
        .args(["--inhibit-cache", "--library-path"])
        .arg(image.join("lib/x86_64-linux-gnu"))
        .arg("--list")
        .arg(image.join("usr/local/bin/metafield-gateway"))
        .output()
        .expect("the loader runs");
    let listed = String::from_utf8_lossy(&libraries.stdout);
    assert!(libraries.status.success(), "{listed}");
    for library in listed.lines().filter(|line| line.contains("=> /")) {
        assert!(library.contains(place), "{library}");
    }
}
