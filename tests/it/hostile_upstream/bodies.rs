//! Bodies: chunks that cannot be read are errors, trailers stay behind, and codings of the content are
//! nobody's business here.

use super::{Case, End, Next, Step, Told, run};

const HEAD: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
const MIB: usize = 1024 * 1024;

#[test]
fn a_chunk_that_cannot_be_read_is_a_broken_answer() {
    let bodies = [
        ("a negative size", "-2\r\n{}\r\n0\r\n\r\n"),
        ("a size with a sign", "+2\r\n{}\r\n0\r\n\r\n"),
        ("a size with a prefix", "0x2\r\n{}\r\n0\r\n\r\n"),
        ("a size in quotes", "\"2\"\r\n{}\r\n0\r\n\r\n"),
        ("a size with a comma", "2,2\r\n{}\r\n0\r\n\r\n"),
        ("a size with a point", "2.0\r\n{}\r\n0\r\n\r\n"),
        ("a size of two numbers", "2 2\r\n{}\r\n0\r\n\r\n"),
        ("a size of letters", "g\r\n{}\r\n0\r\n\r\n"),
        ("no size but an extension", ";a=b\r\n{}\r\n0\r\n\r\n"),
        ("an empty size", "\r\n{}\r\n0\r\n\r\n"),
        ("a space before the size", " 2\r\n{}\r\n0\r\n\r\n"),
        ("a zero in the size", "2\0\r\n{}\r\n0\r\n\r\n"),
        (
            "a size beyond 64 bits",
            "10000000000000002\r\n{}\r\n0\r\n\r\n",
        ),
        (
            "a size that wraps around",
            "fffffffffffffffff2\r\n{}\r\n0\r\n\r\n",
        ),
        ("a size that ends in a line feed", "2\n{}\r\n0\r\n\r\n"),
        ("a size that ends in a return", "2\r{}\r\n0\r\n\r\n"),
        (
            "an extension that ends in a line feed",
            "2;a=b\n{}\r\n0\r\n\r\n",
        ),
        ("an extension with a return", "2;a=\rb\r\n{}\r\n0\r\n\r\n"),
        ("a chunk longer than its size", "1\r\n{}\r\n0\r\n\r\n"),
        ("a chunk shorter than its size", "3\r\n{}\r\n0\r\n\r\n"),
        ("a chunk that ends in a line feed", "2\r\n{}\n0\r\n\r\n"),
        ("a chunk that does not end", "2\r\n{}0\r\n\r\n"),
        (
            "a trailer without a colon",
            "2\r\n{}\r\n0\r\nbroken\r\n\r\n",
        ),
        ("a trailer with a space", "2\r\n{}\r\n0\r\nX : y\r\n\r\n"),
        ("a trailer with a zero", "2\r\n{}\r\n0\r\nX: \0\r\n\r\n"),
        (
            "an answer in place of a trailer",
            "2\r\n{}\r\n0\r\nHTTP/1.1 200 OK\r\n\r\n",
        ),
    ];
    let mut cases = bodies
        .map(|(name, body)| Case::no_rest(name, format!("{HEAD}{body}")))
        .to_vec();
    let long = [
        (
            "a long extension",
            format!("2;a={}\r\n{{}}\r\n0\r\n\r\n", "x".repeat(20_000)),
        ),
        (
            "a long trailer",
            format!("2\r\n{{}}\r\n0\r\nX: {}\r\n\r\n", "x".repeat(70_000)),
        ),
        (
            "many trailers",
            format!("2\r\n{{}}\r\n0\r\n{}\r\n", "X: y\r\n".repeat(101)),
        ),
    ];
    cases.extend(long.map(|(name, body)| Case::no_rest(name, format!("{HEAD}{body}"))));
    run("chunks that cannot be read", &cases);
}

#[test]
fn a_chunk_that_does_not_end_is_a_broken_answer() {
    let ends = [
        ("within a size", "2"),
        ("after a size", "2\r\n"),
        ("within a chunk", "5\r\n{}"),
        ("after a chunk", "2\r\n{}"),
        ("within the last size", "2\r\n{}\r\n0"),
        ("before the trailers", "2\r\n{}\r\n0\r\n"),
        ("within a trailer", "2\r\n{}\r\n0\r\nX: y"),
        ("before the last line", "2\r\n{}\r\n0\r\nX: y\r\n"),
        (
            "a size of all there is",
            "ffffffffffffffff\r\n{}\r\n0\r\n\r\n",
        ),
        (
            "a size of half of it",
            "7fffffffffffffff\r\n{}\r\n0\r\n\r\n",
        ),
    ];
    let cases = ends.map(|(name, body)| {
        let case = Case::no_rest(&format!("ends {name}"), format!("{HEAD}{body}"));
        case.then(End::Close)
    });
    run("chunks that do not end", &cases);
}

#[test]
fn trailers_and_extensions_stay_behind() {
    let bodies = [
        ("a trailer", "2\r\n{}\r\n0\r\nX-Trailer: theirs\r\n\r\n"),
        ("a token", "2\r\n{}\r\n0\r\nX-Auth-Token: theirs\r\n\r\n"),
        ("a cookie", "2\r\n{}\r\n0\r\nSet-Cookie: theirs=1\r\n\r\n"),
        ("a code", "2\r\n{}\r\n0\r\nX-Gateway-Code: theirs\r\n\r\n"),
        ("an id", "2\r\n{}\r\n0\r\nX-Correlation-Id: theirs\r\n\r\n"),
        ("a length", "2\r\n{}\r\n0\r\nContent-Length: 999\r\n\r\n"),
        (
            "a transfer coding",
            "2\r\n{}\r\n0\r\nTransfer-Encoding: theirs\r\n\r\n",
        ),
        (
            "a close",
            "2\r\n{}\r\n0\r\nConnection: close, theirs\r\n\r\n",
        ),
        (
            "a hundred",
            &format!("2\r\n{{}}\r\n0\r\n{}\r\n", "X: theirs\r\n".repeat(100)),
        ),
        ("an extension", "2;theirs\r\n{}\r\n0;theirs=\"1\"\r\n\r\n"),
        ("a space after the size", "2 \t\r\n{}\r\n0\r\n\r\n"),
        (
            "zeros before the size",
            "00000000000000000002\r\n{}\r\n000\r\n\r\n",
        ),
        ("large letters", "2\r\n{}\r\n0\r\n\r\n"),
        ("chunks of a byte", "1\r\n{\r\n1\r\n}\r\n0\r\n\r\n"),
    ];
    for (name, body) in bodies {
        let case = Case::passed(name, format!("{HEAD}{body}"), 200, "{}");
        let answer = case.run().expect("a whole answer");
        let mut names: Vec<&str> = answer.fields.iter().map(|(name, _)| &**name).collect();
        names.sort_unstable();
        let expected = ["content-length", "date", "x-correlation-id"];
        assert_eq!(names, expected, "{name}");
        assert!(!format!("{answer:?}").contains("theirs"), "{name}");
    }
    super::tell("trailers and extensions", bodies.len());
}

#[test]
fn an_answer_too_long_to_be_collected_is_cut_where_it_breaks() {
    let filler = "x".repeat(MIB + 1);
    let chunk = format!("{:x}\r\n{filler}\r\n", filler.len());
    let length = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", 2 * MIB);
    let ends = [
        ("no further chunk", format!("{HEAD}{chunk}")),
        ("half a chunk", format!("{HEAD}{chunk}ff\r\nxx")),
        ("half a last chunk", format!("{HEAD}{chunk}0\r\n")),
        ("half a length", format!("{length}{filler}")),
        ("no body", length),
    ];
    let cut = || Told::Cut("upstream_protocol_error");
    let mut cases = ends
        .map(|(name, bytes)| Case::new(name, bytes, cut()).then(End::Close))
        .to_vec();
    let bad = [
        ("a bad size", "g\r\n"),
        ("a size beyond 64 bits", "10000000000000000\r\n"),
        ("an answer in place of a chunk", "HTTP/1.1 200 OK\r\n\r\n"),
        ("a broken trailer", "0\r\nbroken\r\n\r\n"),
    ];
    for (name, more) in bad {
        cases.push(Case::new(name, format!("{HEAD}{chunk}{more}"), cut()));
    }
    let stalls = Told::Cut("upstream_timeout");
    cases.push(
        Case::new("stalls", format!("{HEAD}{chunk}"), stalls)
            .soon()
            .then(End::Hold),
    );
    run("long answers that break", &cases);
}

#[test]
fn an_answer_at_the_edge_of_what_is_collected_is_whole() {
    let mut cases = Vec::new();
    for length in [MIB - 1, MIB, MIB + 1, 2 * MIB] {
        let body = "x".repeat(length);
        let framed = [
            format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}"),
            format!("{HEAD}{length:x}\r\n{body}\r\n0\r\n\r\n"),
        ];
        for bytes in framed {
            let name = format!("{length} behind {:?}", bytes.lines().nth(1));
            let whole = Case::passed(&name, bytes.clone(), 200, &body);
            let more = Case::passed(&name, format!("{bytes}HTTP/1.1 200 OK\r\n\r\n"), 200, &body);
            cases.extend([whole, more.next(Next::New)]);
        }
        let bare = format!("HTTP/1.1 200 OK\r\n\r\n{body}");
        let bare = Case::passed(&format!("{length} to the close"), bare, 200, &body);
        cases.push(bare.then(End::Close).next(Next::New));
    }
    run("answers at the edge", &cases);
}

#[test]
fn the_coding_of_the_content_is_passed_on_unread() {
    let codings = ["gzip", "br", "gzip, gzip", "unknown", ""];
    for coding in codings {
        let mut bytes =
            format!("HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: 20\r\n\r\n")
                .into_bytes();
        let body = b"\x1f\x8b\x08\0\0\0\0\0\0\x03\xff\xfe\0\0\r\n\r\n\0\0";
        bytes.extend_from_slice(body);
        let steps = [Step::Read, Step::Send(bytes)];
        let case = Case {
            told: Told::Passed(200, body.to_vec()),
            ..Case::passed(coding, "", 200, "")
        };
        let answer = case.steps(steps).run().expect("a whole answer");
        assert_eq!(answer.field("content-encoding"), Some(coding));
    }
    super::tell("codings of the content", codings.len());
}
