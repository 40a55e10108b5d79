//! When a request is sent a second time, and when never: only if nothing of it can have been acted
//! on, or once if acting on it twice is the same as once.

use crate::support::PATIENCE;
use crate::support::client::{CUSTOMER, ONE, Request};
use crate::support::fake::{Fake, OK};
use crate::support::gateway::{Gateway, Setup};
use crate::support::http1::{Kind, read};
use std::io::{BufReader, Write};
use std::net::TcpListener;
use std::sync::{Arc, Barrier, Mutex, mpsc};

const CREATE: &str = r#"{"namespace":"n","key":"k","value":"v","permission_set":"read"}"#;

fn every_method() -> [Request; 5] {
    [
        Request::update("{}"),
        Request::new("GET", ONE),
        Request::new("HEAD", ONE),
        Request::new("POST", CUSTOMER).json(CREATE),
        Request::new("DELETE", ONE),
    ]
}

fn is_idempotent(request: &Request) -> bool {
    matches!(request.method.as_str(), "PUT" | "GET" | "HEAD")
}

/// The answer that suits the method.
fn answer_to(method: &str) -> &'static str {
    if method == "HEAD" {
        "HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n"
    } else {
        OK
    }
}

/// How many requests each connection carried.
fn counts(upstream: &Fake) -> Vec<usize> {
    upstream.connections().iter().map(Vec::len).collect()
}

/// The first connections answer one request, read the next and answer it with these bytes before they
/// close; the connections from number `good_from` on work.
fn closing_late(last_words: &'static str, good_from: usize) -> Fake {
    Fake::doing(move |connection| {
        let mut before = 0;
        while let Some(request) = connection.request()? {
            let works = connection.number >= good_from;
            if !works && (before > 0 || connection.number > 0) {
                return connection.send(last_words);
            }
            let method = request.start.split(' ').next().unwrap_or_default();
            connection.send(answer_to(method))?;
            before += 1;
        }
        Ok(())
    })
}

fn with_admin(upstream: &Fake) -> Gateway {
    Setup::new(upstream.address)
        .with("admin.address = \"127.0.0.1:0\"")
        .start()
}

#[test]
fn a_connection_that_was_closed_while_idle_costs_nobody_anything() {
    for request in every_method() {
        let (closed, is_closed) = mpsc::channel();
        let closed = Mutex::new(closed);
        let upstream = Fake::doing(move |connection| {
            while let Some(request) = connection.request()? {
                let method = request.start.split(' ').next().unwrap_or_default();
                connection.send(answer_to(method))?;
                if connection.number == 0 {
                    connection.finish()?;
                    closed.lock().expect("a sender").send(()).expect("heard");
                    return connection.until_closed();
                }
            }
            Ok(())
        });
        let gateway = Gateway::before(upstream.address);
        let mut client = gateway.connect();
        assert_eq!(client.exchange(&Request::new("GET", ONE)).status(), 200);
        is_closed.recv_timeout(PATIENCE).expect("closed");
        let answer = client.exchange(&request);
        assert_eq!(answer.status(), 200, "{}", request.method);
        assert_eq!(counts(&upstream), [1, 1], "{}", request.method);
        drop(client);
        let lines = gateway.stop();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[1]["sent"], "yes");
    }
}

#[test]
fn a_reused_connection_that_closes_unanswered_is_retried_where_twice_is_once() {
    for request in every_method() {
        let upstream = closing_late("", 1);
        let gateway = with_admin(&upstream);
        let mut client = gateway.connect();
        assert_eq!(client.exchange(&Request::new("GET", ONE)).status(), 200);
        let answer = client.exchange(&request);
        let again = is_idempotent(&request);
        let (status, code) = if again {
            (200, None)
        } else {
            (502, Some("upstream_protocol_error"))
        };
        assert_eq!((answer.status(), answer.code()), (status, code));
        let expected: &[usize] = if again { &[2, 1] } else { &[2] };
        assert_eq!(counts(&upstream), expected, "{}", request.method);
        let retries = gateway.metric("metafield_gateway_upstream_retries_total");
        assert!((retries - f64::from(u8::from(again))).abs() < 0.5);
        drop(client);
        let lines = gateway.stop();
        assert_eq!(lines.len(), 2, "a request that was retried has one line");
        let sent = if again { "yes" } else { "unknown" };
        assert_eq!(lines[1]["sent"], sent, "{}", request.method);
    }
}

#[test]
fn the_second_failure_is_the_last() {
    for request in every_method()
        .iter()
        .filter(|request| is_idempotent(request))
    {
        let upstream = closing_late("", usize::MAX);
        let gateway = Gateway::before(upstream.address);
        let mut client = gateway.connect();
        assert_eq!(client.exchange(&Request::new("GET", ONE)).status(), 200);
        let answer = client.exchange(request);
        assert_eq!(answer.status(), 502);
        assert_eq!(
            answer.field("x-gateway-code"),
            Some("upstream_protocol_error")
        );
        assert_eq!(counts(&upstream), [2, 1], "{}", request.method);
        drop(client);
        assert_eq!(gateway.stop()[1]["sent"], "unknown");
    }
}

#[test]
fn a_fresh_connection_that_closes_unanswered_is_not_tried_again() {
    for request in every_method() {
        let upstream = Fake::doing(|connection| connection.request().map(drop));
        let gateway = Gateway::before(upstream.address);
        let answer = gateway.exchange(&request);
        assert_eq!(answer.status(), 502, "{}", request.method);
        assert_eq!(counts(&upstream), [1], "{}", request.method);
        assert_eq!(gateway.stop()[0]["sent"], "unknown");
    }
}

#[test]
fn a_failed_second_try_does_not_say_that_nothing_was_sent() {
    // The upstream answers once, takes the next request, and is gone altogether.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    let upstream = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("the gateway");
        drop(listener);
        let mut reader = BufReader::new(stream.try_clone().expect("a handle"));
        read(&mut reader, Kind::Request).expect("a request");
        stream.write_all(OK.as_bytes()).expect("answered");
        read(&mut reader, Kind::Request).expect("another");
    });
    let gateway = Gateway::before(address);
    let mut client = gateway.connect();
    assert_eq!(client.exchange(&Request::new("GET", ONE)).status(), 200);
    let answer = client.exchange(&Request::update("{}"));
    upstream.join().expect("no panic");
    let code = Some("upstream_protocol_error");
    assert_eq!((answer.status(), answer.code()), (502, code));
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    assert!(text.contains("the outcome of a write is unknown"), "{text}");
    drop(client);
    assert_eq!(gateway.stop()[1]["sent"], "unknown");
}

#[test]
fn after_one_byte_of_an_answer_nothing_is_sent_again() {
    for request in every_method() {
        let upstream = closing_late("H", 1);
        let gateway = Gateway::before(upstream.address);
        let mut client = gateway.connect();
        assert_eq!(client.exchange(&Request::new("GET", ONE)).status(), 200);
        assert_eq!(
            client.exchange(&request).status(),
            502,
            "{}",
            request.method
        );
        assert_eq!(counts(&upstream), [2], "{}", request.method);
        drop(client);
        assert_eq!(gateway.stop()[1]["sent"], "unknown");
    }
}

#[test]
fn a_reset_is_as_good_as_a_close() {
    for request in every_method() {
        let upstream = Fake::doing(|connection| {
            while let Some(request) = connection.request()? {
                if connection.number == 0 && request.start.contains("/8/") {
                    return connection.reset();
                }
                let method = request.start.split(' ').next().unwrap_or_default();
                connection.send(answer_to(method))?;
            }
            Ok(())
        });
        let gateway = Gateway::before(upstream.address);
        let mut client = gateway.connect();
        assert_eq!(client.exchange(&Request::new("GET", ONE)).status(), 200);
        let target = request.target.replace("/7/", "/8/");
        let again = is_idempotent(&request);
        let answer = client.exchange(&Request { target, ..request });
        assert_eq!(answer.status(), if again { 200 } else { 502 });
        assert_eq!(counts(&upstream).len(), 1 + usize::from(again));
    }
}

#[test]
fn the_second_attempt_is_made_on_a_new_connection() {
    let both = Arc::new(Barrier::new(2));
    let upstream = Fake::doing(move |connection| {
        if connection.number >= 2 {
            connection.request()?;
            return connection.send(OK);
        }
        connection.request()?;
        // Two requests at once make two connections, which then lie idle.
        both.wait();
        connection.send(OK)?;
        connection.request().map(drop)
    });
    let gateway = Gateway::before(upstream.address);
    let (mut one, mut two) = (gateway.connect(), gateway.connect());
    let request = Request::new("GET", ONE);
    one.send(request.to_bytes());
    two.send(request.to_bytes());
    assert_eq!((one.answer().status(), two.answer().status()), (200, 200));
    // Both idle connections read the request and close; only one of them may meet it.
    assert_eq!(one.exchange(&request).status(), 200);
    upstream.wait_for(4);
    let mut counts = counts(&upstream);
    counts.sort_unstable();
    assert_eq!(counts, [1, 1, 2]);
}

#[test]
fn idle_connections_are_closed_after_their_time() {
    let (closed, is_closed) = mpsc::channel();
    let closed = Mutex::new(closed);
    let upstream = Fake::doing(move |connection| {
        connection.request()?;
        connection.send(OK)?;
        connection.until_closed()?;
        closed.lock().expect("a sender").send(()).expect("heard");
        Ok(())
    });
    let gateway = Setup::new(upstream.address)
        .with("upstream.idle_timeout = \"300ms\"")
        .start();
    assert_eq!(gateway.exchange(&Request::new("GET", ONE)).status(), 200);
    is_closed
        .recv_timeout(PATIENCE)
        .expect("closed by the gateway");
    assert_eq!(gateway.exchange(&Request::new("GET", ONE)).status(), 200);
    assert_eq!(counts(&upstream), [1, 1]);
}
