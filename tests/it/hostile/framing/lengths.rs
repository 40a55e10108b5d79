//! One `Content-Length`, in decimal digits, or none of the upstream's business.

/// Answers, end, bytes.
const LENGTHS: &str = r"
    ## One length, said once or alike, and the body is as long as that.
    PUT:one:{}          open   UPDATE~Content-Length: 2~~{}
    PUT:one:{}          open   UPDATE~content-length:2~~{}
    PUT:one:{}          open   UPDATE~Content-Length: \t 2 \t ~~{}
    PUT:one:{}          open   UPDATE~Content-Length: 02~~{}
    PUT:one:{}          open   UPDATE~Content-Length: 0000000000000000000000000000000000000002~~{}
    PUT:one:{}          open   UPDATE~Content-Length: 2~Content-Length: 2~~{}
    PUT:one:{}          open   UPDATE~Content-Length: 2~content-length: 02~~{}
    ## Fields that are none, beside one that is.
    PUT:one:{}          open   UPDATE~Content_Length: LENGTH_OF_EVIL~Content-Length: 2~~{}
    PUT:one:{}          open   UPDATE~X-Content-Length: 1~Content-Length: 2~~{}
    PUT:one:{}          open   UPDATE~ContentLength: 1~Content-Length: 2~~{}
    PUT:one:{}          open   UPDATE~Content-Length: 2~Content-Range: bytes 0-1/2~~{}
    400:malformed_json+400 closed UPDATE~Content_Length: 2~~{}EVIL
    ## Two that differ.
    400                 closed UPDATE~Content-Length: 2~Content-Length: 3~~{}EVIL
    400                 closed UPDATE~Content-Length: 3~Content-Length: 2~~{}EVIL
    400                 closed UPDATE~Content-Length: 2~content-length: LENGTH_OF_EVIL~~{}EVIL
    400                 closed UPDATE~Content-Length: 0~Content-Length: 2~~{}EVIL
    400                 closed UPDATE~Content-Length: 2~Content-Length:~~{}EVIL
    400                 closed UPDATE~Content-Length: 2~Content-Length: x~~{}EVIL
    400                 closed UPDATE~Content-Length: 2~Accept: */*~Content-Length: 2~Content-Length: 0~~{}EVIL
    ## Not digits.
    400                 closed UPDATE~Content-Length: 2, 2~~{}EVIL
    400                 closed UPDATE~Content-Length: 2,2~~{}EVIL
    400                 closed UPDATE~Content-Length: 2, 0~~{}EVIL
    400                 closed UPDATE~Content-Length: 2,~~{}EVIL
    400                 closed UPDATE~Content-Length: ,2~~{}EVIL
    400                 closed UPDATE~Content-Length: +2~~{}EVIL
    400                 closed UPDATE~Content-Length: -2~~{}EVIL
    400                 closed UPDATE~Content-Length: 0x2~~{}EVIL
    400                 closed UPDATE~Content-Length: 0b10~~{}EVIL
    400                 closed UPDATE~Content-Length: 2h~~{}EVIL
    400                 closed UPDATE~Content-Length: a~~{}EVIL
    400                 closed UPDATE~Content-Length: 2 2~~{}EVIL
    400                 closed UPDATE~Content-Length: 2\t0~~{}EVIL
    400                 closed UPDATE~Content-Length: 2;x=y~~{}EVIL
    400                 closed UPDATE~Content-Length: 2.0~~{}EVIL
    400                 closed UPDATE~Content-Length: 2e0~~{}EVIL
    400                 closed UPDATE~Content-Length: 2_0~~{}EVIL
    400                 closed UPDATE~Content-Length: 1'0~~{}EVIL
    400                 closed UPDATE~Content-Length: ２~~{}EVIL
    400                 closed UPDATE~Content-Length: ²~~{}EVIL
    400                 closed UPDATE~Content-Length: \xa02~~{}EVIL
    400                 closed UPDATE~Content-Length:~~{}EVIL
    400                 closed UPDATE~Content-Length: \t~~{}EVIL
    400                 closed UPDATE~Content-Length: '2'~~{}EVIL
    400                 closed UPDATE~Content-Length: (2)~~{}EVIL
    400                 closed UPDATE~Content-Length: 2\0~~{}EVIL
    400                 closed UPDATE~Content-Length: \x0b2~~{}EVIL
    400                 closed UPDATE~Content-Length: 2\x0c~~{}EVIL
    400                 closed UPDATE~Content-Length: \r2~~{}EVIL
    400                 closed UPDATE~Content-Length: 2\r~~{}EVIL
    ## The name, bent.
    400                 closed UPDATE~Content-Length : 2~~{}EVIL
    400                 closed UPDATE~Content-Length\t: 2~~{}EVIL
    400                 closed UPDATE~Content Length: 2~~{}EVIL
    400                 closed UPDATE~Content-Length\0: 2~~{}EVIL
    400                 closed UPDATE~\x0bContent-Length: 2~~{}EVIL
    400                 closed UPDATE~Content-Length\xa0: 2~~{}EVIL
    ## Folded lines.
    400                 closed UPDATE~Content-Length:~ 2~~{}EVIL
    400                 closed UPDATE~Content-Length: 2~ 0~~{}EVIL
    400                 closed UPDATE~Content-Length: 2~\t0~~{}EVIL
    400                 closed UPDATE~ Content-Length: 2~~{}EVIL
    ## Too many digits.
    400                 closed UPDATE~Content-Length: 18446744073709551616~~{}EVIL
    400                 closed UPDATE~Content-Length: 18446744073709551618~~{}EVIL
    400                 closed UPDATE~Content-Length: 36893488147419103234~~{}EVIL
    400                 closed UPDATE~Content-Length: 99999999999999999999999999999999999999999~~{}EVIL
    431                 closed UPDATE~Content-Length: 18446744073709551615~~{}EVIL
    431                 closed UPDATE~Content-Length: 18446744073709551614~~{}EVIL
    413:body_too_large  closed UPDATE~Content-Length: 18446744073709551613~~{}EVIL
    413:body_too_large  closed UPDATE~Content-Length: 9223372036854775808~~{}EVIL
    413:body_too_large  closed UPDATE~Content-Length: 4294967298~~{}EVIL
    413:body_too_large  closed UPDATE~Content-Length: 1048577~~{}EVIL
    ## Shorter or longer than the body.
    400:malformed_json+400 closed UPDATE~Content-Length: 1~~{}EVIL
    400:malformed_json+400 closed UPDATE~Content-Length: 0~~{}EVIL
    400:malformed_json+400 closed UPDATE~~{}EVIL
    400:malformed_json  open   UPDATE~Content-Length: LENGTH_OF_EVIL~~EVIL
    400:malformed_json  open   UPDATE~Content-Length: LENGTH_OF_EVIL~~{}EVIL
    ## A body where none belongs is thrown away, not served.
    400:malformed_request open READ~Content-Length: LENGTH_OF_EVIL~~EVIL
    400:malformed_request open HEAD ONE HTTP/1.1~HOST~TOKEN~Content-Length: LENGTH_OF_EVIL~~EVIL
    400:malformed_request open DELETE ONE HTTP/1.1~HOST~TOKEN~Content-Length: LENGTH_OF_EVIL~~EVIL
    405:method_not_allowed open OPTIONS ONE HTTP/1.1~HOST~TOKEN~Content-Length: LENGTH_OF_EVIL~~EVIL
    405:method_not_allowed open TRACE ONE HTTP/1.1~HOST~TOKEN~Content-Length: LENGTH_OF_EVIL~~EVIL
    404:unknown_route   open   PUT ONE/ HTTP/1.1~HOST~TOKEN~JSON~Content-Length: LENGTH_OF_EVIL~~EVIL
    401:missing_token   open   PUT ONE HTTP/1.1~HOST~JSON~Content-Length: LENGTH_OF_EVIL~~EVIL
";

#[test]
fn a_length_is_plain_or_refused() {
    super::check_table("framing, lengths", LENGTHS);
}
