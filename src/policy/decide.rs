//! The decision, in three steps that can only be taken in their order: [`permit`] judges the head by
//! the caller's scopes and grants, [`Permitted::query`] the query, [`Queried::body`] the body. The
//! last gives an [`Allowed`], at once or by a proof, which nothing else can make, and which owns the very
//! bytes that were judged.

mod proof;

pub use proof::{Judged, Unproven, Veil};

use super::grants::{Grants, Reported};
use super::metafield::{self, Item};
use super::query::{self, Query};
use super::route::Operation;
use super::rules::Rules;
use crate::denial::Denial;
use bytes::Bytes;

/// An operation that the caller's scopes and grants open, as far as the head tells.
#[derive(Debug)]
pub struct Permitted<'a> {
    operation: Operation,
    grants: &'a Grants,
}

/// A permitted operation whose query was judged.
#[derive(Debug)]
pub struct Queried<'a> {
    permitted: Permitted<'a>,
    query: Query,
}

/// Proof that a request was judged and allowed.
#[derive(Debug)]
pub struct Allowed {
    operation: Operation,
    query: Query,
    body: Bytes,
}

/// Judges the head: the scope, and the grants that need no body. As in every step, `reported` receives the
/// first refusal by grants that was only reported, also where the request is refused for something else.
pub fn permit<'a>(
    grants: &'a Grants,
    operation: Operation,
    reported: &mut Reported,
) -> Result<Permitted<'a>, Denial> {
    grants.permit(&operation, reported)?;
    Ok(Permitted { operation, grants })
}

impl<'a> Permitted<'a> {
    /// Judges the query as it was sent.
    pub fn query(self, raw: Option<&str>, reported: &mut Reported) -> Result<Queried<'a>, Denial> {
        let query = query::judge(&self.operation, raw, self.grants, reported)?;
        Ok(Queried {
            permitted: self,
            query,
        })
    }
}

impl<'a> Queried<'a> {
    /// Judges the whole body: JSON, then fields, then the grants on fields. `items` receives what the
    /// body says, also where it is refused.
    pub fn body(
        self,
        rules: &Rules,
        body: Bytes,
        items: &mut Vec<Item>,
        reported: &mut Reported,
    ) -> Result<Judged<'a>, Denial> {
        let Permitted { operation, grants } = self.permitted;
        if operation.verb.has_body() {
            let read = metafield::judge(&operation, rules, grants.batch_limit(), &body, items);
            // Before the fields, as where it is enforced.
            grants.hold(grants.permit_count(items.len()), reported)?;
            read?;
            grants.hold(grants.permit_items(operation.verb, items), reported)?;
        } else if !body.is_empty() {
            return Err(Denial::MalformedRequest {
                reason: "this operation takes no body",
            });
        }
        let allowed = Allowed {
            operation,
            query: self.query,
            body,
        };
        Ok(Judged::new(allowed, grants, items))
    }
}

impl Allowed {
    /// The operation that was allowed.
    pub fn operation(&self) -> &Operation {
        &self.operation
    }

    /// The bytes that were judged; they are sent as they are.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The target in origin form (RFC 9112 section 3.2.1), written anew.
    pub fn target(&self) -> String {
        let mut target = String::with_capacity(128);
        self.push_target(&mut target);
        target
    }

    /// Appends the target.
    pub fn push_target(&self, out: &mut String) {
        self.operation.push_path(out);
        if !self.query.as_str().is_empty() {
            out.push('?');
            out.push_str(self.query.as_str());
        }
    }
}
