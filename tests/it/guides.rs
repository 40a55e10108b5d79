//! The guides of `deploy/guides.md`: their commands are run, in their order and in one shell, and print what stands
//! there.

use crate::python_client;
use crate::support::free;
use crate::support::gateway::Folder;
use metafield_gateway::sandbox::{Options, Running};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const PROGRAM: &str = env!("CARGO_BIN_EXE_metafield-gateway");
/// What the guides say the credential is.
const CREDENTIAL: &str = "the-credential-of-bigcommerce";
/// What they put in its place.
const NEW: &str = "the-new-credential-of-bigcommerce";
/// Stands between what two blocks print.
const BETWEEN: &str = "-- the next block --";

/// The commands of each block, and the lines that they are to print.
fn blocks() -> Vec<(String, Vec<String>)> {
    let text = fs::read_to_string(Path::new(ROOT).join("deploy/guides.md")).expect("the guides");
    let mut blocks: Vec<(String, Vec<String>)> = Vec::new();
    let mut rest = text.as_str();
    while let Some((_, after)) = rest.split_once("```") {
        let (kind, after) = after.split_once('\n').expect("a block");
        let (content, after) = after.split_once("\n```").expect("its end");
        rest = after;
        match (kind, blocks.last_mut()) {
            ("sh", _) => blocks.push((content.to_owned(), Vec::new())),
            ("text", Some((_, printed))) => printed.extend(content.lines().map(str::to_owned)),
            _ => panic!("a block of another kind: {kind}"),
        }
    }
    blocks
}

/// Whether a line is as it stands in the guide, where `…` is any text.
fn is_like(line: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('…');
    let Some(mut rest) = line.strip_prefix(parts.next().unwrap_or_default()) else {
        return false;
    };
    let mut is_open = false;
    for part in parts {
        is_open = part.is_empty();
        let Some((_, after)) = rest.split_once(part) else {
            return false;
        };
        rest = after;
    }
    is_open || rest.is_empty()
}

/// The store of the guides.
fn store() -> Running {
    let options = Options {
        token: CREDENTIAL.to_owned(),
        ..Options::default()
    };
    let (store, metafield) = python_client::store_with(options, "crm");
    assert_eq!(metafield, "1", "the metafield of the guides");
    store
}

#[test]
fn what_they_say_works() {
    let folder = Folder::new();
    std::os::unix::fs::symlink(PROGRAM, folder.path().join("metafield-gateway")).expect("a link");
    let store = store();
    let blocks = blocks();
    let mut script =
        "set -euo pipefail\ntrap 'kill $(jobs -p) 2> /dev/null || true' EXIT\n".to_owned();
    for (commands, _) in &blocks {
        if commands.contains(NEW) {
            // BigCommerce takes only the new one from here on.
            script.push_str("touch rotates; until [ -e rotated ]; do sleep 0.01; done\n");
        }
        writeln!(script, "{commands}\necho '{BETWEEN}'").expect("a string");
    }
    let (listen, admin) = free();
    let (begins, done) = (folder.path().join("rotates"), folder.path().join("rotated"));
    let rotating = {
        let shared = store.shared().clone();
        std::thread::spawn(move || {
            while !begins.exists() && !done.exists() {
                std::thread::yield_now();
            }
            shared.with_store(|shelf| shelf.set_token(NEW));
            fs::write(done, "").expect("a file");
        })
    };
    let script = script
        .replace(
            "https://api.bigcommerce.com",
            &format!("http://{}", store.address),
        )
        .replace("127.0.0.1:8080", &listen.to_string())
        .replace("127.0.0.1:9090", &admin.to_string());
    let path = std::env::var("PATH").expect("a PATH");
    let output = Command::new("timeout")
        .args(["120", "bash", "-c", &script])
        .current_dir(folder.path())
        .env("PATH", format!("{}:{path}", folder.path().display()))
        .env("PYTHONPATH", python_client::installed())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("NO_PROXY", "127.0.0.1")
        .env_remove("METAFIELD_GATEWAY_LOG")
        .stdin(Stdio::null())
        .output()
        .expect("bash runs");
    // Whether it came so far or not, nobody waits any more.
    fs::write(folder.path().join("rotated"), "").expect("a file");
    rotating.join().expect("the store's operator");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, errors) = (text(&output.stdout), text(&output.stderr));
    print!("{out}");
    let log = fs::read_to_string(folder.path().join("gateway.log")).unwrap_or_default();
    assert!(
        output.status.success(),
        "{out}\n{errors}\n{log}\nthe guides need curl, openssl, `python3`, `nodejs`, `php-cli`, `php-curl` and `ruby`"
    );
    let printed: Vec<&str> = out.split(&format!("{BETWEEN}\n")).collect();
    for ((commands, expected), printed) in blocks.iter().zip(printed) {
        let mut lines = printed.lines();
        for pattern in expected {
            let is_there = lines.any(|line| is_like(line, pattern));
            assert!(
                is_there,
                "{commands}\n-- printed --\n{printed}\n-- and not --\n{pattern}"
            );
        }
    }
}

#[test]
fn what_differs_is_left_out() {
    for (line, pattern, is_so) in [
        ("200", "200", true),
        ("200 OK", "200", false),
        ("200 OK", "200…", true),
        ("since 2026", "since …", true),
        ("a b c d", "a…c…", true),
        ("a b c d", "a…d", true),
        ("a b c d", "…c", false),
        ("a b c d", "b…d", false),
    ] {
        assert_eq!(is_like(line, pattern), is_so, "{line} {pattern}");
    }
}
