//! How much a reload of many callers disturbs those who are being served: the 99th percentile of the time
//! that a request takes, with and without reloads, in rounds one after the other. The tests do a tiny run for
//! the outcomes; `tests/reload/run` does the whole, and there the times count.

use super::gateway;
use crate::support::client::{Client, Request};
use crate::support::fake::Fake;
use crate::support::gateway::{Gateway, token_sha256};
use crate::support::number;
use metafield_gateway::server::Reloaded;
use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

/// The most by which the percentile may rise.
const MOST: Duration = Duration::from_millis(5);

/// How many clients ask one after the other.
const CLIENTS: usize = 4;

fn with_guests(text: &str, guests: usize, turn: usize) -> String {
    let mut text = text.to_owned();
    for guest in 0..guests {
        let digest = token_sha256(&format!("token-of-a-guest-{guest}-{turn}"));
        let entry = format!(
            "[[caller]]\nname = \"guest-{guest}\"\ntoken_sha256 = [\"{digest}\"]\n\
             scopes = [\"store_v2_customers\"]\nkeys = [\"k\", \"k.*\"]\ncustomers = [7, \"10-99\"]"
        );
        writeln!(text, "{entry}").expect("a string");
    }
    text
}

/// The time that each request takes until it is over.
#[expect(clippy::disallowed_methods, reason = "this is what is measured")]
fn ask(gateway: SocketAddr, over: &AtomicBool) -> Vec<Duration> {
    let mut client = Client::connect(gateway);
    let mut times = Vec::new();
    let mut warm = false;
    while !over.load(SeqCst) || times.is_empty() {
        let begun = Instant::now();
        let answer = client.exchange(&Request::update("{}"));
        // The first one opens connections.
        if std::mem::replace(&mut warm, true) {
            times.push(begun.elapsed());
        }
        assert_eq!(answer.status(), 200, "{}", answer.text());
    }
    times
}

/// The percentile of what clients see while this is done.
fn during(gateway: &Gateway, act: impl FnOnce()) -> Duration {
    let (over, address) = (AtomicBool::new(false), gateway.address());
    let mut times: Vec<Duration> = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| scope.spawn(|| ask(address, &over)))
            .collect();
        act();
        over.store(true, SeqCst);
        let times = clients.into_iter().map(thread::ScopedJoinHandle::join);
        times.flat_map(|times| times.expect("served")).collect()
    });
    times.sort_unstable();
    times[times.len() * 99 / 100]
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "a quiet round is as long as one with a reload"
)]
fn a_reload_of_many_callers_disturbs_nobody() {
    let guests = number("RELOAD_CALLERS", 50);
    let rounds = number("RELOAD_ROUNDS", 2);
    let upstream = Fake::good();
    let (gateway, text) = gateway(&upstream, "reload_interval = \"24h\"");
    let window = Duration::from_millis(number("RELOAD_WINDOW_MS", 20) as u64);
    let (mut quiet, mut disturbed) = (Vec::new(), Vec::new());
    for turn in 0..rounds {
        let text = with_guests(&text, guests, turn);
        let begun = Instant::now();
        disturbed.push(during(&gateway, || {
            assert_eq!(gateway.reload_with(&text), Reloaded::Loaded);
            thread::park_timeout(window.saturating_sub(begun.elapsed()));
        }));
        let took = begun.elapsed();
        quiet.push(during(&gateway, || thread::park_timeout(took)));
    }
    let (quiet, disturbed) = (median(quiet), median(disturbed));
    println!(
        "99th percentile of a request's time under {CLIENTS} clients: {quiet:.2?} without a reload, \
         {disturbed:.2?} in {window:?} with one of {guests} callers; medians of {rounds} interleaved rounds"
    );
    if rounds > 2 {
        assert!(disturbed < quiet + MOST, "{disturbed:?} {quiet:?}");
    }
}
