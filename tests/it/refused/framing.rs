//! Requests that could be read in two ways, or that ask for more than one hop gives.

use super::{Case, check, columns};
use crate::support::client::{ALL, ONE, Request};
use crate::support::gateway::WRITER;

/// Status, code, request line and fields, parted by ` | `. `ONE` and `ALL` stand for paths, `TOKEN` for
/// the writer's token field, and what follows ` || ` is the body.
const HEADS: &str = "
    400 malformed_request CONNECT gateway.test:443 HTTP/1.1 | Host: gateway.test:443 | TOKEN
    400 malformed_request CONNECT gateway.test:443 HTTP/1.1 | Host: gateway.test:443
    400 malformed_request CONNECT ONE HTTP/1.1 | Host: gateway.test | TOKEN
    400 malformed_request GET ONE HTTP/1.1 | Host: gateway.test | TOKEN | Connection: Upgrade | Upgrade: websocket
    400 malformed_request GET ONE HTTP/1.1 | Host: gateway.test | TOKEN | Connection: Upgrade, HTTP2-Settings | Upgrade: h2c | HTTP2-Settings: AAMAAABkAAQAAP__
    400 malformed_request GET ONE HTTP/1.1 | Host: gateway.test | TOKEN | Upgrade: TLS/1.2
    400 malformed_request GET ONE HTTP/1.1 | Host: gateway.test | TOKEN | Upgrade:
    400 malformed_request PUT ONE HTTP/1.0 | Host: gateway.test | TOKEN | Content-Type: application/json | Content-Length: 2 || {}
    400 malformed_request PUT ONE HTTP/1.0 | TOKEN | Content-Type: application/json | Content-Length: 2 || {}
    400 malformed_request GET ONE HTTP/1.0 | TOKEN | Content-Length: 2 || {}
    400 malformed_request GET ONE HTTP/1.1 | TOKEN
    400 malformed_request PUT ONE HTTP/1.1 | TOKEN | Content-Type: application/json | Content-Length: 2 || {}
    400 malformed_request GET http://gateway.testONE HTTP/1.1 | TOKEN
    400 malformed_request GET http://gateway.testONE HTTP/1.0 | TOKEN
    400 malformed_request GET ONE HTTP/1.1 | Host: gateway.test | Host: gateway.test | TOKEN
    400 malformed_request GET ONE HTTP/1.1 | Host: gateway.test | host: other.test | TOKEN
    400 malformed_request GET ONE HTTP/1.0 | Host: gateway.test | Host: gateway.test | TOKEN
    400 malformed_request GET ONE HTTP/1.1 | Host: | TOKEN
    400 malformed_request GET ONE HTTP/1.1 | Host: gateway test | TOKEN
    400 malformed_request GET ONE HTTP/1.1 | Host: gateway.test, other.test | TOKEN
    400 malformed_request GET ONE HTTP/1.1 | Host: gateway.test/x | TOKEN
    400 malformed_request GET ONE HTTP/1.1 | Host: user@gateway.test | TOKEN
    400 malformed_request GET ONE HTTP/1.1 | Host: gateway.test:x | TOKEN
    400 malformed_request GET ONE HTTP/1.1 | Host: gateway.test:80x | TOKEN
    400 malformed_request GET ONE HTTP/1.1 | Host: gateway.test:-1 | TOKEN
    400 malformed_request GET ONE HTTP/1.1 | Host: [::1]x | TOKEN
    400 malformed_request GET ONE HTTP/1.1 | Host: [zz] | TOKEN
    400 malformed_request GET ONE HTTP/1.1 | Host: :80 | TOKEN
    400 malformed_request GET http://gateway.test:xONE HTTP/1.1 | Host: gateway.test:x | TOKEN
    400 malformed_request PUT ONE HTTP/1.1 | Host: gateway.test | TOKEN | Content-Type: application/json | Transfer-Encoding: gzip, chunked || 2~{}~0~~
    400 malformed_request PUT ONE HTTP/1.1 | Host: gateway.test | TOKEN | Content-Type: application/json | Transfer-Encoding: chunked, chunked || 2~{}~0~~
    400 malformed_request PUT ONE HTTP/1.1 | Host: gateway.test | TOKEN | Content-Type: application/json | Transfer-Encoding: identity, chunked || 2~{}~0~~
    400 malformed_request PUT ONE HTTP/1.1 | Host: gateway.test | TOKEN | Content-Type: application/json | Transfer-Encoding: chunked | Transfer-Encoding: chunked || 2~{}~0~~
    400 malformed_request GET ONE HTTP/1.1 | Host: http://gateway.test | TOKEN
    400 malformed_request GET http://other.testONE HTTP/1.1 | Host: gateway.test | TOKEN
    400 malformed_request GET http://gateway.test:80ONE HTTP/1.1 | Host: gateway.test | TOKEN
    400 malformed_request GET http://gateway.test:8080ONE HTTP/1.1 | Host: gateway.test:8081 | TOKEN
    400 malformed_request GET http://user@gateway.testONE HTTP/1.1 | Host: gateway.test | TOKEN
    400 malformed_request GET http://user:pass@gateway.testONE HTTP/1.1 | Host: user:pass@gateway.test | TOKEN
    400 malformed_request GET ftp://gateway.testONE HTTP/1.1 | Host: gateway.test | TOKEN
    400 malformed_request GET gateway.test:80 HTTP/1.1 | Host: other.test | TOKEN
    404 unknown_route     GET gateway.test:80 HTTP/1.1 | Host: gateway.test:80 | TOKEN
    404 unknown_route     GET http://gateway.test HTTP/1.1 | Host: gateway.test | TOKEN
    508 loop_detected     GET ONE HTTP/1.1 | Host: gateway.test | TOKEN | Via: 1.1 metafield-gateway
    508 loop_detected     GET ONE HTTP/1.1 | Host: gateway.test | TOKEN | Via: 1.0 fred, HTTP/1.1 Metafield-Gateway (x)
    508 loop_detected     GET ONE HTTP/1.1 | Host: gateway.test | TOKEN | Via: 1.0 fred | Via: 1.1 metafield-gateway
    508 loop_detected     GET ONE HTTP/1.1 | Host: gateway.test | Via: 2 metafield-gateway
    400 malformed_request GET ONE HTTP/1.1 | Host: gateway.test | TOKEN | Content-Length: 2 || {}
    400 malformed_request HEAD ONE HTTP/1.1 | Host: gateway.test | TOKEN | Content-Length: 2 || {}
    400 malformed_request DELETE ONE HTTP/1.1 | Host: gateway.test | TOKEN | Content-Length: 2 || {}
    400 malformed_request DELETE ONE HTTP/1.1 | Host: gateway.test | TOKEN | Content-Length: 1 | Content-Type: application/json || 9
    400 malformed_request GET ALL HTTP/1.1 | Host: gateway.test | TOKEN | Content-Length: 2 || {}
    400 malformed_request GET ONE HTTP/1.1 | Host: gateway.test | Content-Length: 2 || {}
    401 missing_token     DELETE ONE HTTP/1.1 | Host: gateway.test | Content-Length: 2 || {}
    400 malformed_request GET ONE HTTP/1.1 | Host: gateway.test | TOKEN | Transfer-Encoding: chunked || 2~{}~0~~
    400 malformed_request GET ONE HTTP/1.1 | Host: gateway.test | TOKEN | Transfer-Encoding: chunked || 0~~
    400 malformed_request HEAD ALL HTTP/1.1 | Host: gateway.test | TOKEN | Transfer-Encoding: chunked || 2~{}~0~~
    400 malformed_request DELETE ONE HTTP/1.1 | Host: gateway.test | TOKEN | Transfer-Encoding: chunked || 2~{}~0~~
    400 malformed_request PUT ONE HTTP/1.1 | Host: gateway.test | TOKEN | Content-Type: application/json | Transfer-Encoding: chunked || x~{}~0~~
    400 malformed_request PUT ONE HTTP/1.1 | Host: gateway.test | TOKEN | Content-Type: application/json | Transfer-Encoding: chunked || 2~{}xx0~~
    400 malformed_request PUT ONE HTTP/1.1 | Host: gateway.test | TOKEN | Content-Type: application/json | Transfer-Encoding: chunked || -2~{}~0~~
    400 malformed_request PUT ONE HTTP/1.1 | Host: gateway.test | TOKEN | Content-Type: application/json | Transfer-Encoding: chunked || fffffffffffffffff~{}~0~~
";

#[test]
fn what_could_be_read_in_two_ways_is_refused() {
    let cases: Vec<Case> = columns(HEADS)
        .map(|[status, code, head]| {
            let (head, body) = head.split_once(" || ").unwrap_or((head, ""));
            let method = head.split(' ').next().expect("a method");
            let head = head
                .replace("ONE", ONE)
                .replace("ALL", ALL)
                .replace("TOKEN", &format!("X-Auth-Token: {WRITER}"))
                .replace(" | ", "\r\n");
            let body = body.replace('~', "\r\n");
            let bytes = format!("{head}\r\n\r\n{body}").into_bytes();
            Case::raw(status, code, method, bytes)
        })
        .collect();
    check(|setup| setup, &cases);
}

#[test]
fn a_body_that_ends_early_is_refused() {
    let upstream = crate::support::fake::Fake::good();
    let gateway = crate::support::gateway::Gateway::before(upstream.address);
    let whole = Request::update("{\"value\":\"canary-value\"}");
    let case = Case::new("400", "malformed_request", &whole);
    for bytes in [whole.to_bytes(), whole.chunked(4)] {
        let mut client = gateway.connect();
        client.send(&bytes[..bytes.len() - 6]);
        client.finish();
        // Nobody may be there to read an answer; if there is one, it is the gateway's own.
        if let Ok(Some(answer)) = client.try_answer(false) {
            super::check_answer(&case, &answer);
        }
    }
    assert!(upstream.connections().is_empty());
    let lines = gateway.stop();
    assert_eq!(lines.len(), 2);
    for line in lines {
        assert_eq!(line["decision"], "denied");
        assert_eq!(line["sent"], "no");
    }
}
