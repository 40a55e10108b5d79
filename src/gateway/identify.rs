//! Whose request is it: by a static token, by a signed one, or by what the connection proves. A signed token
//! whose issuer's keys are not known yet waits for them once, for a moment; everything else is known at once.

use super::Gateway;
use super::current::Current;
use super::entry::Entry;
use crate::denial::Denial;
use crate::identity::{
    Digest, Evidence, Identity, Means, Rejected, Rejection, Signed, Unidentified, presented_token,
};
use crate::observe::{CorrelationId, Judged};
use crate::policy::TokenScopes;
use http::HeaderMap;
use std::time::Duration;

/// How long a request waits for keys: a fetch takes a round trip or four, and the caller has a deadline too.
const FOR_KEYS: Duration = Duration::from_secs(2);

/// Whose request it is, and what its token narrows that to.
pub(super) struct Identified<'s> {
    pub(super) identity: Identity<'s>,
    pub(super) scopes: Option<TokenScopes>,
}

impl<'s> From<Identity<'s>> for Identified<'s> {
    fn from(identity: Identity<'s>) -> Self {
        Self {
            identity,
            scopes: None,
        }
    }
}

impl Gateway {
    /// Whose request this is, at the moment when it came.
    pub(super) async fn identify<'s>(
        &self,
        current: &'s Current,
        headers: &HeaderMap,
        evidence: &Evidence,
        entry: &Entry,
    ) -> Result<Identified<'s>, Unidentified<'s>> {
        let (now, id) = (entry.time(), entry.correlation_id());
        let snapshot = &*current.snapshot;
        let Some(token) = presented_token(headers)? else {
            let identity = snapshot.callers.identify(headers, evidence, now)?;
            return Ok(identity.into());
        };
        let digest = Digest::of(token);
        let issuers = &snapshot.signers.issuers;
        match snapshot.callers.by_token(&digest, now) {
            Err(unknown)
                if unknown.denial == Denial::UnknownToken && issuers.may_have_signed(token) => {}
            outcome => return outcome.map(Identified::from),
        }
        let now = Duration::try_from(now.as_duration()).unwrap_or_default();
        let judge = || {
            let memory = &mut *self.memory.borrow_mut();
            issuers.identify(token, digest, (memory, current.generation()), now)
        };
        let rejected = match judge() {
            Ok(signed) => return Ok(self.accepted(&signed)),
            Err(rejected) => rejected,
        };
        if rejected.needs_keys()
            && let Some(waiting) = rejected.issuer.and_then(|issuer| issuer.keys.ask(now))
            && tokio::time::timeout(FOR_KEYS, waiting.ended())
                .await
                .is_ok()
        {
            return match judge() {
                Ok(signed) => Ok(self.accepted(&signed)),
                Err(rejected) => Err(self.rejected(&rejected, id)),
            };
        }
        Err(self.rejected(&rejected, id))
    }

    fn accepted<'s>(&self, signed: &Signed<'s>) -> Identified<'s> {
        self.metrics.judged(if signed.remembered {
            Judged::Remembered
        } else {
            Judged::Good
        });
        Identified {
            identity: Identity {
                caller: signed.caller,
                means: Means::SignedToken,
            },
            scopes: signed.scopes,
        }
    }

    fn rejected<'s>(&self, rejected: &Rejected<'_>, id: CorrelationId) -> Unidentified<'s> {
        let rejection = rejected.rejection;
        let issuer = rejected.issuer;
        tracing::debug!(
            issuer = issuer.map(|issuer| issuer.settings.name.as_str()),
            reason = %rejection,
            correlation_id = std::str::from_utf8(id.as_bytes()).ok(),
            "a signed token is not accepted"
        );
        self.metrics.judged(match rejection {
            Rejection::Expired => Judged::Expired,
            Rejection::Unbound | Rejection::SeveralCallers => Judged::Unbound,
            Rejection::NoKeys => Judged::NoKeys,
            _ => Judged::Invalid,
        });
        Denial::from(rejection).into()
    }
}
