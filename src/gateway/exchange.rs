//! What a request is worth more than one try for: a credential that was replaced a moment ago, and one that
//! an API account before it has left its metafields to. Both only where the upstream has done nothing yet.

use super::Gateway;
use super::current::Current;
use super::inbound::{self, Inbound, InboundBody, Rest, Surroundings};
use super::outbound::{InForce, Outbound, Preferences};
use super::spending::Spending;
use super::upstream::{Progress, Reply};
use crate::denial::Denial;
use crate::observe::{CorrelationId, Sent, Used};
use crate::policy::vocabulary::Verb;
use crate::policy::{Allowed, Credential};
use http::{HeaderMap, StatusCode};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How often a request is sent again that BigCommerce refused for its load.
const MOST_REPEATS: usize = 2;

/// When one may come again whose turn did not come again within its deadline.
const AGAIN: Duration = Duration::from_secs(1);

/// A request that may be sent.
pub(super) struct Exchange<'a> {
    pub(super) current: &'a Rc<Current>,
    pub(super) allowed: &'a Allowed,
    pub(super) preferences: &'a Preferences,
    pub(super) deadline: Instant,
    pub(super) correlation_id: CorrelationId,
    /// What may take up the answer's fields.
    pub(super) room: &'a Cell<HeaderMap>,
    /// What it spends, where that is limited.
    pub(super) spending: Option<&'a Spending>,
}

impl Gateway {
    /// Sends a request with the credential of its store, and gives the answer that counts.
    ///
    /// What few requests need is in boxes of their own, here and below, and takes no room in the others.
    pub(super) async fn exchange(
        &self,
        exchange: &Exchange<'_>,
        progress: &mut Progress,
    ) -> Result<Box<Inbound>, Denial> {
        let first = self.attempt(exchange, Used::Current, progress).await;
        let (mut reply, mut credential) = first?;
        if exchange.spending.is_some() || reply.head.status == StatusCode::UNAUTHORIZED {
            let counts = self.until_it_counts(exchange, (reply, credential), progress);
            (reply, credential) = Box::pin(counts).await?;
        }
        let is_foreign = is_anothers(reply.head.status)
            && may_be_anothers(exchange.allowed)
            && self.has_previous(exchange);
        let first = self.receive(exchange, reply, &credential).await?;
        match first.body {
            InboundBody::Whole { .. } if is_foreign => {
                Box::pin(self.with_previous(exchange, first, progress)).await
            }
            _ => Ok(first),
        }
    }

    /// Sends a request again as long as its answer says to: where it was refused for its load, when its turn has come
    /// again, and where its credential was refused, with another one.
    async fn until_it_counts<'a>(
        &self,
        exchange: &Exchange<'a>,
        first: (Reply, InForce<'a>),
        progress: &mut Progress,
    ) -> Result<(Reply, InForce<'a>), Denial> {
        let (mut reply, mut credential) = first;
        let mut repeats = 0;
        while let Some(spending) = exchange.spending.filter(|_| repeats < MOST_REPEATS)
            && spending.can_try_again(&reply.head, exchange.allowed.operation().verb.reads())
        {
            repeats += 1;
            drop(reply);
            let again = Box::pin(spending.wait_again(&self.shared.turns));
            let again = tokio::time::timeout_at(exchange.deadline, again).await;
            // It was sent, and refused: nothing was done, and nothing is unknown.
            again.unwrap_or(Err(Denial::QuotaExhausted {
                what: "BigCommerce refused the request, and its turn did not come again",
                retry: AGAIN,
            }))?;
            let again = self.attempt(exchange, Used::Current, progress);
            (reply, credential) = Box::pin(again).await?;
        }
        if reply.head.status == StatusCode::UNAUTHORIZED {
            // Its place among the upstream's connections is for the others while this one waits.
            drop(reply);
            if !Box::pin(self.has_another(exchange, &credential)).await {
                return Err(Denial::UpstreamCredentialRefused);
            }
            self.metrics.credential_renewed();
            let again = self.attempt(exchange, Used::Current, progress);
            (reply, credential) = Box::pin(again).await?;
        }
        Ok((reply, credential))
    }

    /// Tries the previous credential; what it is refused too, or cannot be asked, is answered as the current
    /// one was.
    async fn with_previous(
        &self,
        exchange: &Exchange<'_>,
        mut first: Box<Inbound>,
        progress: &mut Progress,
    ) -> Result<Box<Inbound>, Denial> {
        first.give_back(exchange.current.upstream.pool());
        let first_progress = progress.clone();
        match self.attempt(exchange, Used::Previous, progress).await {
            Ok((reply, previous)) if reply.head.status.is_success() => {
                self.metrics.previous_credential_used();
                return self.receive(exchange, reply, &previous).await;
            }
            // What may have been done must not be hidden behind the first answer's "not found".
            Err(denial)
                if !exchange.allowed.operation().verb.reads()
                    && progress.sent() == Sent::Unknown =>
            {
                return Err(denial);
            }
            Ok(_) | Err(_) => {}
        }
        *progress = first_progress;
        Ok(first)
    }

    /// Receives an answer to what was sent with this credential.
    async fn receive(
        &self,
        exchange: &Exchange<'_>,
        reply: Reply,
        credential: &InForce<'_>,
    ) -> Result<Box<Inbound>, Denial> {
        let Exchange {
            current, deadline, ..
        } = *exchange;
        let Reply {
            mut head,
            body,
            place,
        } = reply;
        inbound::open(&mut head, credential)?;
        let rest = Rest::new(body, place);
        let method = &exchange.allowed.operation().method;
        let room = current.answers.hold();
        let around = || Surroundings {
            credential: credential.keep(),
            patience: current.snapshot.upstream.body_timeout,
            answer_timeout: current.snapshot.limits.answer_timeout,
            pool: Rc::clone(current.upstream.pool()),
        };
        let received =
            inbound::receive(&mut head, rest, method, credential, deadline, room, &around).await;
        let body = received?;
        Ok(Box::new(Inbound { head, body }))
    }

    /// Sends the request once, with the credential that is in force when it is written: a request that had
    /// to wait does not bring an old one.
    async fn attempt<'a>(
        &self,
        exchange: &Exchange<'a>,
        which: Used,
        progress: &mut Progress,
    ) -> Result<(Reply, InForce<'a>), Denial> {
        let Exchange {
            current, allowed, ..
        } = *exchange;
        // A request may have begun before the store had a previous credential.
        let newer = || self.pick_in_force(exchange, which).map(InForce::Newer);
        let first = pick(current, allowed, which).map(InForce::Still);
        let first = first.or_else(newer).ok_or(Denial::UnknownStore)?;
        progress.bear(which);
        let used = RefCell::new(first);
        let in_force = || {
            if !Rc::ptr_eq(&self.current(), current)
                && let Some(newer) = newer()
            {
                used.replace(newer);
            }
            used.borrow().clone()
        };
        let outbound = Outbound {
            allowed,
            credential: &in_force,
            destination: current.upstream.destination(),
            preferences: exchange.preferences,
            correlation_id: exchange.correlation_id,
            room: exchange.room,
        };
        let unit = match exchange.spending {
            Some(spending) => spending.attempt().await?,
            None => None,
        };
        let upstream = &current.upstream;
        let sent = upstream.send(&outbound, exchange.deadline, progress).await;
        if let (Some(spending), Some(unit)) = (exchange.spending, unit) {
            match &sent {
                Ok(reply) => {
                    spending.answered(unit, reply.head.status, &reply.head.headers);
                }
                Err(_) if !progress.may_have_arrived() => unit.unsent(),
                Err(_) => {}
            }
        }
        Ok((sent?, used.into_inner()))
    }

    /// Whether there is another credential than the refused one, if need be after reading it again.
    async fn has_another(&self, exchange: &Exchange<'_>, refused: &Credential) -> bool {
        let is_another = || {
            self.pick_in_force(exchange, Used::Current)
                .is_some_and(|now| !now.is_same(refused))
        };
        if is_another() {
            return true;
        }
        let Some(renewals) = &self.renewals else {
            return false;
        };
        let asked = renewals.ask(exchange.allowed.operation().store);
        tokio::time::timeout_at(exchange.deadline, asked)
            .await
            .is_ok_and(|()| is_another())
    }

    fn has_previous(&self, exchange: &Exchange<'_>) -> bool {
        self.pick_in_force(exchange, Used::Previous).is_some()
    }

    /// The credential in force, if it is for the upstream that this request goes to: after a change of
    /// `upstream.url` the new credential is nothing for the old one to see.
    fn pick_in_force(&self, exchange: &Exchange<'_>, which: Used) -> Option<Arc<Credential>> {
        let now = self.current();
        if now.leads_where(exchange.current) {
            pick(&now, exchange.allowed, which).cloned()
        } else {
            None
        }
    }
}

fn pick<'c>(current: &'c Current, allowed: &Allowed, which: Used) -> Option<&'c Arc<Credential>> {
    let credentials = current.snapshot.credentials(&allowed.operation().store)?;
    match which {
        Used::Current => Some(&credentials.current),
        Used::Previous => credentials.previous.as_ref(),
    }
}

/// How BigCommerce answers an API account for a metafield of another one.
fn is_anothers(status: StatusCode) -> bool {
    matches!(status, StatusCode::FORBIDDEN | StatusCode::NOT_FOUND)
}

/// Whether one metafield is named by its id, so that only its owner can do what is asked. What creates or
/// names many belongs to the account in force alone.
fn may_be_anothers(allowed: &Allowed) -> bool {
    matches!(
        allowed.operation().verb,
        Verb::Get | Verb::Update | Verb::Delete
    )
}
