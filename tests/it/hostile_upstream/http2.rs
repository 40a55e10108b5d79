//! Connections of HTTP/2 that break or are left: what they cover is kept, and the next one serves.

use super::http2_frames::{
    ACK, BODY, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PADDED, PING,
    PUSH_PROMISE, RST_STREAM, SETTINGS, WINDOW_UPDATE, answer, data, field, frame, goaway, head,
    number, reset, run, setting, then_answer, window,
};
use super::{Case, End, Next, Upstream};
use crate::support::client::{ALL, ONE, Request};
use serde_json::json;

#[test]
fn a_connection_that_is_left_keeps_what_it_covers() {
    let excluded = |name: &str, request: Request| {
        let case = Case::fine(name, goaway(0, 0)).to(request);
        case.next(Next::Again)
    };
    let covered = [goaway(1, 0), answer(1)].concat();
    let twice = [goaway(0x7fff_ffff, 0), goaway(1, 0), answer(1)].concat();
    let between = [head(0, &[]), goaway(1, 0), data(END_STREAM, 1, BODY)].concat();
    let more = [answer(1), goaway(1, 0), data(END_STREAM, 1, "more")].concat();
    let growing = [goaway(1, 0), goaway(3, 0), answer(1)].concat();
    let mut cases = vec![
        Case::fine("covered and answered", covered).next(Next::New),
        Case::fine("announced, then left", twice).next(Next::New),
        Case::fine("left within the answer", between).next(Next::New),
        Case::fine("left after the answer", more).next(Next::New),
        Case::fatal("covered and closed", goaway(1, 0)).then(End::Close),
        Case::fatal("covered and reset", goaway(1, 0)).then(End::Reset),
        Case::fatal("a later last stream", growing),
        Case::fatal("a short one", frame(GOAWAY, 0, 0, &[0; 7])),
        Case::fatal("one on a stream", frame(GOAWAY, 0, 1, &[0; 8])),
        excluded("excluded: PUT", Request::update("{}")),
        excluded("excluded: DELETE", Request::new("DELETE", ONE)),
        excluded(
            "excluded: DELETE with a body",
            Request::new("DELETE", ALL).json("[9]"),
        ),
    ];
    for code in [1, 2, 11] {
        let name = format!("covered with {code:#x} and closed");
        cases.push(Case::fatal(&name, goaway(1, code)).then(End::Close));
    }
    run("HTTP/2 connections that are left", &cases);
}

#[test]
fn a_frame_out_of_place_breaks_the_connection_alone() {
    let promise = [&number(2)[..], &[0x82, 0x87, 0x84]].concat();
    let listed = |kind: u8, stream: u32| frame(kind, END_HEADERS, stream, &[0x88]);
    let promised = |stream: u32| frame(PUSH_PROMISE, END_HEADERS, stream, &promise);
    let unfinished = || frame(HEADERS, 0, 1, &[0x88]);
    let within = |other: Vec<u8>| [unfinished(), other].concat();
    let block = field("x-long", &"x".repeat(120)).repeat(100);
    let endless = frame(CONTINUATION, 0, 1, &block).repeat(40);
    let empty = frame(CONTINUATION, 0, 1, &[]).repeat(5000);
    // Two thousand times a field of four thousand bytes, in six thousand bytes.
    let mut bomb = vec![0x88, 0x40, 1, b'x', 0x7f, 0xa1, 0x1e];
    bomb.extend(vec![b'y'; 4000]);
    bomb.extend(vec![0xbe; 2000]);
    let cases = [
        ("data on the connection", data(0, 0, "x")),
        ("data before the head", data(END_STREAM, 1, "x")),
        ("more fields than may be", head(END_STREAM, &bomb[1..])),
        ("a head on the connection", listed(HEADERS, 0)),
        ("a reset of the connection", reset(0, 8)),
        ("data on a stream that is not", data(0, 3, "x")),
        ("a head on a stream that is not", listed(HEADERS, 3)),
        ("a head on a stream of its own", listed(HEADERS, 2)),
        ("a reset of a stream that is not", reset(5, 8)),
        ("a window for a stream that is not", window(5, 1)),
        ("a window of nothing for the stream", window(1, 0)),
        ("a window of nothing", window(0, 0)),
        ("a window beyond all", window(0, 0x7fff_ffff)),
        ("a promise", promised(1)),
        ("a promise on a stream that is not", promised(3)),
        ("a continuation of nothing", listed(CONTINUATION, 1)),
        ("a ping within a head", within(frame(PING, 0, 0, &[0; 8]))),
        (
            "another stream within a head",
            within(frame(CONTINUATION, 4, 3, &[])),
        ),
        ("a head that goes on and on", within(endless)),
        ("a head that goes on with nothing", within(empty)),
    ]
    .map(|(name, bytes)| Case::fatal(name, bytes));
    run("HTTP/2 frames out of place", &cases);
}

#[test]
fn a_malformed_frame_breaks_the_connection_alone() {
    let lines = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    let cases = [
        (
            "a frame that is too large",
            frame(DATA, 0, 1, &vec![0; 16_385]),
        ),
        ("a short ping", frame(PING, 0, 0, &[0; 7])),
        ("a ping on a stream", frame(PING, 0, 1, &[0; 8])),
        ("a short reset", frame(RST_STREAM, 0, 1, &[0; 3])),
        ("a short window", frame(WINDOW_UPDATE, 0, 0, &[0; 3])),
        ("more padding than data", frame(DATA, PADDED, 1, &[9, 0, 0])),
        ("an index that is not", head(0, &[0xff, 0xff, 0x7f])),
        ("an index of zero", head(0, &[0x80])),
        ("a text beyond its frame", head(0, &[0x00, 0x7e, b'x'])),
        ("a number without end", head(0, &[0xff; 40])),
        (
            "a table beyond its bound",
            head(0, &[0x3f, 0xff, 0xff, 0x7f]),
        ),
        (
            "a broken code for text",
            head(0, &[0, 0x81, 0xff, 0x81, 0xff]),
        ),
        ("settings of odd length", frame(SETTINGS, 0, 0, &[0; 5])),
        ("settings on a stream", frame(SETTINGS, 0, 1, &[])),
        (
            "settings agreed on with more",
            frame(SETTINGS, ACK, 0, &[0; 6]),
        ),
        ("settings with a window beyond all", setting(4, 0x8000_0000)),
        ("settings with small frames", setting(5, 16_383)),
        ("settings with huge frames", setting(5, 0x0100_0000)),
        ("settings with a switch of two", setting(2, 2)),
        ("an answer of HTTP/1.1", lines.to_vec()),
        ("zeros", vec![0; 64]),
        ("high bytes", vec![0xff; 64]),
    ]
    .map(|(name, bytes)| Case::fatal(name, bytes));
    run("HTTP/2 frames that are malformed", &cases);
}

/// What no list of fields may hold: to the h2 library it is the compression that broke.
#[test]
fn a_head_that_is_no_list_of_fields_breaks_the_connection() {
    let status = |status: &str| field(":status", status);
    let with = |name: &str, value: &str| [vec![0x88], field(name, value)].concat();
    let cases = [
        ("an empty status", status("")),
        ("a status of letters", status("2x0")),
        ("a status of two digits", status("20")),
        ("a status of four digits", status("2000")),
        ("a status below all", status("099")),
        ("a status of zeros", status("000")),
        ("a pseudo-field that is not", with(":other", "x")),
        ("a large letter", with("X-Field", "x")),
        ("a space in a name", with("x field", "x")),
        ("a colon in a name", with("x:field", "x")),
        ("an empty name", with("", "x")),
        (
            "a line break in a value",
            with("x-field", "a\r\nx-gateway-code: b"),
        ),
        ("a line feed in a value", with("x-field", "a\nb")),
        ("a zero in a value", with("x-field", "a\0b")),
    ]
    .map(|(name, block)| {
        let head = frame(HEADERS, END_HEADERS | END_STREAM, 1, &block);
        Case::fatal(name, head)
    });
    run("HTTP/2 heads that are no lists of fields", &cases);
}

#[test]
fn settings_that_leave_no_room_make_late_what_needs_it() {
    let (window, streams) = (setting(4, 0), setting(3, 0));
    let (put, get) = (Request::update("{}"), Request::new("GET", ONE));
    let table = [
        (
            "no window, and a body",
            &window,
            &put,
            Some("upstream_timeout"),
        ),
        ("no window, and no body", &window, &get, None),
        (
            "no streams, and a body",
            &streams,
            &put,
            Some("upstream_timeout"),
        ),
        (
            "no streams, and no body",
            &streams,
            &get,
            Some("upstream_timeout"),
        ),
    ];
    for (name, settings, request, code) in table {
        // They come before the answer, so that they hold for the next request.
        let case = Case::fine(name, then_answer(settings.clone()));
        let (upstream, setup) = case.framed();
        let gateway = setup.with("upstream.deadline = \"1s\"").start();
        assert_eq!(gateway.exchange(&put).status(), 200, "{name}");
        let answer = gateway.exchange(request);
        assert_eq!(answer.code(), code, "{name}");
        assert_eq!(
            answer.status(),
            if code.is_some() { 504 } else { 200 },
            "{name}"
        );
        let elsewhere = gateway.exchange(&Request::new("GET", "/nowhere"));
        assert_eq!(elsewhere.status(), 404, "{name}");
        let lines = gateway.stop();
        let found = [&lines[1]["code"], &lines[1]["sent"]];
        let sent = if code.is_some() { "unknown" } else { "yes" };
        assert_eq!(found, [&json!(code), &json!(sent)], "{name}");
        let carried = if code.is_some() { 1 } else { 2 };
        assert_eq!(upstream.counts(), [carried], "{name}");
    }
    super::tell("HTTP/2 settings without room", table.len());
}
