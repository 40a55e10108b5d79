//! When a change is whole. A file that is written piece by piece is valid at many a line's end, and grants
//! that are not written yet narrow nothing; several files that are read one after another may be of two
//! moments. So a change counts once it has stood still, and only if nothing changed while it was read.

use std::time::Duration;
use tokio::time::Instant;

/// For how long a change that nobody announced must have stood still.
pub(super) const STILL: Duration = Duration::from_millis(500);

/// How often files that change while they are read are read again.
const READINGS: usize = 3;

/// What was seen of a change, by a digest of everything, and since when.
#[derive(Debug)]
pub(super) struct Settling<D>(Option<(D, Instant)>);

impl<D> Default for Settling<D> {
    fn default() -> Self {
        Self(None)
    }
}

impl<D: Copy + PartialEq> Settling<D> {
    /// Whether what is seen now has been so for long enough.
    pub(super) fn stands_still(&mut self, seen: D, now: Instant, still: Duration) -> bool {
        match self.0 {
            Some((before, since)) if before == seen => now.duration_since(since) >= still,
            _ => {
                self.0 = Some((seen, now));
                false
            }
        }
    }

    /// Whether a change was seen that may not be whole.
    pub(super) fn is_open(&self) -> bool {
        self.0.is_some()
    }

    /// There is no change any more, or it is dealt with.
    pub(super) fn end(&mut self) {
        self.0 = None;
    }
}

/// Reads until nothing has changed meanwhile; `None` if it changes each time.
pub(super) fn read_at_once<S, T>(
    mut read: impl FnMut() -> (S, T),
    has_changed: impl Fn(&S) -> bool,
) -> Option<(S, T)> {
    (0..READINGS).find_map(|_| {
        let (seen, read) = read();
        (!has_changed(&seen)).then_some((seen, read))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[expect(clippy::disallowed_methods, reason = "a moment to count from")]
    #[test]
    fn a_change_counts_once_it_has_stood_still() {
        let begin = Instant::now();
        let mut settling = Settling::default();
        // At so many milliseconds this is seen: three pieces, and then the whole. Two looks that happen to
        // come one after the other say nothing.
        for (at, seen, still) in [
            (0, 1, false),
            (400, 2, false),
            (900, 3, false),
            (1300, 4, false),
            (1301, 4, false),
            (1799, 4, false),
            (1800, 4, true),
        ] {
            let now = begin + Duration::from_millis(at);
            assert_eq!(settling.stands_still(seen, now, STILL), still, "{at}");
        }
        settling.end();
        assert!(!settling.is_open());
        assert!(!settling.stands_still(4, begin, STILL));
    }

    #[test]
    fn what_changes_while_it_is_read_is_read_again() {
        let files = Cell::new(0);
        let changes = |times: u32| {
            files.set(0);
            let read = || (files.get(), files.replace(files.get().min(times) + 1));
            let has_changed = |seen: &u32| *seen < times;
            read_at_once(read, has_changed).map(|(seen, _)| seen)
        };
        assert_eq!(changes(0), Some(0));
        assert_eq!(changes(2), Some(2));
        assert_eq!(changes(3), None);
    }
}
