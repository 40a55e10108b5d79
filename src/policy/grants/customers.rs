//! The customers that a caller keeps to: ids and inclusive ranges of them, sorted, so that a look-up
//! costs a few comparisons, however many there are.

use crate::policy::vocabulary::Id;
use std::fmt;
use std::ops::RangeInclusive;

/// Some customers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Customers(Vec<(Id, Id)>);

impl Customers {
    /// The customers of these ranges; ranges that meet become one, and empty ones none.
    pub fn of(ranges: impl IntoIterator<Item = RangeInclusive<Id>>) -> Self {
        let mut list: Vec<(Id, Id)> = ranges
            .into_iter()
            .map(RangeInclusive::into_inner)
            .filter(|(from, to)| from <= to)
            .collect();
        list.sort_unstable();
        list.dedup_by(|later, kept| {
            let meets = later.0 <= kept.1;
            if meets {
                kept.1 = kept.1.max(later.1);
            }
            meets
        });
        Self(list)
    }

    /// Whether some customer is among both.
    pub fn meet(&self, other: &Self) -> bool {
        self.0.iter().any(|(from, to)| {
            let after = other.0.partition_point(|(begin, _)| begin <= to);
            let nearest = after.checked_sub(1).and_then(|at| other.0.get(at));
            nearest.is_some_and(|(_, end)| end >= from)
        })
    }

    /// Whether this customer is among them.
    pub fn cover(&self, customer: Id) -> bool {
        let after = self.0.partition_point(|(from, _)| *from <= customer);
        after
            .checked_sub(1)
            .and_then(|at| self.0.get(at))
            .is_some_and(|(_, to)| customer <= *to)
    }
}

impl fmt::Display for Customers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ranges = self.0.iter().map(|(from, to)| {
            if from == to {
                from.get().to_string()
            } else {
                format!("{}-{}", from.get(), to.get())
            }
        });
        super::names::list(f, ranges)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(value: u64) -> Id {
        Id::new(value).expect("an id")
    }

    #[test]
    fn both_ends_of_a_range_belong_to_it() {
        let ranges = [(1000, 1999), (7, 7), (Id::MAX, Id::MAX)];
        let customers = Customers::of(ranges.map(|(from, to)| id(from)..=id(to)));
        for covered in [7, 1000, 1001, 1999, Id::MAX] {
            assert!(customers.cover(id(covered)), "{covered}");
        }
        for outside in [1, 6, 8, 999, 2000, Id::MAX - 1] {
            assert!(!customers.cover(id(outside)), "{outside}");
        }
    }

    #[test]
    fn customers_meet_where_one_is_among_both() {
        let of = |ranges: &[(u64, u64)]| {
            Customers::of(ranges.iter().map(|(from, to)| id(*from)..=id(*to)))
        };
        for (one, other, meet) in [
            (&[(7, 7)][..], &[(7, 7)][..], true),
            (&[(1, 10)], &[(3, 4), (20, 30)], true),
            (&[(10, 20)], &[(20, 20)], true),
            (&[(10, 20)], &[(1, 9), (21, 30)], false),
            (&[(1, 1)], &[(2, 2)], false),
        ] {
            assert_eq!(of(one).meet(&of(other)), meet, "{one:?} {other:?}");
            assert_eq!(of(other).meet(&of(one)), meet, "{other:?} {one:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_look_up_finds_what_a_search_through_all_finds(
            ranges in proptest::collection::vec((1_u64..40, 1_u64..40), 0..8),
            customer in 1_u64..40
        ) {
            let plain = ranges.iter().any(|(from, to)| (*from..=*to).contains(&customer));
            let customers = Customers::of(ranges.iter().map(|(from, to)| id(*from)..=id(*to)));
            proptest::prop_assert_eq!(customers.cover(id(customer)), plain);
        }
    }
}
