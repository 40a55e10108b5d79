//! Each kind of warning, and what is none.

use super::*;
use crate::config::file::read;
use std::path::Path;

fn told(text: &str) -> Vec<String> {
    let store = "[[store]]\nhash = \"abc\"\ncredential = { file = \"absent\" }\n";
    let file = read(&format!("{text}\n{store}"), Path::new("/"));
    let file = file.unwrap_or_else(|problems| panic!("{}", problems.report("f")));
    let now = "2026-06-01T00:00:00Z".parse().unwrap();
    let warnings = warnings(&file, now);
    warnings
        .iter()
        .map(|warning| format!("{} {}", warning.key, warning.message))
        .collect()
}

fn caller(name: &str, rest: &str) -> String {
    let digest = name.bytes().next().unwrap();
    let scopes = if rest.contains("scopes") {
        ""
    } else {
        "scopes = [\"store_v2_customers\"]\n"
    };
    let token = if rest.contains("token_sha256") {
        String::new()
    } else {
        format!("token_sha256 = [\"{digest:064}\"]\n")
    };
    format!("[[caller]]\nname = \"{name}\"\n{token}{scopes}{rest}\n")
}

#[test]
fn a_server_by_which_nothing_is_shared_is_told() {
    let shared = "[quota.shared]\nurl = \"rediss://redis\"\n";
    let said = "quota.shared has no effect: no store has a `quota`";
    assert!(told(&format!("{shared}{}", caller("a", ""))).contains(&said.to_owned()));
    let quota = "[[store]]\nhash = \"def\"\ncredential = { file = \"absent\" }\nquota = { requests = 9, per = \"30s\" }\n";
    assert!(!told(&format!("{shared}{quota}{}", caller("a", ""))).contains(&said.to_owned()));
}

#[test]
fn a_page_for_everybody_is_told() {
    let said =
        "admin.page other machines can connect, and see who changes which customer's metafields";
    for (admin, is_told) in [
        ("address = \"0.0.0.0:9090\"", false),
        ("address = \"127.0.0.1:9090\"", false),
        ("address = \"0.0.0.0:9090\"\npage = \"on\"", true),
        ("address = \"0.0.0.0:9090\"\npage = \"[::1]:9091\"", false),
        (
            "address = \"127.0.0.1:9090\"\npage = \"10.1.2.3:9091\"",
            true,
        ),
        ("address = \"0.0.0.0:9090\"\npage = \"off\"", false),
    ] {
        let text = format!("[admin]\n{admin}\n{}", caller("a", ""));
        assert_eq!(told(&text).contains(&said.to_owned()), is_told, "{admin}");
    }
}

#[test]
fn what_is_shared_in_the_open_is_told() {
    let said = "quota.shared.url password and counts go to redis without encryption".to_owned();
    for (url, is_told) in [
        (
            "redis://redis\"\nallow_plaintext = true\nprefix = \"p",
            true,
        ),
        ("rediss://redis", false),
        ("redis://127.0.0.1", false),
    ] {
        let text = format!("[quota.shared]\nurl = \"{url}\"\n{}", caller("a", ""));
        assert_eq!(told(&text).contains(&said), is_told, "{url}");
    }
}

#[test]
fn what_changes_nothing_about_spending_is_told() {
    for (text, expected) in [
        (
            caller("a", "weight = 2"),
            Some("caller[0].weight has no effect"),
        ),
        (
            caller("a", "guaranteed = 2"),
            Some("caller[0].guaranteed has no effect"),
        ),
        (
            caller("a", "max_wait = \"1s\""),
            Some("caller[0].max_wait has no effect"),
        ),
        (caller("a", "max_wait = \"1s\"\nconcurrency = 2"), None),
        (
            caller(
                "a",
                "rate_limit = { requests = 9, per = \"1s\", batch_items = 100 }",
            ),
            Some("caller[0].rate_limit.batch_items batches of more items"),
        ),
        (
            caller(
                "a",
                "batch_items = 100\nrate_limit = { requests = 9, per = \"1s\", batch_items = 100 }",
            ),
            None,
        ),
    ] {
        let found = told(&text);
        match expected {
            None => assert_eq!(found, [""; 0], "{text}"),
            Some(expected) => {
                assert_eq!(found.len(), 1, "{text} {found:?}");
                assert!(found[0].starts_with(expected), "{text} {found:?}");
            }
        }
    }
}

#[test]
fn each_kind_is_told() {
    let token = "1".repeat(64);
    let expires = |at: &str| {
        caller(
            "a",
            &format!("token_sha256 = [{{ sha256 = \"{token}\", expires = \"{at}\" }}]"),
        )
    };
    for (text, expected) in [
        (caller("a", ""), None),
        (
            format!("listen.address = \"0.0.0.0:80\"\n{}", caller("a", "")),
            Some("listen.address other machines"),
        ),
        (
            format!("listen.address = \"[::1]:80\"\n{}", caller("a", "")),
            None,
        ),
        (
            caller("a", "scopes = [\"store_cart\"]"),
            Some("caller[0].scopes `a` can do nothing"),
        ),
        (
            caller("a", "customers = [1]\noperations = [\"list_all\", \"get\"]"),
            Some("caller[0].customers makes `list_all`"),
        ),
        (
            caller(
                "a",
                "scopes = [\"store_v2_customers_read_only\"]\npermission_sets = [\"read\"]",
            ),
            Some("caller[0].permission_sets has no effect"),
        ),
        (
            caller("a", "operations = [\"create\"]\nrequire = [\"key\"]"),
            Some("caller[0].require has no effect"),
        ),
        (
            caller("a", "operations = [\"get\"]\nbatch_items = 3"),
            Some("caller[0].batch_items has no effect"),
        ),
        (
            caller("a", "enforcement = \"report\""),
            Some("caller[0].enforcement the caller's grants refuse nothing"),
        ),
        (
            format!(
                "policy.ownership = \"named\"\n{}",
                caller("a", "namespaces = [\"n\"]")
            ),
            Some("caller[0].namespaces holds no update by id"),
        ),
        (
            expires("2026-05-31T00:00:00Z"),
            Some("caller[0].token_sha256[0].expires `a`: the token has expired"),
        ),
        (
            expires("2026-06-10T00:00:00Z"),
            Some("caller[0].token_sha256[0].expires `a`: the token expires at"),
        ),
        (expires("2026-07-10T00:00:00Z"), None),
    ] {
        let found = told(&text);
        match expected {
            None => assert_eq!(found, [""; 0], "{text}"),
            Some(expected) => {
                assert_eq!(found.len(), 1, "{text} {found:?}");
                assert!(found[0].starts_with(expected), "{text} {found:?}");
            }
        }
    }
}

#[test]
fn a_namespace_of_two_is_told() {
    let two = |first: &str, second: &str| {
        told(
            &(caller("a", &format!("namespaces = [\"{first}\"]"))
                + &caller("b", &format!("namespaces = [\"{second}\"]"))),
        )
    };
    for (first, second) in [
        ("crm", "crm"),
        ("crm.*", "crm.eu"),
        ("crm.eu", "crm.*"),
        ("crm.*", "crm.*"),
        ("crm.eu.*", "crm.*"),
        ("crm.*", "crm.eu.x"),
    ] {
        let found = two(first, second);
        assert_eq!(found.len(), 1, "{first} {second} {found:?}");
        assert!(found[0].contains("`b` and `a` may both write"), "{found:?}");
    }
    for (first, second) in [
        ("crm", "erp"),
        ("crm", "crm.*"),
        ("crm.*", "crm"),
        ("crm.*", "crmx.a"),
        ("crm.eu", "crm.us"),
    ] {
        assert_eq!(two(first, second), [""; 0], "{first} {second}");
    }
}

#[test]
fn an_issuer_without_callers_is_told() {
    let issuer = "[[issuer]]\nname = \"idp\"\nissuer = \"https://idp\"\naudience = [\"gw\"]\nalgorithms = [\"ES256\"]\njwks = { file = \"keys\" }\n";
    let unused = told(&(caller("a", "") + issuer));
    assert_eq!(unused.len(), 1, "{unused:?}");
    assert!(unused[0].starts_with("issuer[0] no caller is bound to `idp`"));
    let bound = "signed_token = { issuer = \"idp\", subject = \"me\" }";
    assert_eq!(told(&(caller("a", bound) + issuer)), [""; 0]);
}

#[test]
fn a_digest_that_stands_for_another_is_told() {
    let zeros = "0".repeat(64);
    let found = told(&caller("a", &format!("token_sha256 = [\"{zeros}\"]")));
    assert_eq!(
        found,
        ["caller[0].token_sha256[0] `a`: no token has a digest of zeros"]
    );
}
