//! What is asked, and what is told of it.

use super::condition::Condition;
use crate::denial::Denial;
use crate::policy::{Item, Operation, Reported};

/// A request to be explained.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The method.
    pub method: &'a str,
    /// The target: a path and perhaps a query.
    pub target: &'a str,
    /// The whole body.
    pub body: &'a [u8],
}

impl<'a> Asked<'a> {
    /// The path, and the query if there is one.
    pub(super) fn parts(&self) -> (&'a str, Option<&'a str>) {
        match self.target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (self.target, None),
        }
    }
}

/// How a step went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// Nothing against the request.
    Ok,
    /// The request is denied here.
    Denied,
    /// It would be denied here, and is only reported.
    Reported,
    /// It is settled when the gateway knows more than the request says.
    Depends,
    /// It is not judged here.
    NotJudged,
    /// The decision fell before.
    NotReached,
}

impl Mark {
    /// The word that is shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Denied => "DENIED",
            Self::Reported => "reported",
            Self::Depends => "depends",
            Self::NotJudged => "not judged",
            Self::NotReached => "not reached",
        }
    }
}

/// One step.
#[derive(Debug, Clone)]
pub struct Step {
    /// What is judged.
    pub name: &'static str,
    /// With what outcome.
    pub mark: Mark,
    /// What was compared with what.
    pub compared: String,
}

/// A decision with its steps.
#[derive(Debug)]
pub struct Explanation {
    /// Every step in its order.
    pub steps: Vec<Step>,
    /// Whether the request is allowed, or why not.
    pub outcome: Result<(), Denial>,
    /// What an allowed request still depends on.
    pub condition: Option<Condition>,
    /// What the grants would have refused, where they only report.
    pub reported: Reported,
    /// The operation, where the request names one.
    pub operation: Option<Operation>,
    /// What the body says.
    pub items: Vec<Item>,
}
