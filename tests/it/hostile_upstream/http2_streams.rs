//! Streams of HTTP/2 that break, stall or are odd: one's misbehaviour does not harm the others.

use super::http2_frames::{
    ACK, BODY, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PADDED, PING,
    PRIORITY, answer, data, field, frame, head, number, reset, run, setting, then_answer, window,
};
use super::{Case, End, LATE, Next, Step, Told};
use crate::support::client::{ONE, Request};
use crate::support::gateway::CREDENTIAL;

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
        let late = [begun(), reset(1, code)].concat();
        let late = Case::failed(&format!("{name} within the body"), late);
        cases.push(late.with_status(200));
    }
    // Without an error hyper takes it for the end of the body, which the length belies, or nothing confirms.
    let length = field("content-length", "50");
    let short = [head(0, &length), data(0, 1, "{"), reset(1, 0)].concat();
    cases.push(Case::failed("given up within its length", short).with_status(200));
    // Too long to be collected: its head is passed on before its end is known.
    let length = field("content-length", "2000000");
    let begun_long = [head(0, &length), data(0, 1, &"x".repeat(9000)), reset(1, 0)];
    let long = begun_long.concat();
    let cut = Case::new(
        "given up within a long body",
        long,
        Told::Cut("upstream_protocol_error"),
    );
    cases.push(cut.next(Next::Same));
    let length = field("content-length", "2");
    let whole = [head(0, &length), data(0, 1, "{}"), reset(1, 0)].concat();
    cases.push(Case::passed("given up after its length", whole, 200, "{}"));
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
fn an_odd_answer_that_is_allowed_is_passed_on() {
    let inform = |status: &str| frame(HEADERS, END_HEADERS, 1, &field(":status", status));
    let trailers = |name: &str| {
        let block = field(name, "theirs=1");
        let trailers = frame(HEADERS, END_HEADERS | END_STREAM, 1, &block);
        [head(0, &[]), data(0, 1, BODY), trailers].concat()
    };
    let with_head = |rest: &[u8]| [&head(0, &[]), rest].concat();
    let with_data = |begin: &[u8]| [begin, &data(END_STREAM, 1, BODY)].concat();
    let drops: Vec<u8> = BODY
        .bytes()
        .flat_map(|byte| frame(DATA, 0, 1, &[byte]))
        .chain(data(END_STREAM, 1, ""))
        .collect();
    let padded = [&[3][..], BODY.as_bytes(), &[0; 3]].concat();
    let padded = frame(DATA, PADDED | END_STREAM, 1, &padded);
    let none = frame(DATA, 0, 1, &[]).repeat(50);
    let second = frame(CONTINUATION, END_HEADERS, 1, &[0x88]);
    let halves = [frame(HEADERS, 0, 1, &[]), second].concat();
    let cases = [
        ("an informational answer", then_answer(inform("103"))),
        (
            "a thousand of them",
            then_answer(inform("103").repeat(1000)),
        ),
        ("trailers", trailers("x-trailer")),
        ("trailers of the gateway's", trailers("x-gateway-code")),
        ("trailers with a cookie", trailers("set-cookie")),
        ("a body in drops", with_head(&drops)),
        ("a body with padding", with_head(&padded)),
        ("frames without data", with_data(&with_head(&none))),
        ("a head in two", with_data(&halves)),
        (
            "flags of no kind",
            with_data(&frame(HEADERS, 0xd6, 1, &[0x88])),
        ),
        ("a window after the end", [answer(1), window(1, 1)].concat()),
    ]
    .map(|(name, bytes)| Case::fine(name, bytes));
    // Malformed by the letter (RFC 9113 section 8.3); the library drops what it does not look for.
    let twice = with_head(&head(END_STREAM, &[]));
    let dropped = [
        ("a path", head(END_STREAM, &[0x84])),
        ("a second status", twice),
    ]
    .map(|(name, bytes)| Case::passed(name, bytes, 200, ""));
    run(
        "HTTP/2 answers that are odd",
        &[&cases[..], &dropped].concat(),
    );
}

#[test]
fn an_answer_without_a_body_has_none() {
    let none = |length: &str| {
        let block = [&[0x89], &field("content-length", length)[..]].concat();
        frame(HEADERS, END_HEADERS, 1, &block)
    };
    let short = [none("5"), data(END_STREAM, 1, "hello")].concat();
    let piece = data(0, 1, &"x".repeat(16_000));
    // As much as may come unasked.
    let long = [none("2000000"), piece.repeat(4), reset(1, 0)].concat();
    let cases = [("a length and a body", short), ("a long body", long)]
        .map(|(name, bytes)| Case::passed(name, bytes, 204, "").to(Request::new("DELETE", ONE)));
    run("HTTP/2 answers without a body", &cases);
}

#[test]
fn an_odd_frame_that_is_allowed_harms_nothing() {
    let cases = [
        ("a frame of no kind", frame(0xfa, 0xff, 1, b"theirs")),
        ("a priority", frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 9])),
        (
            "a priority of nothing",
            frame(PRIORITY, 0, 9, &[0, 0, 0, 1, 9]),
        ),
        ("settings of no kind", setting(0xfe, 7)),
        ("settings a hundred times", setting(3, 100).repeat(100)),
        ("a window for the connection", window(0, 1000)),
        (
            "two thousand pings",
            frame(PING, 0, 0, b"12345678").repeat(2000),
        ),
        ("a pong unasked for", frame(PING, ACK, 0, b"12345678")),
    ]
    .map(|(name, bytes)| Case::fine(name, then_answer(bytes)));
    run("HTTP/2 frames that are odd", &cases);
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
