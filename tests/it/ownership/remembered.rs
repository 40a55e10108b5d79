//! What is remembered: by which answers, by which workers, for how long, and what a change through the
//! gateway makes of it.

use super::{ADS, CRM, Ground, WRITER, one, outcome};
use crate::support::client::{ALL, CUSTOMER};

const NEW: &str = r#""key":"k","value":"v","permission_set":"read""#;

#[test]
fn what_one_worker_saw_created_the_others_may_change_in_a_batch() {
    let ground = Ground::with(|setup| setup.workers(3));
    let rows = format!(
        r#"[{{"resource_id":7,"namespace":"crm",{NEW}}},{{"resource_id":8,"namespace":"crm.a",{NEW}}}]"#
    );
    let answer = ground.send(CRM, "POST", ALL, &rows);
    assert_eq!(outcome(&answer), "200");
    let created = answer.json();
    let ids: Vec<u64> = [0, 1]
        .map(|at| created["data"][at]["id"].as_u64().expect("an id"))
        .into();
    let update = format!(
        r#"[{{"id":{},"value":"w"}},{{"id":{},"value":"w"}}]"#,
        ids[0], ids[1]
    );
    // Connections spread over the workers.
    let mut clients: Vec<_> = (0..12).map(|_| ground.gateway.connect()).collect();
    for client in &mut clients {
        let answer = client.exchange(&super::request(CRM, "PUT", ALL, &update));
        assert_eq!(outcome(&answer), "200");
        let answer = client.exchange(&super::request(ADS, "PUT", ALL, &update));
        assert_eq!(outcome(&answer), "403 namespace_denied");
    }
    assert_eq!(ground.reached().len(), 13);
}

/// Method, place and body of an unlimited caller's request about a new metafield, after which it can be
/// changed without a look-up.
const TEACHERS: [(&str, &str, &str); 5] = [
    ("GET", "ONE", ""),
    ("GET", "CUSTOMER?limit=250", ""),
    ("GET", "ALL?namespace=crm", ""),
    ("PUT", "ONE", r#"{"value":"w"}"#),
    ("PUT", "ALL", r#"[{"id":ID,"value":"w"}]"#),
];

#[test]
fn every_answer_that_shows_a_metafield_tells_whose_it_is() {
    let ground = Ground::new();
    for (number, (method, place, body)) in TEACHERS.into_iter().enumerate() {
        let id = ground.seed("crm", &number.to_string());
        let place = place.replace("ONE", &one(id)).replace("CUSTOMER", CUSTOMER);
        let place = place.replace("ALL", ALL);
        let body = body.replace("ID", &id.to_string());
        assert_eq!(ground.send(WRITER, method, &place, &body).status(), 200);
        ground.reached();
        assert_eq!(outcome(&ground.send(CRM, "DELETE", &one(id), "")), "204");
        assert_eq!(
            ground.reached(),
            [format!("DELETE {}", one(id))],
            "{method} {place}"
        );
    }
}

#[test]
fn what_an_answer_leaves_out_is_looked_up() {
    let ground = Ground::new();
    let id = ground.seed("crm", "tier");
    let list = format!("{CUSTOMER}?namespace=crm&include_fields=value,namespace");
    assert_eq!(ground.send(CRM, "GET", &list, "").status(), 200);
    ground.reached();
    assert_eq!(outcome(&ground.send(CRM, "PUT", &one(id), "{}")), "200");
    let path = one(id);
    assert_eq!(
        ground.reached(),
        [format!("GET {path}"), format!("PUT {path}")]
    );
}

#[test]
fn a_metafield_that_another_caller_moved_is_the_others_at_once() {
    for by_batch in [false, true] {
        let ground = Ground::new();
        let id = ground.seed("crm", "tier");
        assert_eq!(outcome(&ground.send(CRM, "PUT", &one(id), "{}")), "200");
        assert_eq!(
            outcome(&ground.send(ADS, "PUT", &one(id), "{}")),
            "403 namespace_denied"
        );
        let (target, body) = if by_batch {
            (
                ALL.to_owned(),
                format!(r#"[{{"id":{id},"namespace":"ads"}}]"#),
            )
        } else {
            (one(id), r#"{"namespace":"ads"}"#.to_owned())
        };
        assert_eq!(outcome(&ground.send(WRITER, "PUT", &target, &body)), "200");
        ground.reached();
        assert_eq!(
            outcome(&ground.send(CRM, "PUT", &one(id), "{}")),
            "403 namespace_denied"
        );
        assert_eq!(outcome(&ground.send(ADS, "PUT", &one(id), "{}")), "200");
        assert_eq!(
            ground.reached(),
            [format!("PUT {}", one(id))],
            "nothing is looked up"
        );
    }
}

#[test]
fn a_change_that_failed_in_part_leaves_nothing_remembered() {
    let ground = Ground::new();
    let (id, gone) = (ground.seed("crm", "tier"), ground.seed("crm", "gone"));
    assert_eq!(ground.elsewhere("DELETE", &one(gone), "").status(), 204);
    assert_eq!(ground.send(CRM, "GET", &one(id), "").status(), 200);
    let rows = format!(r#"[{{"id":{id},"namespace":"ads"}},{{"id":{gone},"namespace":"ads"}}]"#);
    assert_eq!(outcome(&ground.send(WRITER, "PUT", ALL, &rows)), "422");
    ground.reached();
    assert_eq!(
        outcome(&ground.send(CRM, "DELETE", &one(id), "")),
        "403 namespace_denied"
    );
    assert_eq!(ground.reached(), [format!("GET {}", one(id))]);
}

#[test]
fn an_id_is_looked_for_at_its_own_customer_alone() {
    let ground = Ground::new();
    let id = ground.seed("crm", "tier");
    let list = ground.send(CRM, "GET", &format!("{CUSTOMER}?namespace=crm"), "");
    assert_eq!(list.status(), 200);
    let elsewhere = one(id).replace("/7/", "/8/");
    ground.reached();
    for (method, body) in [("PUT", "{}"), ("DELETE", ""), ("HEAD", "")] {
        let answer = ground.send(CRM, method, &elsewhere, body);
        assert_eq!(outcome(&answer), "404 unknown_metafield", "{method}");
    }
    assert_eq!(ground.reached(), [""; 0]);
    assert_eq!(outcome(&ground.send(CRM, "DELETE", &one(id), "")), "204");
}

#[test]
fn a_batch_that_names_another_customer_leaves_nothing_remembered() {
    let ground = Ground::new();
    let id = ground.seed("crm", "tier");
    for (row, looked_up) in [(r#""value":"w""#, false), (r#""resource_id":7"#, true)] {
        assert_eq!(ground.send(CRM, "GET", &one(id), "").status(), 200);
        // The answer shows nothing, so that nothing is learned anew.
        let rows = format!(r#"[{{"id":{id},{row}}},{{"id":999999,{row}}}]"#);
        assert_eq!(outcome(&ground.send(WRITER, "PUT", ALL, &rows)), "422");
        ground.reached();
        assert_eq!(outcome(&ground.send(CRM, "PUT", &one(id), "{}")), "200");
        let reached = ground.reached();
        assert_eq!(reached.len(), 1 + usize::from(looked_up), "{row}");
    }
}

#[test]
fn a_metafield_that_was_deleted_is_not_there() {
    let ground = Ground::new();
    for by_batch in [false, true] {
        let id = ground.seed("crm", "tier");
        assert_eq!(outcome(&ground.send(CRM, "PUT", &one(id), "{}")), "200");
        let (target, body) = if by_batch {
            (ALL.to_owned(), format!("[{id}]"))
        } else {
            (one(id), String::new())
        };
        let deleted = ground.send(WRITER, "DELETE", &target, &body);
        assert!([200, 204].contains(&deleted.status()));
        ground.reached();
        // BigCommerce's own answer to the look-up stands for its answer to the update.
        let answer = ground.send(CRM, "PUT", &one(id), r#"{"value":"w"}"#);
        assert_eq!(outcome(&answer), "404");
        assert_eq!(
            answer.json()["title"],
            "The resource at that URL is not found."
        );
        let head = ground.send(CRM, "HEAD", &one(id), "");
        assert_eq!((outcome(&head), head.body.len()), ("404".to_owned(), 0));
        assert_eq!(
            ground.reached(),
            [one(id), one(id)].map(|path| format!("GET {path}"))
        );
    }
}

#[test]
fn what_another_program_moved_is_seen_after_the_time_to_live() {
    let ground = Ground::with(|setup| setup.with("policy.ownership_ttl = \"1us\""));
    let id = ground.seed("crm", "tier");
    assert_eq!(outcome(&ground.send(CRM, "PUT", &one(id), "{}")), "200");
    let moved = ground.elsewhere("PUT", &one(id), r#"{"namespace":"ads"}"#);
    assert_eq!(moved.status(), 200);
    assert_eq!(
        outcome(&ground.send(CRM, "PUT", &one(id), "{}")),
        "403 namespace_denied"
    );
    assert_eq!(outcome(&ground.send(ADS, "PUT", &one(id), "{}")), "200");

    // Until then it is not, which the reference says.
    let ground = Ground::new();
    let id = ground.seed("crm", "tier");
    assert_eq!(outcome(&ground.send(CRM, "PUT", &one(id), "{}")), "200");
    let moved = ground.elsewhere("PUT", &one(id), r#"{"namespace":"ads"}"#);
    assert_eq!(moved.status(), 200);
    assert_eq!(outcome(&ground.send(CRM, "PUT", &one(id), "{}")), "200");
}

#[test]
fn what_is_known_of_one_upstream_is_not_known_of_the_next() {
    let ground = Ground::new();
    let id = ground.seed("crm", "tier");
    assert_eq!(outcome(&ground.send(CRM, "PUT", &one(id), "{}")), "200");
    // Another upstream, where the same id is another team's.
    let other = super::spawn(super::Options {
        token: super::CREDENTIAL.to_owned(),
        ..super::Options::default()
    });
    let other = Ground {
        store: other.expect("a store"),
        gateway: ground.gateway,
    };
    assert_eq!(other.seed("ads", "tier"), id);
    let text = std::fs::read_to_string(other.gateway.folder.path().join("gateway.toml"));
    let text = text.expect("the file");
    let (from, to) = (ground.store.address, other.store.address);
    let moved = text.replace(&from.to_string(), &to.to_string());
    let reloaded = other.gateway.reload_with(&moved);
    assert_eq!(reloaded, metafield_gateway::server::Reloaded::Loaded);
    assert_eq!(
        outcome(&other.send(CRM, "PUT", &one(id), "{}")),
        "403 namespace_denied"
    );
}
