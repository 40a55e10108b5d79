//! What SECURITY.md says of the tests and the dependencies is true.

use std::fs;
use std::path::Path;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The fuzz targets.
const TARGETS: [&str; 10] = [
    "target",
    "outbound",
    "json",
    "metafield",
    "config",
    "token",
    "answer",
    "reply",
    "http1",
    "http2",
];

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(path)).unwrap_or_default()
}

/// Whether a test, or a module of tests, has this name in the file of its module, among the integration or
/// the unit tests.
fn exists(module: &[&str], name: &str) -> bool {
    let path = module.join("/");
    let files = match module {
        [] => vec!["tests/it/main.rs".to_owned()],
        _ => [
            "tests/it/{}.rs",
            "src/{}.rs",
            "src/{}/mod.rs",
            "src/{}/tests.rs",
        ]
        .map(|pattern| pattern.replace("{}", &path))
        .to_vec(),
    };
    let test = format!("#[test]\nfn {name}() {{");
    let module = [format!("\nmod {name};"), format!("\nmod {name} {{")];
    let texts = files.iter().map(|file| read(file));
    // Unit tests stand within a module of their own.
    let mut texts = texts.map(|text| text.replace("\n    ", "\n"));
    texts.any(|text| text.contains(&test) || module.iter().any(|line| text.contains(line)))
}

/// The words in backquotes.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn every_test_that_is_named_exists() {
    let text = read("SECURITY.md");
    let is_name = |word: &str| {
        word.bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
    };
    let mut found = 0;
    let shown_by = text
        .lines()
        .filter(|line| line.starts_with("| ") && line.matches(" | ").count() == 2)
        .filter_map(|line| line.rsplit(" | ").next())
        .filter(|cell| !cell.starts_with("shown by"))
        .flat_map(quoted)
        .filter(|word| is_name(&word.replace("::", "_")) && !TARGETS.contains(word));
    for word in shown_by {
        let parts: Vec<&str> = word.split("::").collect();
        assert!(parts.iter().all(|part| is_name(part)), "{word}");
        let (name, module) = parts.split_last().expect("a name");
        assert!(
            exists(module, name),
            "SECURITY.md names {word}, which there is not"
        );
        found += 1;
    }
    assert!(found > 30, "{found} tests are named");
    for target in TARGETS {
        assert!(
            text.contains(&format!("`{target}`")),
            "the fuzz target {target}"
        );
        assert!(
            !read(&format!("tests/fuzz/fuzz_targets/{target}.rs")).is_empty(),
            "{target}"
        );
    }
}

#[test]
fn every_direct_dependency_has_its_reason() {
    let text = read("SECURITY.md");
    let (_, table) = text.split_once("| dependency |").expect("the table");
    let listed: Vec<&str> = table
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(name, _)| name)
        .collect();
    let manifest = read("Cargo.toml");
    let (_, section) = manifest
        .split_once("\n[dependencies]\n")
        .expect("a section");
    let used: Vec<&str> = section
        .lines()
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split_once(" = "))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(listed, used);
}
