//! The accounting finds what it looks for: the records of three requests that agree, and what it says of
//! each way in which they do not.

use super::accounting::Account;
use super::load::{After, Asked, Fate, Id, Kind};

const UPDATE: &str = "00000000-0000-4000-8000-000000000001";
const CREATE: &str = "00000000-0000-4000-8000-000000000002";
const REFUSED: &str = "00000000-0000-4000-8000-000000000003";
const NOBODYS: &str = "00000000-0000-4000-8000-000000000009";

/// The records as they should be, to be tampered with.
struct Records {
    asked: Vec<Asked>,
    audit: Vec<String>,
    received: Vec<&'static str>,
}

fn line(id: &str, code: &str, sent: &str, status: &str) -> String {
    format!(
        r#"{{"correlation_id":"{id}","decision":"allowed","code":{code},"sent":"{sent}","upstream_status":{status}}}"#
    )
}

fn answered(status: u16, code: Option<&str>) -> Fate {
    let code = code.map(str::to_owned);
    Fate::Answered { status, code }
}

fn good() -> Records {
    let asked = [
        (UPDATE, Kind::Update, answered(200, None)),
        (CREATE, Kind::Create, answered(200, None)),
        (
            REFUSED,
            Kind::Get,
            answered(502, Some("upstream_unreachable")),
        ),
    ];
    Records {
        asked: asked
            .map(|(id, kind, fate)| Asked {
                id: Id::parse(id).expect("a UUID"),
                kind,
                fate,
                after: After::Nothing,
            })
            .into(),
        audit: vec![
            line(UPDATE, "null", "yes", "200"),
            line(CREATE, "null", "yes", "200"),
            line(REFUSED, "\"upstream_unreachable\"", "no", "null"),
        ],
        received: vec![UPDATE, CREATE],
    }
}

fn problems(tamper: impl FnOnce(&mut Records)) -> String {
    let mut records = good();
    tamper(&mut records);
    let (audit, received) = (records.audit.join("\n"), records.received.join("\n"));
    Account::of(&records.asked, &audit, &received)
        .problems()
        .join("\n")
}

#[test]
fn records_that_agree_have_no_problem() {
    assert_eq!(problems(|_| ()), "");
    assert_eq!(problems(|records| records.received.push(UPDATE)), "");
    assert_eq!(problems(|records| records.asked[0].after = After::End), "");
}

#[test]
fn an_answer_that_is_amiss_is_found() {
    let fates = [
        (Fate::Unanswered("closed".to_owned()), "no answer"),
        (Fate::Anothers(CREATE.to_owned()), "another's answer"),
        (answered(500, None), "may not be"),
        (answered(502, None), "may not be"),
        (answered(502, Some("upstream_untrusted")), "may not be"),
        (answered(504, Some("upstream_timeout")), "recorded as"),
    ];
    for (fate, expected) in fates {
        let found = problems(|records| records.asked[0].fate = fate.clone());
        assert!(found.contains(expected), "{fate:?}: {found:?}");
    }
    for (after, expected) in [
        (After::EarlyEnd, "ended early"),
        (After::More, "more than one answer"),
    ] {
        let found = problems(|records| records.asked[0].after = after);
        assert!(found.contains(expected), "{found:?}");
    }
}

#[test]
fn an_audit_log_that_is_amiss_is_found() {
    let lines = [
        (0, String::new(), "no audit line"),
        (0, line(CREATE, "null", "yes", "200"), "audit lines ["),
        (0, line(NOBODYS, "null", "yes", "200"), "nobody made"),
        (0, line("x", "null", "yes", "200"), "an id of nobody's"),
        (0, line(UPDATE, "null", "no", "null"), "recorded as"),
        (0, line(UPDATE, "null", "unknown", "null"), "recorded as"),
        (0, line(UPDATE, "null", "yes", "404"), "recorded as"),
        (0, line(UPDATE, "null", "perhaps", "200"), "recorded as"),
        (
            0,
            line(UPDATE, "null", "yes", "200").replace("allowed", "denied"),
            "recorded as",
        ),
        (
            2,
            line(REFUSED, "\"upstream_timeout\"", "no", "null"),
            "recorded as",
        ),
        (
            2,
            line(REFUSED, "\"upstream_unreachable\"", "unknown", "null"),
            "recorded as",
        ),
    ];
    for (place, line, expected) in lines {
        let found = problems(|records| {
            records.audit[place].clone_from(&line);
            records.audit.retain(|line| !line.is_empty());
        });
        assert!(found.contains(expected), "{line}: {found:?}");
    }
}

#[test]
fn a_record_of_the_upstream_that_is_amiss_is_found() {
    let records: [(&[&'static str], &str); 6] = [
        (&[CREATE], "received 0 times"),
        (&[UPDATE, CREATE, CREATE], "received it 2 times"),
        (&[UPDATE, UPDATE, UPDATE, CREATE], "received it 3 times"),
        (&[UPDATE, CREATE, REFUSED], "received 1 times"),
        (&[UPDATE, CREATE, NOBODYS], "not audited"),
        (&[UPDATE, CREATE, "x"], "an id of nobody's"),
    ];
    for (received, expected) in records {
        let found = problems(|records| records.received = received.to_vec());
        assert!(found.contains(expected), "{received:?}: {found:?}");
    }
}
