//! BigCommerce's official Python client, unmodified, in front of the gateway.

use crate::doors;
use crate::support::gateway::{CREDENTIAL, Folder};
use crate::support::http1::json;
use crate::support::tls::Authority;
use metafield_gateway::sandbox::{Limit, Options, Running, Seed, spawn};
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

const PACKAGE: &str = "bigcommerce==0.23.4";
pub const REMEDY: &str = "this test needs Python 3 with pip, and the package index once: install `python3` \
                      and `python3-pip`, or put `python3` on the PATH";
/// How many requests the store grants: the first update and one more.
const QUOTA: u32 = 2;

/// The folder that holds the client and what it needs.
pub fn installed() -> PathBuf {
    package(PACKAGE)
}

/// The folder that holds a package of the Python package index, by name and version, and what it needs; it is installed once.
pub fn package(name: &str) -> PathBuf {
    let python = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python");
    let place = python.join(name.replace("==", "-"));
    if place.exists() {
        return place;
    }
    let own = (std::process::id(), std::thread::current().id());
    let beside = python.join(format!("installing-{}-{:?}", own.0, own.1));
    fs::create_dir_all(&python).expect("a folder below target");
    let install = Command::new("python3")
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ])
        .args(["--no-compile", "--target"])
        .arg(&beside)
        .arg(name)
        .output();
    succeeded(&install.unwrap_or_else(|error| panic!("{REMEDY}: {error}")));
    if fs::rename(&beside, &place).is_err() {
        // Another run was faster.
        assert!(place.exists(), "{name} could not be moved into place");
        drop(fs::remove_dir_all(&beside));
    }
    place
}

fn succeeded(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, errors) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{REMEDY}\n{out}\n{errors}");
    out
}

/// A store with this quota, and the id of the one metafield in it.
pub fn store(limit: Limit) -> (Running, String) {
    let options = Options {
        token: CREDENTIAL.to_owned(),
        limit,
        ..Options::default()
    };
    store_with(options, "loyalty")
}

/// A store, and the id of the one metafield in it, which is in this namespace.
pub fn store_with(options: Options, namespace: &str) -> (Running, String) {
    let store = spawn(options).expect("a store");
    let seed = Seed {
        customer: 7,
        namespace,
        key: "tier",
        value: "bronze",
        permission_set: "app_only",
    };
    let shelf = store.shared();
    let metafield = shelf.with_store(|shelf| shelf.seed(seed, jiff::Timestamp::UNIX_EPOCH));
    (store, metafield.expect("a metafield").to_string())
}

/// An application of `tests/python` that uses the client before a gateway.
pub fn python(client: &Path, application: &str, gateway: SocketAddr) -> Command {
    let mut command = Command::new("python3");
    command
        .arg(
            Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("tests/python")
                .join(application),
        )
        .env("PYTHONPATH", client)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("NO_PROXY", "127.0.0.1")
        .env("BC_API_ENDPOINT", gateway.to_string());
    command
}

#[test]
fn it_works_with_another_host_and_token() {
    let client = installed();
    let (store, metafield) = store(Limit {
        requests: QUOTA,
        window: Duration::from_secs(3600),
    });
    let (authority, folder) = (Authority::new(), Folder::new());
    let gateway = doors::setup(store.address, &authority, "").start();
    let output = python(&client, "client.py", gateway.address())
        .arg(&metafield)
        .env(
            "REQUESTS_CA_BUNDLE",
            folder.write("ca.crt", authority.pem()),
        )
        .output();
    let out = succeeded(&output.unwrap_or_else(|error| panic!("{REMEDY}: {error}")));
    let steps: Vec<_> = out.lines().map(|line| json(line.as_bytes())).collect();
    check(&steps);
    let lines = gateway.stop();
    assert_eq!(lines.len(), steps.len());
    assert!(lines.iter().all(|line| line["operation"] == "update"));
}

fn check(steps: &[serde_json::Value]) {
    let [allowed, token, scope, rule, again, limited] = steps else {
        panic!("six steps were expected: {steps:?}");
    };
    for step in [allowed, again] {
        assert_eq!(step["value"], "gold");
        assert_eq!(step["rate_limit"]["requests_quota"], QUOTA);
    }
    for (step, status, code) in [
        (token, 401, "unknown_token"),
        (scope, 403, "scope_denied"),
        (rule, 422, "invalid_permission_set"),
    ] {
        assert_eq!(step["exception"], "ClientRequestException");
        assert_eq!(step["status"], status, "{step}");
        assert_eq!(step["code"], code, "{step}");
    }
    assert_eq!(limited["exception"], "RateLimitingException");
    assert_eq!(limited["status"], 429);
    assert!(limited["code"].is_null(), "the store's own answer");
    let retry_after = limited["retry_after"].as_str().expect("text");
    assert!(retry_after.parse::<u64>().is_ok(), "{retry_after}");
    let headers = limited["headers"].to_string();
    for name in ["quota", "left"] {
        assert!(headers.contains(&format!("x-rate-limit-requests-{name}")));
    }
    for name in ["window", "reset"] {
        assert!(headers.contains(&format!("x-rate-limit-time-{name}-ms")));
    }
}
