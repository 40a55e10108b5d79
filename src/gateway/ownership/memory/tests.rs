//! What is remembered, for how long, who asks and who waits, and what a change makes of answers that were
//! under way. Futures are polled by hand, so that every order is the test's own.

use super::*;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

const TTL: Duration = Duration::from_secs(600);

#[expect(clippy::disallowed_methods, reason = "a test's own clock")]
fn start() -> Instant {
    Instant::now()
}

fn name(id: u64) -> Name {
    let store = StoreHash::parse("abc123").expect("a store");
    (0, store, Id::new(id).expect("an id"))
}

fn owner(namespace: &str) -> Owner {
    Owner::new(namespace, "k", Id::new(7)).expect("an owner")
}

fn namespace_of(remembered: Option<&Remembered>) -> Option<&str> {
    Some(remembered?.owner()?.namespace())
}

/// What is known of a metafield now.
fn known(memory: &Memory, id: u64, now: Instant) -> Option<String> {
    let known = memory.known(&name(id), now, TTL);
    namespace_of(known.as_ref()).map(str::to_owned)
}

type Seeking<'m> = Pin<Box<dyn Future<Output = Sought<'m>> + 'm>>;

fn seek<'m>(memory: &'m Memory, name: &'m Name, now: Instant) -> Seeking<'m> {
    Box::pin(memory.seek(name, now, TTL))
}

fn poll<'m>(seeking: &mut Seeking<'m>) -> Option<Sought<'m>> {
    match seeking
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(sought) => Some(sought),
        Poll::Pending => None,
    }
}

fn ask<'m>(seeking: &mut Seeking<'m>) -> Ask<'m> {
    match poll(seeking) {
        Some(Sought::Ask(ask)) => ask,
        Some(_) => panic!("it is known"),
        None => panic!("another asks"),
    }
}

#[test]
fn an_owner_is_believed_for_its_time_and_no_longer() {
    let memory = Memory::new(100);
    let began = start();
    memory.learn(name(1), owner("crm"), memory.mark(began));
    let last = began + TTL - Duration::from_nanos(1);
    assert_eq!(known(&memory, 1, last).as_deref(), Some("crm"));
    assert_eq!(known(&memory, 1, began + TTL), None);
    assert_eq!(known(&memory, 2, began), None);
    let one = name(1);
    let sought = poll(&mut seek(&memory, &one, last));
    assert!(matches!(sought, Some(Sought::Known(_))));
    // Then it must be asked for, although it is still held.
    drop(ask(&mut seek(&memory, &one, began + TTL)));
    assert_eq!(known(&memory, 1, began), None);
}

#[test]
fn an_older_answer_does_not_replace_a_newer_one() {
    let memory = Memory::new(100);
    let began = start();
    let early = memory.mark(began);
    let late = memory.mark(began + Duration::from_millis(1));
    memory.learn(name(1), owner("new"), late);
    memory.learn(name(1), owner("old"), early);
    assert_eq!(known(&memory, 1, began).as_deref(), Some("new"));
}

#[test]
fn what_is_remembered_is_bounded() {
    let memory = Memory::new(1000);
    let began = start();
    for id in 1..20_000 {
        memory.learn(name(id), owner("crm"), memory.mark(began));
        assert!(memory.entries.len() as u64 <= memory.entries.capacity());
    }
    assert!(memory.entries.capacity() <= 1024);
    assert!(memory.entries.len() > 900);
}

#[test]
fn one_asks_and_the_others_get_its_answer() {
    let memory = Memory::new(100);
    let (nine, now) = (name(9), start());
    let mut seeking: Vec<_> = (0..20).map(|_| seek(&memory, &nine, now)).collect();
    let mut seeking = seeking.iter_mut();
    let leader = ask(seeking.next().expect("one"));
    let mut others: Vec<_> = seeking.collect();
    assert!(others.iter_mut().all(|other| poll(other).is_none()));
    // Another metafield is not held up.
    let ten = name(10);
    drop(ask(&mut seek(&memory, &ten, now)));
    assert!(leader.found(owner("crm"), memory.mark(now)).is_some());
    for other in others {
        match poll(other) {
            Some(Sought::Known(known)) => assert_eq!(namespace_of(Some(&known)), Some("crm")),
            _ => panic!("it is known"),
        }
    }
}

#[test]
fn who_asks_and_leaves_gives_the_turn_to_one_who_waits() {
    let memory = Memory::new(100);
    let (nine, now) = (name(9), start());
    let mut first = seek(&memory, &nine, now);
    let mut second = seek(&memory, &nine, now);
    let mut third = seek(&memory, &nine, now);
    let leader = ask(&mut first);
    assert!(poll(&mut second).is_none() && poll(&mut third).is_none());
    drop(leader);
    let mut left = [&mut second, &mut third].into_iter().filter_map(poll);
    let Some(Sought::Ask(leader)) = left.next() else {
        panic!("nobody has the turn")
    };
    assert!(left.next().is_none(), "two have the turn");
    leader.found(owner("crm"), memory.mark(now));
    assert_eq!(known(&memory, 9, now).as_deref(), Some("crm"));
}

#[test]
fn one_who_waits_and_leaves_with_the_turn_gives_it_on() {
    let memory = Memory::new(100);
    let (nine, now) = (name(9), start());
    let leader = ask(&mut seek(&memory, &nine, now));
    let mut second = seek(&memory, &nine, now);
    assert!(poll(&mut second).is_none());
    drop(leader);
    // It was woken with the turn, and never looked.
    drop(second);
    drop(ask(&mut seek(&memory, &nine, now)));
    assert!(memory.entries.is_empty());
}

#[test]
fn a_failure_is_told_to_those_who_wait_and_not_remembered() {
    let memory = Memory::new(100);
    let (nine, now) = (name(9), start());
    let leader = ask(&mut seek(&memory, &nine, now));
    let mut second = seek(&memory, &nine, now);
    assert!(poll(&mut second).is_none());
    let seven = Id::new(7);
    leader.missed(seven, Missed::Failed(Denial::CredentialEchoed));
    assert!(matches!(
        poll(&mut second),
        Some(Sought::Missed(at, Missed::Failed(Denial::CredentialEchoed))) if at == seven
    ));
    assert_eq!(known(&memory, 9, now), None);
    drop(ask(&mut seek(&memory, &nine, now)));
}

#[test]
fn who_asked_alone_does_not_believe_an_answer_that_a_change_has_overtaken() {
    let memory = Memory::new(100);
    let (nine, now) = (name(9), start());
    let mark = memory.mark(now);
    let found = memory.alone(&nine, owner("crm"), mark);
    assert_eq!(namespace_of(found.as_ref()), Some("crm"));
    memory.changed(&nine, memory.mark(now));
    assert!(memory.alone(&nine, owner("crm"), mark).is_none());
    assert_eq!(known(&memory, 9, now), None, "it is remembered by nobody");
}

/// In each case a change of the metafield from `old` to `new`; what is remembered after it.
#[test]
fn what_a_change_makes_untrue_is_not_remembered() {
    let memory = Memory::new(100);
    let now = start();
    let change = |id| memory.changed(&name(id), memory.mark(now));

    // Learned before it.
    memory.learn(name(1), owner("old"), memory.mark(now));
    change(1);
    assert_eq!(known(&memory, 1, now), None);

    // Asked before it and answered after.
    let mark = memory.mark(now);
    change(2);
    memory.learn(name(2), owner("old"), mark);
    assert_eq!(known(&memory, 2, now), None);

    // Asked after it.
    change(3);
    memory.learn(name(3), owner("new"), memory.mark(now));
    assert_eq!(known(&memory, 3, now).as_deref(), Some("new"));

    // Its own answer.
    let begun = memory.mark(now);
    let mark = memory.changed(&name(4), begun).expect("alone");
    memory.learn(name(4), owner("new"), mark);
    assert_eq!(known(&memory, 4, now).as_deref(), Some("new"));

    // Of another metafield.
    memory.learn(name(5), owner("other"), memory.mark(now));
    change(6);
    assert_eq!(known(&memory, 5, now).as_deref(), Some("other"));
}

#[test]
fn two_changes_at_once_leave_nothing() {
    let memory = Memory::new(100);
    let now = start();
    let (one, two) = (memory.mark(now), memory.mark(now));
    let first = memory.changed(&name(1), one).expect("it ends first");
    // The second ends before the first has remembered its answer, or after.
    assert!(memory.changed(&name(1), two).is_none());
    memory.learn(name(1), owner("first"), first);
    assert_eq!(known(&memory, 1, now), None);

    let (one, two) = (memory.mark(now), memory.mark(now));
    let first = memory.changed(&name(1), one).expect("it ends first");
    memory.learn(name(1), owner("first"), first);
    assert!(memory.changed(&name(1), two).is_none());
    assert_eq!(known(&memory, 1, now), None);

    // One after the other is no such case.
    let one = memory.mark(now);
    memory.changed(&name(1), one).expect("alone");
    let two = memory.mark(now);
    assert!(memory.changed(&name(1), two).is_some());
}

#[test]
fn a_look_up_that_a_change_overtakes_is_made_again() {
    let memory = Memory::new(100);
    let (nine, now) = (name(9), start());
    // The change ends before the answer is there.
    let leader = ask(&mut seek(&memory, &nine, now));
    let mut second = seek(&memory, &nine, now);
    assert!(poll(&mut second).is_none());
    let mark = memory.mark(now);
    memory.changed(&nine, memory.mark(now));
    assert!(leader.found(owner("old"), mark).is_none());
    let again = ask(&mut second);
    assert!(again.found(owner("new"), memory.mark(now)).is_some());
    assert_eq!(known(&memory, 9, now).as_deref(), Some("new"));

    // It ends after the answer was given to one who waits, and before that one looks.
    memory.changed(&nine, memory.mark(now));
    let leader = ask(&mut seek(&memory, &nine, now));
    let mut second = seek(&memory, &nine, now);
    assert!(poll(&mut second).is_none());
    leader.found(owner("old"), memory.mark(now));
    memory.changed(&nine, memory.mark(now));
    drop(ask(&mut second));
}

#[test]
fn workers_at_once_never_remember_what_a_change_has_ended() {
    let memory = Memory::new(100);
    let now = start();
    // The truth counts up; a change reads as the truth that it made, and ends by the book.
    let truth = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..2_000 {
                    let begun = memory.mark(now);
                    let made = truth.fetch_add(1, SeqCst) + 1;
                    if let Some(mark) = memory.changed(&name(1), begun) {
                        memory.learn(name(1), owner(&made.to_string()), mark);
                    }
                    let mark = memory.mark(now);
                    let read = truth.load(SeqCst);
                    memory.learn(name(1), owner(&read.to_string()), mark);
                }
            });
        }
    });
    let last = truth.load(SeqCst).to_string();
    let known = known(&memory, 1, now);
    assert!(known.is_none_or(|known| known == last));
}
