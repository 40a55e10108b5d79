//! What a gateway asks of the shared server, and what it is answered, as numbers and names.

use super::super::number::Epoch;
use super::waiting::Waiting;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How many callers one question tells of; the others are told of in the next ones.
const CALLERS: usize = 256;

/// The most requests, and the longest window in milliseconds, that an answer can speak of: more than BigCommerce's
/// answers are believed with.
const MOST: u32 = 4_000_000;
const LONGEST: u64 = 3_600_000;

/// What a gateway knows of a store's window, for the others to know too. Times are in milliseconds of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Report {
    pub(in super::super) epoch: Epoch,
    /// When it ends at the soonest, and at the latest.
    pub(in super::super) soonest: u64,
    pub(in super::super) end: u64,
    pub(in super::super) quota: u32,
    pub(in super::super) length: u64,
    /// What answers said is left.
    pub(in super::super) left: Option<u32>,
    /// Whether an answer that says nothing has shown when it ends at the latest.
    pub(in super::super) is_bounded: bool,
    pub(in super::super) spent: u32,
    /// What of that may not have arrived yet.
    pub(in super::super) on_its_way: u32,
}

/// One question to the shared server.
#[derive(Debug, Clone)]
pub struct Question {
    pub(in super::super) report: Report,
    /// The window's number as the server counts; 0 where it is not known.
    pub(in super::super) number: u64,
    pub(in super::super) replica: Arc<str>,
    pub(in super::super) sequence: u64,
    /// What the configuration says: requests, milliseconds, kept free.
    pub(in super::super) expected: (u32, u64, u32),
    /// The report's times by the server's clock; `None` where that is not known yet.
    pub(in super::super) times: Option<(u64, u64)>,
    pub(in super::super) held: u32,
    pub(in super::super) wanted: u32,
    pub(in super::super) waiting: Waiting,
    pub(in super::super) used: u32,
    /// Whether the gateway had to go on alone since it was answered last.
    pub(in super::super) was_alone: bool,
    /// Number and name, and what each does here.
    pub(in super::super) callers: Vec<(usize, Arc<str>, Deeds)>,
    pub(in super::super) sent: u64,
}

/// What a caller does in a window.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in super::super) struct Deeds {
    pub(in super::super) asked: u64,
    pub(in super::super) spent: u64,
    /// What it is thought to wish in the next one.
    pub(in super::super) wish: u64,
}

/// What was told of callers already, so that only what has changed is told. Whoever asks keeps it.
#[derive(Debug, Default)]
pub struct Reported {
    /// The window, and when the server began to count.
    number: u64,
    born: u64,
    callers: BTreeMap<usize, Deeds>,
    next: usize,
}

/// What answers of BigCommerce have told any gateway of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Told {
    Nothing,
    /// When it ends at the latest.
    Bounded,
    /// How much is left, and when it ends.
    Left(u32),
}

/// What the shared server answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The window's number.
    pub(in super::super) number: u64,
    /// The server's time.
    pub(in super::super) now: u64,
    /// Whether it is the window that the gateway is in.
    pub(in super::super) is_same: bool,
    /// Whether a later question was answered before this one.
    pub(in super::super) is_late: bool,
    pub(in super::super) end: u64,
    pub(in super::super) soonest: u64,
    /// What answers of BigCommerce told of the window.
    pub(in super::super) told: Told,
    pub(in super::super) quota: u32,
    pub(in super::super) length: u64,
    /// What the gateway may spend in this window in all.
    pub(in super::super) held: u32,
    /// What all callers of all gateways may still spend.
    pub(in super::super) rest: u32,
    /// What is left for everyone, other apps too.
    pub(in super::super) left: u32,
    /// What other apps have spent at least.
    pub(in super::super) others: u32,
    /// What other gateways hold and have not spent.
    pub(in super::super) elsewhere: u32,
    pub(in super::super) replicas: u32,
    /// What all gateways have spent.
    pub(in super::super) used: u32,
    /// Whether these are all callers.
    pub(in super::super) is_whole: bool,
    /// When the server began to count.
    pub(in super::super) born: u64,
    /// What each caller does by way of other gateways; the wish is that of any gateway.
    pub(in super::super) callers: Vec<(String, Deeds)>,
}

/// An answer that the script cannot have given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the answer is not one of this gateway's script")]
pub struct Malformed;

impl Question {
    /// How many of this gateway's requests it is about, beyond those that it holds.
    pub const fn wanted(&self) -> u32 {
        self.wanted
    }

    /// The script's arguments.
    pub fn arguments(&self) -> Vec<String> {
        let report = &self.report;
        let (soonest, latest) = self.times.unwrap_or_default();
        let told = match (self.times, report.left, report.is_bounded) {
            (None, ..) | (_, None, false) => 0,
            (_, Some(_), _) => 1,
            (_, None, true) => 2_u64,
        };
        let (requests, per, free) = self.expected;
        let numbers = [
            self.sequence,
            requests.into(),
            per,
            free.into(),
            requests.into(),
            self.number,
            told,
            soonest,
            latest,
            report.quota.into(),
            report.length,
            report.left.unwrap_or(0).into(),
            report.spent.into(),
            report.spent.saturating_sub(report.on_its_way).into(),
            report.on_its_way.into(),
            self.held.into(),
            self.wanted.into(),
            self.used.into(),
            self.was_alone.into(),
            self.waiting.count().into(),
        ];
        let mut arguments = vec![self.replica.as_ref().to_owned()];
        arguments.extend(numbers.iter().map(u64::to_string));
        arguments.push(self.waiting.bounded().count().to_string());
        for (name, count, most) in self.waiting.bounded() {
            arguments.extend([name.to_owned(), count.to_string(), most.to_string()]);
        }
        for (_, name, deeds) in &self.callers {
            arguments.push(name.as_ref().to_owned());
            let deeds = [deeds.asked, deeds.spent, deeds.wish];
            arguments.extend(deeds.iter().map(u64::to_string));
        }
        arguments
    }
}

impl Reported {
    /// Of what is known now, what has changed since it was told, some of it if that is much; first of all those that
    /// wait, which are always told.
    pub(in super::super) fn changed(
        &mut self,
        number: u64,
        known: Vec<(usize, Deeds)>,
        waits: impl Fn(usize) -> bool,
    ) -> Vec<(usize, Deeds)> {
        if self.number != number {
            self.callers.clear();
            self.number = number;
        }
        let (mut told, mut known): (Vec<_>, Vec<_>) =
            known.into_iter().partition(|(caller, _)| waits(*caller));
        told.truncate(CALLERS);
        known.retain(|(caller, deeds)| self.callers.get(caller) != Some(deeds));
        let room = CALLERS - told.len();
        if known.len() > room {
            // Another part each time.
            let first = known.partition_point(|(caller, ..)| *caller < self.next);
            known.rotate_left(first);
            known.truncate(room);
            self.next = known.last().map_or(self.next, |(caller, ..)| caller + 1);
        }
        told.extend(known);
        told
    }

    /// A question was answered.
    pub(in super::super) fn answered(&mut self, question: &Question, answer: &Answer) {
        if answer.born != self.born {
            // It has forgotten what it was told.
            self.callers.clear();
            self.born = answer.born;
        }
        if answer.is_late || !answer.is_same || question.number != answer.number {
            return;
        }
        for (caller, name, deeds) in &question.callers {
            // What is granted to those that wait counts there as spent until it is told again.
            if question.waiting.has(name) {
                self.callers.remove(caller);
            } else {
                self.callers.insert(*caller, *deeds);
            }
        }
    }
}

impl Answer {
    /// Reads the script's answer: its numbers, and names with two numbers each.
    pub fn read(numbers: &[i64], callers: &[String]) -> Result<Self, Malformed> {
        let mut numbers = numbers.iter();
        let mut next = || {
            let number = numbers.next().ok_or(Malformed)?;
            u64::try_from(*number).map_err(|_| Malformed)
        };
        let small = |number: u64| {
            let number = u32::try_from(number).ok();
            number.filter(|number| *number <= MOST).ok_or(Malformed)
        };
        let (number, now) = (next()?, next()?);
        let (is_same, is_late) = (next()? == 1, next()? == 1);
        let (end, soonest) = (next()?, next()?);
        let (told, left) = (next()?, small(next()?)?);
        let (quota, length) = (small(next()?)?, next()?);
        let mut read = Self {
            number,
            now,
            is_same,
            is_late,
            end,
            soonest,
            told: match told {
                1 => Told::Left(left),
                2 => Told::Bounded,
                _ => Told::Nothing,
            },
            quota,
            length,
            held: small(next()?)?,
            rest: small(next()?)?,
            left: small(next()?)?,
            others: small(next()?)?,
            elsewhere: small(next()?)?,
            replicas: small(next()?)?,
            used: small(next()?)?,
            is_whole: next()? == 1,
            born: next()?,
            callers: Vec::with_capacity(callers.len() / 4),
        };
        if number == 0 || quota == 0 || !(1..=LONGEST).contains(&length) {
            return Err(Malformed);
        }
        for caller in callers.chunks_exact(4) {
            let [name, asked, spent, wish] = caller else {
                return Err(Malformed);
            };
            let number = |text: &String| text.parse::<u64>().map_err(|_| Malformed);
            let deeds = Deeds {
                asked: number(asked)?,
                spent: number(spent)?,
                wish: number(wish)?,
            };
            read.callers.push((name.clone(), deeds));
        }
        Ok(read)
    }
}

#[cfg(test)]
pub(in super::super) mod tests {
    use super::*;

    /// What the script answers first in a window of 150.
    pub(in super::super::super) const FIRST: [i64; 19] = [
        1_800_000_000,
        1_800_000_000_500,
        1,
        0,
        1_800_000_030_500,
        0,
        0,
        0,
        150,
        30_000,
        3,
        150,
        150,
        0,
        0,
        1,
        0,
        1,
        7,
    ];

    #[test]
    fn an_answer_is_read_or_refused() {
        let callers = ["crm", "9", "4", "12"].map(str::to_owned);
        let read = Answer::read(&FIRST, &callers).unwrap();
        assert_eq!((read.held, read.rest, read.told), (3, 150, Told::Nothing));
        let deeds = Deeds {
            asked: 9,
            spent: 4,
            wish: 12,
        };
        assert_eq!(read.callers, [("crm".to_owned(), deeds)]);
        let with = |place: usize, number: i64| {
            let mut numbers = FIRST;
            numbers[place] = number;
            Answer::read(&numbers, &callers)
        };
        // No window, no quota, no length, or too much of anything.
        for (place, number) in [
            (0, 0),
            (8, 0),
            (9, 0),
            (9, 3_600_001),
            (10, 4_000_001),
            (3, -1),
            (1, -1),
        ] {
            assert_eq!(with(place, number), Err(Malformed), "{place}: {number}");
        }
        assert_eq!(Answer::read(&FIRST[..18], &callers), Err(Malformed));
        let odd = ["crm", "9", "four", "12"].map(str::to_owned);
        assert_eq!(Answer::read(&FIRST, &odd), Err(Malformed));
    }

    #[test]
    fn only_what_has_changed_is_told_and_much_of_it_in_turn() {
        let mut reported = Reported::default();
        let deeds = |asked| Deeds {
            asked,
            ..Deeds::default()
        };
        let many: Vec<_> = (0..600).map(|caller| (caller, deeds(1))).collect();
        let mut told = Vec::new();
        for _ in 0..3 {
            let changed = reported.changed(7, many.clone(), |_| false);
            assert!(changed.len() <= CALLERS);
            for (caller, deeds) in changed {
                reported.callers.insert(caller, deeds);
                told.push(caller);
            }
        }
        told.sort_unstable();
        assert_eq!(told, (0..600).collect::<Vec<_>>());
        let nobody = |_| false;
        assert_eq!(reported.changed(7, many.clone(), nobody), []);
        let some = vec![(3, deeds(2)), (4, deeds(1)), (5, deeds(1))];
        assert_eq!(reported.changed(7, some.clone(), nobody), [(3, deeds(2))]);
        // Who waits comes first.
        let told = reported.changed(7, some, |caller| caller == 5);
        assert_eq!(told, [(5, deeds(1)), (3, deeds(2))]);
        // In another window nothing has been told yet.
        let told = reported.changed(8, vec![(4, deeds(1))], nobody);
        assert_eq!(told, [(4, deeds(1))]);
    }
}
