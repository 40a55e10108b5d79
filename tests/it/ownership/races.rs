//! Many at once: one look-up for all who want to know, whoever of them leaves; and no answer that a change
//! has overtaken is believed.

use super::{CRM, WRITER, before, count, nine_in, outcome, request, upstream};
use crate::support::client::{Client, ONE};
use crate::support::fake::Fake;
use crate::support::gateway::Gateway;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

/// An upstream whose answers to requests with this in their start wait at the gate, and what it answers: to
/// those, and to others.
fn gated(start: &'static str, waiting: String, others: String) -> (Fake, Arc<OnceLock<()>>) {
    let gate = Arc::new(OnceLock::new());
    let upstream = upstream({
        let gate = Arc::clone(&gate);
        move |request, connection| {
            if request.start.contains(start) {
                gate.wait();
                return connection.send(&waiting);
            }
            connection.send(&others)
        }
    });
    (upstream, gate)
}

/// Sends an update of the metafield and does not wait for its answer.
fn begin(gateway: &Gateway) -> Client<std::net::TcpStream> {
    let mut client = gateway.connect();
    client.send(request(CRM, "PUT", ONE, r#"{"value":"w"}"#).to_bytes());
    client
}

#[test]
fn twenty_updates_of_one_metafield_cost_one_look_up() {
    let (upstream, gate) = gated("GET ", nine_in("crm"), nine_in("crm"));
    let gateway = super::with_teams(crate::support::gateway::Setup::new(upstream.address))
        .workers(2)
        .start();
    let mut clients: Vec<_> = (0..20).map(|_| begin(&gateway)).collect();
    upstream.wait_for(1);
    gate.set(()).expect("closed until now");
    for client in &mut clients {
        assert_eq!(outcome(&client.answer()), "200");
    }
    assert_eq!((count(&upstream, "GET"), count(&upstream, "PUT")), (1, 20));
    drop(clients);
    let lines = gateway.stop();
    let looked_up: u64 = lines
        .iter()
        .map(|line| line["lookups"].as_u64().expect("a number"))
        .sum();
    assert_eq!((lines.len(), looked_up), (20, 1));
}

#[test]
fn when_the_one_who_asks_leaves_the_others_are_still_answered() {
    let asked = AtomicUsize::new(0);
    let upstream = upstream(move |request, connection| {
        if request.start.starts_with("GET ") && asked.fetch_add(1, Relaxed) == 0 {
            // The first look-up gets no answer before it is given up.
            return connection.until_closed();
        }
        connection.send(nine_in("crm"))
    });
    let gateway = before(upstream.address);
    let leaving = begin(&gateway);
    upstream.wait_for(1);
    let mut others: Vec<_> = (0..5).map(|_| begin(&gateway)).collect();
    drop(leaving);
    for other in &mut others {
        assert_eq!(outcome(&other.answer()), "200");
    }
    assert_eq!((count(&upstream, "GET"), count(&upstream, "PUT")), (2, 5));
    drop(others);
    let mut lines = gateway.stop();
    let gone = lines.iter().position(|line| line["code"] == "client_gone");
    let gone = lines.remove(gone.expect("one left"));
    assert_eq!(
        (&gone["decision"], &gone["sent"]),
        (&"denied".into(), &"no".into())
    );
    assert_eq!(lines.len(), 5);
}

#[test]
fn who_looks_at_another_customer_does_not_answer_for_those_who_wait() {
    let missing = super::json("404 Not Found", "{}");
    let (upstream, gate) = gated("/customers/8/", missing, nine_in("crm"));
    let gateway = before(upstream.address);
    let mut asking = gateway.connect();
    let elsewhere = ONE.replace("/7/", "/8/");
    asking.send(request(CRM, "PUT", &elsewhere, "{}").to_bytes());
    upstream.wait_for(1);
    let mut waiting: Vec<_> = (0..3).map(|_| begin(&gateway)).collect();
    // One more at the same place, which shares the answer.
    let mut with_it = gateway.connect();
    with_it.send(request(CRM, "DELETE", &elsewhere, "").to_bytes());
    // When this one is answered the others wait: it came after them.
    assert_eq!(
        gateway.exchange(&request(WRITER, "GET", ONE, "")).status(),
        200
    );
    gate.set(()).expect("closed until now");
    assert_eq!(outcome(&asking.answer()), "404");
    assert_eq!(outcome(&with_it.answer()), "404");
    for client in &mut waiting {
        assert_eq!(outcome(&client.answer()), "200");
    }
}

#[test]
fn an_answer_that_a_move_has_overtaken_is_not_believed() {
    // Read before the move, and told after it.
    let (upstream, gate) = gated("GET ", nine_in("crm"), nine_in("ads"));
    let gateway = before(upstream.address);
    let mut limited = begin(&gateway);
    upstream.wait_for(1);
    let moving = request(WRITER, "PUT", ONE, r#"{"namespace":"ads"}"#);
    assert_eq!(outcome(&gateway.exchange(&moving)), "200");
    gate.set(()).expect("closed until now");
    assert_eq!(outcome(&limited.answer()), "403 namespace_denied");
    // What the move's own answer showed is remembered.
    assert_eq!((count(&upstream, "GET"), count(&upstream, "PUT")), (1, 1));
}

#[test]
fn after_a_move_that_was_sent_twice_and_then_refused_it_is_asked_anew() {
    let moves = AtomicUsize::new(0);
    let upstream = upstream(move |request, connection| {
        let body = String::from_utf8_lossy(&request.body);
        if !body.contains("namespace") {
            return connection.send(nine_in("crm"));
        }
        if moves.fetch_add(1, Relaxed) == 0 {
            // On a connection that was used before: it is sent again.
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        connection.send(super::json("429 Too Many Requests", "{}"))
    });
    let gateway = before(upstream.address);
    let update = request(CRM, "PUT", ONE, "{}");
    assert_eq!(outcome(&gateway.exchange(&update)), "200");
    let moving = request(WRITER, "PUT", ONE, r#"{"namespace":"ads"}"#);
    assert_eq!(gateway.exchange(&moving).status(), 429);
    assert_eq!((count(&upstream, "GET"), count(&upstream, "PUT")), (1, 3));
    assert_eq!(outcome(&gateway.exchange(&update)), "200");
    assert_eq!(count(&upstream, "GET"), 2);
}

#[test]
fn after_a_move_of_unknown_outcome_it_is_asked_anew() {
    let upstream = upstream(|request, connection| {
        if request.start.starts_with("GET ") {
            return connection.send(nine_in("crm"));
        }
        let body = String::from_utf8_lossy(&request.body);
        if body.contains("namespace") {
            // It may have been acted on.
            connection.reset()?;
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        connection.send(nine_in("crm"))
    });
    let gateway = before(upstream.address);
    let update = request(CRM, "PUT", ONE, "{}");
    let moving = request(WRITER, "PUT", ONE, r#"{"namespace":"ads"}"#);
    for round in 1..=2 {
        assert_eq!(outcome(&gateway.exchange(&update)), "200");
        assert_eq!(count(&upstream, "GET"), round);
        assert_eq!(gateway.exchange(&moving).status(), 502);
    }
}
