//! What must be refused: tables of requests by theme, a case a line, each with the status and the code
//! of its answer. One checker judges every answer of the gateway's own by its whole shape, that the
//! upstream was left alone, and the audit line.

mod bare;
mod batch;
mod credentials;
mod fields;
mod framing;
mod grants;
mod headers;
mod json;
mod order;
mod query;
mod size;
mod target;

use crate::support::client::Request;
use crate::support::fake::Fake;
use crate::support::gateway::Setup;
use crate::support::http1::Message;
use crate::support::table::{columns, place};
use serde_json::Value;

/// What every token, credential and value in these tables begins with, and no answer or audit line may
/// hold.
const CANARY: &str = "canary-";

/// A request and the refusal it must meet.
#[derive(Debug)]
struct Case {
    title: String,
    bytes: Vec<u8>,
    to_head: bool,
    status: u16,
    code: String,
}

impl Case {
    fn new(status: &str, code: &str, request: &Request) -> Self {
        Self::raw(status, code, &request.method, request.to_bytes())
    }

    /// A case whose bytes no [`Request`] would write.
    fn raw(status: &str, code: &str, method: &str, bytes: Vec<u8>) -> Self {
        let shown: String = String::from_utf8_lossy(&bytes).chars().take(300).collect();
        Self {
            title: format!("{status} {code}: {shown:?}"),
            bytes,
            to_head: method == "HEAD",
            status: status.parse().expect("a status"),
            code: code.to_owned(),
        }
    }
}

/// Sends each case on a connection of its own to one gateway. Gives the answers.
fn check(setup: impl FnOnce(Setup) -> Setup, cases: &[Case]) -> Vec<Message> {
    let upstream = Fake::good();
    let gateway = setup(Setup::new(upstream.address)).start();
    let mut answers = Vec::new();
    for case in cases {
        let mut client = gateway.connect();
        client.send(&case.bytes);
        let answer = client.try_answer(case.to_head);
        let answer = answer
            .unwrap_or_else(|error| panic!("{error}: {}", case.title))
            .unwrap_or_else(|| panic!("no answer: {}", case.title));
        check_answer(case, &answer);
        answers.push(answer);
    }
    assert!(
        upstream.connections().is_empty(),
        "the upstream was contacted"
    );
    let lines = gateway.stop();
    assert_eq!(lines.len(), cases.len(), "a line for each case");
    for ((case, answer), line) in cases.iter().zip(&answers).zip(&lines) {
        check_line(case, answer, line);
    }
    answers
}

fn check_answer(case: &Case, answer: &Message) {
    let title = &case.title;
    assert_eq!(
        (answer.status(), answer.code()),
        (case.status, Some(case.code.as_str())),
        "{title}\n{}",
        String::from_utf8_lossy(&answer.body)
    );
    let field = |name: &str| answer.field(name);
    assert_eq!(field("content-type"), Some("application/problem+json"));
    let id = field("x-correlation-id").expect(title);
    assert!(is_uuid(id), "{id} {title}");
    assert_eq!(
        field("www-authenticate").is_some(),
        case.status == 401,
        "{title}"
    );
    assert_eq!(field("allow").is_some(), case.status == 405, "{title}");
    for name in ["retry-after", "x-retry-after"] {
        let seconds = field(name).map(|seconds| seconds.parse::<u32>().expect(title));
        assert_eq!(seconds.is_some(), case.status == 503, "{title}");
        assert!(seconds.is_none_or(|seconds| seconds >= 1), "{title}");
    }
    if case.to_head {
        assert_eq!(answer.body, b"", "{title}");
    } else {
        check_problem(case, &answer.json());
    }
    let text = format!("{answer:?} {}", String::from_utf8_lossy(&answer.body));
    assert!(!text.contains(CANARY), "{title}\n{text}");
}

fn check_problem(case: &Case, problem: &Value) {
    let title = &case.title;
    assert_eq!(problem["status"], case.status, "{title}");
    assert_eq!(problem["code"], case.code.as_str(), "{title}");
    for member in ["title", "type", "detail"] {
        let text = problem[member].as_str().expect(title);
        assert!(!text.is_empty(), "{member} {title}");
    }
    let errors = problem["errors"].as_object().expect(title);
    assert!(errors.values().all(Value::is_string), "{title}");
    if case.status == 422 {
        assert!(!errors.is_empty(), "{title}");
    }
}

fn check_line(case: &Case, answer: &Message, line: &Value) {
    let title = &case.title;
    assert_eq!(line["decision"], "denied", "{title}");
    assert_eq!(line["code"], case.code.as_str(), "{title}");
    assert_eq!(line["sent"], "no", "{title}");
    assert_eq!(line["upstream_status"], Value::Null, "{title}");
    let id = answer.field("x-correlation-id").expect(title);
    assert_eq!(line["correlation_id"], id, "{title}");
    let text = line.to_string();
    assert!(!text.contains(CANARY), "{title}\n{text}");
}

fn is_uuid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    let lengths: Vec<usize> = groups.iter().map(|group| group.len()).collect();
    let digits = |group: &&str| group.bytes().all(|byte| byte.is_ascii_hexdigit());
    lengths == [8, 4, 4, 4, 12] && groups.iter().all(digits)
}
