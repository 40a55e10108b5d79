//! BigCommerce, as far as its quota goes: windows that open with the first request or lie on a grid, for
//! everything that uses the store together.

use metafield_gateway::quota::Reading;

#[derive(Debug)]
pub struct Store {
    quota: u32,
    window: u64,
    on_a_grid: bool,
    ends: u64,
    left: u32,
}

impl Store {
    pub fn new(quota: u32, window: u64, on_a_grid: bool) -> Self {
        Self {
            quota,
            window,
            on_a_grid,
            ends: 0,
            left: 0,
        }
    }

    /// One request arrives; whether it is granted, and what is told.
    pub fn ask(&mut self, now: u64) -> (bool, Reading) {
        if now >= self.ends {
            // The grid lies across the callers' seconds.
            let grid = (now + 777) / self.window * self.window + self.window - 777;
            self.ends = if self.on_a_grid {
                grid
            } else {
                now + self.window
            };
            self.left = self.quota;
        }
        let granted = self.left > 0;
        self.left = self.left.saturating_sub(1);
        let reading = Reading {
            window: self.window,
            reset: (self.ends - now).min(self.window),
            quota: self.quota,
            left: self.left,
        };
        (granted, reading)
    }
}
