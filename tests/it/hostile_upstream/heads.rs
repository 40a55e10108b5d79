//! Heads that cannot be understood are errors, and never half understood.

use super::{Case, Next, run};

const LENGTH: &str = "Content-Length: 2\r\n\r\n{}";

#[test]
fn a_malformed_status_line_is_a_broken_answer() {
    let lines = [
        ("a space before it", " HTTP/1.1 200 OK"),
        ("small letters", "http/1.1 200 OK"),
        ("no space", "HTTP/1.1200 OK"),
        ("two spaces", "HTTP/1.1  200 OK"),
        ("a tab", "HTTP/1.1\t200 OK"),
        ("a status of two digits", "HTTP/1.1 20 OK"),
        ("a status of four digits", "HTTP/1.1 2000 OK"),
        ("a status of letters", "HTTP/1.1 2x0 OK"),
        ("a negative status", "HTTP/1.1 -20 OK"),
        ("a status with a sign", "HTTP/1.1 +20 OK"),
        ("a hexadecimal status", "HTTP/1.1 0xc OK"),
        ("a status of no class", "HTTP/1.1 000 OK"),
        ("a status below all", "HTTP/1.1 099 OK"),
        ("no status and no reason", "HTTP/1.1"),
        ("no status but a space", "HTTP/1.1 "),
        ("HTTP/2", "HTTP/2 200"),
        ("HTTP/2.0", "HTTP/2.0 200 OK"),
        ("HTTP/1.2", "HTTP/1.2 200 OK"),
        ("HTTP/1.10", "HTTP/1.10 200 OK"),
        ("HTTP/0.9", "HTTP/0.9 200 OK"),
        ("no version", "HTTP 200 OK"),
        ("another protocol", "ICY 200 OK"),
        ("a protocol beside HTTP", "XHTTP/1.1 200 OK"),
        ("a zero in the status", "HTTP/1.1 2\x000 OK"),
        ("a zero in the reason", "HTTP/1.1 200 O\0K"),
        ("a bell in the reason", "HTTP/1.1 200 O\x07K"),
        ("a lone return in the reason", "HTTP/1.1 200 O\rK"),
        ("a byte-order mark", "\u{feff}HTTP/1.1 200 OK"),
        ("a request", "GET / HTTP/1.1"),
        ("a proxy's tunnel", "CONNECT x:443 HTTP/1.1"),
    ];
    let mut cases = lines
        .map(|(name, line)| Case::no_head(name, format!("{line}\r\n{LENGTH}")))
        .to_vec();
    let others: [(&str, &[u8]); 9] = [
        (
            "a page without a head",
            b"<html><body>hello</body></html>\r\n\r\n",
        ),
        (
            "a document without a head",
            b"{\"data\":{\"id\":9}}\r\n\r\n",
        ),
        ("HTTP/2's preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        (
            "frames of HTTP/2",
            b"\0\0\0\x04\0\0\0\0\0\0\0\0\x04\x01\0\0\0\0",
        ),
        ("an alert of TLS", b"\x15\x03\x03\0\x02\x02\x28"),
        ("a hello of TLS", b"\x16\x03\x01\0\x05\x01\0\0\x01\0"),
        ("another protocol's greeting", b"220 mail.test ESMTP\r\n"),
        ("every byte there is", &every_byte()),
        ("high bytes", &[0xff; 64]),
    ];
    cases.extend(others.map(|(name, bytes)| Case::no_head(name, bytes)));
    run("malformed status lines", &cases);
}

fn every_byte() -> [u8; 256] {
    std::array::from_fn(|byte| u8::try_from(byte).unwrap_or(0))
}

#[test]
fn a_malformed_field_is_a_broken_answer() {
    let fields: [(&str, &[u8]); 24] = [
        ("no colon", b"X-Field"),
        ("no name", b": x"),
        ("a space before the colon", b"X-Field : x"),
        ("a tab before the colon", b"X-Field\t: x"),
        ("a space in the name", b"X Field: x"),
        ("a zero in the name", b"X-\0: x"),
        ("a return in the name", b"X-\r: x"),
        ("a high byte in the name", b"X-\xc3\xa9: x"),
        ("a quote in the name", b"\"X\": x"),
        ("a slash in the name", b"X/Y: x"),
        ("a bracket in the name", b"X(Y): x"),
        ("an at sign in the name", b"X@Y: x"),
        ("a space before the first name", b" X-Field: x"),
        ("a tab before the first name", b"\tX-Field: x"),
        ("a folded value", b"X-Field: x\r\n y"),
        ("a value folded by a tab", b"X-Field: x\r\n\ty"),
        ("a folded length", b"Content-Length:\r\n 2"),
        ("a zero in the value", b"X-Field: a\0b"),
        ("a lone return in the value", b"X-Field: a\rb"),
        ("a return before the line's end", b"X-Field: a\r\r\n"),
        ("a bell in the value", b"X-Field: a\x07b"),
        ("a deletion in the value", b"X-Field: a\x7fb"),
        ("an escape in the value", b"X-Field: \x1b[31m"),
        ("a form feed before the value", b"X-Field:\x0c x"),
    ];
    let cases = fields.map(|(name, field)| {
        let head = [b"HTTP/1.1 200 OK\r\n", field, b"\r\n", LENGTH.as_bytes()].concat();
        Case::no_head(name, head)
    });
    run("malformed fields", &cases);
}

#[test]
fn a_head_beyond_its_bounds_is_a_broken_answer() {
    let many = |count: usize| "X-Field: x\r\n".repeat(count);
    let long = |length: usize| format!("X-Field: {}\r\n", "x".repeat(length));
    let named = |length: usize| format!("X-{}: x\r\n", "y".repeat(length));
    let whole = |fields: String| format!("HTTP/1.1 200 OK\r\n{fields}{LENGTH}");
    let cases = [
        // With the length these are 101 and 100.
        Case::no_head("a field too many", whole(many(100))),
        Case::passed("as many fields as there may be", whole(many(99)), 200, "{}"),
        Case::no_head("very many fields", whole(many(5000))),
        Case::no_head("a long field", whole(long(70_000))),
        Case::passed(
            "a field that is just not too long",
            whole(long(60_000)),
            200,
            "{}",
        ),
        Case::no_head("a long name", whole(named(70_000))),
        Case::no_head(
            "a long reason",
            format!("HTTP/1.1 200 {}\r\n{LENGTH}", "x".repeat(70_000)),
        ),
        Case::no_head(
            "many fields that are long together",
            whole(long(1000).repeat(70)),
        ),
        Case::no_head("a million bytes", whole(long(1_000_000))),
    ];
    run("heads beyond their bounds", &cases);
}

#[test]
fn what_is_odd_but_clear_is_understood() {
    let odd = [
        ("no reason", "HTTP/1.1 200\r\n"),
        ("an empty reason", "HTTP/1.1 200 \r\n"),
        ("another reason", "HTTP/1.1 200 Not Found\r\n"),
        (
            "high bytes in the reason",
            "HTTP/1.1 200 tr\u{e8}s bien\r\n",
        ),
        ("empty lines before it", "\r\n\r\nHTTP/1.1 200 OK\r\n"),
        (
            "lines that end in a line feed",
            "HTTP/1.1 200 OK\nX-Field: x\n",
        ),
        ("an empty field", "HTTP/1.1 200 OK\r\nX-Field:\r\n"),
        (
            "a field of spaces",
            "HTTP/1.1 200 OK\r\nX-Field: \t  \t\r\n",
        ),
        (
            "high bytes in a field",
            "HTTP/1.1 200 OK\r\nX-Field: caf\u{e9}\r\n",
        ),
        (
            "every sign that a name may have",
            "HTTP/1.1 200 OK\r\n!#$%&'*+-.^_`|~09aZ: x\r\n",
        ),
    ];
    let mut cases = odd
        .map(|(name, begin)| Case::passed(name, format!("{begin}{LENGTH}"), 200, "{}"))
        .to_vec();
    let unix = "HTTP/1.1 200 OK\nContent-Length: 2\n\n{}";
    cases.push(Case::passed("line feeds alone", unix, 200, "{}"));
    let split = "HTTP/1.1 200 OK\nContent-Length: 2\n\n{}HTTP/1.1 200 OK\n\n";
    cases.push(Case::passed("line feeds and a second head", split, 200, "{}").next(Next::New));
    run("odd heads", &cases);
}
