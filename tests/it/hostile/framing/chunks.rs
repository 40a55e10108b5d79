//! Chunks: a size in hexadecimal digits, exactly so many bytes, and an end; no extension and no trailer
//! reaches the upstream, which gets a length.

use super::super::{Case, check};
use super::cases;
use crate::support::client::ONE;
use crate::support::gateway::WRITER;

/// Answers, end, bytes.
const SIZES: &str = r#"
    PUT:one:{}          open   IN_CHUNKS2~{}~0~~
    PUT:one:{}          open   IN_CHUNKS1~{~1~}~0~~
    PUT:one:{}          open   IN_CHUNKS02~{}~0~~
    PUT:one:{}          open   IN_CHUNKS2~{}~000~~
    PUT:one:{}          open   IN_CHUNKS0000000000000002~{}~0~~
    PUT:one:{}          open   IN_CHUNKS000000000000000000000000000000000000000002~{}~0~~
    PUT:one:{}          open   IN_CHUNKS2~{}~00000000000000000000000000000000000000000~~
    PUT:one:{"key":"k"} open   IN_CHUNKSb~{"key":"k"}~0~~
    PUT:one:{"key":"k"} open   IN_CHUNKSB~{"key":"k"}~0~~
    ## Blanks before the line's end, which hyper takes for none.
    PUT:one:{}          open   IN_CHUNKS2 ~{}~0~~
    PUT:one:{}          open   IN_CHUNKS2\t~{}~0 \t ~~
    ## No size.
    400:malformed_request closed IN_CHUNKS~{}~0~~EVIL
    400:malformed_request closed IN_CHUNKS;x~{}~0~~EVIL
    400:malformed_request closed IN_CHUNKS 2~{}~0~~EVIL
    400:malformed_request closed IN_CHUNKS\t2~{}~0~~EVIL
    400:malformed_request closed IN_CHUNKS~2~{}~0~~EVIL
    400:malformed_request closed IN_CHUNKS0x2~{}~0~~EVIL
    400:malformed_request closed IN_CHUNKSx2~{}~0~~EVIL
    400:malformed_request closed IN_CHUNKS+2~{}~0~~EVIL
    400:malformed_request closed IN_CHUNKS-2~{}~0~~EVIL
    400:malformed_request closed IN_CHUNKS2h~{}~0~~EVIL
    400:malformed_request closed IN_CHUNKS2.0~{}~0~~EVIL
    400:malformed_request closed IN_CHUNKS2,2~{}~0~~EVIL
    400:malformed_request closed IN_CHUNKS2_0~{}~0~~EVIL
    400:malformed_request closed IN_CHUNKS2 2~{}~0~~EVIL
    400:malformed_request closed IN_CHUNKS2\0~{}~0~~EVIL
    400:malformed_request closed IN_CHUNKS\x0b2~{}~0~~EVIL
    400:malformed_request closed IN_CHUNKS2\x0c~{}~0~~EVIL
    400:malformed_request closed IN_CHUNKS２~{}~0~~EVIL
    400:malformed_request closed IN_CHUNKS"2"~{}~0~~EVIL
    400:malformed_request closed IN_CHUNKSg~{}~0~~EVIL
    400:malformed_request closed IN_CHUNKS2~{}~x~~EVIL
    400:malformed_request closed IN_CHUNKS2~{}~-0~~EVIL
    ## More than 64 bits, whose rest is a good size.
    400:malformed_request closed IN_CHUNKS10000000000000002~{}~0~~EVIL
    400:malformed_request closed IN_CHUNKS100000000000000000000000000000002~{}~0~~EVIL
    400:malformed_request closed IN_CHUNKS2~{}~10000000000000000~~EVIL
    400:malformed_request closed IN_CHUNKSfffffffffffffffff~{}~0~~EVIL
    ## So large that the rest is never a request.
    -                   waiting IN_CHUNKSffffffffffffffff~{}~0~~EVIL
    -                   waiting IN_CHUNKS8000000000000002~{}~0~~EVIL
    -                   waiting IN_CHUNKS100000002~{}~0~~EVIL
    -                   waiting IN_CHUNKSEVIL
"#;

/// Answers, end, bytes.
const DATA: &str = r"
    ## More or less than the size says.
    400:malformed_request closed IN_CHUNKS1~{}~0~~EVIL
    400:malformed_request closed IN_CHUNKS3~{}~0~~EVIL
    400:malformed_request closed IN_CHUNKS4~{}~0~~EVIL
    400:malformed_request closed IN_CHUNKS2~{}0~~EVIL
    400:malformed_request closed IN_CHUNKS2~{}xx0~~EVIL
    400:malformed_request closed IN_CHUNKS2~{}~~0~~EVIL
    400:malformed_request closed IN_CHUNKS2~{}EVIL
    400:malformed_json    open   IN_CHUNKSHEX_OF_EVIL~EVIL~0~~
    400:malformed_json    open   IN_CHUNKS2~{}~HEX_OF_EVIL~EVIL~0~~
    400:malformed_json    open   IN_CHUNKS0~~
    ## Line breaks that are half.
    400:malformed_request closed IN_CHUNKS2\n{}~0~~EVIL
    400:malformed_request closed IN_CHUNKS2\r{}~0~~EVIL
    400:malformed_request closed IN_CHUNKS2\r\r\n{}~0~~EVIL
    400:malformed_request closed IN_CHUNKS2\n\r{}~0~~EVIL
    400:malformed_request closed IN_CHUNKS2~{}\n0~~EVIL
    400:malformed_request closed IN_CHUNKS2~{}\r0~~EVIL
    400:malformed_request closed IN_CHUNKS2~{}\n\r0~~EVIL
    400:malformed_request closed IN_CHUNKS2~{}~0\n\nEVIL
    400:malformed_request closed IN_CHUNKS2~{}~0\r\rEVIL
    400:malformed_request closed IN_CHUNKS2~{}~0\n~EVIL
    400:malformed_request closed IN_CHUNKS2~{}~0~\rEVIL
    ## No end.
    400:malformed_request closed IN_CHUNKS2~{}~0~EVIL
    400:malformed_request closed IN_CHUNKS2~{}~0EVIL
    -                   waiting IN_CHUNKS
    -                   waiting IN_CHUNKS2
    -                   waiting IN_CHUNKS2~{}
    -                   waiting IN_CHUNKS2~{}~
    -                   waiting IN_CHUNKS2~{}~0
    -                   waiting IN_CHUNKS2~{}~0~
    -                   waiting IN_CHUNKS2~{}~0~X: y~
";

/// Answers, end, bytes.
const EXTENSIONS: &str = r#"
    ## Extensions are read over.
    PUT:one:{}          open   IN_CHUNKS2;x~{}~0~~
    PUT:one:{}          open   IN_CHUNKS2;x=y~{}~0;z=1~~
    PUT:one:{}          open   IN_CHUNKS2 ; x = y~{}~0~~
    PUT:one:{}          open   IN_CHUNKS2;x="y;z"~{}~0~~
    PUT:one:{}          open   IN_CHUNKS2;a;b;c;d=1~{}~0~~
    PUT:one:{}          open   IN_CHUNKS2;~{}~0;~~
    PUT:one:{}          open   IN_CHUNKS2;0~{}~0~~
    PUT:one:{}          open   IN_CHUNKS2;Content-Length: 99~{}~0~~
    PUT:one:{}          open   IN_CHUNKS1;x~{~1;x~}~0;x~~
    ## Line breaks within.
    400:malformed_request closed IN_CHUNKS2;x\n{}~0~~EVIL
    400:malformed_request closed IN_CHUNKS2;x\n~{}~0~~EVIL
    400:malformed_request closed IN_CHUNKS2;x\r{}~0~~EVIL
    400:malformed_request closed IN_CHUNKS2;\nxx\r{}~0~~EVIL
    400:malformed_request closed IN_CHUNKS2;x="~"~{}~0~~EVIL
    400:malformed_request closed IN_CHUNKS2;x="~0~~EVIL
    400:malformed_request closed IN_CHUNKS2~{}~0;x="~"~~EVIL
    400:malformed_request closed IN_CHUNKS2~{}~0;\n\nEVIL
    ## Trailers reach nobody, whatever they say.
    PUT:one:{}          open   IN_CHUNKS2~{}~0~X-Auth-Token: canary-token-of-nobody~~
    PUT:one:{}          open   IN_CHUNKS2~{}~0~Content-Length: LENGTH_OF_EVIL~~
    PUT:one:{}          open   IN_CHUNKS2~{}~0~Transfer-Encoding: chunked~~
    PUT:one:{}          open   IN_CHUNKS2~{}~0~Host: other.test~~
    PUT:one:{}          open   IN_CHUNKS2~{}~0~Content-Type: text/plain~Via: 1.1 metafield-gateway~~
    PUT:one:{}          open   IN_CHUNKS2~{}~0~X-Correlation-Id: 0123abcd-4567-489a-8bcd-0123456789ef~~
    PUT:one:{}          open   IN_CHUNKS2~{}~0~X-HTTP-Method-Override: DELETE~X-Original-URL: /metafields/666~~
    PUT:one:{}          open   IN_CHUNKS2~{}~0~Expect: 100-continue~Upgrade: h2c~Connection: close~~
    PUT:one:{}          open   UPDATE~Transfer-Encoding: chunked~Trailer: X-Auth-Token, Host~~2~{}~0~X-Auth-Token: x~~
    PUT:one:{}          open   UPDATE~Transfer-Encoding: chunked~Trailer: Content-Length~TE: trailers~~2~{}~0~~
    ## A trailer is no second place for the token.
    401:missing_token   closed PUT ONE HTTP/1.1~HOST~JSON~Transfer-Encoding: chunked~~2~{}~0~TOKEN~~
    415:unsupported_media_type closed PUT ONE HTTP/1.1~HOST~TOKEN~Transfer-Encoding: chunked~~2~{}~0~JSON~~
    ## Trailers that are none.
    400:malformed_request closed IN_CHUNKS2~{}~0~X y~~EVIL
    400:malformed_request closed IN_CHUNKS2~{}~0~X : y~~EVIL
    400:malformed_request closed IN_CHUNKS2~{}~0~: y~~EVIL
    400:malformed_request closed IN_CHUNKS2~{}~0~X: \0~~EVIL
    400:malformed_request closed IN_CHUNKS2~{}~0~X\0: y~~EVIL
    400:malformed_request closed IN_CHUNKS2~{}~0~X: y~ folded~~EVIL
    400:malformed_request closed IN_CHUNKS2~{}~0~X: y\rZ: y~~EVIL
"#;

/// Extensions and trailers of a size that no sender needs.
fn large() -> Vec<Case> {
    let begin = format!(
        "PUT {ONE} HTTP/1.1\r\nHost: gateway.test\r\nX-Auth-Token: {WRITER}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    let whole = |rest: String| format!("{begin}{rest}").into_bytes();
    let refused = |rest: String| Case::new("400:malformed_request", "closed", whole(rest));
    let served = |rest: String| Case::new("PUT:one:{}", "open", whole(rest));
    let spaces = " ".repeat(65);
    let in_many = spaces.chars().fold(String::new(), |chunks, space| {
        format!("{chunks}1;{}\r\n{space}\r\n", "x".repeat(255))
    });
    vec![
        served(format!("2;{}\r\n{{}}\r\n0\r\n\r\n", "x".repeat(8000))),
        refused(format!("2;{}\r\n{{}}\r\n0\r\n\r\n", "x".repeat(20_000))),
        refused(format!("{in_many}2\r\n{{}}\r\n0\r\n\r\n")),
        served(format!("2\r\n{{}}\r\n0\r\nX: {}\r\n\r\n", "y".repeat(8000))),
        refused(format!(
            "2\r\n{{}}\r\n0\r\nX: {}\r\n\r\n",
            "y".repeat(100_000)
        )),
        refused(format!("2\r\n{{}}\r\n0\r\n{}\r\n", "X: y\r\n".repeat(200))),
        served(format!("{}2\r\n{{}}\r\n0\r\n\r\n", "0".repeat(10_000))),
    ]
}

#[test]
fn a_chunk_has_a_size_in_hexadecimal_digits() {
    super::check_table("framing, chunk sizes", SIZES);
}

#[test]
fn a_chunk_is_as_long_as_it_says() {
    super::check_table("framing, chunk data", DATA);
}

#[test]
fn extensions_and_trailers_reach_nobody() {
    check(
        "framing, extensions and trailers",
        &[cases(EXTENSIONS), large()].concat(),
    );
}
