//! Even ticks for what looks at many deadlines at once. The runtime's own timers would have the worker name the next
//! one to the kernel whenever it waits, which sets an alarm and takes it back for every request; a timer of the
//! kernel is set once, and wakes the worker as a connection does (`timerfd_create(2)`).

use rustix::io::{Errno, read};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::{Interval, MissedTickBehavior, interval};

/// Ticks at even intervals, first when one has passed. Those that are missed are not made up for.
#[derive(Debug)]
pub struct Ticks {
    period: Duration,
    source: Source,
}

#[derive(Debug)]
enum Source {
    Kernel(AsyncFd<OwnedFd>),
    /// Where the process may open nothing more, where that timer cannot be read, and where time is simulated.
    Runtime(Interval),
}

impl Ticks {
    /// Begins to tick this often, which is not zero.
    ///
    /// # Panics
    ///
    /// Outside of a runtime, or if it has no I/O or no time.
    pub fn every(period: Duration) -> Self {
        // Fuzzing goes by a time of its own, which only the runtime knows.
        let source = if cfg!(feature = "fuzzing") {
            of_runtime(period)
        } else {
            kernel(period).unwrap_or_else(|_| of_runtime(period))
        };
        Self { period, source }
    }

    /// Waits for the next tick.
    pub async fn tick(&mut self) {
        if let Source::Kernel(timer) = &mut self.source {
            let ticked = timer.async_io(Interest::READABLE, |timer| Ok(read(timer, &mut [0; 8])?));
            if ticked.await.is_ok() {
                return;
            }
            // A timer that cannot be read must not stop what it is for.
            self.source = of_runtime(self.period);
        }
        if let Source::Runtime(ticks) = &mut self.source {
            ticks.tick().await;
        }
    }
}

fn of_runtime(period: Duration) -> Source {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.reset();
    Source::Runtime(ticks)
}

#[expect(
    deprecated,
    reason = "its successor is unsafe, since a descriptor may be closed elsewhere: one that is owned may not"
)]
fn kernel(period: Duration) -> io::Result<Source> {
    let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
    let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
    let period = Timespec::try_from(period).map_err(|_| Errno::INVAL)?;
    let spec = Itimerspec {
        it_interval: period,
        it_value: period,
    };
    timerfd_settime(&timer, TimerfdTimerFlags::empty(), &spec)?;
    AsyncFd::with_interest(timer, Interest::READABLE).map(Source::Kernel)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{read_link, read_to_string};
    use std::path::Path;
    use std::sync::mpsc;
    use std::thread;
    use tokio::runtime::{Builder, Runtime};
    use tokio::sync::oneshot;
    use tokio::time::Instant;

    const PERIOD: Duration = Duration::from_millis(5);

    /// How long a busy machine may take.
    const PATIENCE: Duration = Duration::from_secs(30);

    fn runtime() -> Runtime {
        let runtime = Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime")
    }

    #[expect(clippy::disallowed_methods, reason = "what is measured is a duration")]
    fn now() -> Instant {
        Instant::now()
    }

    /// One of each source.
    const SOURCES: [fn() -> Ticks; 2] = [of_kernel, || ticks(of_runtime(PERIOD))];

    fn ticks(source: Source) -> Ticks {
        let period = PERIOD;
        Ticks { period, source }
    }

    fn of_kernel() -> Ticks {
        ticks(kernel(PERIOD).expect("a timer"))
    }

    #[test]
    fn none_is_early() {
        runtime().block_on(async {
            for source in SOURCES {
                let began = now();
                let mut ticks = source();
                for number in 1..=10 {
                    ticks.tick().await;
                    assert!(now() - began >= PERIOD * number, "{ticks:?} {number}");
                }
            }
        });
    }

    #[test]
    fn those_that_were_missed_are_one() {
        runtime().block_on(async {
            for source in SOURCES {
                let (began, mut ticks) = (now(), source());
                while now() - began < PERIOD * 20 {}
                for _ in 0..4 {
                    ticks.tick().await;
                }
                // However late it has its turns: the first after the others were missed, and each in its own time.
                assert!(now() - began >= PERIOD * 23, "{ticks:?}");
            }
        });
    }

    #[test]
    fn the_kernel_is_named_no_end_of_the_wait() {
        let (tell, told) = mpsc::channel();
        let (end, ended) = oneshot::channel::<()>();
        let waits = thread::spawn(move || {
            let thread = read_link("/proc/thread-self").expect("a thread");
            tell.send(thread).expect("it is awaited");
            runtime().block_on(async {
                let mut ticks = of_kernel();
                let ticking = async {
                    loop {
                        ticks.tick().await;
                    }
                };
                tokio::select! { () = ticking => {}, _ = ended => {} }
            });
        });
        let thread = told.recv().expect("a thread");
        let place = Path::new("/proc").join(thread).join("syscall");
        let began = now();
        let timeout = loop {
            assert!(now() - began < PATIENCE, "it does not wait");
            // Its number, and its arguments: epoll_wait(2) and epoll_pwait(2) have the same first four.
            let call = read_to_string(&place).expect("a thread");
            let arguments: Vec<&str> = call.split_whitespace().skip(1).collect();
            if let [_, _, "0x400", timeout, ..] = arguments[..] {
                break timeout.to_owned();
            }
            thread::yield_now();
        };
        assert_eq!(timeout, "0xffffffff");
        drop(end);
        waits.join().expect("no panic");
    }
}
