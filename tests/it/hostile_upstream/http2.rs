//! The same over HTTP/2, where one stream's misbehaviour must not harm the others, and one connection's
//! not the next.

use super::http2_frames::{
    ACK, BODY, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PADDED, PING,
    PRIORITY, PUSH_PROMISE, RST_STREAM, SETTINGS, WINDOW_UPDATE, answer, field, frame, head, run,
};
use super::{Case, End, LATE, Next, Step, Told, Upstream};
use crate::support::client::{ALL, ONE, Request};
use crate::support::gateway::CREDENTIAL;
use serde_json::json;

fn number(number: u32) -> [u8; 4] {
    number.to_be_bytes()
}

fn goaway(last: u32, code: u32) -> Vec<u8> {
    frame(GOAWAY, 0, 0, &[number(last), number(code)].concat())
}

fn reset(stream: u32, code: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, &number(code))
}

fn window(stream: u32, more: u32) -> Vec<u8> {
    frame(WINDOW_UPDATE, 0, stream, &number(more))
}

fn setting(id: u8, value: u32) -> Vec<u8> {
    frame(SETTINGS, 0, 0, &[&[0, id][..], &number(value)].concat())
}

fn data(flags: u8, stream: u32, bytes: &str) -> Vec<u8> {
    frame(DATA, flags, stream, bytes.as_bytes())
}

fn then_answer(bytes: Vec<u8>) -> Vec<u8> {
    [bytes, answer(1)].concat()
}

/// The codes of RFC 9113 section 7 but `REFUSED_STREAM`, and two that nobody has defined.
const CODES: [u32; 15] = [
    0x0,
    0x1,
    0x2,
    0x3,
    0x4,
    0x5,
    0x6,
    0x8,
    0x9,
    0xa,
    0xb,
    0xc,
    0xd,
    0xff,
    0xffff_ffff,
];

#[test]
fn a_stream_that_is_given_up_is_an_error_of_its_own() {
    let begun = || [head(0, &[]), data(0, 1, "{")].concat();
    let mut cases = Vec::new();
    for code in CODES {
        let name = format!("reset with {code:#x}");
        cases.push(Case::failed(&name, reset(1, code)));
        let done = [answer(1), reset(1, code)].concat();
        cases.push(Case::fine(&format!("{name} after the end"), done));
        // Without an error hyper takes it for the end of the body.
        if code == 0 {
            continue;
        }
        let late = [begun(), reset(1, code)].concat();
        let late = Case::failed(&format!("{name} within the body"), late);
        cases.push(late.with_status(200));
    }
    // It says that nothing was done only as long as it has not begun to answer.
    let late = [begun(), reset(1, 7)].concat();
    cases.push(Case::failed("refused within the body", late).with_status(200));
    for request in [Request::update("{}"), Request::new("DELETE", ONE)] {
        let name = format!("refused: {}", request.method);
        let refused = Case::fine(&name, reset(1, 7)).to(request);
        cases.push(refused.next(Next::Again));
    }
    run("HTTP/2 streams that are given up", &cases);
}

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
fn a_frame_that_breaks_the_connection_breaks_it_alone() {
    let oversized = frame(DATA, 0, 1, &[0; 16_385]);
    let promise = [&number(2)[..], &[0x82, 0x87, 0x84]].concat();
    let huge = "x".repeat(120);
    let unfinished = frame(HEADERS, 0, 1, &[0x88]);
    let block = field("x-long", &huge).repeat(100);
    let continued = frame(CONTINUATION, 0, 1, &block).repeat(40);
    let endless = [unfinished.clone(), continued].concat();
    let empty = frame(CONTINUATION, 0, 1, &[]).repeat(5000);
    // Two thousand times a field of four thousand bytes, in four thousand bytes.
    let mut bomb = vec![0x88, 0x40, 1, b'x', 0x7f, 0xa1, 0x1e];
    bomb.extend(vec![b'y'; 4000]);
    bomb.extend(vec![0xbe; 2000]);
    let cases = [
        ("data on the connection", data(0, 0, "x")),
        ("data before the head", data(END_STREAM, 1, "x")),
        (
            "more fields than may be",
            frame(HEADERS, END_HEADERS | END_STREAM, 1, &bomb),
        ),
        ("a window of nothing for the stream", window(1, 0)),
        (
            "a head on the connection",
            frame(HEADERS, END_HEADERS, 0, &[0x88]),
        ),
        ("a reset of the connection", reset(0, 8)),
        ("data on a stream that is not", data(0, 3, "x")),
        (
            "a head on a stream that is not",
            frame(HEADERS, END_HEADERS, 3, &[0x88]),
        ),
        (
            "a head on a stream of its own",
            frame(HEADERS, END_HEADERS, 2, &[0x88]),
        ),
        ("a reset of a stream that is not", reset(5, 8)),
        ("a window for a stream that is not", window(5, 1)),
        ("a promise", frame(PUSH_PROMISE, END_HEADERS, 1, &promise)),
        (
            "a promise on a stream that is not",
            frame(PUSH_PROMISE, END_HEADERS, 3, &promise),
        ),
        ("a frame that is too large", oversized),
        (
            "a continuation of nothing",
            frame(CONTINUATION, END_HEADERS, 1, &[0x88]),
        ),
        (
            "a ping within a head",
            [unfinished.clone(), frame(PING, 0, 0, &[0; 8])].concat(),
        ),
        (
            "another stream within a head",
            [unfinished, frame(CONTINUATION, 4, 3, &[])].concat(),
        ),
        ("a head that goes on and on", endless),
        (
            "a head that goes on with nothing",
            [frame(HEADERS, 0, 1, &[0x88]), empty].concat(),
        ),
        ("a short ping", frame(PING, 0, 0, &[0; 7])),
        ("a ping on a stream", frame(PING, 0, 1, &[0; 8])),
        ("a short reset", frame(RST_STREAM, 0, 1, &[0; 3])),
        ("a short window", frame(WINDOW_UPDATE, 0, 0, &[0; 3])),
        ("a window of nothing", window(0, 0)),
        ("a window beyond all", window(0, 0x7fff_ffff)),
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
            head(0, &[0x00, 0x81, 0xff, 0x81, 0xff]),
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
        ("settings with pushing", setting(2, 2)),
        (
            "an answer of HTTP/1.1",
            b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec(),
        ),
        ("zeros", vec![0; 64]),
        ("high bytes", vec![0xff; 64]),
    ]
    .map(|(name, bytes)| Case::fatal(name, bytes));
    run("HTTP/2 frames that break a connection", &cases);
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
fn an_answer_that_breaks_its_stream_breaks_it_alone() {
    let with = |name: &str, value: &str| head(END_STREAM, &field(name, value));
    let bare = |block: Vec<u8>| frame(HEADERS, END_HEADERS | END_STREAM, 1, &block);
    let plenty = field("x-long", &"x".repeat(120)).repeat(120);
    let mut cases = [
        ("no status", bare(field("x", "y"))),
        ("two statuses", head(END_STREAM, &[0x88])),
        (
            "a status after a field",
            bare([field("x", "y"), vec![0x88]].concat()),
        ),
        ("a field of one hop", with("connection", "close")),
        ("a transfer coding", with("transfer-encoding", "chunked")),
        ("an upgrade", with("upgrade", "h2c")),
        ("a length of letters", with("content-length", "two")),
        ("a negative length", with("content-length", "-1")),
        (
            "two lengths",
            head(
                END_STREAM,
                &[field("content-length", "1"), field("content-length", "2")].concat(),
            ),
        ),
        ("a length and no body", with("content-length", "5")),
        ("a long head", head(END_STREAM, &plenty)),
    ]
    .map(|(name, bytes)| Case::failed(name, bytes))
    .to_vec();
    let length = |length: &str| head(0, &field("content-length", length));
    let late = [
        (
            "less than its length",
            [length("3"), data(END_STREAM, 1, "{}")].concat(),
        ),
        (
            "more than its length",
            [length("1"), data(END_STREAM, 1, "{}")].concat(),
        ),
        (
            "more than no length",
            [length("0"), data(END_STREAM, 1, "{}")].concat(),
        ),
        (
            "trailers that are no end",
            [
                head(0, &[]),
                frame(HEADERS, END_HEADERS, 1, &field("x", "y")),
            ]
            .concat(),
        ),
    ];
    cases.extend(late.map(|(name, bytes)| Case::failed(name, bytes).with_status(200)));
    run("HTTP/2 answers that break their stream", &cases);
}

#[test]
fn what_is_odd_but_allowed_harms_nothing() {
    let inform = |status: &str| frame(HEADERS, END_HEADERS, 1, &field(":status", status));
    let trailers = |fields: Vec<u8>| {
        let trailers = frame(HEADERS, END_HEADERS | END_STREAM, 1, &fields);
        [head(0, &[]), data(0, 1, BODY), trailers].concat()
    };
    let drops: Vec<u8> = BODY
        .bytes()
        .flat_map(|byte| frame(DATA, 0, 1, &[byte]))
        .collect();
    let padded = frame(
        DATA,
        PADDED | END_STREAM,
        1,
        &[&[3][..], BODY.as_bytes(), &[0; 3]].concat(),
    );
    let none = frame(DATA, 0, 1, &[]).repeat(50);
    let halves = [
        frame(HEADERS, 0, 1, &[]),
        frame(CONTINUATION, END_HEADERS, 1, &[0x88]),
    ]
    .concat();
    let cases = [
        ("an informational answer", then_answer(inform("103"))),
        (
            "a thousand informational answers",
            then_answer(inform("103").repeat(1000)),
        ),
        ("trailers", trailers(field("x-trailer", "theirs"))),
        (
            "trailers of the gateway's",
            trailers(field("x-gateway-code", "theirs")),
        ),
        (
            "trailers with a cookie",
            trailers(field("set-cookie", "theirs=1")),
        ),
        (
            "a body in drops",
            [head(0, &[]), drops, data(END_STREAM, 1, "")].concat(),
        ),
        ("a body with padding", [head(0, &[]), padded].concat()),
        (
            "frames without data",
            [head(0, &[]), none, data(END_STREAM, 1, BODY)].concat(),
        ),
        (
            "a head in two",
            [halves, data(END_STREAM, 1, BODY)].concat(),
        ),
        (
            "a frame of no kind",
            then_answer(frame(0xfa, 0xff, 1, b"theirs")),
        ),
        (
            "flags of no kind",
            [
                frame(
                    HEADERS,
                    0xd6 & !0x28 & !END_STREAM | END_HEADERS,
                    1,
                    &[0x88],
                ),
                data(END_STREAM, 1, BODY),
            ]
            .concat(),
        ),
        (
            "a priority",
            then_answer(frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 9])),
        ),
        (
            "a priority of a stream that is not",
            then_answer(frame(PRIORITY, 0, 9, &[0, 0, 0, 1, 9])),
        ),
        ("settings of no kind", then_answer(setting(0xfe, 7))),
        (
            "settings a hundred times",
            then_answer(setting(3, 100).repeat(100)),
        ),
        ("a window for the connection", then_answer(window(0, 1000))),
        (
            "two thousand pings",
            then_answer(frame(PING, 0, 0, b"12345678").repeat(2000)),
        ),
        (
            "a pong that nobody asked for",
            then_answer(frame(PING, ACK, 0, b"12345678")),
        ),
        ("a window after the end", [answer(1), window(1, 1)].concat()),
    ]
    .map(|(name, bytes)| Case::fine(name, bytes));
    // Malformed by the letter (RFC 9113 section 8.3); the library drops what it does not look for.
    let dropped = [
        ("a path", head(END_STREAM, &[0x84])),
        (
            "a second status",
            [head(0, &[]), head(END_STREAM, &[])].concat(),
        ),
    ]
    .map(|(name, bytes)| Case::passed(name, bytes, 200, ""));
    run("HTTP/2 that is odd", &[&cases[..], &dropped].concat());
}

#[test]
fn a_stream_that_stalls_is_late_and_the_others_are_not() {
    let late = |name: &str, bytes: Vec<u8>| {
        let case = Case::new(name, bytes, LATE).soon();
        case.then(End::Hold).next(Next::Same)
    };
    let cut = Told::Cut("upstream_timeout");
    let begun = [head(0, &[]), data(0, 1, "{")].concat();
    let inform = frame(HEADERS, END_HEADERS, 1, &field(":status", "103"));
    let greeting = [Step::Send(setting(4, 0)), Step::Read];
    let read = Request::new("GET", ONE);
    let cases = [
        late("no answer", Vec::new()),
        // Its stream is reset, but nobody is told before the deadline.
        late("a window beyond all", window(1, 0x7fff_ffff)),
        late("hints and no answer", inform.repeat(10_000)),
        late(
            "pings and no answer",
            frame(PING, 0, 0, &[0; 8]).repeat(1000),
        ),
        Case::new("a stalled body", begun, cut)
            .soon()
            .then(End::Hold)
            .next(Next::Same),
        late("no window, and none needed", Vec::new())
            .to(read)
            .steps(greeting),
    ];
    run("HTTP/2 streams that stall", &cases);
}

#[test]
fn a_credential_in_an_answer_is_withheld() {
    let echoed = |name: &str, bytes: Vec<u8>| {
        let case = Case::new(name, bytes, Told::Refusal(502, "credential_echoed"));
        case.with_status(200).next(Next::Same)
    };
    let (begin, end) = CREDENTIAL.split_at(9);
    let halves = [head(0, &[]), data(0, 1, begin), data(END_STREAM, 1, end)].concat();
    let trailers = frame(
        HEADERS,
        END_HEADERS | END_STREAM,
        1,
        &field("x", CREDENTIAL),
    );
    let trailers = [head(0, &[]), data(0, 1, BODY), trailers].concat();
    let reason = [&number(1)[..], &number(2), CREDENTIAL.as_bytes()].concat();
    let cases = [
        echoed("a value", head(END_STREAM, &field("x", CREDENTIAL))),
        echoed("a name", head(END_STREAM, &field(CREDENTIAL, "x"))),
        echoed(
            "a body",
            [head(0, &[]), data(END_STREAM, 1, CREDENTIAL)].concat(),
        ),
        echoed("two frames", halves),
        Case::fine("a trailer", trailers),
        Case::fine(
            "a ping",
            then_answer(frame(PING, 0, 0, &CREDENTIAL.as_bytes()[..8])),
        ),
        Case::fatal("a farewell", frame(GOAWAY, 0, 0, &reason)).then(End::Close),
    ];
    run("HTTP/2 answers with the credential", &cases);
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
    println!("HTTP/2 settings without room: {} cases", table.len());
}
