//! What a client may hold open: so many streams, each for so long, and a connection that does nothing
//! for no longer than one that is idle.

use super::{codes, data, get, measured, open, ordinary, still_serves};
use crate::support::fake::Fake;
use crate::support::frames::{
    ACK, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, Wire, block, frame,
};
use crate::support::gateway::Gateway;

/// The default of `limits.http2_streams`.
const STREAMS: u32 = 100;

#[test]
fn a_client_that_was_not_told_the_most_loses_only_what_is_beyond() {
    const BEYOND: u32 = 60;
    let upstream = Fake::good();
    let gateway = Gateway::before(upstream.address);
    let mut wire = Wire::connect(gateway.address());
    let opened = (0..STREAMS + BEYOND).map(|count| open(2 * count + 1));
    wire.send(opened.collect::<Vec<_>>().concat());
    for count in STREAMS..STREAMS + BEYOND {
        assert_eq!(wire.events(2 * count + 1), ["reset REFUSED_STREAM"]);
    }
    for count in 0..STREAMS {
        wire.send(data(2 * count + 1, END_STREAM, "{}"));
        assert_eq!(wire.events(2 * count + 1), ["200"]);
    }
    assert_eq!(upstream.requests().len(), STREAMS as usize);
}

#[test]
fn streams_beyond_the_most_are_refused() {
    let upstream = Fake::good();
    let gateway = measured(&upstream, "limits.body_timeout = \"300ms\"");
    let mut wire = Wire::connect(gateway.address());
    let held = (0..STREAMS).map(|count| open(2 * count + 1));
    wire.send(held.collect::<Vec<_>>().concat());
    let beyond = 2 * STREAMS + 1;
    wire.send(get(beyond));
    assert_eq!(wire.events(beyond), ["reset REFUSED_STREAM"]);
    still_serves(gateway.address());
    // Those that are held open are given up when their bodies do not come, in whatever order.
    let mut given_up = Vec::new();
    while given_up.len() < STREAMS as usize {
        let (stream, event) = wire.next_event().expect("an answer");
        if event != "reset NO_ERROR" {
            assert_eq!(event, "408 body_timeout");
            given_up.push(stream);
        }
    }
    given_up.sort_unstable();
    assert!(
        given_up
            .into_iter()
            .eq((0..STREAMS).map(|count| 2 * count + 1))
    );
    wire.send(get(beyond + 2));
    assert_eq!(wire.events(beyond + 2).pop().as_deref(), Some("200"));
    drop(wire);
    let mut expected = vec!["-"; 2];
    expected.extend(["body_timeout"; STREAMS as usize]);
    let mut found = codes(&gateway.stop());
    found.sort();
    assert_eq!(found, expected);
    assert_eq!(upstream.requests().len(), 2);
}

#[test]
fn a_connection_that_only_keeps_itself_busy_is_idle() {
    let unended = || frame(HEADERS, END_STREAM, 1, block(&ordinary("GET")));
    let ping = || frame(PING, 0, 0, [0; 8]);
    for (title, first, busy) in [
        ("PING", Vec::new(), ping()),
        ("half a head", unended(), Vec::new()),
    ] {
        let upstream = Fake::good();
        let gateway = measured(&upstream, "limits.idle_timeout = \"300ms\"");
        let mut wire = Wire::connect(gateway.address());
        wire.send(first);
        loop {
            wire.send(&busy);
            let frame = wire.frame().expect("a frame");
            match (frame.kind, frame.flags) {
                (GOAWAY, _) => break,
                (PING, ACK) => {}
                other => panic!("{title}: {other:?}"),
            }
        }
        still_serves(gateway.address());
        drop(wire);
        assert_eq!(codes(&gateway.stop()), ["-"], "{title}");
    }
}

#[test]
fn heads_take_of_the_memory_for_bodies() {
    let upstream = Fake::good();
    let memory = "limits.body_memory = \"1MiB\"\nlimits.batch_body = \"1MiB\"";
    let gateway = measured(&upstream, memory);
    let mut wire = Wire::connect(gateway.address());
    // Some 600 bytes each, which are 20 KiB in memory for as long as no body comes.
    let mut fields = ordinary("PUT").to_vec();
    fields.extend([("content-type", "application/json")]);
    let fields = [block(&fields), block(&[("ab", "")]).repeat(90)].concat();
    for count in 0..STREAMS {
        wire.send(frame(HEADERS, END_HEADERS, 2 * count + 1, &fields));
    }
    let refused = (0..40)
        .map(|_| wire.next_event().expect("an answer").1)
        .filter(|event| event == "503 overloaded");
    assert!(refused.count() >= 20);
    drop(wire);
    still_serves(gateway.address());
    assert_eq!(upstream.requests().len(), 1);
}
