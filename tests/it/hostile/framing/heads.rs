//! Line breaks, blanks and control bytes in a head: what another parser might read as one line more.

/// Answers, end, bytes.
const LINES: &str = r"
    ## A line may end in a line feed alone; it is then a line like the others.
    GET:one             open   GET ONE HTTP/1.1\nHOST\nTOKEN\n\n
    GET:one             open   GET ONE HTTP/1.1\nHOST~TOKEN\n~
    GET:one             open   READ~X: y\n\n
    GET:one             open   READ~X: y\nZ: y~~
    PUT:one:{}          open   UPDATE~X: y\nContent-Length: 2~~{}
    PUT:one:{}          closed UPDATE~Content-Length: 12~X: y\nTransfer-Encoding: chunked~~2~{}~0~~EVIL
    400                 closed UPDATE~Content-Length: 2~X: y\nContent-Length: 12~~{}EVIL
    400:malformed_request open READ~X: y\nContent-Length: LENGTH_OF_EVIL~~EVIL
    400:malformed_request closed READ~X: y\nTransfer-Encoding: chunked~~0~~EVIL
    400:malformed_request open READ~X: y\nHost: other.test~~
    400:ambiguous_credentials open READ~X: y\nX-Auth-Token: canary-token-of-nobody~~
    400:malformed_request open READ~X: y\nUpgrade: h2c~~
    ## A carriage return alone is nothing.
    400                 closed READ~X: y\rZ: y~~EVIL
    400                 closed READ~X: y\rContent-Length: LENGTH_OF_EVIL~~EVIL
    400                 closed READ~X: y\rTransfer-Encoding: chunked~~EVIL
    400                 closed READ~X: y\rX-Auth-Token: canary-token-of-nobody~~EVIL
    400                 closed READ~X: \ry~~EVIL
    400                 closed READ~X: y\r~~EVIL
    400                 closed READ~X\r: y~~EVIL
    400                 closed READ~\r~EVIL
    400                 closed READ~\rX: y~~EVIL
    400                 closed READ\r~~EVIL
    400                 closed GET ONE HTTP/1.1\rHOST\rTOKEN\r\rEVIL
    400                 closed GET ONE\r HTTP/1.1~HOST~TOKEN~~EVIL
    400                 closed GET\r ONE HTTP/1.1~HOST~TOKEN~~EVIL
    400                 closed GET ONE HTTP/1.1\r~HOST~TOKEN~~EVIL
    ## Folded lines.
    400                 closed READ~X: y~ folded~~EVIL
    400                 closed READ~X: y~\tfolded~~EVIL
    400                 closed READ~X: y\n folded~~EVIL
    400                 closed READ~X:~ folded~~EVIL
    400                 closed READ~X: y~ ~~EVIL
    400                 closed READ~X: y~ Z: y~~EVIL
    400                 closed GET ONE HTTP/1.1~ HOST~TOKEN~~EVIL
    400                 closed GET ONE HTTP/1.1~\tX: y~HOST~TOKEN~~EVIL
    400                 closed GET ONE HTTP/1.1~Host:~ gateway.test~TOKEN~~EVIL
    400                 closed GET ONE HTTP/1.1~HOST~X-Auth-Token:~ WRITER~~EVIL
    400                 closed GET ONE~ HTTP/1.1~HOST~TOKEN~~EVIL
    ## Before the first line.
    GET:one             open   ~READ~~
    GET:one             open   \nREAD~~
    GET:one             open   ~~~~\n\n~READ~~
    400                 closed \rREAD~~EVIL
    400                 closed \x20READ~~EVIL
    400                 closed \tREAD~~EVIL
    400                 closed \0READ~~EVIL
    400                 closed \xef\xbb\xbfREAD~~EVIL
    400                 closed }READ~~EVIL
    400                 closed :READ~~EVIL
    400                 closed HTTP/1.1 200 OK~Content-Length: 0~~EVIL
    400                 closed x~~EVIL
    400                 closed ~ ~READ~~EVIL
";

/// Answers, end, bytes.
const NAMES_AND_VALUES: &str = r#"
    ## Blanks between a name and its colon.
    400                 closed GET ONE HTTP/1.1~Host : gateway.test~TOKEN~~EVIL
    400                 closed GET ONE HTTP/1.1~HOST~X-Auth-Token : WRITER~~EVIL
    400                 closed GET ONE HTTP/1.1~HOST~X-Auth-Token\t: WRITER~~EVIL
    400                 closed READ~X : y~~EVIL
    400                 closed READ~Accept : */*~~EVIL
    ## Names.
    400                 closed READ~: y~~EVIL
    400                 closed READ~ : y~~EVIL
    400                 closed READ~X~~EVIL
    400                 closed READ~X Y: z~~EVIL
    400                 closed READ~X\0: y~~EVIL
    400                 closed READ~\0X: y~~EVIL
    400                 closed READ~X\x01: y~~EVIL
    400                 closed READ~X\x7f: y~~EVIL
    400                 closed READ~X\x80: y~~EVIL
    400                 closed READ~Ünder: y~~EVIL
    400                 closed READ~X(Y): z~~EVIL
    400                 closed READ~X@Y: z~~EVIL
    400                 closed READ~X/Y: z~~EVIL
    400                 closed READ~X[Y]: z~~EVIL
    400                 closed READ~"X": y~~EVIL
    400                 closed READ~X=Y~~EVIL
    400                 closed READ~X;Y: z~~EVIL
    400                 closed READ~X,Y: z~~EVIL
    400                 closed READ~{X}: z~~EVIL
    400                 closed READ~\\X: z~~EVIL
    GET:one             open   READ~X!#$%&'*+-.^_`|Y: z~~
    GET:one             open   READ~1: z~~
    ## Values.
    400                 closed READ~X: \0~~EVIL
    400                 closed READ~X: y\0z~~EVIL
    400                 closed READ~X: \x01~~EVIL
    400                 closed READ~X: \x08~~EVIL
    400                 closed READ~X: \x0b~~EVIL
    400                 closed READ~X: \x0c~~EVIL
    400                 closed READ~X: \x1b[2J~~EVIL
    400                 closed READ~X: \x1f~~EVIL
    400                 closed READ~X: \x7f~~EVIL
    400                 closed READ~Accept: a\x01b~~EVIL
    400                 closed READ~User-Agent: a\x7f~~EVIL
    400                 closed READ~Accept-Encoding: gzip\0~~EVIL
    400                 closed READ~X-Correlation-Id: \x1b~~EVIL
    400                 closed GET ONE HTTP/1.1~HOST~X-Auth-Token: WRITER\0~~EVIL
    400                 closed GET ONE HTTP/1.1~Host: gateway.test\0~TOKEN~~EVIL
    GET:one             open   READ~X: :~~
    GET:one             open   READ~X:~~
    GET:one             open   READ~X: \t~~
    GET:one             open   READ~X: a\tb~~
    GET:one             open   READ~X: \x80\xff~~
    GET:one             open   READ~X: y HTTP/1.1~~
"#;

#[test]
fn no_line_is_read_that_is_none() {
    super::check_table("framing, lines", LINES);
}

#[test]
fn names_and_values_hold_what_they_may() {
    super::check_table("framing, names and values", NAMES_AND_VALUES);
}
