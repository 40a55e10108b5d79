//! An issuer that is down, or answers with what is no key set: who is known already goes on, within limits,
//! and nobody else is hurt.

use super::*;
use crate::support::gateway::WRITER;
use crate::support::issuer::{Server, jwks, ok as answer};

fn url(server: &Server) -> String {
    format!("{{ url = \"http://{}/keys\" }}", server.address)
}

#[test]
fn an_issuer_that_is_down_at_the_start_holds_nobody_else_up() {
    let (upstream, key) = (Fake::good(), Key::new("one"));
    let address = Server::start("").stop();
    let (clock, hand) = clock();
    let url = format!("{{ url = \"http://{address}/keys\" }}");
    let gateway = setup(&upstream, &url).start_by(&clock);
    gateway.wait_for_metric(&refreshes("failed"), 1.0);
    assert_eq!(outcome(&gateway, WRITER), ok());
    let told = get(&gateway, &token(&key));
    assert_eq!(
        (told.status(), told.code()),
        (503, Some("issuer_unavailable"))
    );
    assert_eq!(told.field("retry-after"), Some("1"));
    assert_eq!(gateway.admin("/readyz").status(), 200);
    assert_eq!(readiness(&gateway), "ready\nno keys of the issuer idp\n");
    let server = Server::start_at(address, &answer(&jwks(&[&key])));
    hand.advance(MINUTE);
    server.asked();
    gateway.wait_for_metric(&refreshes("ok"), 1.0);
    assert_eq!(outcome(&gateway, &token(&key)), ok());
    assert_eq!(readiness(&gateway), "ready\n");
}

#[test]
fn ten_minutes_without_the_issuer_and_a_roll_meanwhile() {
    let (upstream, old, new) = (Fake::good(), Key::new("old"), Key::new("new"));
    let server = Server::start(&answer(&jwks(&[&old])));
    let (clock, hand) = clock();
    let gateway = setup(&upstream, &url(&server)).start_by(&clock);
    server.asked();
    gateway.wait_for_metric(&refreshes("ok"), 1.0);
    let address = server.stop();
    let mut failed = 0.0;
    for minute in 1..=10 {
        hand.advance(MINUTE);
        if minute >= 5 {
            // From its turn on, each minute's try fails.
            failed += 1.0;
            gateway.wait_for_metric(&refreshes("failed"), failed);
        }
        assert_eq!(outcome(&gateway, &token(&old)), ok(), "minute {minute}");
    }
    // A new key cannot be known now, and the token that has it is refused.
    let unknown = outcome(&gateway, &token(&new));
    assert_eq!(unknown, refused(401, "invalid_token"));
    let server = Server::start_at(address, &answer(&jwks(&[&new])));
    hand.advance(MINUTE);
    server.asked();
    gateway.wait_for_metric(&refreshes("ok"), 2.0);
    assert_eq!(outcome(&gateway, &token(&new)), ok());
    let gone = outcome(&gateway, &token(&old));
    assert_eq!(gone, refused(401, "invalid_token"));
}

#[test]
fn keys_are_kept_for_so_long_and_no_longer() {
    let (upstream, key) = (Fake::good(), Key::new("one"));
    let server = Server::start(&answer(&jwks(&[&key])));
    let (clock, hand) = clock();
    let url = format!(
        "{{ url = \"http://{}/keys\", keep = \"20m\" }}",
        server.address
    );
    let gateway = setup(&upstream, &url).start_by(&clock);
    server.asked();
    gateway.wait_for_metric(&refreshes("ok"), 1.0);
    assert_eq!(outcome(&gateway, &token(&key)), ok());
    server.stop();
    hand.advance(20 * MINUTE);
    gateway.wait_for_metric(&refreshes("failed"), 1.0);
    assert_eq!(outcome(&gateway, &token(&key)), ok());
    hand.advance(Duration::from_secs(1));
    let found = outcome(&gateway, &token(&key));
    assert_eq!(found, refused(503, "issuer_unavailable"));
    assert_eq!(outcome(&gateway, WRITER), ok());
}

#[test]
fn what_is_no_key_set_changes_nothing() {
    let (upstream, key, other) = (Fake::good(), Key::new("one"), Key::new("two"));
    let good = jwks(&[&key]);
    let elsewhere = Server::start(&answer(&jwks(&[&other])));
    let server = Server::start(&answer(&good));
    let (clock, hand) = clock();
    let gateway = setup(&upstream, &url(&server)).start_by(&clock);
    server.asked();
    gateway.wait_for_metric(&refreshes("ok"), 1.0);
    let redirect = format!(
        "HTTP/1.1 302 Found\r\nLocation: http://{}/keys\r\nContent-Length: 0\r\n\r\n",
        elsewhere.address
    );
    let bad = [
        redirect,
        answer(&good).replacen("200 OK", "404 Not Found", 1),
        answer(&good).replacen("200 OK", "500 Oh", 1),
        "HTTP/1.1 204 No Content\r\n\r\n".to_owned(),
        answer("<html>"),
        answer(&format!("{good}{}", " ".repeat(256 * 1024))),
        answer(&good).replacen("Content-Length: ", "Content-Length: 9", 1),
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}".to_owned(),
        "no HTTP at all\r\n\r\n".to_owned(),
        String::new(),
    ];
    for (number, bad) in bad.iter().enumerate() {
        server.answer(bad);
        hand.advance(5 * MINUTE);
        server.asked();
        let failed = u32::try_from(number + 1).expect("a small number");
        gateway.wait_for_metric(&refreshes("failed"), f64::from(failed));
        assert_eq!(outcome(&gateway, &token(&key)), ok(), "{bad:.60}");
        let stranger = outcome(&gateway, &token(&other));
        assert_eq!(stranger, refused(401, "invalid_token"), "{bad:.60}");
    }
    assert_eq!(elsewhere.unseen(), 0, "a redirect is not followed");
}

#[test]
fn what_the_issuer_does_not_list_any_more_counts_no_more() {
    let (upstream, key, other) = (Fake::good(), Key::new("one"), Key::new("two"));
    let (good, both) = (jwks(&[&key]), jwks(&[&key, &other]));
    let server = Server::start(&answer(&both));
    let (clock, hand) = clock();
    let gateway = setup(&upstream, &url(&server)).start_by(&clock);
    server.asked();
    let mut fetched = 1.0;
    gateway.wait_for_metric(&refreshes("ok"), fetched);
    let private = good.replacen("{\"kty\"", "{\"d\":\"x\",\"kty\"", 1);
    let unavailable = || refused(503, "issuer_unavailable");
    for (served, of_key, of_other) in [
        (&both, ok(), ok()),
        (&good, ok(), refused(401, "invalid_token")),
        // An answer of the issuer's own that lists nothing is no outage.
        (&"{\"keys\":[]}".to_owned(), unavailable(), unavailable()),
        (&both, ok(), ok()),
        // Everyone knows the private half of the key now.
        (&private, unavailable(), unavailable()),
        (&both, ok(), ok()),
        (
            &both.replacen("{\"kty\"", "{\"d\":\"x\",\"kty\"", 1),
            refused(401, "invalid_token"),
            ok(),
        ),
    ] {
        server.answer(&answer(served));
        hand.advance(5 * MINUTE);
        server.asked();
        fetched += 1.0;
        gateway.wait_for_metric(&refreshes("ok"), fetched);
        assert_eq!(outcome(&gateway, &token(&key)), of_key, "{served}");
        assert_eq!(outcome(&gateway, &token(&other)), of_other, "{served}");
    }
    assert_eq!(outcome(&gateway, WRITER), ok());
}
