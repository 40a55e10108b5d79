//! What will happen, in the order of its time, and chance that is the same for the same seed.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// What will happen, soonest first; of what happens at once, what was arranged first.
#[derive(Debug)]
pub struct Agenda<E> {
    heap: BinaryHeap<Reverse<(u64, u64, usize)>>,
    events: Vec<Option<E>>,
    number: u64,
}

impl<E> Agenda<E> {
    pub fn new() -> Self {
        Self {
            heap: BinaryHeap::new(),
            events: Vec::new(),
            number: 0,
        }
    }

    pub fn at(&mut self, millis: u64, event: E) {
        self.number += 1;
        self.events.push(Some(event));
        self.heap
            .push(Reverse((millis, self.number, self.events.len() - 1)));
    }

    /// What comes next, before `end`.
    pub fn next(&mut self, end: u64) -> Option<(u64, E)> {
        let Reverse((millis, _, index)) = self.heap.pop()?;
        let event = self.events[index].take()?;
        (millis < end).then_some((millis, event))
    }
}

/// Chance: `SplitMix64` (Steele, Lea and Flood, 2014).
#[derive(Debug, Clone)]
pub struct Chance(pub u64);

impl Chance {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// Evenly from 0 to 1, without 1.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    pub fn even(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub fn within(&mut self, range: (u64, u64)) -> u64 {
        range.0 + self.bits() % (range.1 - range.0 + 1)
    }

    /// The time to the next of events that come at random, so many in `per`.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a time of a simulation"
    )]
    pub fn pause(&mut self, count: f64, per: u64) -> u64 {
        let mean = per as f64 / count;
        ((-(1.0 - self.even()).ln() * mean) as u64).max(1)
    }
}
