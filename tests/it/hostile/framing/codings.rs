//! `Transfer-Encoding`, alone and beside a length. Where both stand hyper goes by the chunks, and the
//! connection is closed after the answer (RFC 9112 section 6.1).

/// Answers, end, bytes.
const BOTH: &str = r"
    ## The chunks count, and the length reaches nobody.
    PUT:one:{}          closed UPDATE~Content-Length: 12~Transfer-Encoding: chunked~~2~{}~0~~EVIL
    PUT:one:{}          closed UPDATE~Transfer-Encoding: chunked~Content-Length: 12~~2~{}~0~~EVIL
    PUT:one:{}          closed UPDATE~Content-Length: 0~Transfer-Encoding: chunked~~2~{}~0~~EVIL
    PUT:one:{}          closed UPDATE~Content-Length: 2~Transfer-Encoding: chunked~~2~{}~0~~EVIL
    PUT:one:{}          closed UPDATE~Content-Length: 3~Transfer-Encoding: chunked~~2~{}~0~~EVIL
    PUT:one:{}          closed UPDATE~Transfer-Encoding: chunked~Content-Length: 4~~2~{}~0~~EVIL
    PUT:one:{}          closed UPDATE~Transfer-Encoding: chunked~Content-Length: 99999~~2~{}~0~~EVIL
    PUT:one:{}          closed UPDATE~Content-Length: 12~Content-Length: 12~Transfer-Encoding: chunked~~2~{}~0~~EVIL
    PUT:one:{}          closed UPDATE~Content-Length: 12~Transfer-Encoding: chunked~Content-Length: 12~~2~{}~0~~EVIL
    PUT:one:{}          closed UPDATE~content-length:12~TRANSFER-ENCODING:CHUNKED~~2~{}~0~~EVIL
    400:malformed_json  closed UPDATE~Content-Length: 5~Transfer-Encoding: chunked~~0~~EVIL
    400:malformed_json  closed UPDATE~Transfer-Encoding: chunked~Content-Length: 5~~0~~EVIL
    400:malformed_json  closed UPDATE~Content-Length: 2~Transfer-Encoding: chunked~~HEX_OF_EVIL~EVIL~0~~
    400:malformed_request closed UPDATE~Content-Length: 2~Transfer-Encoding: chunked~~{}EVIL
    400:malformed_request closed READ~Content-Length: 0~Transfer-Encoding: chunked~~0~~EVIL
    400:malformed_request closed READ~Content-Length: 5~Transfer-Encoding: chunked~~0~~EVIL
    400:malformed_request closed DELETE ONE HTTP/1.1~HOST~TOKEN~Content-Length: 5~Transfer-Encoding: chunked~~0~~EVIL
    ## A length that is none, before and behind the coding.
    400                 closed UPDATE~Content-Length: x~Transfer-Encoding: chunked~~2~{}~0~~EVIL
    400                 closed UPDATE~Content-Length: 2, 2~Transfer-Encoding: chunked~~2~{}~0~~EVIL
    400                 closed UPDATE~Content-Length: 2~Content-Length: 3~Transfer-Encoding: chunked~~2~{}~0~~EVIL
    PUT:one:{}          closed UPDATE~Transfer-Encoding: chunked~Content-Length: x~~2~{}~0~~EVIL
    PUT:one:{}          closed UPDATE~Transfer-Encoding: chunked~Content-Length: 2~Content-Length: 3~~2~{}~0~~EVIL
    ## A length before a coding that is none.
    400                 closed UPDATE~Content-Length: 2~Transfer-Encoding: xchunked~~{}EVIL
    400                 closed UPDATE~Content-Length: 2~Transfer-Encoding: identity~~{}EVIL
    400                 closed UPDATE~Content-Length: 2~Transfer-Encoding: gzip~~{}EVIL
    400                 closed UPDATE~Content-Length: 2~Transfer-Encoding:~~{}EVIL
    400                 closed UPDATE~Transfer-Encoding: identity~Content-Length: 2~~{}EVIL
    400                 closed UPDATE~Content-Length: 2~Transfer-Encoding: chunked, identity~~{}EVIL
    400                 closed UPDATE~Content-Length: 2~Transfer-Encoding : chunked~~{}EVIL
    400                 closed UPDATE~Content-Length: 2~Transfer-Encoding: \x0bchunked~~{}EVIL
    400                 closed UPDATE~Content-Length: 2~Transfer-Encoding: chunked~Transfer-Encoding: x~~2~{}~0~~EVIL
    400                 closed PUT ONE HTTP/1.0~HOST~TOKEN~JSON~Content-Length: 2~Transfer-Encoding: chunked~~2~{}~0~~EVIL
";

/// Answers, end, bytes.
const SPELLINGS: &str = r#"
    ## One coding, whatever its case and the blanks around it.
    PUT:one:{}          open   UPDATE~Transfer-Encoding: chunked~~2~{}~0~~
    PUT:one:{}          open   UPDATE~transfer-encoding:CHUNKED~~2~{}~0~~
    PUT:one:{}          open   UPDATE~TrAnSfEr-EnCoDiNg: cHuNkEd~~2~{}~0~~
    PUT:one:{}          open   UPDATE~Transfer-Encoding:\tchunked\t~~2~{}~0~~
    PUT:one:{}          open   UPDATE~Transfer-Encoding:    chunked   ~~2~{}~0~~
    ## No coding: what looks like chunks is no body, and no request.
    400:malformed_json+400 closed UPDATE~Transfer_Encoding: chunked~~2~{}~0~~EVIL
    400:malformed_json+400 closed UPDATE~X-Transfer-Encoding: chunked~~2~{}~0~~EVIL
    400:malformed_json+400 closed UPDATE~TransferEncoding: chunked~~2~{}~0~~EVIL
    400:malformed_json+400 closed UPDATE~TE: chunked~~2~{}~0~~EVIL
    400:malformed_json+400 closed UPDATE~Content-Encoding: chunked~~2~{}~0~~EVIL
    PUT:one:{}          open   UPDATE~Transfer_Encoding: chunked~Content-Length: 2~~{}
    PUT:one:{}          open   UPDATE~X-Transfer-Encoding: chunked~Content-Length: 2~~{}
    PUT:one:{}          open   UPDATE~TE: trailers, chunked~Connection: TE~Content-Length: 2~~{}
    415:unsupported_content_encoding open UPDATE~Content-Encoding: chunked~Content-Length: 2~~{}
    ## Chunked must be the last coding, and the only one.
    400                 closed UPDATE~Transfer-Encoding: chunked, identity~~2~{}~0~~EVIL
    400                 closed UPDATE~Transfer-Encoding: chunked, gzip~~2~{}~0~~EVIL
    400                 closed UPDATE~Transfer-Encoding: chunked,~~2~{}~0~~EVIL
    400                 closed UPDATE~Transfer-Encoding: identity~~2~{}~0~~EVIL
    400                 closed UPDATE~Transfer-Encoding: gzip~~2~{}~0~~EVIL
    400:malformed_request closed UPDATE~Transfer-Encoding: identity, chunked~~2~{}~0~~EVIL
    400:malformed_request closed UPDATE~Transfer-Encoding: gzip, chunked~~2~{}~0~~EVIL
    400:malformed_request closed UPDATE~Transfer-Encoding: chunked, chunked~~2~{}~0~~EVIL
    400:malformed_request closed UPDATE~Transfer-Encoding: ,chunked~~2~{}~0~~EVIL
    400:malformed_request closed UPDATE~Transfer-Encoding: x,\tchunked~~2~{}~0~~EVIL
    400:malformed_request closed UPDATE~Transfer-Encoding: chunked~Transfer-Encoding: chunked~~2~{}~0~~EVIL
    400:malformed_request closed UPDATE~Transfer-Encoding: identity~Transfer-Encoding: chunked~~2~{}~0~~EVIL
    400:malformed_request closed UPDATE~Transfer-Encoding:~Transfer-Encoding: chunked~~2~{}~0~~EVIL
    400                 closed UPDATE~Transfer-Encoding: chunked~Transfer-Encoding: identity~~2~{}~0~~EVIL
    400                 closed UPDATE~Transfer-Encoding: chunked~transfer-encoding: cow~~2~{}~0~~EVIL
    400                 closed UPDATE~Transfer-Encoding: chunked~Transfer-Encoding:~~2~{}~0~~EVIL
    ## Nearly chunked.
    400                 closed UPDATE~Transfer-Encoding: xchunked~~2~{}~0~~EVIL
    400                 closed UPDATE~Transfer-Encoding: chunkedx~~2~{}~0~~EVIL
    400                 closed UPDATE~Transfer-Encoding: chunk~~2~{}~0~~EVIL
    400                 closed UPDATE~Transfer-Encoding: x chunked~~2~{}~0~~EVIL
    400                 closed UPDATE~Transfer-Encoding: chunked x~~2~{}~0~~EVIL
    400                 closed UPDATE~Transfer-Encoding: x;chunked~~2~{}~0~~EVIL
    400                 closed UPDATE~Transfer-Encoding: chunked;q=1~~2~{}~0~~EVIL
    400                 closed UPDATE~Transfer-Encoding: chunked;chunked~~2~{}~0~~EVIL
    400                 closed UPDATE~Transfer-Encoding: 'chunked'~~2~{}~0~~EVIL
    400                 closed UPDATE~Transfer-Encoding: "chunked"~~2~{}~0~~EVIL
    400                 closed UPDATE~Transfer-Encoding: (chunked)~~2~{}~0~~EVIL
    400                 closed UPDATE~Transfer-Encoding: : chunked~~2~{}~0~~EVIL
    400                 closed UPDATE~Transfer-Encoding:~~2~{}~0~~EVIL
    400                 closed UPDATE~Transfer-Encoding: chun\xe2\x84\xaaed~~2~{}~0~~EVIL
    400                 closed UPDATE~Transfer-Encoding: \xa0chunked~~2~{}~0~~EVIL
    400                 closed UPDATE~Transfer-Encoding: chunked\xff~~2~{}~0~~EVIL
    400                 closed UPDATE~Transfer-Encoding: \x0bchunked~~2~{}~0~~EVIL
    400                 closed UPDATE~Transfer-Encoding: chunked\x0b~~2~{}~0~~EVIL
    400                 closed UPDATE~Transfer-Encoding: \x0cchunked~~2~{}~0~~EVIL
    400                 closed UPDATE~Transfer-Encoding: \rchunked~~2~{}~0~~EVIL
    400                 closed UPDATE~Transfer-Encoding: chunked\r~~2~{}~0~~EVIL
    400                 closed UPDATE~Transfer-Encoding: chun\0ked~~2~{}~0~~EVIL
    400                 closed UPDATE~Transfer-Encoding: chunked\0~~2~{}~0~~EVIL
    ## The name, bent.
    400                 closed UPDATE~Transfer-Encoding : chunked~~2~{}~0~~EVIL
    400                 closed UPDATE~Transfer-Encoding\t: chunked~~2~{}~0~~EVIL
    400                 closed UPDATE~Transfer Encoding: chunked~~2~{}~0~~EVIL
    400                 closed UPDATE~Transfer-Encoding\0: chunked~~2~{}~0~~EVIL
    400                 closed UPDATE~Transfer-Encoding\r: chunked~~2~{}~0~~EVIL
    400                 closed UPDATE~Transfer\x0bEncoding: chunked~~2~{}~0~~EVIL
    400                 closed UPDATE~\x0bTransfer-Encoding: chunked~~2~{}~0~~EVIL
    400                 closed UPDATE~Tränsfer-Encoding: chunked~~2~{}~0~~EVIL
    ## Folded lines.
    400                 closed UPDATE~Transfer-Encoding:~ chunked~~2~{}~0~~EVIL
    400                 closed UPDATE~Transfer-Encoding:~\tchunked~~2~{}~0~~EVIL
    400                 closed UPDATE~Transfer-Encoding: chunked~ , identity~~2~{}~0~~EVIL
    400                 closed UPDATE~Transfer-Encoding~ : chunked~~2~{}~0~~EVIL
    400                 closed UPDATE~ Transfer-Encoding: chunked~~2~{}~0~~EVIL
    400                 closed UPDATE~X: y~\tTransfer-Encoding: chunked~~2~{}~0~~EVIL
"#;

#[test]
fn where_a_length_and_a_coding_stand_the_rest_is_not_served() {
    super::check_table("framing, both", BOTH);
}

#[test]
fn a_coding_is_chunked_alone_or_refused() {
    super::check_table("framing, codings", SPELLINGS);
}
