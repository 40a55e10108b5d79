//! The layout is a promise: a folder imports only from the floors below it, the pure floors know no
//! I/O, and files and functions stay readable.

use std::fs;
use std::path::{Path, PathBuf};

/// From the ground up.
const FLOORS: [&str; 10] = [
    "denial", "secret", "policy", "quota", "identity", "observe", "config", "gateway", "server",
    "cli",
];

/// What the pure floors must not know.
const IMPURE: [&str; 7] = [
    "tokio",
    "hyper",
    "std::fs",
    "TcpStream",
    "std::env",
    "async fn",
    "::now()",
];

/// The pure files: whole floors, and the compile step of `config`.
const PURE: [&str; 7] = [
    "denial.rs",
    "secret.rs",
    "policy/",
    "quota/",
    "config/file",
    "config/reader",
    "config/snapshot.rs",
];

/// Lines of a file that is still one thought, without tests.
const LINES: usize = 500;

fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path: PathBuf = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                let name = path
                    .strip_prefix(&root)
                    .expect("within src")
                    .display()
                    .to_string();
                found.push((name, fs::read_to_string(path).expect("a source")));
            }
        }
    }
    assert!(found.len() > 50, "the sources were found");
    found
}

/// A file without its inline test module and its comments.
fn code(text: &str) -> String {
    let code = text
        .split("#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or_default();
    code.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
}

fn is_test(name: &str) -> bool {
    name.contains("/tests")
}

fn floor(name: &str) -> Option<usize> {
    let module = name.split(['/', '.']).next()?;
    FLOORS.iter().position(|floor| *floor == module)
}

#[test]
fn a_folder_imports_only_from_below() {
    for (name, text) in sources() {
        let Some(own) = floor(&name) else {
            assert!(
                name.starts_with("sandbox/") || name == "lib.rs" || name == "main.rs",
                "{name} has no floor"
            );
            continue;
        };
        for import in code(&text).split("crate::").skip(1) {
            let module = import
                .split(|letter: char| !letter.is_alphanumeric() && letter != '_')
                .next();
            let module = module.unwrap_or_default();
            let allowed = match FLOORS.iter().position(|floor| *floor == module) {
                Some(below) => below <= own,
                None => module == "sandbox" && name.starts_with("cli/"),
            };
            assert!(allowed, "src/{name} imports crate::{module} from above");
        }
    }
}

#[test]
fn the_sandbox_stands_alone() {
    for (name, text) in sources()
        .iter()
        .filter(|(name, _)| name.starts_with("sandbox/"))
    {
        for import in code(text).split("crate::").skip(1) {
            assert!(
                import.starts_with("sandbox"),
                "src/{name} imports crate::{import:.30}"
            );
        }
    }
}

#[test]
fn the_pure_floors_know_no_io_and_no_clock() {
    for (name, text) in sources()
        .iter()
        .filter(|(name, _)| PURE.iter().any(|pure| name.starts_with(pure)))
    {
        if is_test(name) {
            continue;
        }
        for word in IMPURE {
            assert!(!code(text).contains(word), "src/{name} knows {word}");
        }
    }
}

#[test]
fn json_and_credentials_have_one_owner_each() {
    for (name, text) in sources() {
        if name.starts_with("sandbox/") || is_test(&name) {
            continue;
        }
        let code = code(&text);
        assert!(
            !code.contains("serde_json::Value"),
            "src/{name} builds a tree"
        );
        if code.contains("serde_json::Deserializer") {
            assert_eq!(name, "policy/json.rs");
        }
        if code.contains(".inject(") {
            assert_eq!(name, "gateway/outbound.rs");
        }
        if code.contains("Credential::new(") {
            assert_eq!(name, "config/snapshot.rs");
        }
    }
}

#[test]
fn files_are_one_thought() {
    for (name, text) in sources() {
        let lines = if is_test(&name) {
            0
        } else {
            code(&text).lines().count()
        };
        assert!(lines <= LINES, "src/{name} has {lines} lines");
        assert!(
            text.starts_with("//!") || text.starts_with("//! "),
            "src/{name} does not say what it holds"
        );
    }
}

#[test]
fn the_reference_names_every_code() {
    let reference = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/README.md");
    let reference = fs::read_to_string(reference).expect("the reference");
    for code in metafield_gateway::denial::Code::ALL {
        let word = format!("`{}`", code.as_str());
        let mut rows = reference
            .lines()
            .filter(|line| line.starts_with('|') && line.contains(&word));
        assert!(
            rows.any(|row| row.contains(code.status().as_str())),
            "config/README.md does not name {word}"
        );
    }
}
