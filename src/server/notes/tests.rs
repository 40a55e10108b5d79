//! What follows from a connection's notes, by a clock that is set by hand.

use super::*;
use crate::config::file;
use std::path::Path;

/// One connection, the limits it is under, and a clock that is set by hand.
struct Watch {
    clock: Rc<Cell<Instant>>,
    notes: Rc<Notes>,
    drained_since: Cell<Option<Instant>>,
    limits: Limits,
}

impl Watch {
    fn new() -> Self {
        let text = "[[store]]\nhash = \"a\"\ncredential = { file = \"x\" }\n[[caller]]\n\
            name = \"a\"\ntoken_sha256 = [\"0000000000000000000000000000000000000000000000000000000000000000\"]\n\
            scopes = [\"store_v2_customers\"]\n[listen]\naddress = \"127.0.0.1:0\"\n\
            [upstream]\nurl = \"http://127.0.0.1:1\"\n[limits]\nidle_timeout = \"5s\"\nwrite_timeout = \"30s\"\n";
        let limits = file::read(text, Path::new("")).expect("a file").limits;
        #[expect(clippy::disallowed_methods, reason = "a point to count from")]
        let clock = Rc::new(Cell::new(Instant::now()));
        let notes = Notes::new(&clock, Phase::Silent, &Arc::default());
        Self {
            clock,
            notes: Rc::new(notes),
            drained_since: Cell::default(),
            limits,
        }
    }

    /// The order after so many more seconds.
    fn after(&self, seconds: u64) -> Order {
        let passed = Duration::from_secs(seconds);
        self.clock.set(self.clock.get() + passed);
        self.notes.look(&self.limits, self.drained_since.get())
    }

    fn drain(&self) {
        self.drained_since.set(Some(self.clock.get()));
    }
}

#[test]
fn an_answer_on_its_way_is_not_idleness() {
    let watch = Watch::new();
    let notes = &watch.notes;
    drop(Busy::on(notes));
    // The client takes it, slowly.
    for _ in 0..5 {
        notes.writes(true);
        notes.writes(false);
        assert_eq!(watch.after(20), Order::None);
    }
    notes.has_flushed();
    assert_eq!(watch.after(4), Order::Park);
    assert_eq!(watch.after(2), Order::Finish);
}

#[test]
fn an_idle_connection_parks_once_and_its_time_goes_on() {
    let watch = Watch::new();
    let notes = &watch.notes;
    for _ in 0..2 {
        drop(Busy::on(notes));
        notes.has_flushed();
        assert_eq!(watch.after(0), Order::None);
        assert_eq!(watch.after(1), Order::Park);
        // Once, whether or not it has been followed.
        assert_eq!(watch.after(1), Order::None);
        assert!(notes.parks());
        drop(notes.rests());
        assert!(!notes.parks());
        assert_eq!(watch.after(1), Order::None);
        notes.has_read();
        assert_eq!(watch.after(1), Order::None);
    }
    drop(Busy::on(notes));
    notes.has_flushed();
    // Before the sweep asked for it.
    drop(notes.rests());
    assert_eq!(watch.after(1), Order::None);
    assert_eq!(watch.after(4), Order::None);
    assert_eq!(watch.after(1), Order::Finish);
}

#[test]
fn an_order_to_park_is_void_once_there_is_something_to_do() {
    let watch = Watch::new();
    let notes = &watch.notes;
    drop(Busy::on(notes));
    notes.has_flushed();
    assert_eq!(watch.after(1), Order::Park);
    notes.has_read();
    assert!(!notes.parks());
    assert_eq!(notes.order.get(), Order::None);
    drop(Busy::on(notes));
    notes.has_flushed();
    notes.command(Order::Finish);
    assert_eq!(watch.after(1), Order::None, "it is about to end");
    assert!(!notes.parks());
    assert_eq!(notes.order.get(), Order::Finish);
}

#[test]
fn what_carries_many_requests_does_not_park() {
    let watch = Watch::new();
    watch.notes.multiplexes();
    assert_eq!(watch.after(4), Order::None);
    assert_eq!(watch.after(2), Order::Finish);
}

#[test]
fn a_drain_waits_for_an_answer_on_its_way() {
    let watch = Watch::new();
    let notes = &watch.notes;
    drop(Busy::on(notes));
    assert_eq!(notes.unfinished(), 1);
    watch.drain();
    notes.writes(true);
    assert_eq!(watch.after(20), Order::None);
    notes.writes(false);
    notes.has_flushed();
    assert_eq!(watch.after(2), Order::Finish);
    assert_eq!(watch.after(1), Order::None);
    assert_eq!(watch.after(3), Order::Abort(None));
}

#[test]
fn a_client_that_takes_nothing_is_cut() {
    let watch = Watch::new();
    drop(Busy::on(&watch.notes));
    watch.notes.writes(true);
    assert_eq!(watch.after(29), Order::None);
    let cut = Order::Abort(Some(BareClose::WriteTimeout));
    assert_eq!(watch.after(2), cut);
}

#[test]
fn an_answer_that_takes_too_long_is_cut_although_it_moves() {
    let watch = Watch::new();
    let notes = &watch.notes;
    let mut busy = Busy::on(notes);
    busy.answers();
    drop(busy);
    for _ in 0..5 {
        notes.writes(true);
        notes.writes(false);
        assert_eq!(watch.after(20), Order::None);
    }
    let late = Order::Abort(Some(BareClose::AnswerTimeout));
    assert_eq!(watch.after(21), late);
}

#[test]
fn one_of_many_answers_must_move_while_it_waits() {
    let watch = Watch::new();
    watch.notes.multiplexes();
    let mut busy = Busy::on(&watch.notes);
    busy.answers();
    let taking = Rc::clone(busy.taking().expect("one of many"));
    // The upstream's turn.
    assert_eq!(watch.after(35), Order::None);
    taking.begin();
    assert_eq!(watch.after(20), Order::None);
    taking.moves();
    assert_eq!(watch.after(20), Order::None);
    // The body is handed over, and its last piece waits.
    drop(busy);
    let cut = Order::Abort(Some(BareClose::WriteTimeout));
    assert_eq!(watch.after(11), cut);
}

#[test]
fn one_of_many_answers_has_an_end_in_time() {
    let watch = Watch::new();
    watch.notes.multiplexes();
    let mut busy = Busy::on(&watch.notes);
    busy.answers();
    assert_eq!(watch.after(119), Order::None);
    let late = Order::Abort(Some(BareClose::AnswerTimeout));
    assert_eq!(watch.after(2), late);
}

#[test]
fn the_last_piece_of_one_of_many_answers_is_waited_for() {
    let watch = Watch::new();
    let notes = &watch.notes;
    notes.multiplexes();
    let mut busy = Busy::on(notes);
    busy.answers();
    let taking = Rc::clone(busy.taking().expect("one of many"));
    taking.begin();
    assert_eq!(notes.unfinished(), 1);
    drop(busy);
    assert_eq!(notes.unfinished(), 1);
    watch.drain();
    assert_eq!(watch.after(1), Order::Finish);
    assert_eq!(watch.after(20), Order::None);
    taking.end();
    assert_eq!(notes.unfinished(), 0);
    assert_eq!(watch.after(1), Order::Abort(None));
}

#[test]
fn a_head_that_began_during_an_answer_has_its_own_time() {
    let watch = Watch::new();
    let notes = &watch.notes;
    drop(Busy::on(notes));
    notes.has_read();
    notes.has_flushed();
    assert_eq!(watch.after(9), Order::None);
    let late = Order::Abort(Some(BareClose::HeadTimeout));
    assert_eq!(watch.after(2), late);
}

#[test]
fn an_order_to_abort_is_final() {
    let watch = Watch::new();
    let notes = &watch.notes;
    let cut = Order::Abort(Some(BareClose::Drained));
    notes.command(cut);
    notes.command(Order::Finish);
    assert_eq!(notes.order.get(), cut);
}

#[test]
fn a_client_is_steady_from_its_second_request_on() {
    let watch = Watch::new();
    let notes = &watch.notes;
    let mut steady = Vec::new();
    for _ in 0..3 {
        steady.push(notes.is_steady());
        drop(Busy::on(notes));
        notes.has_flushed();
        // As it parks and goes on.
        drop(notes.rests());
    }
    steady.push(notes.is_steady());
    assert_eq!(steady, [false, false, true, true]);
}
