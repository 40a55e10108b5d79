//! What `explain` and `check` say of limits and shares.

use super::ground::{TWENTY, text};
use crate::support::client::{ALL, ONE};
use crate::support::gateway::Setup;
use crate::support::process::run;
use std::net::{Ipv4Addr, SocketAddr};

/// The output of `explain` for the writer.
fn explained(store: &str, caller: &str, path: &str, body: &str) -> (Option<i32>, String) {
    let setup = Setup::new(SocketAddr::from((Ipv4Addr::LOCALHOST, 1)));
    let text = text(&setup, store, &[("writer", caller)]);
    let file = setup.folder.write("gateway.toml", text);
    let body = setup.folder.write("body.json", body);
    let [file, body] = [&file, &body].map(|path| path.to_str().expect("a path"));
    let ended = run(&[
        "explain", "--config", file, "--caller", "writer", "--method", "PUT", "--path", path,
        "--body", body,
    ]);
    (ended.code, ended.stdout)
}

#[test]
fn explain_tells_the_limits_of_a_caller_and_its_store() {
    let limits = "rate_limit = { requests = 60, per = \"30s\", burst = 5, batch_items = 90 }\nconcurrency = 4\nweight = 2\nguaranteed = 7";
    let (code, out) = explained(TWENTY, limits, ONE, "{}");
    assert_eq!(code, Some(0), "{out}");
    let line = out
        .lines()
        .find(|line| line.contains("  limits"))
        .expect("the step");
    assert_eq!(
        line.trim(),
        "not judged   limits            60 in 30s, 5 at once; 90 in 30s of items; 4 open at once; a share of 20 in 30s by weight 2, 7 of them guaranteed"
    );
    let (_, out) = explained("", "", ONE, "{}");
    assert!(out.contains("limits            none"), "{out}");
}

#[test]
fn explain_denies_a_batch_that_could_never_be_sent() {
    let limits = "rate_limit = { requests = 9, per = \"30s\", batch_items = 2 }";
    let rows = "[{\"id\":1},{\"id\":2},{\"id\":3}]";
    let (code, out) = explained("", limits, ALL, rows);
    assert_eq!(code, Some(3), "{out}");
    assert!(out.contains("denied: 413 batch_too_large"), "{out}");
}
