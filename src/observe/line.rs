//! The audit line (contract section 8): who asked for what, what was decided and what came of it.
//! There is no field for a token, a `value`, a `description` or a body, so none can get in.

use super::correlation::CorrelationId;
use super::trace::Trace;
use crate::denial::{Code, push_text};
use crate::identity::Means;
use crate::policy::Item;
use crate::policy::vocabulary::{Id, PermissionSet, StoreHash, Verb};
use compact_str::CompactString;
use http::Method;
use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

/// Where a request came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// A TCP connection.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix,
}

impl std::fmt::Display for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix => f.write_str("unix"),
        }
    }
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// BigCommerce's own answer was passed on.
    Answered,
    /// The gateway answered itself.
    Refused(Code),
    /// It was allowed, but no upstream connection was free in time.
    Crowded,
    /// The client went away before there was an answer, or before its end.
    ClientGone {
        /// Whether policy had allowed the request by then.
        allowed: bool,
    },
    /// The gateway's end came before the answer's.
    DrainCut {
        /// Whether policy had allowed the request by then.
        allowed: bool,
    },
    /// An answer took longer to be passed on than is allowed.
    AnswerLate,
    /// The upstream broke off in the middle of an answer that was already being passed on.
    AnswerCut(Code),
}

impl Outcome {
    /// Whether policy allowed the request.
    pub const fn allowed(self) -> bool {
        match self {
            Self::Answered | Self::Crowded | Self::AnswerLate | Self::AnswerCut(_) => true,
            Self::Refused(code) => code.follows_permission(),
            Self::ClientGone { allowed } | Self::DrainCut { allowed } => allowed,
        }
    }

    /// The line's `decision`.
    pub const fn decision(self) -> &'static str {
        if self.allowed() { "allowed" } else { "denied" }
    }

    /// The line's `code`.
    pub const fn code(self) -> Option<&'static str> {
        match self {
            Self::Answered => None,
            Self::Crowded => Some(Code::Overloaded.as_str()),
            Self::AnswerLate => Some("answer_timeout"),
            Self::Refused(code) | Self::AnswerCut(code) => Some(code.as_str()),
            Self::ClientGone { .. } => Some("client_gone"),
            Self::DrainCut { .. } => Some("drain_cut"),
        }
    }
}

/// Whether the request reached the upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// Not a byte of it left.
    No,
    /// The upstream answered it.
    Yes,
    /// Some of it left, and no answer came.
    Unknown,
}

/// Which of a store's credentials an answer was given to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Used {
    /// The one in force.
    #[default]
    Current,
    /// The one before it (`credential.previous`).
    Previous,
}

/// One decision.
#[derive(Debug, Clone)]
pub struct Line {
    /// When the request's head had arrived.
    pub time: jiff::Timestamp,
    /// The id in `X-Correlation-Id`.
    pub correlation_id: CorrelationId,
    /// Where the request came from.
    pub peer: Peer,
    /// The caller's name, once known; also where its token has expired.
    pub caller: Option<std::sync::Arc<crate::identity::Caller>>,
    /// How it was identified; `None` if it was not.
    pub identified_by: Option<Means>,
    /// The store in the path, once known.
    pub store: Option<StoreHash>,
    /// The operation, once known.
    pub verb: Option<Verb>,
    /// The request's method; `None` for a word that is none.
    pub method: Option<Method>,
    /// The customer in the path.
    pub customer: Option<Id>,
    /// The metafield in the path.
    pub metafield: Option<Id>,
    /// What the body says; `None` if it was not read to its end.
    pub items: Option<Vec<Item>>,
    /// How it ended.
    pub outcome: Outcome,
    /// What the grants of a caller that is only reported would have refused.
    pub reported: Option<Code>,
    /// How many look-ups were made for it.
    pub lookups: u32,
    /// Whether it reached the upstream.
    pub sent: Sent,
    /// Which credential it was sent with, if it was sent.
    pub credential: Used,
    /// The upstream's status.
    pub upstream_status: Option<u16>,
    /// From the head's arrival to the outcome.
    pub duration: Duration,
    /// From the first try to send to the head of the upstream's answer.
    pub upstream: Option<Duration>,
    /// Its steps, if it is traced; not in the line's text.
    pub trace: Option<Box<Trace>>,
}

/// The bytes of most lines.
const ROOM: usize = 768;

impl Line {
    /// How much of the queue the line takes: one place for each KiB of the texts it holds, so that the
    /// queue's memory is bounded whatever the lines are.
    pub fn weight(&self) -> u32 {
        let texts = |item: &Item| {
            let length = |text: &Option<CompactString>| text.as_ref().map_or(0, CompactString::len);
            length(&item.namespace) + length(&item.key) + size_of::<Item>()
        };
        let bytes: usize = self.items.iter().flatten().map(texts).sum();
        u32::try_from(1 + bytes / 1024).unwrap_or(u32::MAX)
    }

    /// Appends the line, with its line break, as one JSON object.
    pub fn push_json(&self, out: &mut Vec<u8>) {
        out.reserve(ROOM);
        let mut object = Object { out };
        object.display("time", format_args!("{:.6}", self.time));
        object.word(
            "correlation_id",
            std::str::from_utf8(self.correlation_id.as_bytes()).ok(),
        );
        object.display("peer", format_args!("{}", self.peer));
        object.text(
            "caller",
            self.caller.as_ref().map(|caller| caller.name.as_str()),
        );
        object.word("identified_by", self.identified_by.map(Means::as_str));
        object.word("store", self.store.as_ref().map(StoreHash::as_str));
        object.word("operation", self.verb.map(Verb::as_str));
        object.text("method", self.method.as_ref().map(Method::as_str));
        object.number("customer_id", self.customer.map(Id::get));
        if self.verb.is_some_and(Verb::is_batch) {
            self.push_batch(&mut object);
        } else {
            self.push_single(&mut object);
        }
        object.word("decision", Some(self.outcome.decision()));
        object.word("code", self.outcome.code());
        object.word("reported", self.reported.map(Code::as_str));
        object.number("lookups", Some(self.lookups.into()));
        object.word("sent", Some(self.sent.as_str()));
        let credential = (self.sent != Sent::No).then(|| self.credential.as_str());
        object.word("credential", credential);
        object.number("upstream_status", self.upstream_status.map(u64::from));
        object.number("duration_us", Some(microseconds(self.duration)));
        object.number("upstream_us", self.upstream.map(microseconds));
        out.extend_from_slice(b"}\n");
    }

    fn push_single(&self, object: &mut Object<'_>) {
        let item = self.items.iter().flatten().next();
        object.number("metafield_id", self.metafield.map(Id::get));
        object.text("namespace", item.and_then(|item| item.namespace.as_deref()));
        object.text("key", item.and_then(|item| item.key.as_deref()));
        object.word(
            "permission_set",
            item.and_then(|item| item.permission_set)
                .map(PermissionSet::as_str),
        );
    }

    fn push_batch(&self, object: &mut Object<'_>) {
        let Some(items) = &self.items else {
            for name in [
                "items",
                "metafield_ids",
                "namespaces",
                "keys",
                "permission_sets",
            ] {
                object.number(name, None);
            }
            return;
        };
        object.number("items", Some(items.len() as u64));
        let items = items.iter();
        object.array(
            "metafield_ids",
            items
                .clone()
                .map(|item| Member::Number(item.id.map(Id::get))),
        );
        object.array(
            "namespaces",
            items
                .clone()
                .map(|item| Member::Text(item.namespace.as_deref())),
        );
        object.array(
            "keys",
            items.clone().map(|item| Member::Text(item.key.as_deref())),
        );
        object.array(
            "permission_sets",
            items.map(|item| Member::Text(item.permission_set.map(PermissionSet::as_str))),
        );
    }
}

impl Used {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Previous => "previous",
        }
    }
}

impl Sent {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::No => "no",
            Self::Yes => "yes",
            Self::Unknown => "unknown",
        }
    }
}

fn microseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

enum Member<'a> {
    Text(Option<&'a str>),
    Number(Option<u64>),
}

/// Writes the members of one object. A value that is not known is `null`, so that every line has the
/// same members.
struct Object<'a> {
    out: &'a mut Vec<u8>,
}

impl Object<'_> {
    fn name(&mut self, name: &str) {
        self.out
            .extend_from_slice(if name == "time" { b"{\"" } else { b",\"" });
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    fn value(&mut self, value: &Member<'_>) {
        match value {
            Member::Text(Some(text)) => push_text(self.out, text),
            Member::Number(Some(number)) => {
                self.out
                    .extend_from_slice(itoa::Buffer::new().format(*number).as_bytes());
            }
            Member::Text(None) | Member::Number(None) => self.out.extend_from_slice(b"null"),
        }
    }

    fn text(&mut self, name: &str, text: Option<&str>) {
        self.name(name);
        self.value(&Member::Text(text));
    }

    /// For our own words, which need no escaping.
    fn word(&mut self, name: &str, word: Option<&str>) {
        self.name(name);
        match word {
            Some(word) => {
                self.out.push(b'"');
                self.out.extend_from_slice(word.as_bytes());
                self.out.push(b'"');
            }
            None => self.out.extend_from_slice(b"null"),
        }
    }

    fn number(&mut self, name: &str, number: Option<u64>) {
        self.name(name);
        self.value(&Member::Number(number));
    }

    /// For texts that need no escaping.
    fn display(&mut self, name: &str, text: std::fmt::Arguments<'_>) {
        self.name(name);
        drop(write!(self.out, "\"{text}\""));
    }

    fn array<'m>(&mut self, name: &str, members: impl Iterator<Item = Member<'m>>) {
        self.name(name);
        self.out.push(b'[');
        for (index, member) in members.enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            self.value(&member);
        }
        self.out.push(b']');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line() -> Line {
        Line {
            time: jiff::Timestamp::UNIX_EPOCH,
            correlation_id: CorrelationId::from_random([0xff; 16]),
            peer: Peer::Tcp(SocketAddr::from(([127, 0, 0, 1], 4711))),
            caller: None,
            identified_by: None,
            store: StoreHash::parse("abc"),
            verb: Some(Verb::UpdateBatch),
            method: Some(Method::PUT),
            customer: None,
            metafield: None,
            items: Some(vec![
                Item {
                    id: Id::new(7),
                    ..Item::default()
                },
                Item {
                    permission_set: PermissionSet::from_name("read"),
                    ..Item::default()
                },
            ]),
            outcome: Outcome::Refused(Code::OperationDenied),
            reported: None,
            lookups: 1,
            sent: Sent::No,
            credential: Used::Current,
            upstream_status: None,
            duration: Duration::from_micros(1500),
            upstream: None,
            trace: None,
        }
    }

    fn json(line: &Line) -> String {
        let mut out = Vec::new();
        line.push_json(&mut out);
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn a_batch_line_has_arrays() {
        assert_eq!(
            json(&line()),
            concat!(
                r#"{"time":"1970-01-01T00:00:00.000000Z","correlation_id":"ffffffff-ffff-4fff-bfff-ffffffffffff","#,
                r#""peer":"127.0.0.1:4711","caller":null,"identified_by":null,"store":"abc","operation":"update_batch","method":"PUT","#,
                r#""customer_id":null,"items":2,"metafield_ids":[7,null],"namespaces":[null,null],"keys":[null,null],"#,
                r#""permission_sets":[null,"read"],"decision":"denied","code":"operation_denied","reported":null,"lookups":1,"sent":"no","credential":null,"#,
                r#""upstream_status":null,"duration_us":1500,"upstream_us":null}"#,
                "\n"
            )
        );
    }

    #[test]
    fn a_batch_that_was_not_read_has_no_number() {
        let unread = Line {
            items: None,
            ..line()
        };
        let text = json(&unread);
        assert!(
            text.contains(r#""items":null,"metafield_ids":null,"namespaces":null,"keys":null,"permission_sets":null,"decision""#),
            "{text}"
        );
    }

    #[test]
    fn a_single_line_has_scalars_and_escapes_what_the_client_chose() {
        let single = Line {
            verb: None,
            items: None,
            method: Method::from_bytes(b"G`T").ok(),
            outcome: Outcome::Answered,
            ..line()
        };
        let text = json(&single);
        assert!(text.contains(r#""operation":null,"method":"G`T","customer_id":null,"metafield_id":null,"namespace":null,"key":null,"permission_set":null,"decision":"allowed","code":null"#), "{text}");
    }
}
