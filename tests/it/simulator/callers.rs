//! Callers, by when they come.

/// When a caller comes.
#[derive(Debug, Clone, Copy)]
pub enum Appetite {
    /// So often in a window, evenly.
    Even { a_window: f64 },
    /// The same on the average, at random.
    Random { a_window: f64 },
    /// So many at once, and again after so many milliseconds; each that is refused comes again when it is asked
    /// to, until it is served.
    Bursts { of: u32, every: u64 },
    /// As BigCommerce's Python client: one after the other, and no further before the window ends where one
    /// is left or none.
    Throttled,
    /// So many at once, always, and again half a second after each refusal.
    Greedy { at_once: u32 },
}

/// A caller.
#[derive(Debug, Clone)]
pub struct Wisher {
    pub name: &'static str,
    pub appetite: Appetite,
    pub weight: u32,
    pub guaranteed: u32,
}
