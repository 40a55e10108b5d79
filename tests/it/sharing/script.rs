//! What the script counts, question by question: the gateway's own ledgers before a server in memory.

use crate::simulator::server::Server;
use metafield_gateway::policy::vocabulary::StoreHash;
use metafield_gateway::quota::{
    Answered, Book, CallerTerms, Ledger, Question, Reading, Reported, StoreTerms, Terms, Unit,
    Waiting, Why, keys,
};
use std::sync::Arc;
use std::time::Duration;

const W: u64 = 30_000;

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// One gateway, and when it began to count by the simulation's time.
struct Node {
    name: Arc<str>,
    ledger: Arc<Ledger>,
    reported: Reported,
}

impl Node {
    fn new(name: &str, quota: u32, callers: usize) -> Self {
        let hash = StoreHash::parse("abc").expect("a hash");
        let terms = StoreTerms {
            requests: quota,
            per: ms(W),
            keep_free: 0,
        };
        let caller = |number: usize| (format!("c{number}"), CallerTerms::UNLIMITED, None);
        let terms = Terms {
            stores: vec![(hash, terms)],
            callers: (0..callers).map(caller).collect(),
            shows_store: false,
            replicas: Some(10),
        };
        let book = Book::of(terms, None).expect("a book");
        Self {
            name: name.into(),
            ledger: Arc::clone(book.ledger(&hash).expect("a budget")),
            reported: Reported::default(),
        }
    }

    fn question(&mut self, waiting: u32, now: u64) -> Question {
        self.question_for(0, waiting, now)
    }

    fn question_for(&mut self, caller: usize, waiting: u32, now: u64) -> Question {
        let mut all = Waiting::default();
        for _ in 0..waiting {
            let waiter = self.ledger.waiter(caller, ms(now));
            all.come(&waiter.expect("a shared quota"));
        }
        let question = self
            .ledger
            .ask((&self.name, all), &mut self.reported, ms(now));
        question.expect("a shared quota")
    }

    fn ask(&mut self, server: &Server, now: u64) {
        self.ask_for(server, 0, now);
    }

    /// Asks for nothing.
    fn beat(&mut self, server: &Server, now: u64) {
        let question = self.question(0, now);
        let answer = server.ask(&question, now);
        self.ledger
            .answered(&question, &answer, &mut self.reported, ms(now));
    }

    fn ask_for(&mut self, server: &Server, caller: usize, now: u64) {
        let question = self.question_for(caller, 1, now);
        let answer = server.ask(&question, now);
        self.ledger
            .answered(&question, &answer, &mut self.reported, ms(now));
    }

    fn take(&self, caller: usize, now: u64) -> Option<Unit> {
        let mut unit = self.ledger.take(caller, true, ms(now)).ok()?;
        unit.sent(ms(now)).expect("no pause");
        Some(unit)
    }

    /// Sends as much as it can, up to so many, and asks where that may help; each is answered at once with what is
    /// told, if anything. Gives how many were sent.
    fn spend(&mut self, server: &Server, most: u32, now: u64, tells: Option<Reading>) -> u32 {
        self.spend_of(server, 0, most, now, tells)
    }

    /// The same of any caller.
    fn spend_of(
        &mut self,
        server: &Server,
        caller: usize,
        most: u32,
        now: u64,
        tells: Option<Reading>,
    ) -> u32 {
        let (mut sent, mut asked, mut is_new) = (0, 0, true);
        for now in now.. {
            if sent == most || asked == 4 {
                break;
            }
            match self.ledger.take(caller, is_new, ms(now)) {
                Ok(mut unit) => {
                    is_new = true;
                    unit.sent(ms(now)).expect("no pause");
                    unit.answered(tells.map(Ok), Answered::Plainly, 0.0, ms(now));
                    (sent, asked) = (sent + 1, 0);
                }
                Err(refused) if matches!(refused.why, Why::Unasked | Why::Unheld) => {
                    is_new = refused.why == Why::Unasked;
                    self.ask_for(server, caller, now);
                    asked += 1;
                }
                Err(_) => break,
            }
        }
        sent
    }
}

fn reading(quota: u32, left: u32) -> Reading {
    Reading {
        window: W,
        reset: W - 1_000,
        quota,
        left,
    }
}

#[test]
fn a_quota_is_spent_once_by_all_together() {
    let server = Server::new();
    let mut nodes = ["a", "b", "c"].map(|name| Node::new(name, 150, 1));
    for node in &mut nodes {
        node.ask(&server, 0);
    }
    let mut sent = 0;
    for turn in 0..100 {
        for node in &mut nodes {
            sent += node.spend(&server, 3, 1_000 + 20 * turn, None);
        }
    }
    assert_eq!(sent, 150);
    // In the next window again; what nobody used of the last one is gone.
    let again: u32 = nodes
        .iter_mut()
        .map(|node| node.spend(&server, 200, W + 2_000, None))
        .sum();
    assert_eq!(again, 150);
}

#[test]
fn a_quota_that_answers_have_told_stays_in_the_next_windows() {
    let server = Server::new();
    let mut node = Node::new("a", 150, 1);
    node.ask(&server, 0);
    assert_eq!(node.spend(&server, 1, 1_000, Some(reading(60, 59))), 1);
    node.ask(&server, 1_001);
    assert_eq!(node.spend(&server, 200, 2_000, None), 59);
    // Nothing is told of this window yet.
    assert_eq!(node.spend(&server, 200, W + 2_000, None), 60);
}

#[test]
fn what_was_granted_and_not_sent_is_its_callers_again() {
    let server = Server::new();
    let mut nodes = ["a", "b"].map(|name| Node::new(name, 400, 2));
    // Two callers wish for more than there is, each for its half of it in the next window.
    for turn in 0..600 {
        for (caller, node) in nodes.iter_mut().enumerate() {
            node.spend_of(&server, caller, 1, 1_000 + turn, None);
        }
    }
    let now = W + 3_000;
    for node in &mut nodes {
        node.beat(&server, now);
    }
    let a = &mut nodes[0];
    let sent = (0..100).filter(|_| a.take(0, now + 10).is_some()).count();
    assert!(sent < 20, "it holds no more: {sent}");
    // Its clients leave while their requests wait, and nothing is sent for what is granted.
    let question = a.question(8, now + 20);
    let answer = server.ask(&question, now + 20);
    a.ledger
        .answered(&question, &answer, &mut a.reported, ms(now + 20));
    // Asked, spent and wished by all gateways together, as the server knows it.
    let known = || {
        let [_, _, _, callers, _] = keys("gw", "abc");
        server.save()[&callers]["c0"].clone()
    };
    let counted = |spent: usize| known().starts_with(&format!("100 {spent} "));
    assert!(counted(sent + 8), "it counts for now: {}", known());
    a.beat(&server, now + 30);
    assert!(counted(sent), "{}", known());
}

#[test]
fn many_that_wait_at_one_of_many_gateways_are_served() {
    let server = Server::new();
    let mut nodes: Vec<Node> = (0..100)
        .map(|number| Node::new(&format!("g{number}"), 1_000, 1))
        .collect();
    for node in &mut nodes {
        node.beat(&server, 0);
    }
    let node = &mut nodes[7];
    let question = node.question(40, 10);
    let answer = server.ask(&question, 10);
    node.ledger
        .answered(&question, &answer, &mut node.reported, ms(10));
    let sent = (0..40).filter(|_| node.take(0, 11).is_some()).count();
    // A hundredth of the rest, and the one that it holds.
    assert_eq!(sent, 10 + 1);
}

#[test]
fn an_answer_that_came_meanwhile_is_not_forgotten() {
    let server = Server::new();
    let mut node = Node::new("a", 150, 1);
    node.ask(&server, 0);
    // It is asked again, and before it answers BigCommerce tells that its window began only now.
    let question = node.question(1, 40);
    let unit = node.take(0, 45).expect("a request");
    let told = Reading {
        reset: W,
        ..reading(150, 149)
    };
    unit.answered(Some(Ok(told)), Answered::Plainly, 0.0, ms(50));
    let answer = server.ask(&question, 42);
    node.ledger
        .answered(&question, &answer, &mut node.reported, ms(55));
    // The window lasts as long as that said, here and for all others.
    let mut other = Node::new("b", 150, 1);
    node.ask(&server, 60);
    other.ask(&server, 61);
    let sent: u32 = [&mut node, &mut other]
        .map(|node| node.spend(&server, 200, 62, None))
        .iter()
        .sum();
    assert_eq!(sent, 149);
    for now in [W + 20, W + 40] {
        for node in [&mut node, &mut other] {
            assert_eq!(node.spend(&server, 1, now, None), 0, "{now}");
        }
    }
    assert_eq!(node.spend(&server, 1, W + 60, None), 1);
}

#[test]
fn what_is_left_for_one_caller_is_not_held_where_it_does_not_come() {
    let server = Server::new();
    let names: Vec<String> = (0..30).map(|number| format!("g{number}")).collect();
    let mut nodes: Vec<Node> = names.iter().map(|name| Node::new(name, 200, 2)).collect();
    for window in 0..4 {
        let mut now = window * (W + 2_000) + 1_000;
        for node in &mut nodes {
            node.ask(&server, now);
        }
        // One comes by all gateways without bound; it asks wherever that may help.
        for _ in 0..20 {
            for node in &mut nodes {
                now += 10;
                node.spend_of(&server, 0, 1, now, None);
            }
        }
        // Another one comes by one of them, as always, when the others have told once more that they are there.
        for node in &mut nodes {
            node.beat(&server, now + 50);
        }
        let times = (0..40).map(|turn| now + 100 + 10 * turn);
        let got: u32 = times
            .map(|now| nodes[0].spend_of(&server, 1, 1, now, None))
            .sum();
        assert!(window == 0 || got >= 38, "{window}: {got}");
        for node in &mut nodes {
            node.beat(&server, now + 1_000);
        }
    }
}

#[test]
fn a_question_that_comes_late_or_twice_changes_nothing() {
    let server = Server::new();
    let mut node = Node::new("a", 150, 1);
    let mut other = Node::new("b", 150, 1);
    node.ask(&server, 0);
    other.ask(&server, 0);
    let late = node.question(100, 10);
    assert_eq!(node.spend(&server, 30, 11, None), 30);
    // It had been held up, and arrives now, twice.
    for _ in 0..2 {
        let answer = server.ask(&late, 12);
        node.ledger
            .answered(&late, &answer, &mut node.reported, ms(12));
    }
    let sent = node.spend(&server, 200, 13, None) + other.spend(&server, 200, 14, None);
    assert_eq!(sent, 150 - 30);
}

#[test]
fn a_server_that_has_lost_everything_is_told_what_was_spent() {
    for old in [false, true] {
        let server = Server::new();
        let mut nodes = ["a", "b", "c"].map(|name| Node::new(name, 150, 1));
        let mut before = None;
        for node in &mut nodes {
            node.ask(&server, 0);
        }
        if old {
            before = Some(server.save());
            // A window later, that state is another window's.
            for node in &mut nodes {
                node.spend(&server, 1, W + 1, None);
            }
        }
        let now = if old { W + 1_000 } else { 1_000 };
        let known = if old { 3 } else { 0 };
        let mut sent = known;
        for node in &mut nodes {
            sent += node.spend(&server, 40, now, None);
        }
        assert_eq!(sent, 120 + known);
        match before {
            Some(state) => server.restore(state),
            None => server.restart(),
        }
        let mut now = now + 500;
        for _ in 0..10 {
            for node in &mut nodes {
                now += 100;
                node.ask(&server, now);
                sent += node.spend(&server, 200, now, None);
            }
        }
        assert!((145..=150).contains(&sent), "{old}: {sent}");
    }
}

#[test]
fn one_that_begins_anew_has_spent_what_it_has() {
    let server = Server::new();
    let mut node = Node::new("a", 150, 1);
    let first = node.question(1, 0);
    node.ask(&server, 0);
    assert_eq!(node.spend(&server, 100, 10, None), 100);
    node.ask(&server, 20);
    // Its very first question arrives at last, which knew of no window.
    let late = server.ask(&first, 30);
    node.ledger
        .answered(&first, &late, &mut node.reported, ms(30));
    // The store was taken out of the configuration and has come back.
    let mut again = Node::new("a", 150, 1);
    again.ask(&server, 1_000);
    assert_eq!(again.spend(&server, 200, 1_001, None), 50);
}

#[test]
fn after_an_outage_nobody_is_granted_what_others_may_have_spent() {
    let server = Server::new();
    let mut nodes = ["a", "b"].map(|name| Node::new(name, 150, 1));
    for now in [0, 1] {
        for node in &mut nodes {
            node.ask(&server, now);
        }
    }
    let mut sent = 0;
    for node in &mut nodes {
        assert!(node.ledger.part(ms(2)));
        sent += node.spend(&server, 200, 3, None);
    }
    assert!((140..=150).contains(&sent), "{sent}");
    // One comes back before the other.
    let [first, second] = &mut nodes;
    first.ask(&server, 2_000);
    sent += first.spend(&server, 200, 2_001, None);
    second.ask(&server, 2_500);
    sent += second.spend(&server, 200, 2_501, None);
    first.ask(&server, 3_500);
    sent += first.spend(&server, 200, 3_501, None);
    assert!(sent <= 150, "{sent}");
}

#[test]
fn of_many_callers_those_are_answered_of_that_were_asked_about() {
    let server = Server::new();
    let callers = 400;
    let mut nodes = ["a", "b"].map(|name| Node::new(name, 100_000, callers));
    for node in &mut nodes {
        node.ask(&server, 0);
    }
    for turn in 0..4 {
        for node in &mut nodes {
            for caller in 0..callers {
                drop(node.take(caller, 100 + turn));
            }
            node.ask(&server, 150 + turn);
        }
    }
    let question = nodes[0].question(0, 200);
    let answer = server.ask(&question, 200);
    let arguments = question.arguments();
    assert!(
        arguments.len() <= 22 + 3 * 64 + 4 * 256,
        "{}",
        arguments.len()
    );
    nodes[0]
        .ledger
        .answered(&question, &answer, &mut nodes[0].reported, ms(200));
}
