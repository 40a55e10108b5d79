//! As many large bodies at once as `limits.body_memory` has room for, and some more.

use super::ground::{Ground, Metrics};
use super::hostile::{Endings, Hostile, ending};
use crate::support::client::{ALL, Client, Request};
use std::fmt::Write as _;

/// Characters of each value: few enough items for one batch.
const VALUE: usize = 60_000;
/// Answers after which a body has been read: its connection has had as many turns.
const SETTLED: usize = 5;
const REFUSED: &str = "503 overloaded";

/// Batches of a size, each held back by its last byte.
#[derive(Debug)]
pub struct Bodies {
    request: Vec<u8>,
    /// How many fill the memory, but for less than one.
    room: usize,
    more: usize,
    begun: usize,
    held: Vec<Client>,
    /// How many requests of the normal client are waited for before the next step.
    settling: usize,
    endings: Endings,
}

impl Bodies {
    pub fn new(size: usize, room: usize, more: usize) -> Self {
        let request = Request::new("PUT", ALL).json(batch(size)).to_bytes();
        Self {
            request,
            room,
            more,
            begun: 0,
            held: Vec::new(),
            settling: 0,
            endings: Endings::default(),
        }
    }

    fn send(&self, ground: &Ground) -> Client {
        let mut client = Client::connect(ground.address);
        let (_, but_the_last) = self.request.split_last().expect("a request");
        client.send(but_the_last);
        client
    }
}

/// A batch of updates, filled up with white space to exactly this size.
fn batch(size: usize) -> Vec<u8> {
    let value = "x".repeat(VALUE);
    let mut batch = "[".to_owned();
    for id in 1..=size / (VALUE + 64) {
        let comma = if id == 1 { "" } else { "," };
        write!(batch, r#"{comma}{{"id":{id},"value":"{value}"}}"#).expect("a string");
    }
    batch.push_str(&" ".repeat(size - batch.len() - 1));
    batch.push(']');
    batch.into_bytes()
}

impl Hostile for Bodies {
    fn step(&mut self, ground: &Ground, _: bool) {
        // The worker has read what it was sent once it has answered another some times.
        if self.settling > 0 {
            self.settling -= 1;
            return;
        }
        if self.begun < self.room {
            let client = self.send(ground);
            self.held.push(client);
        } else if self.begun < self.room + self.more {
            let ending = ending(&mut self.send(ground));
            self.endings.add(&ending);
        }
        self.begun += 1;
        self.settling = SETTLED;
    }

    fn is_up(&self) -> bool {
        self.begun > self.room + self.more
    }

    fn keeps(&self) -> usize {
        self.room
    }

    fn let_go(&mut self) {
        for client in &mut self.held {
            client.send("]");
        }
        for mut client in self.held.drain(..) {
            self.endings.add(&ending(&mut client));
        }
    }

    fn is_over(&self, _: &Metrics, now: &Metrics) -> bool {
        now.open() == 1
    }

    fn account(&mut self, began: &Metrics, now: &Metrics) -> Endings {
        let endings = std::mem::take(&mut self.endings);
        let ends = (endings.of("200"), endings.of(REFUSED), endings.all());
        assert_eq!(
            ends,
            (self.room, self.more, self.room + self.more),
            "{endings}"
        );
        let counted = now.denied_since(began, "update_batch", "overloaded");
        assert_eq!(counted, self.more as u64);
        endings
    }
}
