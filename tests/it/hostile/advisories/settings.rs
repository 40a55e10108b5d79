//! Settings that did not do what they said: each must be known, stand once, and name what it opens.

use crate::support::gateway::Setup;
use metafield_gateway::config::file;
use std::path::Path;

fn problems(text: &str) -> String {
    let outcome = file::read(text, Path::new("/"));
    let problems = outcome.expect_err(text);
    problems.report("gateway.toml").to_string()
}

fn good() -> String {
    Setup::url("https://api.bigcommerce.com").text()
}

/// Four communities asked for a mode that only reports (also envoyproxy/gateway#10024, istio/ztunnel#1659
/// and Infisical/agent-vault#134): it is a caller's own `enforcement`, and nothing else in a configuration may
/// look like one.
#[test]
fn kgateway_14572_no_setting_lets_a_refusal_pass() {
    for line in [
        "policy.mode = \"report\"",
        "policy.enforcement = \"audit\"",
        "policy.report_only = true",
        "policy.dry_run = true",
        "policy.fail_open = true",
        "policy.default = \"allow\"",
        "audit.enforcement = \"audit\"",
        "upstream.follow_redirects = true",
        "limits.on_exceed = \"truncate\"",
    ] {
        let report = problems(&format!("{line}\n{}", good()));
        assert!(report.contains("unknown key"), "{line}: {report}");
    }
    for line in [
        "policy.unknown_fields = \"allow\"",
        "audit.on_failure = \"ignore\"",
    ] {
        let (key, _) = line.split_once(" = ").expect("a key");
        let report = problems(&format!("{line}\n{}", good()));
        assert!(report.contains(&format!("{key}: ")), "{line}: {report}");
    }
}

/// A proxy that was older than its configuration left out the restrictions that it did not know.
#[test]
fn infisical_8130_an_unknown_restriction_fails_the_load() {
    let caller = |line: &str| format!("{}{line}\n", good());
    for text in [
        caller("customer = [1, 2]"),
        caller("methods = [\"GET\"]"),
        caller("key = [\"k\"]"),
        caller("max_rows = 10"),
        caller("expires = \"2030-01-01\""),
        caller("Operations = [\"get\"]"),
        caller("operation = [\"get\"]"),
        caller("caller.deny = [\"delete\"]"),
        format!("deny = [\"delete\"]\n{}", good()),
        good().replacen(
            "hash = \"abc123\"",
            "hash = \"abc123\"\nread_only = true",
            1,
        ),
        good().replacen(
            "{ file = \"credential\" }",
            "{ file = \"credential\", mode = \"0600\" }",
            1,
        ),
        format!("{}[[deny]]\noperation = \"delete\"\n", good()),
    ] {
        let report = problems(&text);
        assert!(report.contains("unknown key"), "{report}");
    }
}

/// Without a list of hosts every host was allowed.
#[test]
fn infisical_8128_no_list_means_nobody() {
    let text = good();
    let without = |begin: &str| {
        let lines = text.lines().filter(|line| !line.starts_with(begin));
        lines.flat_map(|line| [line, "\n"]).collect::<String>()
    };
    let (before_callers, _) = text.split_once("[[caller]]").expect("callers");
    let (before_stores, _) = text.split_once("[[store]]").expect("stores");
    let callers = text.strip_prefix(before_callers).expect("callers");
    for (text, key) in [
        (before_callers.to_owned(), "caller"),
        (format!("{before_stores}{callers}"), "store"),
        (without("scopes"), "caller[0].scopes"),
        (without("token_sha256"), "caller[0].token_sha256"),
        (without("hash"), "store[0].hash"),
        (without("credential"), "store[0].credential"),
        (
            text.replace("[\"store_v2_customers\"]", "[]"),
            "caller[0].scopes",
        ),
        (
            text.replace("[\"store_v2_customers\"]", "[\"*\"]"),
            "caller[0].scopes[0]",
        ),
        (
            text.replace("[\"store_v2_customers\"]", "\"store_v2_customers\""),
            "caller[0].scopes",
        ),
        (
            text.replace("[\"abc123\"]", "[\"*\"]"),
            "caller[3].stores[0]",
        ),
        (text.replace("[\"abc123\"]", "[]"), "caller[3].stores"),
        (
            text.replace("\"list\"]", "\"*\"]"),
            "caller[3].operations[2]",
        ),
        (
            text.replace("\"crm.*\"]", "\"*\"]"),
            "caller[3].namespaces[1]",
        ),
        (
            text.replace("hash = \"abc123\"", "hash = \"*\""),
            "store[0].hash",
        ),
    ] {
        let report = problems(&text);
        assert!(report.contains(&format!(": {key}: ")), "{key}: {report}");
    }
}

/// In a policy file a key that stood twice turned a refusal into a permission.
#[test]
fn secretless_ai_140_a_key_twice_in_the_configuration_fails_the_load() {
    let good = good();
    assert!(file::read(&good, Path::new("/")).is_ok());
    for (once, again) in [
        ("workers = 1\n", "workers = 2\n"),
        (
            "audit.output = \"./audit.jsonl\"\n",
            "audit.output = \"off\"\n",
        ),
        (
            "operations = [\"update\", \"update_batch\", \"list\"]\n",
            "operations = [\"delete\"]\n",
        ),
        (
            "namespaces = [\"crm\", \"crm.*\"]\n",
            "namespaces = [\"erp\"]\n",
        ),
        ("name = \"limited\"\n", "name = \"unlimited\"\n"),
    ] {
        let (before, after) = good.split_once(once).expect("the key");
        let text = format!("{before}{once}{again}{after}");
        let report = problems(&text);
        assert!(report.contains("duplicate key"), "{report}");
    }
}
