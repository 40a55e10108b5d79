//! Connections that break, stall, drip, close at the wrong moment, or speak out of turn.

use super::{Case, End, LATE, Next, Step, Told, run};
use crate::support::PATIENCE;
use crate::support::client::{CUSTOMER, ONE, Request};
use crate::support::fake::{Fake, OK};
use crate::support::gateway::Gateway;
use std::sync::{Mutex, mpsc};

/// Another answer than the one that was asked for.
const SECOND: &str = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecond";

/// Where an answer stops: what has come of it, and whether its head has.
const STOPS: [(&str, &str, bool); 7] = [
    ("before the head", "", false),
    ("within the status line", "HTTP/1.1 2", false),
    ("within the head", "HTTP/1.1 200 OK\r\nContent-", false),
    (
        "before the end of the head",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n",
        false,
    ),
    (
        "after the head",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
        true,
    ),
    (
        "within the body",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab",
        true,
    ),
    (
        "between two chunks",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
        true,
    ),
];

#[test]
fn an_answer_that_stops_and_closes_is_a_broken_one() {
    let mut cases = Vec::new();
    for (end, how) in [(End::Close, "closes"), (End::Reset, "resets")] {
        for (place, bytes, has_head) in STOPS {
            let name = format!("{how} {place}");
            let case = if has_head {
                Case::no_rest(&name, bytes)
            } else {
                Case::no_head(&name, bytes)
            };
            cases.push(case.then(end));
        }
        let early = Case::no_head(how, "").steps([Step::ReadOne]).then(end);
        cases.push(early);
    }
    let half = [Step::Read, Step::Finish];
    let half = Case::no_head("closes its sending half and reads on", "").steps(half);
    cases.push(half.then(End::Hold));
    run("answers that stop and close", &cases);
}

#[test]
fn an_answer_that_stalls_ends_in_time_and_holds_up_nobody() {
    let mut cases: Vec<Case> = STOPS
        .map(|(place, bytes, has_head)| {
            let told = if has_head {
                Told::Cut("upstream_timeout")
            } else {
                LATE
            };
            Case::new(&format!("stalls {place}"), bytes, told)
        })
        .to_vec();
    let blind = Case::new("stalls before it has read the request", "", LATE);
    cases.push(blind.steps([Step::ReadOne]));
    let dripping = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Slow: yes";
    let dripping = [Step::Read, Step::Drip(dripping.into())];
    cases.push(Case::new("drips a head that never ends", "", LATE).steps(dripping));
    let waiting = "HTTP/1.1 100 Continue\r\n\r\n";
    cases.push(Case::new("says to go on and no more", waiting, LATE));
    let hints = "HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n".repeat(5_000);
    cases.push(Case::new(
        "hints five thousand times and no more",
        hints,
        LATE,
    ));
    let cases: Vec<Case> = cases
        .into_iter()
        .map(|case| case.soon().then(End::Hold))
        .collect();
    run("answers that stall", &cases);
}

#[test]
fn an_answer_in_drops_is_whole() {
    let (_, body) = OK.split_once("\r\n\r\n").expect("a body");
    let chunked =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nX: y\r\n\r\n";
    let informed = format!("HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n{OK}");
    let cases = [
        ("a length", OK, body),
        ("chunks", chunked, "abc"),
        ("after an informational head", &informed, body),
    ]
    .map(|(name, bytes, body)| {
        let steps = [Step::Read, Step::Drip(bytes.into())];
        Case::passed(name, "", 200, body).steps(steps)
    });
    run("answers in drops", &cases);
}

#[test]
fn what_follows_an_answer_is_nobodys_answer() {
    let (_, body) = OK.split_once("\r\n\r\n").expect("a body");
    let after = |name: &str, more: &str| {
        Case::passed(name, format!("{OK}{more}"), 200, body).next(Next::New)
    };
    let empty = "HTTP/1.1 204 No Content\r\n\r\n";
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n";
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n";
    let request = Request::new("HEAD", ONE);
    let cases = [
        after("a second answer", SECOND),
        after("three more answers", &SECOND.repeat(3)),
        after("half a second answer", "HTTP/1.1 200 OK\r\nCo"),
        after("an informational answer", "HTTP/1.1 100 Continue\r\n\r\n"),
        after("a letter", "x"),
        after("a line break", "\r\n"),
        after("a zero", "\0"),
        after(
            "a farewell",
            "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n",
        ),
        after(
            "a farewell and a close",
            "HTTP/1.1 408 Request Timeout\r\n\r\n",
        )
        .then(End::Close),
        after("a request", "GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
        after("more than is read at once", &SECOND.repeat(20_000)),
        Case::passed("behind no content", format!("{empty}{SECOND}"), 204, "").next(Next::New),
        Case::passed("behind chunks", format!("{chunked}{SECOND}"), 200, "ab").next(Next::New),
        Case::passed("behind a head", format!("{head}second"), 200, "")
            .to(request)
            .next(Next::New),
    ];
    run("answers that are followed by more", &cases);
}

#[test]
fn what_comes_unasked_on_an_idle_connection_is_nobodys_answer() {
    let words = [
        ("an answer", SECOND),
        (
            "a farewell",
            "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n",
        ),
        ("an informational answer", "HTTP/1.1 100 Continue\r\n\r\n"),
        ("half an answer", "HTTP/1.1 200 OK\r\nContent-Le"),
        ("a letter", "H"),
        ("a line break", "\r\n"),
    ];
    for (name, bytes) in words {
        let (speak, told) = mpsc::channel::<()>();
        let (spoken, heard) = mpsc::channel::<()>();
        let both = Mutex::new((told, spoken));
        let upstream = Fake::doing(move |connection| {
            connection.request()?;
            connection.send(OK)?;
            if connection.number == 0 {
                let (told, spoken) = &*both.lock().expect("two channels");
                told.recv_timeout(PATIENCE).map_err(std::io::Error::other)?;
                connection.send(bytes)?;
                spoken.send(()).map_err(std::io::Error::other)?;
            }
            while connection.request()?.is_some() {
                connection.send(OK)?;
            }
            Ok(())
        });
        let gateway = Gateway::before(upstream.address);
        let mut client = gateway.connect();
        assert_eq!(
            client.exchange(&Request::update("{}")).status(),
            200,
            "{name}"
        );
        speak.send(()).expect("the upstream waits");
        heard.recv_timeout(PATIENCE).expect("it has spoken");
        // Whatever the method: nothing of it may go to a connection that is out of step.
        for request in [Request::new("DELETE", ONE), Request::new("GET", CUSTOMER)] {
            let answer = client.exchange(&request);
            assert_eq!((answer.status(), answer.code()), (200, None), "{name}");
            assert!(OK.ends_with(answer.text()), "{name}: {}", answer.text());
        }
        let counts: Vec<usize> = upstream.connections().iter().map(Vec::len).collect();
        assert_eq!(counts, [1, 2], "{name}");
        drop(client);
        assert_eq!(gateway.stop().len(), 3, "{name}");
    }
    super::tell("connections that speak unasked", words.len());
}

#[test]
fn a_connection_serves_again_only_where_both_sides_keep_it() {
    let answer = |first: &str, fields: &str| {
        format!("{first} 200 OK\r\n{fields}Content-Length: 2\r\n\r\n{{}}")
    };
    let table = [
        ("HTTP/1.1", "", Next::Same),
        ("HTTP/1.1", "Connection: keep-alive\r\n", Next::Same),
        (
            "HTTP/1.1",
            "Connection: X-Other\r\nX-Other: 1\r\n",
            Next::Same,
        ),
        ("HTTP/1.1", "Proxy-Connection: close\r\n", Next::Same),
        ("HTTP/1.1", "Keep-Alive: timeout=0, max=0\r\n", Next::Same),
        ("HTTP/1.1", "Connection: close\r\n", Next::New),
        ("HTTP/1.1", "Connection: CLOSE\r\n", Next::New),
        ("HTTP/1.1", "Connection: X-Other ,\tclose\r\n", Next::New),
        ("HTTP/1.1", "Connection: close, keep-alive\r\n", Next::New),
        (
            "HTTP/1.1",
            "Connection: close\r\nConnection: keep-alive\r\n",
            Next::New,
        ),
        (
            "HTTP/1.1",
            "Connection: keep-alive\r\nConnection: close\r\n",
            Next::New,
        ),
        ("HTTP/1.0", "", Next::New),
        ("HTTP/1.0", "Connection: close\r\n", Next::New),
        ("HTTP/1.0", "Connection: keep-alive\r\n", Next::Same),
    ];
    let mut cases: Vec<Case> = table
        .map(|(version, fields, next)| {
            let name = format!("{version} {}", fields.trim_end());
            Case::passed(&name, answer(version, fields), 200, "{}").next(next)
        })
        .to_vec();
    let (_, body) = OK.split_once("\r\n\r\n").expect("a body");
    for (end, how) in [(End::Close, "closes"), (End::Reset, "resets")] {
        let whole = Case::passed(how, OK, 200, body).next(Next::New);
        cases.push(whole.clone().then(end));
        // Read, and not answered: the next request is sent again, on a connection of its own.
        let steps = [Step::Read, Step::Send(OK.into()), Step::Read];
        let late = Case {
            name: format!("{how} as the next request comes"),
            ..whole
        };
        cases.push(late.steps(steps).then(end));
        let said = answer("HTTP/1.1", "Connection: close\r\n");
        let said = Case::passed(&format!("says so and {how}"), said, 200, "{}");
        cases.push(said.next(Next::New).then(end));
    }
    run("connections that close after an answer", &cases);
}

#[test]
fn a_head_without_end_is_bounded_and_holds_up_nobody() {
    let head = "HTTP/1.1 200 OK\r\n";
    let floods = [
        ("fields without end", head, "X-Filler: x\r\n"),
        ("a field without end", "HTTP/1.1 200 OK\r\nX: ", "x"),
        ("a name without end", head, "x"),
        ("a reason without end", "HTTP/1.1 200 ", "x"),
        ("empty lines without end", "", "\r\n"),
        ("zeros without end", "", "\0"),
        (
            "an informational head without end",
            "HTTP/1.1 103 x\r\n",
            "Link: <x>\r\n",
        ),
    ];
    let whole = [
        (
            "interim heads without end",
            "",
            "HTTP/1.1 103 x\r\nLink: <x>\r\n\r\n",
        ),
        (
            "bare interim heads without end",
            "",
            "HTTP/1.1 100 Continue\r\n\r\n",
        ),
    ];
    let cases = floods.into_iter().chain(whole).map(|(name, begin, more)| {
        let flood = more.repeat(1000).into_bytes();
        let steps = [Step::Read, Step::Send(begin.into()), Step::Flood(flood)];
        Case::no_head(name, "").steps(steps)
    });
    run("heads without end", &cases.collect::<Vec<Case>>());
}

#[test]
fn a_body_without_end_has_one_all_the_same() {
    let floods = [
        ("a body without end", "", vec![b'x'; 8192]),
        (
            "tiny chunks without end",
            "Transfer-Encoding: chunked\r\n",
            b"8\r\nabcdefgh\r\n".repeat(1000),
        ),
    ];
    let settings = "limits.answer_timeout = \"300ms\"";
    let cases = floods.map(|(name, fields, flood)| {
        let head = format!("HTTP/1.1 200 OK\r\n{fields}\r\n").into_bytes();
        let steps = [Step::Read, Step::Send(head), Step::Flood(flood)];
        let case = Case::new(name, "", Told::Cut("answer_timeout")).steps(steps);
        Case { settings, ..case }
    });
    run("bodies without end", &cases);
}
