//! Memory that the requests of one worker may hold at once for their bodies, or for their answers.

use crate::observe::Level;
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

/// So many bytes, shared.
#[derive(Debug, Clone)]
pub(super) struct Budget(Rc<Bytes>);

#[derive(Debug)]
struct Bytes {
    left: Cell<usize>,
    /// Where it is shown how many are taken.
    level: Arc<Level>,
}

/// A share of the budget, given back when dropped.
#[derive(Debug)]
pub(super) struct Hold {
    budget: Budget,
    taken: usize,
}

/// The budget has no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spent;

impl Budget {
    /// A budget whose level is shown.
    pub(super) fn new(bytes: usize, level: &Arc<Level>) -> Self {
        Self(Rc::new(Bytes {
            left: Cell::new(bytes),
            level: Arc::clone(level),
        }))
    }

    /// A share of nothing yet.
    pub(super) fn hold(&self) -> Hold {
        Hold {
            budget: self.clone(),
            taken: 0,
        }
    }
}

impl Hold {
    /// Sees to it that the share is at least this many bytes.
    pub(super) fn cover(&mut self, bytes: usize) -> Result<(), Spent> {
        let more = bytes.saturating_sub(self.taken);
        let Bytes { left, level } = &*self.budget.0;
        left.set(left.get().checked_sub(more).ok_or(Spent)?);
        level.rise(more);
        self.taken += more;
        Ok(())
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let Bytes { left, level } = &*self.budget.0;
        left.set(left.get() + self.taken);
        level.fall(self.taken);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_is_given_back() {
        let level = Arc::<Level>::default();
        let budget = Budget::new(10, &level);
        let mut one = budget.hold();
        assert_eq!(one.cover(6), Ok(()));
        let mut two = budget.hold();
        assert_eq!(two.cover(5), Err(Spent));
        assert_eq!(two.cover(4), Ok(()));
        assert_eq!(two.cover(3), Ok(()));
        assert_eq!(level.get(), 10);
        drop(one);
        assert_eq!(two.cover(10), Ok(()));
        assert_eq!(two.cover(11), Err(Spent));
        drop(two);
        assert_eq!((budget.0.left.get(), level.get()), (10, 0));
    }
}
