//! Two teams, one credential, one customer: neither can read, change or delete what is the other's, by
//! whatever way; each can do all of that with its own.

use super::{ADS, CRM, Ground, WRITER, one, outcome};
use crate::support::client::{ALL, CUSTOMER};
use serde_json::json;

/// What a team tries: the outcome where nothing is remembered of either metafield, the outcome where both
/// are, method, place, body. `OWN` and `OTHER` are the two metafields' ids, `ours` and `theirs` namespaces.
const ATTEMPTS: &str = r#"
404 unknown_metafield | 404 unknown_metafield | GET | OTHER |
404 unknown_metafield | 404 unknown_metafield | HEAD | OTHER |
403 namespace_denied | 403 namespace_denied | PUT | OTHER | {}
403 namespace_denied | 403 namespace_denied | PUT | OTHER | {"value":"canary-other"}
403 namespace_denied | 403 namespace_denied | PUT | OTHER | {"namespace":"ours"}
403 namespace_denied | 403 namespace_denied | PUT | OTHER | {"namespace":"ours","key":"new"}
403 namespace_denied | 403 namespace_denied | PUT | OTHER | {"namespace":"theirs","value":"canary-other"}
403 namespace_denied | 403 namespace_denied | PUT | OWN | {"namespace":"theirs"}
403 namespace_denied | 403 namespace_denied | PUT | OWN | {"namespace":"theirs","key":"new"}
403 namespace_denied | 403 namespace_denied | DELETE | OTHER |
403 ownership_unknown | 403 namespace_denied | PUT | all | [{"id":OTHER,"value":"canary-other"}]
403 ownership_unknown | 403 namespace_denied | PUT | all | [{"id":OTHER,"namespace":"ours"}]
403 ownership_unknown | 403 namespace_denied | PUT | all | [{"id":OWN,"value":"w"},{"id":OTHER,"value":"w"}]
403 namespace_denied | 403 namespace_denied | PUT | all | [{"id":OWN,"namespace":"theirs"}]
403 ownership_unknown | 403 namespace_denied | DELETE | all | [OTHER]
403 ownership_unknown | 403 namespace_denied | DELETE | all | [OWN,OTHER]
403 namespace_denied | 403 namespace_denied | POST | customer | {"namespace":"theirs","key":"new","value":"v","permission_set":"read"}
403 namespace_denied | 403 namespace_denied | POST | all | [{"resource_id":7,"namespace":"theirs","key":"new","value":"v","permission_set":"read"}]
403 namespace_denied | 403 namespace_denied | GET | customer |
403 namespace_denied | 403 namespace_denied | GET | customer?namespace=theirs |
403 namespace_denied | 403 namespace_denied | GET | all?namespace:in=ours,theirs |
403 namespace_denied | 403 namespace_denied | HEAD | all?namespace=theirs |
"#;

fn place(word: &str, own: u64, other: u64) -> String {
    match word {
        "OWN" => one(own),
        "OTHER" => one(other),
        list => list.replace("customer", CUSTOMER).replace("all", ALL),
    }
}

#[test]
fn neither_team_reaches_what_is_the_others() {
    for is_remembered in [false, true] {
        let ground = Ground::with(|setup| {
            // Too short a time to remember anything.
            let ttl = if is_remembered { "10m" } else { "1us" };
            setup.with(&format!("policy.ownership_ttl = \"{ttl}\""))
        });
        let (crm, ads) = (ground.seed("crm", "tier"), ground.seed("ads", "tier"));
        let truth = (ground.truth(crm), ground.truth(ads));
        assert_eq!(ground.send(WRITER, "GET", CUSTOMER, "").status(), 200);
        ground.reached();
        for (token, ours, own, theirs, other) in
            [(CRM, "crm", crm, "ads", ads), (ADS, "ads", ads, "crm", crm)]
        {
            for line in ATTEMPTS.trim().lines() {
                let words: Vec<&str> = line.split('|').map(str::trim).collect();
                let [cold, warm, method, at, body] = words[..] else {
                    panic!("{line}")
                };
                let fill = |text: &str| {
                    text.replace("ours", ours)
                        .replace("theirs", theirs)
                        .replace("OTHER", &other.to_string())
                        .replace("OWN", &own.to_string())
                };
                let at = if at.starts_with('O') {
                    place(at, own, other)
                } else {
                    place(&fill(at), own, other)
                };
                let answer = ground.send(token, method, &at, &fill(body));
                let expected = if is_remembered { warm } else { cold };
                assert_eq!(outcome(&answer), expected, "{token} {line}");
                assert!(!String::from_utf8_lossy(&answer.body).contains("canary-value"));
            }
        }
        let reached = ground.reached();
        assert!(
            reached.iter().all(|line| line.starts_with("GET ")),
            "{reached:?}"
        );
        assert_eq!((ground.truth(crm), ground.truth(ads)), truth);
    }
}

#[test]
fn a_team_does_as_it_likes_with_its_own() {
    let ground = Ground::new();
    let id = ground.seed("crm", "tier");
    let batch = format!(r#"[{{"id":{id},"value":"w"}}]"#);
    for (method, target, body) in [
        ("HEAD", one(id), ""),
        ("GET", one(id), ""),
        ("PUT", one(id), r#"{"value":"w"}"#),
        ("PUT", one(id), r#"{"namespace":"crm.b","key":"new"}"#),
        ("PUT", ALL.to_owned(), batch.as_str()),
        ("GET", format!("{CUSTOMER}?namespace=crm.b"), ""),
    ] {
        let answer = ground.send(CRM, method, &target, body);
        assert_eq!(outcome(&answer), "200", "{method} {target} {body}");
    }
    let truth = ground.truth(id);
    assert_eq!(
        (&truth["namespace"], &truth["key"], &truth["value"]),
        (&json!("crm.b"), &json!("new"), &json!("w"))
    );
    assert_eq!(outcome(&ground.send(CRM, "DELETE", &one(id), "")), "204");
    assert_eq!(outcome(&ground.send(CRM, "GET", &one(id), "")), "404");
    let looked_up = format!("GET {}", one(id));
    let reached = ground.reached();
    // One look-up before the HEAD; then the GET itself, the store's truth, and the last one.
    let asked = reached.iter().filter(|line| **line == looked_up).count();
    assert_eq!(asked, 4, "{reached:?}");
}

#[test]
fn a_batch_names_the_rows_whose_owner_is_not_known() {
    let ground = Ground::new();
    let (own, other) = (ground.seed("crm", "a"), ground.seed("ads", "a"));
    let unknown = ground.seed("crm", "b");
    // The unlimited caller reads two of the three.
    for id in [own, other] {
        assert_eq!(ground.send(WRITER, "GET", &one(id), "").status(), 200);
    }
    ground.reached();
    let rows = format!(r#"[{{"id":{own}}},{{"id":{unknown}}},{{"id":{other}}}]"#);
    let ids = format!("[{own},{unknown},{other}]");
    for (method, body) in [("PUT", &rows), ("DELETE", &ids)] {
        let answer = ground.send(CRM, method, ALL, body);
        assert_eq!(outcome(&answer), "403 ownership_unknown");
        let problem = answer.json();
        let errors = problem["errors"].as_object().expect("errors");
        assert_eq!(errors.keys().collect::<Vec<_>>(), ["1", "2"]);
        let remedy = errors["1"].as_str().expect("a text");
        assert!(
            remedy.starts_with("id: ") && remedy.contains("`list_all`"),
            "{remedy}"
        );
        assert_eq!(
            errors["2"],
            "namespace: the metafield is outside the caller's grant"
        );
    }
    assert_eq!(ground.reached(), [""; 0]);
    // The remedy.
    let list = format!("{ALL}?namespace=crm");
    assert_eq!(ground.send(CRM, "GET", &list, "").status(), 200);
    let answer = ground.send(CRM, "DELETE", ALL, &format!("[{own},{unknown}]"));
    assert_eq!(outcome(&answer), "200");
    assert_eq!(ground.reached().len(), 2);
}

#[test]
fn where_owners_are_not_looked_up_the_request_must_name_its_namespace() {
    let ground = Ground::with(|setup| setup.with("policy.ownership = \"named\""));
    let id = ground.seed("crm", "tier");
    ground.reached();
    for (method, body, expected) in [
        ("GET", "", "403 namespace_denied"),
        ("HEAD", "", "403 namespace_denied"),
        ("DELETE", "", "403 namespace_denied"),
        ("PUT", r#"{"value":"w"}"#, "403 namespace_denied"),
        ("PUT", r#"{"value":"w","namespace":"crm"}"#, "200"),
    ] {
        let answer = ground.send(CRM, method, &one(id), body);
        assert_eq!(outcome(&answer), expected, "{method} {body}");
    }
    assert_eq!(ground.reached(), [format!("PUT {}", one(id))]);
}
