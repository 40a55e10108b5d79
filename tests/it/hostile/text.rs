//! The language of the tables: a case a line, in which every byte can be written.

use crate::support::client::{ALL, CUSTOMER, ONE};
use crate::support::gateway::WRITER;

/// What no upstream may ever be asked for: the target of `EVIL`.
pub const EVIL: &[u8] = b"metafields/666";

/// The bytes of a line. Words in capitals stand for what recurs, `~` for a line break, and a backslash
/// begins one of `\r \n \t \0 \\` or `\xHH`; any other character is its bytes in UTF-8.
pub fn bytes(line: &str) -> Vec<u8> {
    let evil = format!("DELETE {CUSTOMER}/666 HTTP/1.1~HOST~TOKEN~~");
    let evil_bytes = unescape(&fields(&evil)).len();
    let line = line
        .replace("IN_CHUNKS", "UPDATE~Transfer-Encoding: chunked~~")
        .replace("UPDATE", "PUT ONE HTTP/1.1~HOST~TOKEN~JSON")
        .replace("READ", "GET ONE HTTP/1.1~HOST~TOKEN")
        .replace("LENGTH_OF_EVIL", &evil_bytes.to_string())
        .replace("HEX_OF_EVIL", &format!("{evil_bytes:x}"))
        .replace("EVIL", &evil)
        .replace("ONE", ONE)
        .replace("ALL", ALL);
    unescape(&fields(&line))
}

fn fields(line: &str) -> String {
    line.replace("HOST", "Host: gateway.test")
        .replace("TOKEN", &format!("X-Auth-Token: {WRITER}"))
        .replace("JSON", "Content-Type: application/json")
        .replace("WRITER", WRITER)
}

fn unescape(line: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = line.chars();
    while let Some(character) = rest.next() {
        match character {
            '~' => out.extend_from_slice(b"\r\n"),
            '\\' => out.push(escape(&mut rest)),
            other => out.extend_from_slice(other.to_string().as_bytes()),
        }
    }
    out
}

fn escape(rest: &mut impl Iterator<Item = char>) -> u8 {
    match rest.next() {
        Some('r') => b'\r',
        Some('n') => b'\n',
        Some('t') => b'\t',
        Some('0') => 0,
        Some('\\') => b'\\',
        Some('x') => {
            let digits: String = rest.take(2).collect();
            u8::from_str_radix(&digits, 16).expect("two hexadecimal digits")
        }
        other => panic!("no escape: {other:?}"),
    }
}
