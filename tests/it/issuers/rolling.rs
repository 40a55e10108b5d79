//! Keys that change: new ones are known when a token needs them, at a bounded rate; old ones are gone with
//! everything that they proved.

use super::*;
use crate::support::issuer::{Server, jwks, ok as answer};
use metafield_gateway::server::Reloaded;

fn served(keys: &[&Key]) -> String {
    answer(&jwks(keys))
}

#[test]
fn keys_are_fetched_ahead_of_need_and_in_turn() {
    let (upstream, key) = (Fake::good(), Key::new("one"));
    let server = Server::start(&served(&[&key]));
    let (clock, hand) = clock();
    let url = format!("{{ url = \"http://{}/keys?v=1\" }}", server.address);
    let gateway = setup(&upstream, &url).start_by(&clock);
    let head = server.asked();
    assert!(head.starts_with("GET /keys?v=1 HTTP/1.1\n"), "{head}");
    let host = format!("host: {}\n", server.address);
    assert!(head.to_ascii_lowercase().contains(&host), "{head}");
    gateway.wait_for_metric(&refreshes("ok"), 1.0);
    assert_eq!(outcome(&gateway, &token(&key)), ok());
    assert_eq!(server.unseen(), 0, "the keys were there");
    hand.advance(4 * MINUTE);
    assert_eq!(outcome(&gateway, &token(&key)), ok());
    let age = "metafield_gateway_issuer_keys_age_seconds{issuer=\"idp\"}";
    gateway.wait_for_metric(age, 240.0);
    hand.advance(MINUTE);
    server.asked();
    gateway.wait_for_metric(age, 0.0);
    gateway.wait_for_metric(&refreshes("ok"), 2.0);
    assert_eq!(readiness(&gateway), "ready\n");
}

#[test]
fn a_roll_is_noticed_by_the_first_token_and_ends_what_the_old_key_proved() {
    let (upstream, old, new) = (Fake::good(), Key::new("old"), Key::new("new"));
    let server = Server::start(&served(&[&old]));
    let (old_token, new_token) = (token(&old), token(&new));
    let (clock, hand) = clock();
    let url = format!("{{ url = \"http://{}/keys\" }}", server.address);
    let gateway = setup(&upstream, &url).start_by(&clock);
    server.asked();
    gateway.wait_for_metric(&refreshes("ok"), 1.0);
    for _ in 0..3 {
        assert_eq!(outcome(&gateway, &old_token), ok());
    }
    server.answer(&served(&[&new]));
    hand.advance(Duration::from_secs(10));
    // The token that names the new key has it fetched, and waits for it.
    assert_eq!(outcome(&gateway, &new_token), ok());
    server.asked();
    assert_eq!(server.unseen(), 0);
    let removed = refused(401, "invalid_token");
    assert_eq!(
        outcome(&gateway, &old_token),
        removed,
        "at once, with no fetch"
    );
    assert_eq!(server.unseen(), 0, "at most one fetch in ten seconds");
    hand.advance(Duration::from_secs(10));
    assert_eq!(outcome(&gateway, &old_token), removed);
    server.asked();
    for (outcome, count) in [("good", 2.0), ("remembered", 2.0), ("invalid", 2.0)] {
        let name = format!("metafield_gateway_signed_tokens_total{{outcome=\"{outcome}\"}}");
        gateway.wait_for_metric(&name, count);
    }
    let lines = gateway.stop();
    let means: Vec<_> = lines
        .iter()
        .map(|line| line["identified_by"].as_str())
        .collect();
    let signed = Some("signed_token");
    assert_eq!(means, [signed, signed, signed, signed, None, None]);
    assert_eq!(lines[0]["caller"], "signed");
}

#[test]
fn made_up_keys_cost_the_issuer_little() {
    let (upstream, key) = (Fake::good(), Key::new("one"));
    let server = Server::start(&served(&[&key]));
    let (clock, hand) = clock();
    let url = format!("{{ url = \"http://{}/keys\" }}", server.address);
    let gateway = setup(&upstream, &url).start_by(&clock);
    server.asked();
    gateway.wait_for_metric(&refreshes("ok"), 1.0);
    hand.advance(Duration::from_secs(10));
    for number in 0..50 {
        let made_up = Key::new(&format!("made-up-{number}"));
        let found = outcome(&gateway, &token(&made_up));
        assert_eq!(found, refused(401, "invalid_token"));
    }
    server.asked();
    assert_eq!(server.unseen(), 0);
    assert_eq!(outcome(&gateway, &token(&key)), ok());
}

#[test]
fn a_reload_keeps_fetched_keys_and_follows_another_issuer() {
    let (upstream, key, other) = (Fake::good(), Key::new("one"), Key::new("other"));
    let server = Server::start(&served(&[&key]));
    let elsewhere = Server::start(&served(&[&other]));
    let (clock, _hand) = clock();
    let url = format!("{{ url = \"http://{}/keys\" }}", server.address);
    let setup = setup(&upstream, &url);
    let text = setup.text();
    let gateway = setup.start_by(&clock);
    server.asked();
    gateway.wait_for_metric(&refreshes("ok"), 1.0);
    assert_eq!(outcome(&gateway, &token(&key)), ok());
    // The keys are there at once, without another fetch; what has changed of the caller counts.
    let read_only = text.replacen(
        "subject = \"app\" }\nscopes = [\"store_v2_customers\"]",
        "subject = \"app\" }\nscopes = [\"store_v2_customers\"]\noperations = [\"list\"]",
        1,
    );
    assert_eq!(gateway.reload_with(&read_only), Reloaded::Loaded);
    assert_eq!(
        outcome(&gateway, &token(&key)),
        refused(403, "operation_denied")
    );
    assert_eq!(server.unseen(), 0);
    let moved = text.replace(&server.address.to_string(), &elsewhere.address.to_string());
    assert_eq!(gateway.reload_with(&moved), Reloaded::Loaded);
    elsewhere.asked();
    gateway.wait_for_metric(&refreshes("ok"), 1.0);
    assert_eq!(outcome(&gateway, &token(&other)), ok());
    assert_eq!(
        outcome(&gateway, &token(&key)),
        refused(401, "invalid_token")
    );
    // A caller that is gone has no token any more.
    let gone = moved.replace("subject = \"app\"", "subject = \"another\"");
    assert_eq!(gateway.reload_with(&gone), Reloaded::Loaded);
    assert_eq!(
        outcome(&gateway, &token(&other)),
        refused(401, "unknown_token")
    );
}
