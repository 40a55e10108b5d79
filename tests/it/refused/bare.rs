//! Bytes that never become a request: hyper's bare status or a close, no JSON, no audit line.

use super::columns;
use crate::support::client::{ONE, Request};
use crate::support::fake::Fake;
use crate::support::gateway::{Gateway, WRITER};

/// Status, and lines parted by ` | `; `ONE` stands for a path.
const HEADS: &str = "
    400 GET ONE | Host: a
    400 GET ONE HTTP/1.1 x | Host: a
    400 GET  ONE HTTP/1.1 | Host: a
    400 GET ONE HTTP/3.0 | Host: a
    400 GET ONE HTTP/1.1 | Host: a | Broken
    400 GET ONE HTTP/1.1 | Host: a | : empty
    400 GET ONE HTTP/1.1 | Host: a | X Y: z
    400 GET ONE HTTP/1.1 | Host: a | X-Auth-Token : TOKEN
    400 GET ONE HTTP/1.1 | Host: a | X-Auth-Token: TOKEN |  folded
    400 GET ONE HTTP/1.1 |  Host: a
    400 GET stores/abc123 HTTP/1.1 | Host: a
    400 GET ONE<x> HTTP/1.1 | Host: a
    400 GE(T ONE HTTP/1.1 | Host: a
    400 PUT ONE HTTP/1.1 | Host: a | Content-Length: x
    400 PUT ONE HTTP/1.1 | Host: a | Content-Length: -1
    400 PUT ONE HTTP/1.1 | Host: a | Content-Length: +2
    400 PUT ONE HTTP/1.1 | Host: a | Content-Length: 2, 2
    400 PUT ONE HTTP/1.1 | Host: a | Content-Length: 2 | Content-Length: 3
    400 PUT ONE HTTP/1.1 | Host: a | Content-Length: 18446744073709551616
    400 PUT ONE HTTP/1.1 | Host: a | Transfer-Encoding: gzip
    400 PUT ONE HTTP/1.1 | Host: a | Transfer-Encoding: identity
    400 PUT ONE HTTP/1.1 | Host: a | Transfer-Encoding: chunked, gzip
    400 PUT ONE HTTP/1.1 | Host: a | Transfer-Encoding: xchunked
    400 PUT ONE HTTP/1.0 | Host: a | Transfer-Encoding: chunked
";

#[test]
fn a_malformed_head_gets_a_bare_status() {
    let upstream = Fake::good();
    let gateway = Gateway::before(upstream.address);
    let many = (0..101).fold(Request::new("GET", ONE), |request, _| {
        request.with("X", "y")
    });
    let long = Request::new("GET", &format!("/{}", "x".repeat(65_535)));
    let large = Request::new("GET", ONE).with("X", &"y".repeat(80_000));
    let mut heads: Vec<(String, Vec<u8>)> = columns(HEADS)
        .map(|[status, head]| {
            let head = head.replace("ONE", ONE).replace("TOKEN", WRITER);
            let bytes = format!("{}\r\n\r\n", head.replace(" | ", "\r\n"));
            (status.to_owned(), bytes.into_bytes())
        })
        .collect();
    heads.push(("431".to_owned(), many.to_bytes()));
    heads.push(("414".to_owned(), long.to_bytes()));
    heads.push(("431".to_owned(), large.to_bytes()));
    for (status, bytes) in &heads {
        let mut client = gateway.connect();
        client.send(bytes);
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(200)]);
        let answer = client.answer();
        assert_eq!(answer.status().to_string(), *status, "{shown}");
        assert_eq!(answer.code(), None, "{shown}");
        assert_eq!(answer.body, b"", "{shown}");
        assert!(client.is_closed(), "{shown}");
    }
    // Neither are these requests: nothing at all, and a head that breaks off.
    gateway.connect().finish();
    let mut client = gateway.connect();
    client.send("GET / HTTP/1.1\r\nHost");
    client.finish();
    drop(client.try_answer(false));
    assert!(upstream.connections().is_empty());
    assert!(gateway.stop().is_empty(), "no audit line");
}
