//! Versions, forms of the target, and changes of the protocol.

/// Answers, end, bytes.
const VERSIONS: &str = r"
    ## HTTP/1.0 is a hop of its own: no body, and one request unless the client asks for more.
    GET:one             closed GET ONE HTTP/1.0~HOST~TOKEN~~EVIL
    GET:one             closed GET ONE HTTP/1.0~TOKEN~~EVIL
    GET:one             closed GET ONE HTTP/1.0~TOKEN~Content-Length: 0~~EVIL
    GET:one             closed GET ONE HTTP/1.0~HOST~TOKEN~Connection: close, keep-alive~~EVIL
    GET:one             open   GET ONE HTTP/1.0~HOST~TOKEN~Connection: keep-alive~~
    GET:one             open   GET ONE HTTP/1.0~TOKEN~Connection: Keep-Alive~Keep-Alive: timeout=9~~
    400:malformed_request closed PUT ONE HTTP/1.0~HOST~TOKEN~JSON~Content-Length: 2~~{}EVIL
    400:malformed_request closed PUT ONE HTTP/1.0~TOKEN~JSON~Content-Length: LENGTH_OF_EVIL~~EVIL
    400:malformed_request closed GET ONE HTTP/1.0~TOKEN~Content-Length: LENGTH_OF_EVIL~~EVIL
    400:malformed_json  closed PUT ONE HTTP/1.0~TOKEN~JSON~~{}EVIL
    400                 closed PUT ONE HTTP/1.0~TOKEN~JSON~Transfer-Encoding: chunked~~2~{}~0~~EVIL
    400:malformed_request closed GET ONE HTTP/1.0~Host: a~Host: b~TOKEN~~EVIL
    400:malformed_request closed GET ONE HTTP/1.0~TOKEN~Upgrade: HTTP/1.1~~EVIL
    ## The client's last request.
    GET:one             closed READ~Connection: close~~EVIL
    GET:one             closed READ~Connection: CLOSE~~EVIL
    GET:one             closed READ~Connection: keep-alive, close~~EVIL
    GET:one             closed READ~Connection: x~Connection: close~~EVIL
    PUT:one:{}          closed UPDATE~Connection: close~Content-Length: 2~~{}EVIL
    401:missing_token   closed GET ONE HTTP/1.1~HOST~Connection: close~~EVIL
    ## No version that is spoken here.
    400                 closed GET ONE~~EVIL
    400                 closed GET ONE ~HOST~TOKEN~~EVIL
    400                 closed GET ONE HTTP/0.9~HOST~TOKEN~~EVIL
    400                 closed GET ONE HTTP/1.2~HOST~TOKEN~~EVIL
    400                 closed GET ONE HTTP/1.9~HOST~TOKEN~~EVIL
    400                 closed GET ONE HTTP/1.10~HOST~TOKEN~~EVIL
    400                 closed GET ONE HTTP/1.11~HOST~TOKEN~~EVIL
    400                 closed GET ONE HTTP/01.1~HOST~TOKEN~~EVIL
    400                 closed GET ONE HTTP/1.01~HOST~TOKEN~~EVIL
    400                 closed GET ONE HTTP/1~HOST~TOKEN~~EVIL
    400                 closed GET ONE HTTP/1.~HOST~TOKEN~~EVIL
    400                 closed GET ONE HTTP/.1~HOST~TOKEN~~EVIL
    400                 closed GET ONE HTTP/1,1~HOST~TOKEN~~EVIL
    400                 closed GET ONE HTTP/2.0~HOST~TOKEN~~EVIL
    400                 closed GET ONE HTTP/2~HOST~TOKEN~~EVIL
    400                 closed GET ONE HTTP/3.0~HOST~TOKEN~~EVIL
    400                 closed GET ONE HTTP/-1.1~HOST~TOKEN~~EVIL
    400                 closed GET ONE HTTP/１.１~HOST~TOKEN~~EVIL
    400                 closed GET ONE http/1.1~HOST~TOKEN~~EVIL
    400                 closed GET ONE Http/1.1~HOST~TOKEN~~EVIL
    400                 closed GET ONE HTTPS/1.1~HOST~TOKEN~~EVIL
    400                 closed GET ONE RTSP/1.0~HOST~TOKEN~~EVIL
    400                 closed GET ONE HTTP/1.1x~HOST~TOKEN~~EVIL
    400                 closed GET ONE HTTP/1.1 x~HOST~TOKEN~~EVIL
    400                 closed GET ONE HTTP/1.1 ~HOST~TOKEN~~EVIL
    400                 closed GET ONE HTTP/1.1\0~HOST~TOKEN~~EVIL
    400                 closed GET ONE HTTP /1.1~HOST~TOKEN~~EVIL
    400                 closed GET ONE HTTP/ 1.1~HOST~TOKEN~~EVIL
    ## Blanks in the first line.
    400                 closed GET\tONE HTTP/1.1~HOST~TOKEN~~EVIL
    400                 closed GET ONE\tHTTP/1.1~HOST~TOKEN~~EVIL
    400                 closed GET  ONE HTTP/1.1~HOST~TOKEN~~EVIL
    400                 closed GET ONE  HTTP/1.1~HOST~TOKEN~~EVIL
    400                 closed GET\x0bONE HTTP/1.1~HOST~TOKEN~~EVIL
    400                 closed GET ONE\x0cHTTP/1.1~HOST~TOKEN~~EVIL
    400                 closed GET ONE ALL HTTP/1.1~HOST~TOKEN~~EVIL
    400                 closed GETONE HTTP/1.1~HOST~TOKEN~~EVIL
    400                 closed G\0ET ONE HTTP/1.1~HOST~TOKEN~~EVIL
    400                 closed GÉT ONE HTTP/1.1~HOST~TOKEN~~EVIL
";

/// Answers, end, bytes.
const TARGETS: &str = r"
    ## The absolute form names what Host names, and its path alone goes on.
    GET:one             open   GET http://gateway.testONE HTTP/1.1~HOST~TOKEN~~
    GET:one             open   GET HTTPS://GATEWAY.TESTONE HTTP/1.1~HOST~TOKEN~~
    GET:one             open   GET http://gateway.test:8080ONE HTTP/1.1~Host: gateway.test:8080~TOKEN~~
    GET:one             open   GET http://api.bigcommerce.comONE HTTP/1.1~Host: api.bigcommerce.com~TOKEN~~
    GET:one             open   GET ONE HTTP/1.1~Host: api.bigcommerce.com~TOKEN~~
    GET:one             open   GET ONE HTTP/1.1~Host: 169.254.169.254~TOKEN~~
    GET:one             open   GET ONE HTTP/1.1~Host: [::1]:1~TOKEN~~
    400:malformed_request open GET http://other.testONE HTTP/1.1~HOST~TOKEN~~
    400:malformed_request open GET http://gateway.test.ONE HTTP/1.1~HOST~TOKEN~~
    400:malformed_request open GET http://gateway.test:80ONE HTTP/1.1~HOST~TOKEN~~
    400:malformed_request open GET http://gateway.testONE HTTP/1.1~Host: gateway.test:80~TOKEN~~
    400:malformed_request open GET http://gateway.test@other.testONE HTTP/1.1~HOST~TOKEN~~
    400:malformed_request open GET http://other.test@gateway.testONE HTTP/1.1~HOST~TOKEN~~
    400:malformed_request open GET http://:80ONE HTTP/1.1~HOST~TOKEN~~
    400:malformed_request open GET http://gateway.test:ONE HTTP/1.1~HOST~TOKEN~~
    400:malformed_request open GET ftp://gateway.testONE HTTP/1.1~HOST~TOKEN~~
    400:malformed_request open GET ws://gateway.testONE HTTP/1.1~HOST~TOKEN~~
    400:malformed_request open GET http://gateway.testONE HTTP/1.1~TOKEN~~
    404:unknown_route   open   GET http://gateway.test/ HTTP/1.1~HOST~TOKEN~~
    404:unknown_route   open   GET http://gateway.test HTTP/1.1~HOST~TOKEN~~
    404:unknown_route   open   GET http://gateway.test/http://gateway.testONE HTTP/1.1~HOST~TOKEN~~
    404:unknown_route   open   GET //gateway.testONE HTTP/1.1~HOST~TOKEN~~
    404:unknown_route   open   GET /http://gateway.testONE HTTP/1.1~HOST~TOKEN~~
    400                 closed GET http://ONE HTTP/1.1~HOST~TOKEN~~EVIL
    400                 closed GET http:ONE HTTP/1.1~HOST~TOKEN~~EVIL
    400                 closed GET gateway.testONE HTTP/1.1~HOST~TOKEN~~EVIL
    400                 closed GET stores/abc123 HTTP/1.1~HOST~TOKEN~~EVIL
    400                 closed GET @other.testONE HTTP/1.1~HOST~TOKEN~~EVIL
    400                 closed GET \\ONE HTTP/1.1~HOST~TOKEN~~EVIL
    400                 closed GET  HTTP/1.1~HOST~TOKEN~~EVIL
    404:unknown_route   open   GET * HTTP/1.1~HOST~TOKEN~~
    404:unknown_route   open   OPTIONS * HTTP/1.1~HOST~TOKEN~~
    404:unknown_route   open   DELETE * HTTP/1.1~HOST~TOKEN~~
    ## Host, which no upstream ever sees.
    400:malformed_request open GET ONE HTTP/1.1~TOKEN~~
    400:malformed_request open GET ONE HTTP/1.1~HOST~HOST~TOKEN~~
    400:malformed_request open GET ONE HTTP/1.1~HOST~host: other.test~TOKEN~~
    400:malformed_request open GET ONE HTTP/1.1~Host:~TOKEN~~
    400:malformed_request open GET ONE HTTP/1.1~Host: gateway.test, other.test~TOKEN~~
    400:malformed_request open GET ONE HTTP/1.1~Host: gateway.test/x~TOKEN~~
    400:malformed_request open GET ONE HTTP/1.1~Host: gateway.test?x~TOKEN~~
    400:malformed_request open GET ONE HTTP/1.1~Host: gateway.test#x~TOKEN~~
    400:malformed_request open GET ONE HTTP/1.1~Host: x@gateway.test~TOKEN~~
    400:malformed_request open GET ONE HTTP/1.1~Host: http://gateway.test~TOKEN~~
    400:malformed_request open GET ONE HTTP/1.1~Host: gateway.test:80:80~TOKEN~~
    400:malformed_request open GET ONE HTTP/1.1~Host: gateway.test:x~TOKEN~~
    400:malformed_request open GET ONE HTTP/1.1~Host: gateway test~TOKEN~~
    400:malformed_request open GET ONE HTTP/1.1~Host: \xff~TOKEN~~
    ## No tunnel.
    400:malformed_request open CONNECT gateway.test:443 HTTP/1.1~Host: gateway.test:443~TOKEN~~
    400:malformed_request open CONNECT gateway.test:443 HTTP/1.1~HOST~TOKEN~~
    400:malformed_request open CONNECT ONE HTTP/1.1~HOST~TOKEN~~
    400:malformed_request open CONNECT http://gateway.testONE HTTP/1.1~HOST~TOKEN~~
    400:malformed_request closed CONNECT gateway.test:443 HTTP/1.0~Host: gateway.test:443~TOKEN~~EVIL
    400:malformed_request open CONNECT gateway.test:443 HTTP/1.1~Host: gateway.test:443~TOKEN~Content-Length: LENGTH_OF_EVIL~~EVIL
";

/// Answers, end, bytes.
const CHANGES: &str = r"
    ## No other protocol.
    400:malformed_request open READ~Connection: Upgrade~Upgrade: websocket~Sec-WebSocket-Version: 13~~
    400:malformed_request open READ~Connection: Upgrade, HTTP2-Settings~Upgrade: h2c~HTTP2-Settings: AAMAAABkAAQAAP__~~
    400:malformed_request closed READ~Connection: Upgrade~Upgrade: h2c~~PRI * HTTP/2.0~~SM~~EVIL
    400:malformed_request open UPDATE~Connection: Upgrade~Upgrade: h2c~Content-Length: 2~~{}
    400:malformed_request open READ~Upgrade: h2c~~
    400:malformed_request open READ~Upgrade:~~
    400:malformed_request open READ~Upgrade: HTTP/1.1~~
    400:malformed_request open READ~upgrade: x~Upgrade: y~~
    GET:one             open   READ~HTTP2-Settings: AAMAAABkAAQAAP__~~
    GET:one             open   READ~Connection: HTTP2-Settings~HTTP2-Settings: AAMAAABkAAQAAP__~~
    GET:one             closed READ~~PRI * HTTP/2.0~~SM~~EVIL
    400:malformed_request+400 closed PRI * HTTP/1.1~~SM~~EVIL
    400                 closed PRI * HTTP/2.0~HOST~~SM~~EVIL
    ## Expect is between the client and the gateway.
    continue+PUT:one:{} open   UPDATE~Expect: 100-continue~Content-Length: 2~~{}
    continue+PUT:one:{} open   UPDATE~Expect: 100-Continue~Transfer-Encoding: chunked~~2~{}~0~~
    GET:one             open   READ~Expect: 100-continue~~
    PUT:one:{}          open   UPDATE~Expect: 200-ok~Content-Length: 2~~{}
    PUT:one:{}          open   UPDATE~Expect:~Content-Length: 2~~{}
    PUT:one:{}          open   UPDATE~Expect: 100-continue, x~Content-Length: 2~~{}
    PUT:one:{}          open   UPDATE~Expect: y 100-continue~Content-Length: 2~~{}
    401:missing_token   closed PUT ONE HTTP/1.1~HOST~JSON~Expect: 100-continue~Content-Length: 2~~{}EVIL
    400:malformed_request closed READ~Expect: 100-continue~Content-Length: LENGTH_OF_EVIL~~EVIL
    404:unknown_route   closed PUT / HTTP/1.1~HOST~TOKEN~Expect: 100-continue~Content-Length: LENGTH_OF_EVIL~~EVIL
";

#[test]
fn versions_that_are_not_spoken_are_refused() {
    super::check_table("framing, versions", VERSIONS);
}

#[test]
fn the_authority_reaches_nobody() {
    super::check_table("framing, targets", TARGETS);
}

#[test]
fn the_protocol_does_not_change() {
    super::check_table("framing, changes", CHANGES);
}
