//! As many large bodies at once as `limits.body_memory` has room for, and some more.

use super::ground::{Ground, Metrics};
use super::hostile::{Endings, Hostile, ending};
use crate::support::client::{ALL, Client, Request};
use std::fmt::Write as _;

/// Characters of each value: few enough items for one batch.
const VALUE: usize = 60_000;
const REFUSED: &str = "503 overloaded";

/// Batches of a size, each held back by its last byte.
#[derive(Debug)]
pub struct Bodies {
    request: Vec<u8>,
    /// How many fill the memory but for a small one.
    room: usize,
    more: usize,
    begun: usize,
    held: Vec<Client>,
    /// Small ones, for the room that is left.
    small: Vec<Client>,
    /// Whether the normal client has met the bound.
    is_full: bool,
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
            small: Vec::new(),
            is_full: false,
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
    fn step(&mut self, ground: &Ground, served: bool) {
        if self.begun < self.room {
            let client = self.send(ground);
            self.held.push(client);
            self.begun += 1;
        } else if !self.is_full {
            self.is_full = !served;
            if served {
                let mut client = Client::connect(ground.address);
                let small = Request::update("").with("Content-Length", "2");
                client.send(small.with("Expect", "100-continue").head());
                // It is told to go on when it has its room, and holds it then.
                if client.answer().status() == 100 {
                    self.small.push(client);
                }
            }
        } else if !self.is_up() {
            let ending = ending(&mut self.send(ground));
            self.endings.add(&ending);
            self.begun += 1;
        }
    }

    fn is_up(&self) -> bool {
        self.begun == self.room + self.more
    }

    fn keeps(&self) -> usize {
        self.room + self.small.len()
    }

    fn let_go(&mut self) {
        self.small.clear();
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
