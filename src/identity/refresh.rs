//! When an issuer's keys are fetched again: in turn, earlier where a token names a key that is not known,
//! and after a failure with growing pauses. Pure: time comes in as an argument, and what comes out is what to
//! do now and when to look again.

use std::time::Duration;

/// The shortest time between the beginnings of two fetches that tokens ask for: anyone can make up the name
/// of a key, and each would cost the issuer a request.
pub const ASK_AGAIN: Duration = Duration::from_secs(10);

/// The pauses after failures: the first, and the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The turns of one issuer's keys.
#[derive(Debug)]
pub struct Refresh {
    every: Duration,
    due: Duration,
    begun: Option<Duration>,
    failures: u32,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Fetch now.
    Fetch,
    /// Nothing before this moment.
    Wait(Duration),
}

impl Refresh {
    /// The first fetch is due at once, ahead of any need.
    pub const fn new(every: Duration) -> Self {
        Self {
            every,
            due: Duration::ZERO,
            begun: None,
            failures: 0,
        }
    }

    /// What to do now, where a token has `asked` for a key or not. `Step::Fetch` counts as begun.
    pub fn step(&mut self, now: Duration, asked: bool) -> Step {
        // A clock that was set back must not put the next turn off.
        let longest = now.saturating_add(self.every.max(LONGEST_PAUSE));
        self.due = self.due.min(longest);
        if self.begun.is_some_and(|begun| begun > now) {
            self.begun = None;
        }
        if now >= self.due || (asked && now >= self.asked_from()) {
            self.begun = Some(now);
            return Step::Fetch;
        }
        Step::Wait(self.due)
    }

    /// From when on a token may ask.
    pub fn asked_from(&self) -> Duration {
        self.begun
            .map_or(Duration::ZERO, |begun| begun.saturating_add(ASK_AGAIN))
    }

    /// A fetch has ended. `jitter` is from 0 to 255: many gateways must not come at one moment.
    pub fn ended(&mut self, now: Duration, succeeded: bool, jitter: u8) {
        let pause = if succeeded {
            self.failures = 0;
            self.every
        } else {
            let doubled = FIRST_PAUSE.saturating_mul(1 << self.failures.min(16));
            self.failures = self.failures.saturating_add(1);
            doubled.min(LONGEST_PAUSE).min(self.every)
        };
        // Up to an eighth earlier.
        let earlier = pause / 8 * u32::from(jitter) / 255;
        self.due = now.saturating_add(pause.saturating_sub(earlier));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: Duration = Duration::from_secs(300);

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(1_700_000_000 + seconds)
    }

    fn fetched(at: u64) -> Refresh {
        let mut refresh = Refresh::new(EVERY);
        assert_eq!(refresh.step(seconds(at), false), Step::Fetch);
        refresh.ended(seconds(at), true, 0);
        refresh
    }

    #[test]
    fn keys_are_fetched_at_once_and_then_in_turn() {
        let mut refresh = fetched(0);
        assert_eq!(refresh.step(seconds(0), false), Step::Wait(seconds(300)));
        assert_eq!(refresh.step(seconds(299), false), Step::Wait(seconds(300)));
        assert_eq!(refresh.step(seconds(300), false), Step::Fetch);
    }

    #[test]
    fn a_turn_comes_up_to_an_eighth_earlier() {
        let mut refresh = fetched(0);
        refresh.ended(seconds(0), true, 255);
        let earliest = seconds(262) + Duration::from_millis(500);
        assert_eq!(refresh.step(seconds(1), false), Step::Wait(earliest));
    }

    #[test]
    fn tokens_ask_at_a_bounded_rate() {
        let mut refresh = fetched(0);
        let mut fetches = Vec::new();
        for second in 0..60 {
            // A token with an unknown key comes each second.
            if refresh.step(seconds(second), true) == Step::Fetch {
                fetches.push(second);
                refresh.ended(seconds(second), true, 0);
            }
        }
        assert_eq!(fetches, [10, 20, 30, 40, 50]);
    }

    #[test]
    fn failures_are_followed_by_growing_pauses() {
        let mut refresh = Refresh::new(EVERY);
        let (mut now, mut fetches) = (0, Vec::new());
        while now < 600 {
            match refresh.step(seconds(now), false) {
                Step::Fetch => {
                    fetches.push(now);
                    refresh.ended(seconds(now), false, 0);
                }
                Step::Wait(until) => now = until.saturating_sub(seconds(0)).as_secs(),
            }
        }
        // Ten minutes of an issuer that is down: within a minute of its return it is asked.
        let expected = [
            0, 1, 3, 7, 15, 31, 63, 123, 183, 243, 303, 363, 423, 483, 543,
        ];
        assert_eq!(fetches, expected);
        assert_eq!(refresh.failures, 15);
        assert_eq!(refresh.step(seconds(603), false), Step::Fetch);
        refresh.ended(seconds(603), true, 0);
        assert_eq!(refresh.failures, 0);
        assert_eq!(refresh.step(seconds(604), false), Step::Wait(seconds(903)));
    }

    #[test]
    fn a_short_turn_bounds_the_pauses_too() {
        let mut refresh = Refresh::new(Duration::from_secs(10));
        for _ in 0..30 {
            refresh.ended(seconds(0), false, 0);
        }
        assert_eq!(refresh.step(seconds(1), false), Step::Wait(seconds(10)));
    }

    #[test]
    fn a_clock_that_is_set_back_puts_nothing_off() {
        let mut refresh = fetched(1_000_000);
        assert_eq!(refresh.step(seconds(0), false), Step::Wait(seconds(300)));
        assert_eq!(refresh.step(seconds(1), true), Step::Fetch);
    }
}
