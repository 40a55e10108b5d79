//! The readers of JSON that are compared, and the bodies that all of them read. Whatever a reader reads it
//! must accept: the time of a refusal would say nothing.

mod bodies;

pub use bodies::Body;

use bytes::Bytes;
use metafield_gateway::policy::vocabulary::Scope;
use metafield_gateway::policy::{
    Grants, Judged, Operation, Reported, Rules, UnknownFields, fuzzing, permit,
};
use serde::de::IgnoredAny;
use serde_json::Value;
use std::hint::black_box;

/// One way to read a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// The gateway, as every request passes it: head, query, then the body with the rules of its fields.
    Gateway,
    /// The gateway's strict reading of any JSON, without rules.
    Walk,
    /// `serde_json` into a tree: the last of two equal keys counts.
    SerdeTree,
    /// `serde_json` over everything, keeping nothing: not even UTF-8 is checked.
    SerdeIgnored,
    /// `simd-json` into a tree that borrows from the body, which it changes.
    SimdTree,
}

impl Reader {
    /// Every reader, in the order of the table.
    pub const ALL: [Self; 5] = [
        Self::Gateway,
        Self::Walk,
        Self::SerdeTree,
        Self::SerdeIgnored,
        Self::SimdTree,
    ];

    /// Its name in the table.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Walk => "gateway, walk alone",
            Self::SerdeTree => "serde_json, Value",
            Self::SerdeIgnored => "serde_json, IgnoredAny",
            Self::SimdTree => "simd-json, borrowed",
        }
    }

    /// Reads one body, and drops what came of it.
    ///
    /// # Panics
    ///
    /// Where the body is not accepted.
    pub fn read(self, policy: &Policy, input: &mut Input) {
        match self {
            Self::Gateway => policy.judge(input),
            Self::Walk => {
                black_box(fuzzing::walk(&input.body).expect("strict JSON"));
            }
            Self::SerdeTree => {
                black_box(serde_json::from_slice::<Value>(&input.body).expect("JSON"));
            }
            Self::SerdeIgnored => {
                black_box(serde_json::from_slice::<IgnoredAny>(&input.body).expect("JSON"));
            }
            Self::SimdTree => {
                black_box(simd_json::to_borrowed_value(&mut input.own).expect("JSON"));
            }
        }
    }
}

/// A body as it came, for one reading.
#[derive(Debug)]
pub struct Input {
    operation: Operation,
    body: Bytes,
    /// The same, to be changed by its reader.
    own: Vec<u8>,
}

impl Input {
    /// A copy for this reader.
    pub fn new(reader: Reader, body: &Body) -> Self {
        let own: &[u8] = match reader {
            Reader::SimdTree => &body.text,
            _ => &[],
        };
        Self {
            operation: body.operation.clone(),
            body: Bytes::copy_from_slice(&body.text),
            own: own.to_vec(),
        }
    }
}

/// What the configuration says by default, and a caller with all rights.
#[derive(Debug)]
pub struct Policy {
    grants: Grants,
    rules: Rules,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            grants: Grants::of_scopes(vec![Scope::Customers]),
            rules: Rules {
                unknown_fields: UnknownFields::Refuse,
                batch_items: 10,
                value_length: 65_535,
            },
        }
    }
}

impl Policy {
    fn judge(&self, input: &Input) {
        let (mut items, mut reported) = (Vec::new(), Reported::default());
        let judged = permit(&self.grants, input.operation.clone(), &mut reported)
            .and_then(|permitted| permitted.query(None, &mut reported))
            .and_then(|queried| {
                let body = input.body.clone();
                queried.body(&self.rules, body, &mut items, &mut reported)
            });
        assert!(matches!(judged, Ok(Judged::Allowed(_))), "{judged:?}");
        black_box((judged.is_ok(), items));
    }
}
