//! The four fields of a caller that the gateway takes over, and in which form: what is not plain is as if
//! it had not been sent.

use super::text::bytes;
use super::{Case, End, Expected, Sent, check};
use crate::support::client::ONE;

/// What a field's lines come to: the bytes after `=>`, nothing behind it if they are dropped.
const LINES: &str = r#"
    Accept: application/json => application/json
    Accept:   application/json;q=0.5,\x20*/* \t => application/json;q=0.5, */*
    ACCEPT: a~accept: b => a, b
    Accept: a~X: y~Accept: b => a, b
    Accept: a, b~Accept: c;q="d,e" => a, b, c;q="d,e"
    Accept: a\tb =>
    Accept: \xe4 =>
    Accept: a~Accept: \xff =>
    Accept: =>
    Accept: \x80 =>
    Accept: ä€ =>
    Accept: a%0d%0aX-Auth-Token: x => a%0d%0aX-Auth-Token: x
    Accept: a\\r\\nX: y => a\\r\\nX: y
    Accept-Encoding: gzip => gzip
    Accept-Encoding: gzip~Accept-Encoding: br => gzip, br
    Accept-Encoding: identity;q=0, * => identity;q=0, *
    Accept-Encoding: gzip\t, br =>
    Accept-Encoding: \xa0gzip =>
    User-Agent: client/1.0 (x; y) => client/1.0 (x; y)
    user-agent:x => x
    User-Agent: a~User-Agent: b =>
    User-Agent: =>
    User-Agent: \xff =>
    User-Agent: a\tb =>
    User-Agent: 😀 =>
    User-Agent: kube-probe/1.30 => kube-probe/1.30
    User-Agent: GoogleHC/1.0 => GoogleHC/1.0
    User-Agent: <script>alert(1)</script> => <script>alert(1)</script>
    User_Agent: x =>
    Accept_Encoding: x =>
    X-Accept: x =>
"#;

fn case(fields: &str, name: &str, taken: Option<String>) -> Case {
    let mut sent = Sent::new("GET", ONE, None);
    if let Some(taken) = taken {
        match name.to_ascii_lowercase().as_str() {
            "accept" => sent.accept = Some(taken),
            "accept-encoding" => sent.accept_encoding = Some(taken),
            "user-agent" => sent.user_agent = taken,
            other => panic!("{other} is never taken over"),
        }
    }
    Case {
        title: format!("{fields:.200}"),
        bytes: bytes(&format!("READ~{fields}~~")),
        answers: vec![Expected::Served(sent)],
        end: End::Open,
    }
}

#[test]
fn preferences_are_taken_over_in_one_line_or_not_at_all() {
    let mut cases = Vec::new();
    for line in LINES
        .lines()
        .map(str::trim_start)
        .filter(|line| !line.is_empty())
    {
        let (fields, taken) = line.split_once(" =>").expect("an arrow");
        let taken = String::from_utf8(bytes(taken.strip_prefix(' ').unwrap_or(taken)));
        let taken = taken.expect("ASCII");
        let name = fields.split(':').next().expect("a name");
        cases.push(case(
            fields,
            name,
            Some(taken).filter(|taken| !taken.is_empty()),
        ));
    }
    for name in ["Accept", "Accept-Encoding", "User-Agent"] {
        for (length, is_taken) in [(1024, true), (1025, false), (20_000, false)] {
            let value = "x".repeat(length);
            cases.push(case(
                &format!("{name}: {value}"),
                name,
                is_taken.then_some(value),
            ));
        }
    }
    check("headers, preferences", &cases);
}

/// Values of `X-Correlation-Id`; the answer's is a UUID, the caller's own only if it is exactly one, and
/// the upstream sees the same.
const IDS: &str = r#"
    0123abcd-4567-489a-8bcd-0123456789ef keep
    00000000-0000-0000-0000-000000000000 keep
    FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF keep
    0123abcd4567489a8bcd0123456789ef drop
    {0123abcd-4567-489a-8bcd-0123456789ef} drop
    urn:uuid:0123abcd-4567-489a-8bcd-0123456789ef drop
    0123abcd-4567-489a-8bcd-0123456789eg drop
    0123abcd-4567-489a-8bcd-0123456789ef0 drop
    0123abcd-4567-489a-8bcd-0123456789e drop
    0123abcd_4567_489a_8bcd_0123456789ef drop
    0123abcd-4567-489a-8bcd-0123456789ef,x drop
    "0123abcd-4567-489a-8bcd-0123456789ef" drop
    0123abcd-4567-489a-8bcd-0123456789e\xff drop
    ０123abcd-4567-489a-8bcd-0123456789ef drop
    {"decision":"allowed"} drop
    x","decision":"allowed drop
    x%0aX-Auth-Token:%20x drop
    x\\nX-Auth-Token:\\x20x drop
    ../../../etc/passwd drop
    - drop
"#;

#[test]
fn a_correlation_id_is_a_uuid_or_fresh() {
    let mut bench = super::Bench::new("");
    let mut count = 0;
    for line in IDS
        .lines()
        .map(str::trim_start)
        .filter(|line| !line.is_empty())
    {
        let (value, fate) = line.rsplit_once(' ').expect("two columns");
        let once = format!("X-Correlation-Id: {value}");
        let twice = format!("{once}~x-correlation-id: {value}");
        for (fields, is_kept) in [(once, fate == "keep"), (twice, false)] {
            let mut client = bench.gateway.connect();
            client.send(bytes(&format!("READ~{fields}~~")));
            let answer = client.answer();
            let id = answer.field("x-correlation-id").expect("an id");
            assert_eq!(id.eq_ignore_ascii_case(value), is_kept, "{line}: {id}");
            let lengths: Vec<usize> = id.split('-').map(str::len).collect();
            assert_eq!(lengths, [8, 4, 4, 4, 12], "{line}: {id}");
            let digits = id.replace('-', "");
            assert!(
                digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
                "{line}: {id}"
            );
            // What the upstream saw holds the answer's id and nothing of another.
            bench.judge(
                line,
                &Expected::Served(Sent::new("GET", ONE, None)),
                &answer,
            );
            bench.compare(line);
            count += 1;
        }
    }
    bench.finish();
    super::tell("headers, correlation ids", count);
}
