//! Atomic numbers that belong to one window each: of another window they count as unknown. A window is
//! told by its number modulo 2^24, which comes round after years.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

/// The bits of a value that is tagged with its window: as milliseconds 34 years.
const VALUE: u32 = 40;
const MOST: u64 = (1 << VALUE) - 1;
const EPOCHS: u64 = (1 << (64 - VALUE)) - 1;

/// The number of a window.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Epoch(u32);

impl Epoch {
    pub(super) const fn next(self) -> Self {
        Self(self.0.wrapping_add(1) & ((1 << 24) - 1))
    }

    /// Whether it is less than half the way round after another.
    const fn is_after(self, other: Self) -> bool {
        let ahead = self.0.wrapping_sub(other.0) & ((1 << 24) - 1);
        ahead != 0 && ahead < 1 << 23
    }
}

/// A value with the window it is of.
#[derive(Debug, Default)]
pub(super) struct Tagged(AtomicU64);

impl Tagged {
    #[cfg(test)]
    fn new(epoch: Epoch, value: u64) -> Self {
        Self(AtomicU64::new(pack(epoch, value)))
    }

    pub(super) fn load(&self) -> (Epoch, u64) {
        unpack(self.0.load(SeqCst))
    }

    /// The value, if it is of this window.
    pub(super) fn of(&self, epoch: Epoch) -> Option<u64> {
        let (tag, value) = self.load();
        (tag == epoch).then_some(value)
    }

    pub(super) fn store(&self, epoch: Epoch, value: u64) {
        self.0.store(pack(epoch, value), SeqCst);
    }

    /// Puts another window's value in the place of one that is still the same.
    pub(super) fn replace(&self, old: (Epoch, u64), new: (Epoch, u64)) -> bool {
        (self.0)
            .compare_exchange(pack(old.0, old.1), pack(new.0, new.1), SeqCst, SeqCst)
            .is_ok()
    }

    /// Changes the value of this window, which is nothing where it is unknown. Gives the new value, or
    /// `None` where `change` does, or where the value is of a later window already.
    pub(super) fn change(
        &self,
        epoch: Epoch,
        change: impl Fn(Option<u64>) -> Option<u64>,
    ) -> Option<u64> {
        let mut before = self.0.load(SeqCst);
        loop {
            let (tag, value) = unpack(before);
            if tag.is_after(epoch) {
                return None;
            }
            let next = change((tag == epoch).then_some(value))?.min(MOST);
            let exchanged =
                (self.0).compare_exchange_weak(before, pack(epoch, next), SeqCst, SeqCst);
            match exchanged {
                Ok(_) => return Some(next),
                Err(other) => before = other,
            }
        }
    }

    /// Adds to the value of this window, and gives the sum.
    pub(super) fn add(&self, epoch: Epoch, more: u64) -> u64 {
        self.change(epoch, |value| Some(value.unwrap_or(0) + more))
            .unwrap_or(more)
    }

    /// Takes one from the value of this window, if it has one.
    pub(super) fn take_one(&self, epoch: Epoch) -> bool {
        self.change(epoch, |value| value?.checked_sub(1)).is_some()
    }
}

const fn pack(epoch: Epoch, value: u64) -> u64 {
    let value = if value > MOST { MOST } else { value };
    ((epoch.0 as u64 & EPOCHS) << VALUE) | value
}

fn unpack(word: u64) -> (Epoch, u64) {
    let epoch = u32::try_from(word >> VALUE).unwrap_or_default();
    (Epoch(epoch), word & MOST)
}

/// A time in whole milliseconds.
pub(super) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_counts_in_its_own_window_alone() {
        let first = Epoch::default();
        let number = Tagged::new(first, 7);
        assert_eq!(number.of(first), Some(7));
        assert_eq!(number.of(first.next()), None);
        assert_eq!(number.add(first.next(), 2), 2);
        assert_eq!(number.of(first), None);
        assert!(number.take_one(first.next()) && number.take_one(first.next()));
        assert!(!number.take_one(first.next()));
        // Who comes late changes nothing of the next window.
        number.add(first.next(), 5);
        assert_eq!(number.change(first, |_| Some(9)), None);
        assert_eq!(number.of(first.next()), Some(5));
    }

    #[test]
    fn epochs_come_round_and_values_have_a_bound() {
        let mut epoch = Epoch((1 << 24) - 1);
        epoch = epoch.next();
        assert_eq!(epoch, Epoch::default());
        let number = Tagged::new(Epoch(9), u64::MAX);
        assert_eq!(number.load(), (Epoch(9), MOST));
        assert_eq!(number.add(Epoch(9), 1), MOST);
    }
}
