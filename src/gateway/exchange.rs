//! What a request is worth more than one try for: a credential that was replaced a moment ago, and one that
//! an API account before it has left its metafields to. Both only where the upstream has done nothing yet.

use super::Gateway;
use super::current::Current;
use super::inbound::{self, Inbound, InboundBody};
use super::outbound::{Outbound, Preferences};
use super::spending::Spending;
use super::upstream::{Progress, Reply};
use crate::denial::Denial;
use crate::observe::{CorrelationId, Sent, Used};
use crate::policy::vocabulary::Verb;
use crate::policy::{Allowed, Credential};
use http::StatusCode;
use std::cell::RefCell;
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
    /// What it spends, where that is limited.
    pub(super) spending: Option<&'a Spending>,
}

/// An answer, and the credential that it was given to.
pub(super) struct Answered {
    pub(super) inbound: Box<Inbound>,
    pub(super) credential: Arc<Credential>,
}

impl Gateway {
    /// Sends a request with the credential of its store, and gives the answer that counts.
    ///
    /// What few requests need is in boxes of their own, here and below, and takes no room in the others.
    pub(super) async fn exchange(
        &self,
        exchange: &Exchange<'_>,
        progress: &mut Progress,
    ) -> Result<Answered, Denial> {
        let first = self.attempt(exchange, Used::Current, progress).await;
        let counts = self.until_it_counts(exchange, first?, progress).await;
        let (reply, credential) = counts?;
        let is_foreign = is_anothers(reply.head.status)
            && may_be_anothers(exchange.allowed)
            && self.has_previous(exchange);
        let first = self.receive(exchange, reply, &credential).await?;
        match first.body {
            InboundBody::Whole { .. } if is_foreign => {
                Box::pin(self.with_previous(exchange, first, credential, progress)).await
            }
            _ => Ok(Answered {
                inbound: first,
                credential,
            }),
        }
    }

    /// Sends a request again as long as its answer says to: where it was refused for its load, when its turn has come
    /// again, and where its credential was refused, with another one.
    async fn until_it_counts(
        &self,
        exchange: &Exchange<'_>,
        first: (Reply, Arc<Credential>),
        progress: &mut Progress,
    ) -> Result<(Reply, Arc<Credential>), Denial> {
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
        credential: Arc<Credential>,
        progress: &mut Progress,
    ) -> Result<Answered, Denial> {
        first.give_back(exchange.current.upstream.pool());
        let first_progress = progress.clone();
        match self.attempt(exchange, Used::Previous, progress).await {
            Ok((reply, previous)) if reply.head.status.is_success() => {
                self.metrics.previous_credential_used();
                let inbound = self.receive(exchange, reply, &previous).await?;
                return Ok(Answered {
                    inbound,
                    credential: previous,
                });
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
        Ok(Answered {
            inbound: first,
            credential,
        })
    }

    /// Receives an answer to what was sent with this credential.
    async fn receive(
        &self,
        exchange: &Exchange<'_>,
        reply: Reply,
        credential: &Credential,
    ) -> Result<Box<Inbound>, Denial> {
        let (mut head, rest) = inbound::open(reply, credential)?;
        let room = exchange.current.answers.hold();
        let method = &exchange.allowed.operation().method;
        let headers = &mut head.headers;
        let deadline = exchange.deadline;
        let body = inbound::receive(headers, rest, method, credential, deadline, room).await?;
        Ok(Box::new(Inbound { head, body }))
    }

    /// Sends the request once, with the credential that is in force when it is written: a request that had
    /// to wait does not bring an old one.
    async fn attempt(
        &self,
        exchange: &Exchange<'_>,
        which: Used,
        progress: &mut Progress,
    ) -> Result<(Reply, Arc<Credential>), Denial> {
        let Exchange {
            current, allowed, ..
        } = exchange;
        // A request may have begun before the store had a previous credential.
        let first = pick(current, allowed, which).or_else(|| self.pick_in_force(exchange, which));
        let first = first.ok_or(Denial::UnknownStore)?;
        progress.bear(which);
        let used = RefCell::new(first);
        let in_force = || {
            if !Rc::ptr_eq(&self.current(), current)
                && let Some(newer) = self.pick_in_force(exchange, which)
            {
                used.replace(newer);
            }
            Arc::clone(&used.borrow())
        };
        let outbound = Outbound {
            allowed,
            credential: &in_force,
            destination: current.upstream.destination(),
            preferences: exchange.preferences,
            correlation_id: exchange.correlation_id,
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
        now.leads_where(exchange.current)
            .then(|| pick(&now, exchange.allowed, which))
            .flatten()
    }
}

fn pick(current: &Current, allowed: &Allowed, which: Used) -> Option<Arc<Credential>> {
    let credentials = current.snapshot.credentials(&allowed.operation().store)?;
    match which {
        Used::Current => Some(Arc::clone(&credentials.current)),
        Used::Previous => credentials.previous.clone(),
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
