//! Frames that are malformed, or stand where they may not (RFC 9113 sections 4 to 6). Behind them on the
//! same connection comes an ordinary request, whose answer or absence tells what they did.

use super::{Case, check, data, get, open, ordinary};
use crate::support::client::ONE;
use crate::support::frames::{
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, MAX_FRAME, PADDED, PING,
    PRIORITY, PUSH_PROMISE, RST_STREAM, SETTINGS, WINDOW_UPDATE, WITH_PRIORITY, block, frame,
    headers, indexed, literal, named, reset, settings, table_size, window,
};
use crate::support::gateway::WRITER;

/// The stream of the ordinary request.
const LAST: u32 = 101;
/// The most that a window may have.
const MOST: u32 = i32::MAX.cast_unsigned();

fn cases(table: &[(&str, &str, Vec<u8>)]) -> Vec<Case> {
    let case = |(title, expected, bytes): &(&str, &str, Vec<u8>)| Case {
        title: (*title).to_owned(),
        expected: (*expected).to_owned(),
        bytes: bytes.clone(),
        behind: get(LAST),
        watched: LAST,
        method: "GET",
    };
    table.iter().map(case).collect()
}

/// A head, and a frame behind it on the same stream.
fn after_open(bytes: Vec<u8>) -> Vec<u8> {
    [open(1), bytes].concat()
}

/// The header block of an ordinary request.
fn ordinary_block() -> Vec<u8> {
    block(&ordinary("GET"))
}

/// A request whose header block is all but ended.
fn unended() -> Vec<u8> {
    frame(HEADERS, END_STREAM, 1, ordinary_block())
}

/// A head with this in front of its block, which its flags announce.
fn begun_with(flags: u8, begin: &[u8]) -> Vec<u8> {
    let payload = [begin, &ordinary_block()].concat();
    frame(HEADERS, END_HEADERS | END_STREAM | flags, 1, payload)
}

#[test]
fn frames_stand_on_the_streams_they_may() {
    let json = || data(1, END_STREAM, "{}");
    let table = table! {
        ("DATA on stream 0", "goaway PROTOCOL_ERROR", data(0, END_STREAM, "{}"));
        ("DATA on an idle stream", "goaway PROTOCOL_ERROR", data(1, END_STREAM, "{}"));
        ("DATA on an even stream", "goaway PROTOCOL_ERROR", data(2, END_STREAM, "{}"));
        ("DATA behind the end", "goaway PROTOCOL_ERROR (client_gone)", [get(1), json()].concat());
        ("DATA behind a reset", "1: reset STREAM_CLOSED, 200 (client_gone)", [open(1), reset(1, 8), json()].concat());
        ("HEADERS on stream 0", "goaway PROTOCOL_ERROR", get(0));
        ("HEADERS on an even stream", "goaway PROTOCOL_ERROR", get(2));
        ("HEADERS on a lower stream", "goaway PROTOCOL_ERROR (client_gone)", [get(5), get(3)].concat());
        ("HEADERS on the same stream", "goaway PROTOCOL_ERROR (client_gone)", [get(1), get(1)].concat());
        ("HEADERS behind a reset", "goaway PROTOCOL_ERROR (client_gone)", [open(1), reset(1, 8), get(1)].concat());
        ("HEADERS as trailers that do not end", "1: reset PROTOCOL_ERROR, 200 (client_gone)", after_open(headers(1, 0, &block(&[("x", "1")]))));
        ("a reserved bit in the stream", "1: 200, 200", get(0x8000_0001));
        ("PRIORITY on stream 0", "goaway PROTOCOL_ERROR", frame(PRIORITY, 0, 0, [0; 5]));
        ("PRIORITY on an idle stream", "200", frame(PRIORITY, 0, 1, [0; 5]));
        ("PRIORITY on itself", "1: reset PROTOCOL_ERROR, 200", frame(PRIORITY, 0, 1, [0, 0, 0, 1, 0]));
        ("RST_STREAM on stream 0", "goaway PROTOCOL_ERROR", reset(0, 8));
        ("RST_STREAM on an idle stream", "goaway PROTOCOL_ERROR", reset(1, 8));
        ("RST_STREAM on an even stream", "goaway PROTOCOL_ERROR", reset(2, 8));
        ("RST_STREAM with an unknown code", "200 (client_gone)", after_open(reset(1, 0xffff_ffff)));
        ("SETTINGS on a stream", "goaway PROTOCOL_ERROR", frame(SETTINGS, 0, 1, []));
        ("PING on a stream", "goaway PROTOCOL_ERROR", frame(PING, 0, 1, [0; 8]));
        ("GOAWAY on a stream", "goaway PROTOCOL_ERROR", frame(GOAWAY, 0, 1, [0; 8]));
        ("GOAWAY", "200, goaway NO_ERROR", frame(GOAWAY, 0, 0, [0; 8]));
        ("GOAWAY twice, upwards", "goaway PROTOCOL_ERROR", [frame(GOAWAY, 0, 0, [0; 8]), frame(GOAWAY, 0, 0, [0, 0, 0, 9, 0, 0, 0, 0])].concat());
        ("WINDOW_UPDATE on an idle stream", "goaway PROTOCOL_ERROR", window(1, 1));
        ("WINDOW_UPDATE on an even stream", "goaway PROTOCOL_ERROR", window(2, 1));
        ("WINDOW_UPDATE of 0", "goaway PROTOCOL_ERROR", window(0, 0));
        ("WINDOW_UPDATE of 0 on a stream", "goaway PROTOCOL_ERROR (client_gone)", after_open(window(1, 0)));
        ("WINDOW_UPDATE beyond the most", "goaway FLOW_CONTROL_ERROR", window(0, MOST));
        ("WINDOW_UPDATE beyond the most on a stream", "1: reset FLOW_CONTROL_ERROR, 200 (client_gone)", after_open(window(1, MOST)));
        ("PUSH_PROMISE", "goaway PROTOCOL_ERROR", frame(PUSH_PROMISE, END_HEADERS, 1, [&[0, 0, 0, 2], &*ordinary_block()].concat()));
        ("PUSH_PROMISE on an open stream", "goaway PROTOCOL_ERROR (client_gone)", after_open(frame(PUSH_PROMISE, END_HEADERS, 1, [&[0, 0, 0, 2], &*ordinary_block()].concat())));
        ("CONTINUATION without HEADERS", "goaway PROTOCOL_ERROR", frame(CONTINUATION, END_HEADERS, 1, ordinary_block()));
        ("CONTINUATION behind the end", "goaway PROTOCOL_ERROR (client_gone)", [get(1), frame(CONTINUATION, END_HEADERS, 1, [])].concat());
        ("DATA before CONTINUATION", "goaway PROTOCOL_ERROR", [unended(), json()].concat());
        ("PING before CONTINUATION", "goaway PROTOCOL_ERROR", [unended(), frame(PING, 0, 0, [0; 8])].concat());
        ("HEADERS before CONTINUATION", "goaway PROTOCOL_ERROR", [unended(), get(3)].concat());
        ("an unknown frame before CONTINUATION", "goaway PROTOCOL_ERROR", [unended(), frame(0xbe, 0, 1, [])].concat());
        ("CONTINUATION of another stream", "goaway PROTOCOL_ERROR", [unended(), frame(CONTINUATION, END_HEADERS, 3, [])].concat());
        ("CONTINUATION of stream 0", "goaway PROTOCOL_ERROR", [unended(), frame(CONTINUATION, END_HEADERS, 0, [])].concat());
        ("an unknown frame", "200", frame(0xbe, 0xff, 0, b"anything"));
        ("an unknown frame on an idle stream", "200", frame(0x0a, 0, 1, b"anything"));
        ("unknown flags", "200", frame(PING, 0xfe, 0, [0; 8]));
        ("a PING acknowledged that was none", "200", frame(PING, ACK, 0, [0; 8]));
        ("the PING of a drain acknowledged", "200", frame(PING, ACK, 0, [0x0b, 0x7b, 0xa2, 0xf0, 0x8b, 0x9b, 0xfe, 0x54]));
        ("SETTINGS acknowledged twice", "goaway PROTOCOL_ERROR", frame(SETTINGS, ACK, 0, []));
    };
    check("streams and order of frames", &cases(table));
}

#[test]
fn frames_have_the_size_they_must() {
    let table = table! {
        ("PING of 7 bytes", "goaway PROTOCOL_ERROR", frame(PING, 0, 0, [0; 7]));
        ("PING of 9 bytes", "goaway PROTOCOL_ERROR", frame(PING, 0, 0, [0; 9]));
        ("SETTINGS of 5 bytes", "goaway PROTOCOL_ERROR", frame(SETTINGS, 0, 0, [0; 5]));
        ("SETTINGS acknowledged with values", "goaway PROTOCOL_ERROR", frame(SETTINGS, ACK, 0, [0; 6]));
        ("WINDOW_UPDATE of 3 bytes", "goaway PROTOCOL_ERROR", frame(WINDOW_UPDATE, 0, 0, [1; 3]));
        ("WINDOW_UPDATE of 5 bytes", "goaway PROTOCOL_ERROR", frame(WINDOW_UPDATE, 0, 0, [1; 5]));
        ("PRIORITY of 4 bytes", "goaway PROTOCOL_ERROR", frame(PRIORITY, 0, 1, [0; 4]));
        ("RST_STREAM of 3 bytes", "goaway PROTOCOL_ERROR (client_gone)", after_open(frame(RST_STREAM, 0, 1, [0; 3])));
        ("RST_STREAM of 5 bytes", "goaway PROTOCOL_ERROR (client_gone)", after_open(frame(RST_STREAM, 0, 1, [0; 5])));
        ("GOAWAY of 7 bytes", "goaway PROTOCOL_ERROR", frame(GOAWAY, 0, 0, [0; 7]));
        ("DATA of more than a frame", "goaway FRAME_SIZE_ERROR (client_gone)", after_open(data(1, 0, vec![b' '; MAX_FRAME + 1])));
        ("HEADERS of more than a frame", "goaway FRAME_SIZE_ERROR", frame(HEADERS, END_HEADERS, 1, vec![0; MAX_FRAME + 1]));
        ("an unknown frame of more than a frame", "goaway FRAME_SIZE_ERROR", frame(0xbe, 0, 0, vec![0; MAX_FRAME + 1]));
        ("a length of 16 MiB", "goaway FRAME_SIZE_ERROR", [&[0xff, 0xff, 0xff, DATA, 0], &[0; 4][..]].concat());
        ("DATA all padding", "1: 400 malformed_json, 200", after_open(frame(DATA, PADDED | END_STREAM, 1, [2, 0, 0])));
        ("DATA of more padding than frame", "goaway PROTOCOL_ERROR (client_gone)", after_open(frame(DATA, PADDED, 1, [9, b'{', b'}'])));
        ("DATA of as much padding as frame", "goaway PROTOCOL_ERROR (client_gone)", after_open(frame(DATA, PADDED, 1, [3, b'{', b'}'])));
        ("DATA padded without a length", "goaway PROTOCOL_ERROR (client_gone)", after_open(frame(DATA, PADDED, 1, [])));
        ("HEADERS padded", "1: 200, 200", begun_with(PADDED, &[0]));
        ("HEADERS of more padding than frame", "goaway PROTOCOL_ERROR", begun_with(PADDED, &[0xff]));
        ("HEADERS padded without a length", "goaway PROTOCOL_ERROR", frame(HEADERS, END_HEADERS | PADDED, 1, []));
        ("HEADERS with a priority", "1: 200, 200", begun_with(WITH_PRIORITY, &[0, 0, 0, 9, 0]));
        ("HEADERS that depend on themselves", "1: reset PROTOCOL_ERROR, 200", begun_with(WITH_PRIORITY, &[0, 0, 0, 1, 0]));
        ("HEADERS with half a priority", "goaway PROTOCOL_ERROR", frame(HEADERS, END_HEADERS | WITH_PRIORITY, 1, [0; 4]));
        ("a window of 2 GiB", "goaway PROTOCOL_ERROR", settings(&[(4, MOST + 1)]));
        ("the largest window", "200", settings(&[(4, MOST)]));
        ("frames of 16 KiB less one", "goaway PROTOCOL_ERROR", settings(&[(5, 16_383)]));
        ("frames of 16 MiB", "goaway PROTOCOL_ERROR", settings(&[(5, 1 << 24)]));
        ("ENABLE_PUSH of 2", "goaway PROTOCOL_ERROR", settings(&[(2, 2)]));
        ("ENABLE_CONNECT_PROTOCOL of 2", "goaway PROTOCOL_ERROR", settings(&[(8, 2)]));
        ("no streams at all", "200", settings(&[(3, 0)]));
        ("no table", "200", settings(&[(1, 0)]));
        ("the largest table", "200", settings(&[(1, u32::MAX)]));
        ("no header list", "200", settings(&[(6, 0)]));
        ("an unknown setting", "200", settings(&[(0xbeef, u32::MAX)]));
        ("a setting twice", "200", settings(&[(4, 0), (4, 65_535)]));
    };
    check("sizes and values of frames", &cases(table));
}

#[test]
fn header_blocks_are_read_or_end_the_connection() {
    let with = |bytes: &[u8]| headers(1, END_STREAM, &[ordinary_block(), bytes.to_vec()].concat());
    let alone = |bytes: &[u8]| headers(1, END_STREAM, bytes);
    let table = table! {
        ("an empty block", "1: reset PROTOCOL_ERROR, 200", alone(&[]));
        ("entry 0", "goaway PROTOCOL_ERROR", with(&indexed(0)));
        ("an entry that is not there", "goaway PROTOCOL_ERROR", with(&indexed(62)));
        ("an entry far beyond the table", "goaway PROTOCOL_ERROR", with(&indexed(1_000_000)));
        ("an integer without an end", "goaway PROTOCOL_ERROR", with(&[0xff; 12]));
        ("half a field", "goaway PROTOCOL_ERROR", with(&literal("x", "value")[..5]));
        ("a string longer than the block", "goaway PROTOCOL_ERROR", with(&[0x00, 0x7f, b'x']));
        ("a string of 256 MiB", "goaway PROTOCOL_ERROR", with(&[0x00, 0x01, b'x', 0x7f, 0x80, 0xff, 0xff, 0x7f]));
        ("Huffman that ends in the middle", "goaway PROTOCOL_ERROR", with(&[0x00, 0x01, b'x', 0x81, 0xfe]));
        ("Huffman with the end of strings", "goaway PROTOCOL_ERROR", with(&[0x00, 0x01, b'x', 0x84, 0xff, 0xff, 0xff, 0xff]));
        ("a table of no bytes", "1: 200, 200", alone(&[table_size(0), ordinary_block()].concat()));
        ("a table of more than was allowed", "goaway PROTOCOL_ERROR", alone(&[table_size(4097), ordinary_block()].concat()));
        ("a change of the table behind a field", "goaway PROTOCOL_ERROR", with(&table_size(0)));
        ("a status out of the table", "1: reset PROTOCOL_ERROR, 200", alone(&[indexed(8), ordinary_block()].concat()));
        ("a path with a name of the table", "1: 200, 200", alone(&[indexed(2), indexed(6), named(4, ONE), named(1, "gateway.test"), literal("x-auth-token", WRITER)].concat()));
        ("a path out of the table", "1: 404 unknown_route, 200", alone(&[indexed(2), indexed(6), indexed(4), literal(":authority", "gateway.test")].concat()));
        ("an authority out of the table, which is empty", "1: reset PROTOCOL_ERROR, 200", alone(&[indexed(2), indexed(6), indexed(4), indexed(1)].concat()));
        ("a transfer coding out of the table", "1: reset PROTOCOL_ERROR, 200", with(&indexed(57)));
    };
    check("header blocks", &cases(table));
}

#[test]
fn a_stream_that_has_ended_is_closed() {
    let table = table! {
        ("DATA", "1: 200, 1: reset STREAM_CLOSED, 200", data(1, END_STREAM, "{}"));
        ("HEADERS", "1: 200, goaway PROTOCOL_ERROR", get(1));
        ("RST_STREAM", "1: 200, 200", reset(1, 8));
        ("WINDOW_UPDATE", "1: 200, 200", window(1, 1));
        ("WINDOW_UPDATE beyond the most", "1: 200, 200", window(1, MOST));
        ("WINDOW_UPDATE of 0", "1: 200, goaway PROTOCOL_ERROR", window(1, 0));
        ("PRIORITY", "1: 200, 200", frame(PRIORITY, 0, 1, [0; 5]));
        ("CONTINUATION", "1: 200, goaway PROTOCOL_ERROR", frame(CONTINUATION, END_HEADERS, 1, []));
    };
    let mut cases = cases(table);
    for case in &mut cases {
        case.behind = [std::mem::replace(&mut case.bytes, get(1)), get(LAST)].concat();
    }
    check("frames behind an answer", &cases);
}
