//! Streams that are opened to be reset, by the client (CVE-2023-44487, CVE-2019-9514) or by the gateway,
//! which the client provokes (CVE-2025-8671): 32 of them are put up with, then the connection ends.

use super::{codes, data, get, open, ordinary, still_serves};
use crate::support::fake::{Fake, OK};
use crate::support::frames::{
    END_HEADERS, END_STREAM, HEADERS, PRIORITY, WITH_PRIORITY, Wire, block, frame, headers, reset,
    window,
};
use crate::support::gateway::Gateway;

/// How many resets a connection may bring about.
const PUT_UP_WITH: u32 = 32;

/// How many streams of a connection may fail by its client's doing.
const ERRORS: u32 = 256;

/// The number of the stream that is opened as this one, counted from 0.
fn odd(count: u32) -> u32 {
    2 * count + 1
}

#[test]
fn streams_reset_before_they_are_looked_at_end_the_connection() {
    let many = "goaway ENHANCE_YOUR_CALM too_many_resets";
    let cases = [(PUT_UP_WITH, "200"), (PUT_UP_WITH + 1, many), (2000, many)];
    for (count, expected) in cases {
        let upstream = Fake::good();
        let gateway = Gateway::before(upstream.address);
        let mut wire = Wire::connect(gateway.address());
        let pairs = (0..count).map(|count| [get(odd(count)), reset(odd(count), 8)].concat());
        // In one write, so that the first are not looked at before the last have come.
        let last = odd(count);
        let bytes = pairs.chain([get(last)]).collect::<Vec<_>>().concat();
        wire.try_send(bytes).ok();
        assert_eq!(wire.events(last)[0], expected, "{count}");
        still_serves(gateway.address());
        drop(wire);
        // Those that were put up with are begun and given up again, and so is the one that was too much.
        let mut begun = vec!["client_gone"; PUT_UP_WITH as usize];
        if expected == "200" {
            begun.extend(["-"; 2]);
        } else {
            begun.extend(["client_gone", "-"]);
        }
        let (mut found, answered) = (codes(&gateway.stop()), upstream.requests().len());
        found.sort_unstable();
        begun.sort_unstable();
        assert_eq!(found, begun, "{count}");
        assert_eq!(answered, 1 + usize::from(expected == "200"), "{count}");
        // Nothing reached for the upstream but what was answered.
        assert!(upstream.connections().len() <= answered, "{count}");
    }
    println!("rapid reset: {} cases", cases.len());
}

#[test]
fn streams_reset_while_they_are_served_are_each_recorded() {
    const STREAMS: u32 = 64;
    let upstream = Fake::doing(|connection| {
        while let Some(request) = connection.request()? {
            if request.start.starts_with("DELETE") {
                connection.until_closed()?;
            }
            connection.send(OK)?;
        }
        Ok(())
    });
    let gateway = Gateway::before(upstream.address);
    let mut wire = Wire::connect(gateway.address());
    for count in 0..STREAMS {
        wire.send(headers(odd(count), END_STREAM, &block(&ordinary("DELETE"))));
        upstream.wait_for(count as usize + 1);
        wire.send(reset(odd(count), 8));
    }
    wire.send(get(odd(STREAMS)));
    assert_eq!(wire.events(odd(STREAMS)), ["200"]);
    drop(wire);
    still_serves(gateway.address());
    let mut expected = vec!["client_gone"; STREAMS as usize];
    expected.extend(["-"; 2]);
    let mut found = codes(&gateway.stop());
    found.sort_by(|one, other| other.cmp(one));
    assert_eq!(found, expected);
    assert_eq!(upstream.requests().len(), STREAMS as usize + 2);
    println!("slow reset: 1 case");
}

/// How each stream is begun, and by which reset the gateway ends it.
type Provocation = (&'static str, &'static str, fn(u32) -> Vec<u8>);

const PROVOCATIONS: [Provocation; 8] = [
    (
        "a window beyond the most",
        "reset FLOW_CONTROL_ERROR",
        |stream| [open(stream), window(stream, i32::MAX.cast_unsigned())].concat(),
    ),
    (
        "a field that HTTP/2 does not have",
        "reset PROTOCOL_ERROR",
        |stream| {
            let fields = [&ordinary("GET")[..], &[("connection", "close")]].concat();
            headers(stream, END_STREAM, &block(&fields))
        },
    ),
    ("no method", "reset PROTOCOL_ERROR", |stream| {
        headers(stream, END_STREAM, &block(&ordinary("GET")[1..]))
    }),
    (
        "a body that is longer than it says",
        "reset PROTOCOL_ERROR",
        |stream| {
            let fields = [&ordinary("PUT")[..], &[("content-length", "1")]].concat();
            [headers(stream, 0, &block(&fields)), data(stream, 0, "{}")].concat()
        },
    ),
    (
        "trailers that do not end",
        "reset PROTOCOL_ERROR",
        |stream| [open(stream), headers(stream, 0, &block(&[("x", "1")]))].concat(),
    ),
    (
        "a head that depends on itself",
        "reset PROTOCOL_ERROR",
        |stream| {
            let begin = [&stream.to_be_bytes(), &[0][..]].concat();
            let payload = [begin, block(&ordinary("GET"))].concat();
            frame(
                HEADERS,
                WITH_PRIORITY | END_HEADERS | END_STREAM,
                stream,
                payload,
            )
        },
    ),
    (
        "a priority that depends on itself",
        "reset PROTOCOL_ERROR",
        |stream| {
            frame(
                PRIORITY,
                0,
                stream,
                [&stream.to_be_bytes(), &[0][..]].concat(),
            )
        },
    ),
    ("two lengths", "reset PROTOCOL_ERROR", |stream| {
        let lengths = [("content-length", "1"), ("content-length", "2")];
        let fields = [&ordinary("PUT")[..], &lengths].concat();
        headers(stream, 0, &block(&fields))
    }),
];

#[test]
fn resets_that_are_provoked_end_the_connection() {
    for (title, expected, provoke) in PROVOCATIONS {
        let upstream = Fake::good();
        let gateway = Gateway::before(upstream.address);
        let mut wire = Wire::connect(gateway.address());
        for count in 0..ERRORS {
            wire.send(provoke(odd(count)));
            assert_eq!(wire.events(odd(count)), [expected], "{title}: {count}");
        }
        still_serves(gateway.address());
        wire.send(provoke(odd(ERRORS)));
        let events = wire.events(odd(ERRORS));
        assert_eq!(
            events,
            [
                "goaway ENHANCE_YOUR_CALM too_many_internal_resets",
                "closed"
            ],
            "{title}"
        );
        assert_eq!(upstream.requests().len(), 1, "{title}");
        drop(wire);
        still_serves(gateway.address());
    }
    println!("provoked resets: {} cases", PROVOCATIONS.len());
}

#[test]
fn a_body_that_is_reset_is_not_whole() {
    for (code, waits) in [(0, false), (0, true), (8, false), (8, true)] {
        let upstream = Fake::good();
        let gateway = Gateway::before(upstream.address);
        // A connection to the upstream is at hand.
        still_serves(gateway.address());
        let mut wire = Wire::connect(gateway.address());
        let (body, end) = ([open(1), data(1, 0, "{}")].concat(), reset(1, code));
        if waits {
            wire.send(body);
            // By then the gateway waits for more of the body.
            wire.send(get(3));
            assert_eq!(wire.events(3), ["200"]);
            wire.send(end);
        } else {
            wire.send([body, end].concat());
        }
        wire.send(get(5));
        assert_eq!(wire.events(5), ["200"]);
        drop(wire);
        let mut found = codes(&gateway.stop());
        found.retain(|code| code != "-");
        let expected = if waits {
            "malformed_request"
        } else {
            "client_gone"
        };
        assert_eq!(found, [expected], "{code}, {waits}");
        let answered = 2 + usize::from(waits);
        assert_eq!(upstream.requests().len(), answered, "{code}, {waits}");
    }
    println!("bodies that are reset: 4 cases");
}
