//! Three records of the same requests, held against each other: what the clients saw, the audit log, and
//! what the upstream received.

use super::load::{After, Asked, Fate, Id};
use crate::support::http1::json;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

/// The answers that may occur while the gateway lives: a status, and the gateway's code.
const ANSWERS: [(u16, Option<&str>); 5] = [
    (200, None),
    (502, Some("upstream_protocol_error")),
    (502, Some("upstream_unreachable")),
    (503, Some("overloaded")),
    (504, Some("upstream_timeout")),
];
/// How many problems are told of.
const TOLD: usize = 20;

/// What the audit log says of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    decision: String,
    code: Option<String>,
    sent: String,
    upstream_status: Option<u64>,
}

/// The sums, and what is wrong.
#[derive(Debug, Default)]
pub struct Account {
    accepted: usize,
    answers: BTreeMap<String, usize>,
    sent: BTreeMap<String, usize>,
    audited: usize,
    unanswered: usize,
    anothers: usize,
    twice: usize,
    ended_early: usize,
    missing: usize,
    doubled: usize,
    /// Audit lines of requests that nobody made.
    strange: usize,
    received: usize,
    received_twice: usize,
    problems: Vec<String>,
}

impl Account {
    /// Holds the clients' requests against the audit log and the upstream's record.
    pub fn of(asked: &[Asked], audit: &str, record: &str) -> Self {
        let mut account = Self::default();
        let lines = account.read_audit(audit);
        let received = account.read_record(record);
        for asked in asked {
            account.accepted += 1;
            account.client(asked);
            let times = received.get(&asked.id).copied().unwrap_or(0);
            account.received_twice += usize::from(times > 1);
            if times > 2 || (times == 2 && !asked.kind.may_be_sent_again()) {
                account.problem(format!("the upstream received it {times} times: {asked:?}"));
            }
            match lines.get(&asked.id).map_or(&[][..], Vec::as_slice) {
                [] => {
                    account.missing += 1;
                    account.problem(format!("no audit line: {asked:?}"));
                }
                [line] => account.audit(asked, line, times),
                more => {
                    account.doubled += 1;
                    account.problem(format!("audit lines {more:?}: {asked:?}"));
                }
            }
        }
        account.nothing_else(asked, &lines, &received);
        account
    }

    /// What is wrong.
    pub fn problems(&self) -> &[String] {
        &self.problems
    }

    /// How many requests the upstream received a second time, where that is allowed or not.
    pub fn received_twice(&self) -> usize {
        self.received_twice
    }

    fn problem(&mut self, text: String) {
        if self.problems.len() < TOLD {
            self.problems.push(text);
        }
    }

    fn read_audit(&mut self, audit: &str) -> HashMap<Id, Vec<Line>> {
        let mut lines: HashMap<_, Vec<_>> = HashMap::new();
        for text in audit.lines() {
            self.audited += 1;
            let line = json(text.as_bytes());
            let id = line["correlation_id"].as_str().and_then(Id::parse);
            match id {
                Some(id) => lines.entry(id).or_default().push(Line::of(&line)),
                None => self.problem(format!("an id of nobody's: {text}")),
            }
        }
        lines
    }

    fn read_record(&mut self, record: &str) -> HashMap<Id, usize> {
        let mut received = HashMap::new();
        for text in record.lines() {
            self.received += 1;
            match Id::parse(text) {
                Some(id) => *received.entry(id).or_default() += 1,
                None => self.problem(format!("the upstream received an id of nobody's: {text}")),
            }
        }
        received
    }

    /// One answer, of a kind that may be, and the request's own.
    fn client(&mut self, asked: &Asked) {
        match &asked.fate {
            Fate::Answered { status, code } => {
                let name = code.as_deref().unwrap_or("of the upstream");
                *self.answers.entry(format!("{status} {name}")).or_default() += 1;
                if !ANSWERS.contains(&(*status, code.as_deref())) {
                    self.problem(format!("an answer that may not be: {asked:?}"));
                }
            }
            Fate::Anothers(_) => {
                self.anothers += 1;
                self.problem(format!("another's answer: {asked:?}"));
            }
            Fate::Unanswered(_) => {
                self.unanswered += 1;
                self.problem(format!("no answer: {asked:?}"));
            }
        }
        match asked.after {
            After::Nothing | After::End => {}
            After::EarlyEnd => {
                self.ended_early += 1;
                self.problem(format!("the connection ended early: {asked:?}"));
            }
            After::More => {
                self.twice += 1;
                self.problem(format!("more than one answer: {asked:?}"));
            }
        }
    }

    /// The audit line agrees with what the client saw and with how often the upstream received it.
    fn audit(&mut self, asked: &Asked, line: &Line, times: usize) {
        *self.sent.entry(line.sent.clone()).or_default() += 1;
        let agrees = match &asked.fate {
            Fate::Answered { code, .. } => line.code == *code,
            Fate::Anothers(_) | Fate::Unanswered(_) => true,
        };
        let is_whole = match line.sent.as_str() {
            "yes" => line.upstream_status == Some(200) && times > 0,
            "unknown" => line.upstream_status.is_none() && line.code.is_some(),
            "no" => line.upstream_status.is_none() && line.code.is_some() && times == 0,
            _ => false,
        };
        // A caller who is told that the upstream was not reached may rely on it.
        let told = matches!(
            line.code.as_deref(),
            Some("upstream_unreachable" | "overloaded")
        );
        let is_true = !told || line.sent == "no";
        if line.decision != "allowed" || !agrees || !is_whole || !is_true {
            self.problem(format!(
                "received {times} times, and recorded as {line:?}: {asked:?}"
            ));
        }
    }

    /// Nobody else's requests are in the audit log or came to the upstream, and no answer came twice.
    fn nothing_else(
        &mut self,
        asked: &[Asked],
        lines: &HashMap<Id, Vec<Line>>,
        received: &HashMap<Id, usize>,
    ) {
        let known: HashSet<Id> = asked.iter().map(|asked| asked.id).collect();
        for id in lines.keys().filter(|id| !known.contains(id)) {
            self.strange += 1;
            self.problem(format!("an audit line of a request that nobody made: {id}"));
        }
        for id in received.keys().filter(|id| !lines.contains_key(id)) {
            self.problem(format!("received by the upstream, and not audited: {id}"));
        }
        let answered: HashSet<String> = asked
            .iter()
            .filter(|asked| matches!(asked.fate, Fate::Answered { .. }))
            .map(|asked| asked.id.to_string())
            .collect();
        let again = asked.iter().filter(
            |asked| matches!(&asked.fate, Fate::Anothers(whose) if answered.contains(whose)),
        );
        self.twice += again.count();
    }
}

impl Line {
    fn of(line: &Value) -> Self {
        let text = |name: &str| line[name].as_str().map(str::to_owned);
        Self {
            decision: text("decision").unwrap_or_default(),
            code: text("code"),
            sent: text("sent").unwrap_or_default(),
            upstream_status: line["upstream_status"].as_u64(),
        }
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut row = |name: &str, value: usize| writeln!(f, "{name:<40}{value:>10}");
        row("requests accepted", self.accepted)?;
        for (name, count) in &self.answers {
            row(&format!("  answered {name}"), *count)?;
        }
        row("  unanswered", self.unanswered)?;
        row("  answered twice", self.twice)?;
        row("  answered with another's", self.anothers)?;
        row("  connections ended early", self.ended_early)?;
        row("audit lines", self.audited)?;
        for (name, count) in &self.sent {
            row(&format!("  sent: {name}"), *count)?;
        }
        row("  missing", self.missing)?;
        row("  doubled", self.doubled)?;
        row("  of requests that nobody made", self.strange)?;
        row("received by the upstream", self.received)?;
        row("  requests received twice", self.received_twice)
    }
}
