//! Header sections that are large, or become so: within `limits.headers` they are read, up to twice as
//! much is refused as a request, up to eight times bare, and beyond that the connection ends.

use super::{Case, check, ordinary};
use crate::support::frames::{
    CONTINUATION, END_STREAM, HEADERS, MAX_FRAME, block, frame, headers, indexed, indexing, literal,
};

/// A case on stream 1.
fn case(title: &str, expected: &str, bytes: Vec<u8>) -> Case {
    Case {
        title: title.to_owned(),
        expected: expected.to_owned(),
        bytes,
        behind: Vec::new(),
        watched: 1,
        method: "GET",
    }
}

/// An ordinary request with more in its header block.
fn with(more: impl AsRef<[u8]>) -> Vec<u8> {
    let block = [&block(&ordinary("GET")), more.as_ref()].concat();
    headers(1, END_STREAM, &block)
}

/// As many fields, each with another name.
fn many(count: usize) -> Vec<u8> {
    let fields = (0..count).map(|number| literal(format!("x{number}"), ""));
    fields.collect::<Vec<_>>().concat()
}

/// An entry of the table, used so many times.
fn bomb(size: usize, times: usize) -> Vec<u8> {
    [indexing("x", "#".repeat(size)), indexed(62).repeat(times)].concat()
}

#[test]
fn a_header_section_has_a_size() {
    let large = |size: usize| with(literal("x", "#".repeat(size)));
    let cases: &[Case] = table! {
        case("a field of 16 KiB", "200", large(16 * 1024));
        case("a field of 32 KiB", "431 headers_too_large", large(32 * 1024));
        case("a field of 64 KiB", "431", large(64 * 1024));
        case("a field of 80 KiB", "431", large(80 * 1024));
        case("a name of 16 KiB", "200", with(literal("x".repeat(16 * 1024), "1")));
        case("a name of 64 KiB", "goaway PROTOCOL_ERROR", with(literal("x".repeat(64 * 1024), "1")));
        case("1,000 fields", "431 headers_too_large", with(many(1000)));
        case("2,000 fields", "431", with(many(2000)));
        case("4,000 fields", "431", with(many(4000)));
        case("10,000 fields", "431", with(many(10_000)));
        case("1,000 fields without a value", "431 headers_too_large", with(literal("x", "").repeat(1000)));
        case("10,000 fields without a value", "goaway ENHANCE_YOUR_CALM header_list_way_too_large", with(literal("x", "").repeat(10_000)));
        case("2,000 crumbs", "431 headers_too_large", with(literal("cookie", "").repeat(1000)));
        case("an entry used 7 times", "200", with(bomb(4000, 6)));
        case("an entry used 16 times", "431", with(bomb(4000, 15)));
        case("an entry used 40 times", "431", with(bomb(4000, 39)));
        case("an entry used 4,000 times", "goaway ENHANCE_YOUR_CALM header_list_way_too_large", with(bomb(4000, 4000)));
        case("an entry of 33 bytes used 10,000 times", "goaway ENHANCE_YOUR_CALM header_list_way_too_large", with(bomb(0, 10_000)));
        case("trailers of 64 KiB", "200", trailers(64 * 1024));
        case("trailers of 80 KiB", "200", trailers(80 * 1024));
    };
    check("large header sections", cases);
}

/// A request with a trailer of this size.
fn trailers(size: usize) -> Vec<u8> {
    let trailer = headers(1, END_STREAM, &literal("x", "#".repeat(size)));
    [headers(1, 0, &block(&ordinary("GET"))), trailer].concat()
}

/// A head that goes on in these frames and does not end.
fn endless(first: &[u8], piece: &[u8], count: usize) -> Vec<u8> {
    let begun = frame(HEADERS, END_STREAM, 1, first);
    [begun, frame(CONTINUATION, 0, 1, piece).repeat(count)].concat()
}

#[test]
fn a_head_goes_on_in_few_frames() {
    let fields = block(&ordinary("GET"));
    let calm = "goaway ENHANCE_YOUR_CALM too_many_continuations";
    let begun_string = [&[0, 1, b'x', 0x7f, 0x80, 0xff, 0x7f][..], &[b'#'; 100]].concat();
    let ended = |count| {
        let last = frame(CONTINUATION, 4, 1, []);
        [endless(&fields, &[], count), last].concat()
    };
    let cases: &[Case] = table! {
        case("5 empty frames and an end", "200", ended(5));
        case("6 empty frames and an end", calm, ended(6));
        case("20,000 empty frames", calm, endless(&fields, &[], 20_000));
        case("100 whole frames of small fields", "goaway ENHANCE_YOUR_CALM header_list_way_too_large", endless(&fields, &literal("x", "").repeat(4096), 100));
        case("100 whole frames of one string", "goaway ENHANCE_YOUR_CALM too_many_continuations", endless(&begun_string, &[b'#'; MAX_FRAME], 100));
        case("frames of one byte", calm, endless(&begun_string, b"#", 20_000));
    };
    check("CONTINUATION", cases);
}
