//! Many requests on one connection: each is judged by its own head, whatever came before it, and each
//! reaches the upstream alone.

use super::text::bytes;
use super::{Bench, Case, Sent, check};
use crate::support::client::{ONE, Request};
use crate::support::fake::Fake;
use crate::support::gateway::{CREDENTIAL, ELSEWHERE, LIMITED, READER, Setup, WRITER};
use crate::support::table::{columns, place};

/// Answers, end, bytes.
const REQUESTS: &str = r#"
    ## What the first request showed does not count for the second.
    GET:one+401:missing_token                  open   READ~~DELETE ONE HTTP/1.1~HOST~~
    GET:one+401:unknown_token                  open   READ~~DELETE ONE HTTP/1.1~HOST~X-Auth-Token: canary-token-of-nobody~~
    GET:one+400:malformed_request              open   READ~~DELETE ONE HTTP/1.1~TOKEN~~
    GET:one+403:scope_denied                   open   READ~~DELETE ONE HTTP/1.1~HOST~X-Auth-Token: canary-token-of-reader~~
    GET:one+403:store_denied                   open   READ~~DELETE ONE HTTP/1.1~HOST~X-Auth-Token: canary-token-of-elsewhere~~
    GET:one+404:unknown_store                  open   READ~~GET /stores/nobody/v3/customers/metafields HTTP/1.1~HOST~TOKEN~~
    GET:one+415:unsupported_media_type         open   READ~~PUT ONE HTTP/1.1~HOST~TOKEN~Content-Length: 2~~{}
    PUT:one:{}+415:unsupported_media_type      open   UPDATE~Content-Length: 2~~{}PUT ONE HTTP/1.1~HOST~TOKEN~Content-Length: 2~~{}
    PUT:one:{}+400:malformed_json              open   UPDATE~Content-Length: 2~~{}UPDATE~~
    401:missing_token+GET:one                  open   DELETE ONE HTTP/1.1~HOST~~READ~~
    401:missing_token+GET:one+401:missing_token open  GET ONE HTTP/1.1~HOST~~READ~~GET ONE HTTP/1.1~HOST~~
    403:scope_denied+PUT:one:{}                open   PUT ONE HTTP/1.1~HOST~JSON~X-Auth-Token: canary-token-of-reader~Content-Length: 2~~{}UPDATE~Content-Length: 2~~{}
    GET:one+400:ambiguous_credentials+GET:8    open   READ~~READ~TOKEN~~GET /stores/abc123/v3/customers/7/metafields/8 HTTP/1.1~HOST~TOKEN~~
    ## An authority of the first is none of the second.
    GET:one+400:malformed_request              open   GET http://gateway.testONE HTTP/1.1~HOST~TOKEN~~GET ONE HTTP/1.1~TOKEN~~
    GET:one+GET:one                            open   READ~~GET http://other.testONE HTTP/1.1~Host: other.test~TOKEN~~
    ## After a refusal whose body was read to its end, the next is the next; a bad body ends the connection.
    400:malformed_json+GET:one                 open   UPDATE~Content-Length: 1~~{READ~~
    400:malformed_json+GET:one                 open   IN_CHUNKS1~{~0~~READ~~
    400:malformed_request                      closed IN_CHUNKSx~{~0~~EVIL
    400:malformed_request+GET:one              open   READ~Content-Length: LENGTH_OF_EVIL~~EVILREAD~~
    401:missing_token+GET:one                  open   PUT ONE HTTP/1.1~HOST~JSON~Content-Length: LENGTH_OF_EVIL~~EVILREAD~~
    401:missing_token                          closed PUT ONE HTTP/1.1~HOST~JSON~Transfer-Encoding: chunked~~2~{}~0~~EVIL
    413:body_too_large                         closed UPDATE~Content-Length: 9999999~~EVIL
    404:unknown_route                          closed PUT / HTTP/1.1~HOST~TOKEN~Content-Length: 9999999~~EVIL
    400:malformed_request                      open   READ~Connection: Upgrade~Upgrade: websocket~~
    400:malformed_request+GET:one              open   READ~Connection: Upgrade~Upgrade: websocket~~READ~~
    400:malformed_request+GET:one              open   CONNECT gateway.test:443 HTTP/1.1~HOST~TOKEN~~READ~~
    ## After the last request nothing is served.
    GET:one                                    closed READ~Connection: close~~EVIL
    GET:one+PUT:one:{}                         closed READ~~UPDATE~Connection: close~Content-Length: 2~~{}EVIL
    401:missing_token                          closed GET ONE HTTP/1.1~HOST~Connection: close~~EVIL
    GET:one                                    closed GET ONE HTTP/1.0~HOST~TOKEN~~EVIL
    GET:one+400                                closed READ~~GARBAGE~~EVIL
    GET:one+400                                closed READ~~UPDATE~Content-Length: 2~Content-Length: 3~~{}EVIL
    ## A body that looks like a request is a body.
    PUT:one:{"key":"DELETE/stores/abc123/v3/customers/7/metafields/667"} open UPDATE~Content-Length: 60~~{"key":"DELETE/stores/abc123/v3/customers/7/metafields/667"}
    400:malformed_json                         open   UPDATE~Content-Length: LENGTH_OF_EVIL~~EVIL
    400:malformed_json+400:malformed_json      open   UPDATE~Content-Length: LENGTH_OF_EVIL~~EVILIN_CHUNKSHEX_OF_EVIL~EVIL~0~~
    ## Half a request is none.
    GET:one                                    waiting READ~~D
    GET:one                                    waiting READ~~DELETE ONE HTTP/1.1~HOST~TOKEN~
    GET:one                                    waiting READ~~DELETE ONE HTTP/1.1~HOST~TOKEN~\r
    GET:one                                    waiting READ~~UPDATE~Content-Length: 2~~{
    GET:one                                    waiting READ~~UPDATE~Content-Length: 3~~{}
    PUT:one:{}                                 waiting UPDATE~Content-Length: 2~~{}IN_CHUNKS2~{}~0~
    -                                          waiting UPDATE~Content-Length: 3~~{}
"#;

#[test]
fn each_request_is_judged_by_itself() {
    let cases: Vec<Case> = columns(REQUESTS)
        .map(|[answers, end, line]| Case::new(answers, end, bytes(line)))
        .collect();
    check("pipelining", &cases);
}

/// The gateway keeps connections to the upstream and shares them; what is on one is whole requests, one
/// after the other, of whoever was allowed.
#[test]
fn a_shared_upstream_connection_carries_whole_requests() {
    let upstream = Fake::good();
    let gateway = Setup::new(upstream.address)
        .with("policy.ownership = \"named\"")
        .start();
    let mut expected = Vec::new();
    let mut client = gateway.connect();
    for (number, token) in [WRITER, READER, LIMITED, ELSEWHERE, WRITER]
        .iter()
        .enumerate()
    {
        let body = format!("{{\"key\":\"k{number}\",\"namespace\":\"crm\"}}");
        let request = Request::update(body.clone()).instead("X-Auth-Token", token);
        let mut bytes = request.chunked(3);
        bytes.extend(super::text::bytes(
            "UPDATE~Content-Length: LENGTH_OF_EVIL~~EVIL",
        ));
        client.send(bytes);
        let answer = client.answer();
        let is_allowed = [WRITER, LIMITED].contains(token);
        assert_eq!(answer.status(), if is_allowed { 200 } else { 403 });
        if is_allowed {
            let id = answer.field("x-correlation-id").expect("an id");
            let sent = Sent::new("PUT", ONE, Some(&body));
            expected.extend(sent.bytes(upstream.address, id));
            assert_eq!(client.answer().code(), Some("malformed_json"));
        } else {
            // A body in chunks that was not read ends the connection.
            assert!(client.is_closed());
            client = gateway.connect();
        }
    }
    assert_eq!(upstream.raw(), [expected]);
    let raw = upstream.raw().concat();
    let sent = String::from_utf8(raw).expect("UTF-8");
    assert_eq!(sent.matches(CREDENTIAL).count(), 3);
}

/// The bytes of three requests, cut in two at every place: where they are cut changes nothing.
#[test]
fn where_the_bytes_are_cut_changes_nothing() {
    let mut bench = Bench::new("");
    let line = "UPDATE~Content-Length: 2~~{}IN_CHUNKS1;x~{~1~}~0~X: y~~READ~~";
    let whole = bytes(line);
    for cut in 1..whole.len() {
        let mut client = bench.gateway.connect();
        client.send(&whole[..cut]);
        client.send(&whole[cut..]);
        for (method, body) in [("PUT", Some("{}")), ("PUT", Some("{}")), ("GET", None)] {
            let answer = client.answer();
            let served = super::Expected::Served(Sent::new(method, &place("one"), body));
            bench.judge(&format!("cut at {cut}"), &served, &answer);
        }
    }
    bench.compare("all cuts");
    bench.finish();
    super::tell("pipelining, cuts", whole.len() - 1);
}
