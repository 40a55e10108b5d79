//! The queue's promises, with an output that does what it is told.

use super::*;
use crate::observe::correlation::CorrelationId;
use crate::observe::line::{Outcome, Peer, Sent, Used};
use std::sync::mpsc as channel;

/// An output that shows each write, and succeeds or fails as it is told.
struct Scripted {
    outcomes: channel::Receiver<io::Result<usize>>,
    seen: channel::Sender<Vec<u8>>,
}

impl Write for Scripted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let outcome = self
            .outcomes
            .recv()
            .unwrap_or(Ok(usize::MAX))
            .map(|most| most.min(bytes.len()));
        if let Ok(count) = outcome {
            self.seen
                .send(bytes[..count].to_vec())
                .expect("the test listens");
        }
        outcome
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn line() -> Line {
    Line {
        time: jiff::Timestamp::UNIX_EPOCH,
        correlation_id: CorrelationId::from_random([1; 16]),
        peer: Peer::Unix,
        caller: None,
        identified_by: None,
        store: None,
        verb: None,
        method: Some(http::Method::GET),
        customer: None,
        metafield: None,
        items: None,
        outcome: Outcome::Answered,
        reported: None,
        lookups: 0,
        sent: Sent::Yes,
        credential: Used::Current,
        upstream_status: Some(200),
        duration: Duration::ZERO,
        upstream: None,
        trace: None,
    }
}

fn scripted(
    on_failure: OnFailure,
    queue: usize,
) -> (
    Audit,
    Writer,
    channel::Sender<io::Result<usize>>,
    channel::Receiver<Vec<u8>>,
) {
    let (tell, outcomes) = channel::channel();
    let (seen, shown) = channel::channel();
    let (audit, writer) = Audit::start_on(Box::new(Scripted { outcomes, seen }), on_failure, queue)
        .expect("a thread");
    (audit, writer, tell, shown)
}

#[test]
fn a_line_survives_a_failing_output_and_a_short_write() {
    let (audit, writer, tell, shown) = scripted(OnFailure::Refuse, 4);
    let place = audit.reserve(1, true);
    assert!(place.is_some());
    audit.record(place, line());
    tell.send(Err(io::Error::other("disk full")))
        .expect("the writer listens");
    tell.send(Ok(10)).expect("the writer listens");
    drop(tell);
    let mut whole = shown.recv().expect("the first piece");
    assert_eq!(whole.len(), 10);
    whole.extend(shown.recv().expect("the rest"));
    assert!(whole.starts_with(b"{\"time\"") && whole.ends_with(b"}\n"));
    drop(audit);
    assert!(writer.finish(Duration::from_secs(30)));
}

#[test]
fn a_full_queue_refuses_or_counts() {
    for (on_failure, place_given) in [(OnFailure::Refuse, false), (OnFailure::Continue, true)] {
        let (audit, writer, tell, _shown) = scripted(on_failure, 1);
        // A line keeps its place until it is written.
        audit.record(audit.reserve(1, true), line());
        let place = audit.reserve(1, true);
        assert_eq!(place.is_some(), place_given);
        audit.record(place, line());
        assert_eq!(audit.health().lost(), 1);
        drop(tell);
        drop(audit);
        assert!(writer.finish(Duration::from_secs(30)));
    }
}

#[test]
fn half_of_the_queue_is_for_known_callers() {
    let (audit, writer, tell, _shown) = scripted(OnFailure::Refuse, 4);
    let unknown: Vec<_> = (0..3).map(|_| audit.reserve(1, false)).collect();
    let taken = unknown.iter().filter(|place| place.is_some()).count();
    assert_eq!(taken, 2);
    assert!(audit.reserve(1, true).is_some());
    // A line without a place is lost on the same terms.
    let known = audit.reserve(1, true);
    audit.record(None, line());
    assert_eq!(audit.health().lost(), 1);
    drop((unknown, known, tell, audit));
    assert!(writer.finish(Duration::from_secs(30)));
}

/// One that fails at its first line.
struct Failing(channel::Sender<()>);

impl Tell for Failing {
    fn tell(&mut self, _: &Line) {
        self.0.send(()).expect("the test listens");
        panic!("a defect, on purpose");
    }
}

#[test]
fn a_defect_of_who_is_told_is_none_of_the_log() {
    let (tell, outcomes) = channel::channel();
    let (seen, shown) = channel::channel();
    let (failed, told) = channel::channel();
    let sink = Sink::new(Box::new(Scripted { outcomes, seen }));
    let exporter = Exporter {
        sample: 1.0,
        tell: Box::new(Failing(failed)),
    };
    let audience = Audience {
        recent: None,
        exporter: Some(exporter),
    };
    let (audit, writer) = Audit::start_in(sink, OnFailure::Refuse, 4, audience).expect("a thread");
    for _ in 0..2 {
        tell.send(Ok(usize::MAX)).expect("the writer listens");
        audit.record(audit.reserve(1, true), line());
        assert!(shown.recv().expect("the line").ends_with(b"}\n"));
    }
    assert_eq!(told.iter().count(), 1);
    assert!(!audit.health().is_failing());
    drop((tell, audit));
    assert!(writer.finish(Duration::from_secs(30)));
}

#[test]
fn a_reserved_place_is_kept() {
    let (audit, writer, tell, _shown) = scripted(OnFailure::Refuse, 2);
    let first = audit.reserve(1, true);
    let second = audit.reserve(1, true);
    assert!(first.is_some() && second.is_some());
    assert!(audit.reserve(1, true).is_none());
    audit.record(first, line());
    audit.record(second, line());
    drop(tell);
    let health = audit.health();
    drop(audit);
    assert!(writer.finish(Duration::from_secs(30)));
    assert_eq!((health.written(), health.lost()), (2, 0));
}

#[test]
fn every_place_of_a_batch_is_given_back_whatever_its_weight() {
    let (audit, writer, tell, _shown) = scripted(OnFailure::Refuse, 100);
    let health = audit.health();
    for weight in [1, 3, 1, 7, 80] {
        let place = audit.reserve(weight, true);
        assert!(place.is_some(), "{weight}");
        audit.record(place, line());
        audit.reopener().reopen();
    }
    drop(tell);
    drop(audit);
    assert!(writer.finish(Duration::from_secs(30)));
    assert_eq!(health.places(), (0, 100));
    assert_eq!((health.written(), health.lost()), (5, 0));
}
