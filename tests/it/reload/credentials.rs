//! Credentials that are replaced, refused, or left behind by an API account.

use super::gateway;
use crate::support::PATIENCE;
use crate::support::client::{ALL, CUSTOMER, ONE, Request};
use crate::support::fake::{Fake, OK};
use crate::support::gateway::{CREDENTIAL, Gateway, Setup};
use metafield_gateway::server::Reloaded;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};

const UNAUTHORIZED: &str = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n";
const RENEWED: &str = "metafield_gateway_configuration_loads_total{outcome=\"credential_renewed\"}";
const OLD: &str = "canary-credential-of-before";

/// An upstream that knows these credentials, and what it answers to each.
fn knowing(known: &'static [(&'static str, &'static str)]) -> Fake {
    Fake::doing(move |connection| {
        while let Some(request) = connection.request()? {
            let sent = request.field("x-auth-token").unwrap_or_default();
            let answer = known.iter().find(|(token, _)| *token == sent);
            connection.send(answer.map_or(UNAUTHORIZED, |(_, answer)| answer))?;
        }
        Ok(())
    })
}

fn tokens(upstream: &Fake) -> Vec<String> {
    let token = |request: &crate::support::http1::Message| {
        request
            .field("x-auth-token")
            .expect("a credential")
            .to_owned()
    };
    upstream.requests().iter().map(token).collect()
}

#[test]
fn a_replaced_credential_is_used_by_the_next_request() {
    let upstream = Fake::good();
    let (gateway, _) = gateway(&upstream, "");
    let mut client = gateway.connect();
    let mut expected = Vec::new();
    for token in [CREDENTIAL, "canary-credential-2", "canary-credential-3"] {
        gateway.folder.write("credential", token);
        gateway.reload();
        assert_eq!(client.exchange(&Request::update("{}")).status(), 200);
        expected.push(token);
    }
    assert_eq!(tokens(&upstream), expected);
}

#[test]
fn a_refused_credential_is_read_again_and_the_request_sent_once_more() {
    for request in [
        Request::update("{}"),
        Request::new("GET", ONE),
        Request::new("DELETE", ONE),
        Request::new("POST", CUSTOMER)
            .json(r#"{"namespace":"n","key":"k","value":"v","permission_set":"read"}"#),
        Request::new("PUT", ALL).json(r#"[{"id":1}]"#),
    ] {
        let upstream = knowing(&[("canary-credential-2", OK)]);
        let (gateway, _) = gateway(&upstream, "");
        gateway.folder.write("credential", "canary-credential-2");
        assert_eq!(gateway.exchange(&request).status(), 200);
        assert_eq!(tokens(&upstream), [CREDENTIAL, "canary-credential-2"]);
        assert!((gateway.metric(RENEWED) - 1.0).abs() < 0.5);
        // The other worker needs no refusal to know.
        for _ in 0..4 {
            assert_eq!(gateway.exchange(&request).status(), 200);
        }
        assert_eq!(upstream.requests().len(), 6);
        let lines = gateway.stop();
        assert_eq!(lines.len(), 5);
        assert!(
            lines.iter().all(|line| line["upstream_status"] == 200),
            "{lines:?}"
        );
    }
}

#[test]
fn a_refused_credential_that_is_still_the_same_is_not_sent_again() {
    for broken in [None, Some(""), Some("two words")] {
        let upstream = knowing(&[]);
        let (gateway, _) = gateway(&upstream, "");
        if let Some(broken) = broken {
            gateway.folder.write("credential", broken);
        }
        let answer = gateway.exchange(&Request::update("{}"));
        assert_eq!(answer.code(), Some("upstream_credential_refused"));
        assert_eq!(tokens(&upstream), [CREDENTIAL]);
    }
}

#[test]
fn one_that_is_refused_twice_is_not_tried_a_third_time() {
    let upstream = knowing(&[]);
    let (gateway, _) = gateway(&upstream, "");
    gateway.folder.write("credential", "canary-credential-2");
    let answer = gateway.exchange(&Request::update("{}"));
    assert_eq!(answer.code(), Some("upstream_credential_refused"));
    assert_eq!(tokens(&upstream), [CREDENTIAL, "canary-credential-2"]);
}

#[test]
fn a_bad_configuration_does_not_keep_a_credential_from_being_renewed() {
    let upstream = Fake::good();
    let (gateway, _) = gateway(&upstream, "");
    gateway.folder.write("credential", "canary-credential-2");
    assert_eq!(gateway.reload_with("nonsense = 1"), Reloaded::Refused);
    assert_eq!(gateway.exchange(&Request::update("{}")).status(), 200);
    gateway.folder.write("credential", "canary-credential-3");
    assert_eq!(gateway.reload(), Reloaded::Refused);
    assert_eq!(gateway.exchange(&Request::update("{}")).status(), 200);
    assert_eq!(
        tokens(&upstream),
        ["canary-credential-2", "canary-credential-3"]
    );
}

const NOT_FOUND: &str = "HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nContent-Length: 14\r\n\r\n{\"status\":404}";
const FORBIDDEN: &str = "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\n{}";
const LIMITED: &str = "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 2\r\n\r\n{}";
const BATCH: &str = r#"[{"id":1}]"#;

/// A gateway whose store had another API account before.
fn with_previous(upstream: &Fake, more: &str) -> Gateway {
    let setup = Setup::new(upstream.address)
        .with("admin.address = \"127.0.0.1:0\"")
        .with(more);
    setup.folder.write("before", OLD);
    let text = setup.text().replacen(
        "{ file = \"credential\" }",
        "{ file = \"credential\", previous = { file = \"before\" } }",
        1,
    );
    setup.start_with(&text)
}

/// What the upstream knows, the request, the answer's status, whether it is one to the previous credential,
/// and how many requests were sent.
type Case = (
    &'static [(&'static str, &'static str)],
    Request,
    u16,
    bool,
    usize,
);

fn cases() -> [Case; 14] {
    let update = || Request::update("{}");
    let get = || Request::new("GET", ONE);
    let delete = || Request::new("DELETE", ONE);
    let owned: &[_] = &[(CREDENTIAL, NOT_FOUND), (OLD, OK)];
    [
        // Its own, hidden or not to be changed by another.
        (owned, update(), 200, true, 2),
        (owned, get(), 200, true, 2),
        (owned, delete(), 200, true, 2),
        (
            &[(CREDENTIAL, FORBIDDEN), (OLD, OK)],
            update(),
            200,
            true,
            2,
        ),
        // The current account's: nothing more is sent.
        (&[(CREDENTIAL, OK), (OLD, OK)], update(), 200, false, 1),
        // Nobody's: the current account's answer counts.
        (
            &[(CREDENTIAL, NOT_FOUND), (OLD, FORBIDDEN)],
            update(),
            404,
            false,
            2,
        ),
        (
            &[(CREDENTIAL, FORBIDDEN), (OLD, NOT_FOUND)],
            update(),
            403,
            false,
            2,
        ),
        (
            &[(CREDENTIAL, NOT_FOUND), (OLD, LIMITED)],
            get(),
            404,
            false,
            2,
        ),
        // An account that is gone.
        (&[(CREDENTIAL, NOT_FOUND)], get(), 404, false, 2),
        // Other refusals have nothing to do with the account.
        (&[(CREDENTIAL, LIMITED), (OLD, OK)], update(), 429, false, 1),
        // What creates or names many is the current account's alone.
        (
            owned,
            Request::new("POST", CUSTOMER)
                .json(r#"{"namespace":"n","key":"k","value":"v","permission_set":"read"}"#),
            404,
            false,
            1,
        ),
        (owned, Request::new("GET", CUSTOMER), 404, false, 1),
        (owned, Request::new("PUT", ALL).json(BATCH), 404, false, 1),
        (
            owned,
            Request::new("DELETE", ALL).json("[1]"),
            404,
            false,
            1,
        ),
    ]
}

#[test]
fn what_the_previous_account_owns_is_reached_with_its_credential() {
    for (known, request, status, by_previous, sent) in cases() {
        let upstream = knowing(known);
        let gateway = with_previous(&upstream, "");
        assert_eq!(gateway.exchange(&request).status(), status, "{request:?}");
        let expected = [CREDENTIAL, OLD];
        assert_eq!(tokens(&upstream), expected[..sent], "{request:?}");
        let used = gateway.metric("metafield_gateway_previous_credential_answers_total");
        assert_eq!(used > 0.5, by_previous);
        let line = gateway.stop().remove(0);
        let credential = if by_previous { "previous" } else { "current" };
        assert_eq!(line["credential"], credential, "{line}");
        assert_eq!(line["upstream_status"], status, "{line}");
    }
}

#[test]
fn the_previous_credential_is_withheld_from_answers_too() {
    let echo = "HTTP/1.1 200 OK\r\nContent-Length: 29\r\n\r\n\"canary-credential-of-before\"";
    let upstream = Fake::doing(move |connection| {
        while let Some(request) = connection.request()? {
            let is_old = request.field("x-auth-token") == Some(OLD);
            connection.send(if is_old { echo } else { NOT_FOUND })?;
        }
        Ok(())
    });
    let gateway = with_previous(&upstream, "");
    let answer = gateway.exchange(&Request::new("GET", ONE));
    assert_eq!(
        (answer.status(), answer.code()),
        (502, Some("credential_echoed"))
    );
}

/// An upstream that answers the first request when it is told to, and the others at once.
fn waiting(first: &'static str, others: &'static str) -> (Fake, Receiver<()>, Sender<()>) {
    let (arrived, has_arrived) = channel();
    let (go_on, may_go_on) = channel::<()>();
    let held = Mutex::new(Some((arrived, may_go_on)));
    let upstream = Fake::doing(move |connection| {
        while connection.request()?.is_some() {
            let Some((arrived, may_go_on)) = held.lock().expect("no panic").take() else {
                connection.send(others)?;
                continue;
            };
            arrived.send(()).expect("the test waits");
            may_go_on.recv_timeout(PATIENCE).expect("the test goes on");
            connection.send(first)?;
        }
        Ok(())
    });
    (upstream, has_arrived, go_on)
}

/// The request began before the store had a previous credential.
#[test]
fn a_previous_credential_that_comes_meanwhile_is_tried_too() {
    let (upstream, has_arrived, go_on) = waiting(NOT_FOUND, OK);
    let (gateway, text) = gateway(&upstream, "");
    let mut client = gateway.connect();
    client.send(Request::update("{}").to_bytes());
    has_arrived.recv_timeout(PATIENCE).expect("a request");
    gateway.folder.write("before", OLD);
    let more = text.replacen(
        "{ file = \"credential\" }",
        "{ file = \"credential\", previous = { file = \"before\" } }",
        1,
    );
    assert_eq!(gateway.reload_with(&more), Reloaded::Loaded);
    go_on.send(()).expect("the upstream waits");
    assert_eq!(client.answer().status(), 200);
    assert_eq!(tokens(&upstream), [CREDENTIAL, OLD]);
}

/// A request is on its way to the old upstream when both the upstream and the credential change, and the old
/// one refuses what it got: the new credential is nothing for it to see.
#[test]
fn a_new_credential_is_not_shown_to_the_upstream_before() {
    let (old, has_arrived, go_on) = waiting(UNAUTHORIZED, OK);
    let new = knowing(&[("canary-credential-2", OK)]);
    let (gateway, text) = gateway(&old, "");
    let mut client = gateway.connect();
    client.send(Request::update("{}").to_bytes());
    has_arrived.recv_timeout(PATIENCE).expect("a request");
    gateway.folder.write("credential", "canary-credential-2");
    let moved = text.replace(&old.address.to_string(), &new.address.to_string());
    assert_eq!(gateway.reload_with(&moved), Reloaded::Loaded);
    go_on.send(()).expect("the upstream waits");
    let answer = client.answer();
    assert_eq!(answer.code(), Some("upstream_credential_refused"));
    assert_eq!(tokens(&old), [CREDENTIAL]);
    assert_eq!(client.exchange(&Request::update("{}")).status(), 200);
    assert_eq!(tokens(&new), ["canary-credential-2"]);
}

#[test]
fn a_second_try_does_not_wait_for_the_place_of_the_first() {
    let upstream = knowing(&[("canary-credential-2", OK)]);
    let setup = Setup::new(upstream.address).with("upstream.connections = 1");
    let gateway = setup.start();
    gateway.folder.write("credential", "canary-credential-2");
    assert_eq!(gateway.exchange(&Request::update("{}")).status(), 200);
    let upstream = knowing(&[(CREDENTIAL, NOT_FOUND), (OLD, OK)]);
    let gateway = with_previous(&upstream, "upstream.connections = 1");
    assert_eq!(gateway.exchange(&Request::update("{}")).status(), 200);
    // Both went over the one connection.
    assert_eq!(upstream.connections().len(), 1);
}

#[test]
fn the_record_names_the_credential_also_where_it_came_to_nothing() {
    let upstream = Fake::doing(move |connection| {
        while let Some(request) = connection.request()? {
            if request.field("x-auth-token") == Some(OLD) {
                return connection.until_closed();
            }
            connection.send(NOT_FOUND)?;
        }
        Ok(())
    });
    let gateway = with_previous(&upstream, "upstream.deadline = \"300ms\"");
    let answer = gateway.exchange(&Request::new("DELETE", ONE));
    assert_eq!(answer.code(), Some("upstream_timeout"));
    // What only reads has the answer that came.
    let answer = gateway.exchange(&Request::new("GET", ONE));
    assert_eq!((answer.status(), answer.code()), (404, None));
    let lines = gateway.stop();
    let told = |line: &serde_json::Value| {
        let text = |key: &str| line[key].as_str().map(str::to_owned);
        (text("credential"), text("sent"))
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(told(&lines[0]), (some("previous"), some("unknown")));
    assert_eq!(told(&lines[1]), (some("current"), some("yes")));
}
