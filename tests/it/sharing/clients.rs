//! Callers that come evenly, and one that comes without bound, each by way of all gateways in turn.

use super::fleet::{CALLERS, Fleet, now, request};
use crate::support::client::Client;
use std::net::SocketAddr;
use std::thread::Scope;
use std::time::{Duration, Instant};

/// How many connections the greedy one has to each gateway.
const GREEDY: usize = 4;

/// For how long it waits when it was refused.
const PAUSE: Duration = Duration::from_millis(20);

/// One answer that a caller got.
#[derive(Debug, Clone, Copy)]
pub struct Told {
    pub caller: usize,
    pub status: u16,
    /// Since the run began.
    pub at: Duration,
    /// When the window ends, as it was told.
    pub ends: Duration,
}

/// What everybody got.
#[derive(Debug)]
pub struct Run {
    pub told: Vec<Told>,
    pub window: Duration,
    pub quota: u32,
}

/// Has the callers come for so long, while `act` does something else.
pub fn run(
    fleet: &mut Fleet,
    quota: u32,
    window: Duration,
    lasting: Duration,
    act: impl FnOnce(&mut Fleet, Instant),
) -> Run {
    let addresses: Vec<SocketAddr> = fleet.gateways.iter().map(|g| g.address).collect();
    let began = now();
    let until = began + lasting;
    let told = std::thread::scope(|scope| {
        let mut threads = Vec::new();
        for (caller, (_, part)) in CALLERS.iter().enumerate() {
            if part.is_finite() {
                let a_window = part * f64::from(quota);
                let every = window.div_f64(a_window);
                threads.push(even(scope, caller, &addresses, (began, until), every));
            } else {
                for thread in 0..GREEDY {
                    threads.push(greedy(scope, caller, thread, &addresses, (began, until)));
                }
            }
        }
        act(fleet, began);
        let told = threads
            .into_iter()
            .map(|thread| thread.join().expect("a caller"));
        told.flatten().collect()
    });
    Run {
        told,
        window,
        quota,
    }
}

type Thread<'scope> = std::thread::ScopedJoinHandle<'scope, Vec<Told>>;

fn even<'scope>(
    scope: &'scope Scope<'scope, '_>,
    caller: usize,
    addresses: &[SocketAddr],
    (began, until): (Instant, Instant),
    every: Duration,
) -> Thread<'scope> {
    let addresses = addresses.to_vec();
    scope.spawn(move || {
        let mut told = Vec::new();
        // Not all at the same moment.
        let mut next =
            began + every.mul_f64(0.1 + 0.1 * f64::from(u32::try_from(caller).expect("few")));
        let mut turn = caller;
        while next < until {
            std::thread::sleep(next.saturating_duration_since(now()));
            // A connection would be idle for too long in between.
            let mut client = Client::connect(addresses[turn % addresses.len()]);
            told.push(ask(&mut client, caller, began));
            turn += 1;
            next += every;
        }
        told
    })
}

fn greedy<'scope>(
    scope: &'scope Scope<'scope, '_>,
    caller: usize,
    thread: usize,
    addresses: &[SocketAddr],
    (began, until): (Instant, Instant),
) -> Thread<'scope> {
    let addresses = addresses.to_vec();
    scope.spawn(move || {
        let mut clients: Vec<Client> = addresses.iter().map(|a| Client::connect(*a)).collect();
        let mut told = Vec::new();
        let mut turn = thread;
        while now() < until {
            let place = turn % clients.len();
            let one = ask(&mut clients[place], caller, began);
            if one.status != 200 {
                std::thread::sleep(PAUSE);
            }
            told.push(one);
            turn += 1;
        }
        told
    })
}

fn ask(client: &mut Client, caller: usize, began: Instant) -> Told {
    let answer = client.exchange(&request(CALLERS[caller].0));
    let at = began.elapsed();
    let reset = answer.field("X-Rate-Limit-Time-Reset-Ms");
    let reset: u64 = reset.and_then(|text| text.parse().ok()).unwrap_or(0);
    Told {
        caller,
        status: answer.status(),
        at,
        ends: at + Duration::from_millis(reset),
    }
}
