//! The record of one request. The entry writes its audit line when the outcome is known, and at the
//! latest when it is dropped: also if the client goes away in the middle.

use super::current::Counted;
use super::spending::Spending;
use super::upstream::Progress;
use crate::denial::{Code, Denial};
use crate::identity::{Identity, Unidentified};
use crate::observe::{
    Audit, Clock, CorrelationId, Line, Outcome, Peer, Place, Sampler, Sent, Step, Used,
    WorkerMetrics,
};
use crate::policy::vocabulary::StoreHash;
use crate::policy::{Item, Operation, Reported};
use http::request::Parts;
use http::{HeaderMap, Method};
use jiff::SignedDuration;
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// The methods that are recorded: those of RFC 9110 section 9.3 and RFC 5789. Another word is the caller's
/// to choose, and where its framing has gone wrong it may be a piece of a token or a body.
const RECORDED_METHODS: [Method; 9] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::DELETE,
    Method::CONNECT,
    Method::OPTIONS,
    Method::TRACE,
    Method::PATCH,
];

/// One request's record in the making.
pub(super) struct Entry {
    line: Option<Line>,
    correlation_id: CorrelationId,
    began: Instant,
    allowed: bool,
    place: Option<Place>,
    /// The status of a look-up that was passed on in place of an answer to the request.
    look_up_status: Option<u16>,
    pub(super) progress: Progress,
    /// What the caller's grants would have refused, if they were enforced; the first counts.
    pub(super) reported: Reported,
    /// What the request spends, where that is limited. It is held until the answer's end.
    pub(super) spending: Option<Rc<Spending>>,
    common: Rc<Common>,
    tally: Option<Counted>,
}

impl Entry {
    /// Begins the record of a request whose head has arrived.
    pub(super) fn begin(head: &Parts, peer: Peer, common: &Rc<Common>) -> Self {
        let (time, began) = stamp(&common.clock);
        let correlation_id = callers_id(&head.headers).unwrap_or_else(|| common.ids.fresh());
        let line = Line {
            time,
            correlation_id,
            peer,
            caller: None,
            identified_by: None,
            store: None,
            verb: None,
            method: Some(&head.method)
                .filter(|method| RECORDED_METHODS.contains(method))
                .cloned(),
            customer: None,
            metafield: None,
            items: None,
            outcome: Outcome::ClientGone { allowed: false },
            reported: None,
            lookups: 0,
            sent: Sent::No,
            credential: Used::Current,
            upstream_status: None,
            duration: Duration::ZERO,
            upstream: None,
            trace: common.sampler.begin(&head.headers),
        };
        Self {
            line: Some(line),
            correlation_id,
            began,
            allowed: false,
            place: None,
            look_up_status: None,
            progress: Progress::default(),
            reported: Reported::default(),
            spending: None,
            common: Rc::clone(common),
            tally: None,
        }
    }

    /// The record goes on elsewhere. Nothing more comes of this one.
    pub(super) fn hand_on(&mut self) -> Self {
        Self {
            line: self.line.take(),
            place: self.place.take(),
            spending: self.spending.take(),
            progress: std::mem::take(&mut self.progress),
            reported: std::mem::take(&mut self.reported),
            tally: self.tally.take(),
            common: Rc::clone(&self.common),
            ..*self
        }
    }

    /// A step of the request's way has ended.
    pub(super) fn step(&mut self, step: Step) {
        if let Some(trace) = self.line.as_mut().and_then(|line| line.trace.as_mut()) {
            trace.steps.push((step, self.began.elapsed()));
        }
    }

    pub(super) fn correlation_id(&self) -> CorrelationId {
        self.correlation_id
    }

    pub(super) fn store(&mut self, store: StoreHash) {
        if let Some(line) = &mut self.line {
            line.store = Some(store);
        }
    }

    /// Tells the operator what went wrong with a request, where that is not the caller's doing.
    pub(super) fn report(&self, denial: &Denial) {
        let (Some(text), Some(line)) = (denial.operator_text(), &self.line) else {
            return;
        };
        tracing::error!(
            code = denial.code().as_str(),
            store = line.store.as_ref().map(StoreHash::as_str),
            caller = line.caller.as_ref().map(|caller| caller.name.as_str()),
            correlation_id = std::str::from_utf8(self.correlation_id.as_bytes()).ok(),
            "{text}"
        );
    }

    pub(super) fn operation(&mut self, operation: &Operation) {
        if let Some(line) = &mut self.line {
            line.verb = Some(operation.verb);
            line.customer = operation.customer;
            line.metafield = operation.metafield;
        }
    }

    /// When the request's head had arrived; the epoch once the record is finished.
    pub(super) fn time(&self) -> jiff::Timestamp {
        self.line.as_ref().map(|line| line.time).unwrap_or_default()
    }

    /// The caller is known, and its requests are counted in `tally`.
    pub(super) fn identified(&mut self, identity: &Identity<'_>, tally: Option<Counted>) {
        self.tally = tally;
        self.step(Step::Identify);
        if let Some(line) = &mut self.line {
            line.caller = Some(Arc::clone(identity.caller));
            line.identified_by = Some(identity.means);
        }
    }

    /// The record names whose an expired token was, but does not count as that caller's.
    pub(super) fn unidentified(&mut self, unidentified: Unidentified<'_>) -> Denial {
        if let Some(line) = &mut self.line {
            line.caller = unidentified.former.cloned();
        }
        unidentified.denial
    }

    pub(super) fn items(&mut self, items: Option<Vec<Item>>) {
        if let Some(line) = &mut self.line {
            line.items = items;
        }
    }

    /// Takes a place in the audit log's queue; without one nothing may be sent.
    pub(super) fn reserve(&mut self) -> Result<(), Denial> {
        self.place = Some(self.place().ok_or(Denial::AuditUnavailable)?);
        self.step(Step::Judge);
        Ok(())
    }

    /// Policy has allowed the request.
    pub(super) fn allow(&mut self) {
        self.allowed = true;
    }

    /// The gateway asks BigCommerce whose a metafield is.
    pub(super) fn looks_up(&mut self) {
        if let Some(line) = &mut self.line {
            line.lookups += 1;
        }
    }

    /// BigCommerce's answer to a look-up, its own or another's, stands for the one to the request.
    pub(super) fn is_answered_by_look_up(&mut self, status: u16) {
        self.look_up_status = Some(status);
    }

    /// The request was refused, or failed, and the gateway answers itself. Gives the code of the
    /// answer: another one if the refusal cannot be recorded.
    pub(super) fn refuse(&mut self, denial: Denial) -> Denial {
        let denial = match &self.place {
            Some(_) => denial,
            None => self.reserve_refusal(denial),
        };
        self.finish(match denial.code() {
            Code::Overloaded if self.allowed => Outcome::Crowded,
            code => Outcome::Refused(code),
        });
        denial
    }

    fn reserve_refusal(&mut self, denial: Denial) -> Denial {
        self.place = self.place();
        if self.place.is_some() {
            denial
        } else {
            Denial::AuditUnavailable
        }
    }

    fn place(&self) -> Option<Place> {
        let line = self.line.as_ref();
        let is_known = line.is_some_and(|line| line.identified_by.is_some());
        let audit = &self.common.audit;
        audit.reserve(line.map_or(1, Line::weight), is_known)
    }

    /// BigCommerce's answer was passed on to its end.
    pub(super) fn answered(&mut self) {
        self.finish(Outcome::Answered);
    }

    /// BigCommerce's answer broke off while it was being passed on.
    pub(super) fn cut(&mut self, code: Code) {
        self.finish(Outcome::AnswerCut(code));
    }

    /// BigCommerce's answer took too long to be passed on.
    pub(super) fn late(&mut self) {
        self.finish(Outcome::AnswerLate);
    }

    fn finish(&mut self, outcome: Outcome) {
        let Some(line) = &mut self.line else {
            return;
        };
        line.outcome = outcome;
        // Who is not known cannot have more traced than is anyway.
        let is_known = line.identified_by.is_some();
        line.trace.take_if(|trace| !is_known && !trace.is_turn);
        if let Some(trace) = &mut line.trace {
            trace.steps.push((Step::Answer, self.began.elapsed()));
        }
        line.sent = self.progress.sent();
        line.credential = self.progress.credential();
        line.upstream_status = self.progress.status().or(self.look_up_status);
        line.upstream = self.progress.took();
        line.reported = self.reported.code();
        line.duration = self.began.elapsed();
        let Common { audit, metrics, .. } = &*self.common;
        metrics.request(line.verb, outcome, line.duration);
        if let Some(tally) = &self.tally {
            tally.count(outcome.allowed());
        }
        if let Some(code) = line.reported {
            metrics.reported(code);
        }
        if let Some(line) = self.line.take() {
            audit.record(self.place.take(), line);
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let allowed = self.allowed;
        self.finish(if self.common.cutting.get() {
            Outcome::DrainCut { allowed }
        } else {
            Outcome::ClientGone { allowed }
        });
    }
}

/// The caller's own id if it sent exactly one UUID.
fn callers_id(headers: &HeaderMap) -> Option<CorrelationId> {
    let mut values = headers.get_all(super::outbound::X_CORRELATION_ID).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => CorrelationId::parse(value.as_bytes()),
        _ => None,
    }
}

/// What the entries of one worker share.
pub(super) struct Common {
    ids: Ids,
    pub(super) clock: Clock,
    sampler: Sampler,
    audit: Audit,
    metrics: Arc<WorkerMetrics>,
    /// Set when the gateway ends what is still open.
    cutting: Cell<bool>,
}

impl Common {
    /// The audit log says what is traced.
    pub(super) fn new(clock: Clock, audit: Audit, metrics: Arc<WorkerMetrics>) -> Self {
        Self {
            ids: Ids::new(),
            clock,
            sampler: Sampler::new(audit.sample()),
            audit,
            metrics,
            cutting: Cell::default(),
        }
    }

    /// From now on a request that ends without an answer was cut by the gateway.
    pub(super) fn cut(&self) {
        self.cutting.set(true);
    }
}

/// Fresh ids. Random bytes are taken in advance: the system's generator costs more by the call than by
/// the byte.
struct Ids(Cell<Vec<u8>>);

impl Ids {
    const AHEAD: usize = 64 * ID;

    /// Takes the first bytes at once: until aws-lc has gathered entropy for a thread that is new to it, some twenty
    /// milliseconds pass, for which no request should wait.
    fn new() -> Self {
        let mut ahead = Vec::new();
        Self::take_more(&mut ahead);
        Self(Cell::new(ahead))
    }

    fn take_more(ahead: &mut Vec<u8>) {
        ahead.resize(Self::AHEAD, 0);
        if aws_lc_rs::rand::fill(ahead).is_err() {
            // Repeated ids harm nothing but the joining of logs.
            ahead.fill(0);
        }
    }

    fn fresh(&self) -> CorrelationId {
        let mut ahead = self.0.take();
        if ahead.len() < ID {
            Self::take_more(&mut ahead);
        }
        let mut bytes = [0; ID];
        for (to, from) in bytes.iter_mut().zip(ahead.drain(ahead.len() - ID..)) {
            *to = from;
        }
        self.0.set(ahead);
        CorrelationId::from_random(bytes)
    }
}

/// The bytes of an id.
const ID: usize = 16;

#[expect(clippy::disallowed_methods, reason = "a request is stamped here, once")]
fn stamp(clock: &Clock) -> (jiff::Timestamp, Instant) {
    let since_epoch = SignedDuration::try_from(clock.now()).unwrap_or_default();
    // A clock beyond the year 9999 finds everything expired.
    let time = jiff::Timestamp::from_duration(since_epoch).unwrap_or(jiff::Timestamp::MAX);
    (time, Instant::now())
}
