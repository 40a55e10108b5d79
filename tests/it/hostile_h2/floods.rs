//! Frames that cost their sender little, by the ten thousand (CVE-2019-9512, 9515, 9516, 9518): each
//! kind is answered one for one, ignored, or ends the connection; another client is served meanwhile.

use super::{codes, data, get, measured, open, still_serves};
use crate::limits::bare_closes;
use crate::support::fake::Fake;
use crate::support::frames::{
    ACK, END_STREAM, HEADERS, PING, PRIORITY, SETTINGS, Wire, frame, literal, reset, settings,
    window,
};
use crate::support::gateway::Gateway;
use std::io::Write;

const MANY: usize = 20_000;

/// What is sent first, what is sent [`MANY`] times, and what the client is told.
type Flood = (&'static str, &'static str, fn() -> Vec<u8>, fn() -> Vec<u8>);

const FLOODS: [Flood; 12] = [
    ("PRIORITY", "200", Vec::new, || {
        frame(PRIORITY, 0, 1, [0; 5])
    }),
    ("unknown frames", "200", Vec::new, || {
        frame(0xbe, 0, 1, [0; 5])
    }),
    ("PING acknowledged", "200", Vec::new, || {
        frame(PING, ACK, 0, [0; 8])
    }),
    (
        "SETTINGS acknowledged",
        "goaway PROTOCOL_ERROR",
        Vec::new,
        || frame(SETTINGS, ACK, 0, []),
    ),
    ("RST_STREAM of one stream", "200", || get(1), || reset(1, 8)),
    ("WINDOW_UPDATE", "200", Vec::new, || window(0, 1)),
    (
        "WINDOW_UPDATE of a stream",
        "200",
        || open(1),
        || window(1, 1),
    ),
    (
        "empty DATA",
        "goaway ENHANCE_YOUR_CALM too_many_data_frames",
        || open(1),
        || data(1, 0, []),
    ),
    (
        "empty DATA, padded",
        "goaway ENHANCE_YOUR_CALM too_many_data_frames",
        || open(1),
        || frame(0, 8, 1, [3, 0, 0, 0]),
    ),
    (
        "DATA of one byte",
        "goaway ENHANCE_YOUR_CALM too_many_data_frames",
        || open(1),
        || data(1, 0, b" "),
    ),
    (
        "DATA behind the end",
        "goaway PROTOCOL_ERROR",
        || get(1),
        || data(1, 0, []),
    ),
    (
        "fields without name and value",
        "goaway PROTOCOL_ERROR",
        Vec::new,
        || frame(HEADERS, 4 | END_STREAM, 1, literal("", "")),
    ),
];

#[test]
fn frames_that_ask_for_nothing_are_cheap() {
    for (title, expected, first, flood) in FLOODS {
        let upstream = Fake::good();
        let gateway = Gateway::before(upstream.address);
        let mut wire = Wire::connect(gateway.address());
        let half = flood().repeat(MANY / 2);
        // The gateway may close while it is being sent all.
        wire.try_send([first(), half.clone()].concat()).ok();
        still_serves(gateway.address());
        wire.try_send([half, get(101)].concat()).ok();
        let mut events = wire.events(101);
        events.retain(|event| event != "closed" || !expected.contains("goaway"));
        assert_eq!(events.join(", "), expected, "{title}");
        let served = upstream
            .requests()
            .iter()
            .all(|request| request.start.starts_with("GET"));
        assert!(served, "{title}");
        drop(wire);
        still_serves(gateway.address());
    }
    println!("floods: {} cases", FLOODS.len());
}

#[test]
fn what_asks_for_an_answer_gets_one_each() {
    let upstream = Fake::good();
    let gateway = Gateway::before(upstream.address);
    let cases = [
        (
            frame(PING, 0, 0, b"question"),
            frame(PING, ACK, 0, b"question"),
        ),
        (settings(&[]), frame(SETTINGS, ACK, 0, [])),
        (
            settings(&[(4, 1), (4, 65_535)]),
            frame(SETTINGS, ACK, 0, []),
        ),
    ];
    for (question, answer) in &cases {
        let mut wire = Wire::connect(gateway.address());
        let mut writer = wire.writer();
        let questions = question.repeat(MANY);
        let writing = std::thread::spawn(move || writer.write_all(&questions));
        for count in 0..MANY {
            let told = wire.frame().expect("an answer");
            assert_eq!(
                &frame(told.kind, told.flags, told.stream, told.payload),
                answer
            );
            if count == MANY / 2 {
                still_serves(gateway.address());
            }
        }
        writing
            .join()
            .expect("no panic")
            .expect("the gateway reads");
        wire.send(get(1));
        assert_eq!(wire.events(1), ["200"]);
    }
    assert_eq!(gateway.stop().len(), 2 * cases.len());
    println!("questions: {} cases", cases.len());
}

#[test]
fn a_client_that_does_not_hear_the_answers_is_not_asked_on() {
    for question in [frame(PING, 0, 0, [0; 8]), settings(&[])] {
        let upstream = Fake::good();
        let gateway = measured(&upstream, "limits.write_timeout = \"300ms\"");
        let mut deaf = Wire::over(super::windows::narrow(gateway.address()));
        deaf.agree(&[]);
        // The gateway stops reading when its answers are not taken, so that this is not sent whole.
        let sent = deaf.try_send(question.repeat(2_000_000));
        assert!(sent.is_err());
        still_serves(gateway.address());
        gateway.wait_for_metric(&bare_closes("write_timeout"), 1.0);
        drop(deaf);
        assert_eq!(codes(&gateway.stop()), ["-"]);
    }
    println!("unheard answers: 2 cases");
}
