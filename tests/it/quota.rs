//! What callers may spend: their own limits, and their shares of a store's quota.

mod explained;
mod failures;
mod ground;
mod held;
mod load;
mod own;
mod python;
mod shares;
mod shown;
mod waiting;
