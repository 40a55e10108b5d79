//! The built program's commands that end by themselves.

use crate::support::client::{Client, Request};
use crate::support::fake::Fake;
use crate::support::gateway::{Folder, Setup, token_sha256};
use crate::support::process::{Ended, Process, run};

const MINIMAL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/config/minimal.toml");
const COMPLETE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/config/gateway.toml");

/// Checks a configuration; its credential's file holds this text.
fn check(text: &str, credential: Option<&str>, more: &[&str]) -> Ended {
    let folder = Folder::new();
    if let Some(credential) = credential {
        folder.write("credential", credential);
    }
    let path = folder.write("gateway.toml", text);
    let path = path.to_str().expect("UTF-8");
    run(&[&["check", "--config", path], more].concat())
}

fn good() -> String {
    Setup::url("https://api.bigcommerce.com").text()
}

#[test]
fn help_and_version_are_results() {
    for arguments in [&["--help"][..], &["serve", "--help"], &["help"]] {
        let ended = run(arguments);
        assert_eq!(ended.code, Some(0), "{arguments:?}");
        assert!(ended.stdout.contains("Usage: metafield-gateway"));
        assert_eq!(ended.stderr, "");
    }
    let all = run(&["--help"]).stdout;
    for command in ["serve", "check", "token", "sandbox"] {
        assert!(all.contains(&format!("\n  {command}")), "{all}");
    }
    let ended = run(&["--version"]);
    assert_eq!(ended.code, Some(0));
    let version = concat!("metafield-gateway ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!(ended.stdout, version);
}

#[test]
fn a_folder_in_the_place_of_the_configuration_is_told() {
    let folder = Folder::new();
    let path = folder.path().to_str().expect("UTF-8");
    let ended = run(&["serve", "--config", path]);
    assert_eq!(ended.code, Some(2));
    assert!(
        ended.stderr.contains("  hint: `--config` names a file"),
        "{}",
        ended.stderr
    );
}

#[test]
fn wrong_usage_is_refused() {
    for arguments in [
        &[][..],
        &["nothing"],
        &["serve"],
        &["serve", "--config"],
        &["check", "--config", MINIMAL, "--with-secrets"],
        &["token", "more"],
        &["sandbox", "--listen", "localhost"],
    ] {
        let ended = run(arguments);
        assert_eq!(ended.code, Some(2), "{arguments:?}");
        assert!(ended.stderr.contains("Usage:") || ended.stderr.contains("--help"));
        assert_eq!(ended.stdout, "");
    }
}

#[test]
fn a_good_configuration_passes() {
    let ended = check(&good(), Some("a-credential\n"), &[]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.ends_with(": ok, 2 stores, 5 callers\n"));
    let warning = ":22:17: caller[2].scopes: `payments` can do nothing: its scopes and grants leave no operation\n";
    assert!(ended.stderr.starts_with("warning: "), "{}", ended.stderr);
    assert!(ended.stderr.contains(warning), "{}", ended.stderr);
    let exposed = "can be read by every user of this machine";
    assert_eq!(ended.stderr.matches(exposed).count(), 2);
    assert_eq!(ended.stderr.matches("warning: ").count(), 3);
    let ended = check(&good(), None, &["--without-secrets"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.contains("nothing that it names was read"));
}

#[test]
fn the_examples_pass_on_a_build_machine() {
    for path in [MINIMAL, COMPLETE] {
        let ended = run(&["check", "--config", path, "--without-secrets"]);
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    }
}

#[test]
fn ten_mistakes_are_named_with_their_lines() {
    let digest = token_sha256("a-token-of-someone");
    let text = format!(
        r#"workerz = 2
drain_timeout = "25"

[listen]
address = "localhost:8080"

[upstream]
url = "http://api.bigcommerce.com"
deadline = 6

[limits]
body = "1MB"

[[store]]
hash = "ABC123"
credential = {{ file = "a", env = "B" }}

[[caller]]
name = "crm sync"
token_sha256 = ["{digest}"]
scopes = ["store_v2_customer"]
"#
    );
    let expected = [
        (1, "workerz"),
        (2, "drain_timeout"),
        (5, "listen.address"),
        (8, "upstream.url"),
        (9, "upstream.deadline"),
        (12, "limits.body"),
        (15, "store[0].hash"),
        (16, "store[0].credential"),
        (19, "caller[0].name"),
        (21, "caller[0].scopes[0]"),
    ];
    for more in [&[][..], &["--without-secrets"]] {
        let ended = check(&text, None, more);
        assert_eq!(ended.code, Some(2));
        let named: Vec<(usize, String)> = ended.stderr.lines().filter_map(place).collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|(line, key)| (*line, (*key).to_owned()))
            .collect();
        assert_eq!(named, expected, "{}", ended.stderr);
        assert_eq!(ended.stdout, "");
    }
}

/// Line and key of `FILE:LINE:COLUMN: KEY: message`.
fn place(line: &str) -> Option<(usize, String)> {
    let (_, rest) = line.split_once("gateway.toml:")?;
    let mut parts = rest.splitn(4, ':');
    let place = parts.next()?.parse().ok()?;
    parts.next()?.parse::<usize>().ok()?;
    Some((place, parts.next()?.trim().to_owned()))
}

#[test]
fn what_cannot_be_read_is_named() {
    let missing = run(&["check", "--config", "/nowhere/gateway.toml"]);
    assert_eq!(missing.code, Some(2));
    assert!(missing.stderr.contains("/nowhere/gateway.toml"));
    let served = run(&["serve", "--config", "/nowhere/gateway.toml"]);
    assert_eq!((served.code, served.stdout), (Some(2), String::new()));
    for (credential, cause) in [
        (None, "no such file"),
        (Some(""), "cannot be a credential"),
        (Some(" \n"), "cannot be a credential"),
        (Some("two words"), "cannot be a credential"),
    ] {
        let ended = check(&good(), credential, &[]);
        assert_eq!(ended.code, Some(2), "{credential:?}");
        assert!(ended.stderr.contains(cause), "{}", ended.stderr);
        for key in ["store[0].credential.file", "store[1].credential.file"] {
            assert!(ended.stderr.contains(key), "{}", ended.stderr);
        }
        let secret = credential.filter(|credential| !credential.trim().is_empty());
        assert!(secret.is_none_or(|secret| !ended.stderr.contains(secret)));
    }
}

#[test]
fn what_a_broken_file_names_is_looked_at_too() {
    let text = good().replace("workers = 1", "workers = 0")
        + "[[store]]\nhash = \"third3\"\ncredential = { file = \"no-such-file\" }\n";
    let ended = check(&text, Some("x"), &[]);
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("workers: "), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("there is no such file"),
        "{}",
        ended.stderr
    );
    assert!(ended.stderr.ends_with("2 problems\n"), "{}", ended.stderr);
    let ended = check(&text, Some("x"), &["--without-secrets"]);
    assert!(ended.stderr.ends_with("1 problem\n"), "{}", ended.stderr);
    let text = good().replace("./audit.jsonl", "./no-such-folder/audit.jsonl");
    let ended = check(&text, Some("x"), &[]);
    assert_eq!(ended.code, Some(2));
    assert!(
        ended.stderr.contains("audit.output: there is no folder"),
        "{}",
        ended.stderr
    );
}

#[test]
fn what_would_be_unsafe_is_refused() {
    let caller = |name: &str, token: &str| {
        format!(
            "[[caller]]\nname = \"{name}\"\ntoken_sha256 = [\"{}\"]\nscopes = [\"store_v2_customers\"]\n",
            token_sha256(token)
        )
    };
    let more = |rest: &str| format!("{}{rest}", good());
    for (text, named) in [
        (
            Setup::url("http://api.bigcommerce.com").text(),
            "upstream.url",
        ),
        (
            more(&caller("writer", "another-token-of-it")),
            "caller[5].name",
        ),
        (
            more(&caller("other", crate::support::gateway::WRITER)),
            "caller[5].token_sha256",
        ),
    ] {
        let ended = check(&text, Some("a-credential"), &[]);
        assert_eq!(ended.code, Some(2), "{named}");
        assert!(ended.stderr.contains(named), "{}", ended.stderr);
    }
}

#[test]
fn a_fresh_token_is_accepted_with_its_line() {
    let ended = run(&["token"]);
    assert_eq!(ended.code, Some(0));
    let lines: Vec<&str> = ended.stdout.lines().collect();
    let [token, line] = lines[..] else {
        panic!("two lines were expected: {lines:?}");
    };
    assert_eq!(
        line,
        format!("token_sha256 = [\"{}\"]", token_sha256(token))
    );
    assert!((16..=8192).contains(&token.len()));
    assert!(token.bytes().all(|byte| byte.is_ascii_graphic()));
    assert_ne!(run(&["token"]).stdout.lines().next(), Some(token));

    let upstream = Fake::good();
    let folder = Folder::new();
    folder.write("credential", "a-credential");
    let text = format!(
        "listen.address = \"127.0.0.1:0\"\nupstream.url = \"http://{}\"\n\
         [[store]]\nhash = \"abc123\"\ncredential = {{ file = \"credential\" }}\n\
         [[caller]]\nname = \"fresh\"\n{line}\nscopes = [\"store_v2_customers\"]\n",
        upstream.address
    );
    let path = folder.write("gateway.toml", text);
    let mut gateway = Process::start(&["serve", "--config", path.to_str().expect("UTF-8")]);
    let mut client = Client::connect(gateway.bound(" listening address="));
    let request = Request::update("{}").instead("X-Auth-Token", token);
    assert_eq!(client.exchange(&request).status(), 200);
    let other = Request::update("{}");
    assert_eq!(client.exchange(&other).code(), Some("unknown_token"));
}
