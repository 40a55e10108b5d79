//! The shared server is killed, paused, restarted empty: the gateways notice, go on with their parts, and return.

use super::clients::{Run, run};
use super::fleet::{Fleet, Gateway, limit, now};
use super::shares::{quota, window};
use crate::support::redis::Redis;
use std::time::{Duration, Instant};

/// The windows before the server fails, and after it is back.
const BEFORE: f64 = 1.4;
const AFTER: u32 = 2;

/// What was seen of an outage.
#[derive(Debug)]
struct Seen {
    /// From the outage to when each gateway said so, and from its end to when each said that it is over.
    noticed: Vec<Duration>,
    recovered: Vec<Duration>,
    refused: usize,
    sent: usize,
    run: Run,
}

/// Waits for the line in which a gateway says that it goes on alone, or no longer does.
fn until(gateway: &mut Gateway, is_joined: bool) -> Instant {
    let (line, shown) = if is_joined {
        ("the quota is shared again", 1.0)
    } else {
        ("the quota is not shared", 0.0)
    };
    gateway.process.log_line(line);
    let said = now();
    let metric = "metafield_gateway_store_quota_shared{store=\"abc123\"} ";
    assert_eq!(gateway.metric(metric), Some(shown));
    said
}

/// Runs the callers, and has the server fail and come back in between.
fn through(lasts: Duration, fail: impl FnOnce(&mut Redis), mend: impl FnOnce(&mut Redis)) -> Seen {
    let mut redis = Redis::start();
    let (quota, window) = (quota(), window());
    let shared = format!("url = \"{}\"\nreplicas = 3", redis.url());
    let mut fleet = Fleet::start(3, limit(quota, window), Some(&shared));
    let lasting = window.mul_f64(BEFORE) + lasts + window * AFTER;
    let (mut noticed, mut recovered) = (Vec::new(), Vec::new());
    let run = run(&mut fleet, quota, window, lasting, |fleet, began| {
        let at = began + window.mul_f64(BEFORE);
        std::thread::sleep(at.saturating_duration_since(now()));
        let failed = now();
        fail(&mut redis);
        for gateway in &mut fleet.gateways {
            noticed.push(until(gateway, false) - failed);
            let ready = gateway.ready();
            assert!(ready.starts_with("ready"), "{ready}");
            assert!(
                ready.contains("the quota of the store abc123 is not shared"),
                "{ready}"
            );
        }
        std::thread::sleep((failed + lasts).saturating_duration_since(now()));
        let mended = now();
        mend(&mut redis);
        for gateway in &mut fleet.gateways {
            recovered.push(until(gateway, true) - mended);
        }
    });
    let count = |status| {
        fleet
            .gateways
            .iter()
            .map(|gateway| gateway.told(status))
            .sum()
    };
    let refused: usize = count(429);
    let granted: usize = count(200);
    for gateway in &fleet.gateways {
        assert!(!gateway.ready().contains("not shared"));
    }
    Seen {
        noticed,
        recovered,
        refused,
        sent: refused + granted,
        run,
    }
}

/// Tells what was seen, and asserts what must hold in any case.
#[expect(clippy::print_stdout, reason = "shown with --nocapture alone")]
fn check(name: &str, seen: &Seen) {
    #[expect(clippy::cast_precision_loss, reason = "a number of requests")]
    let overspent = seen.refused as f64 / seen.sent as f64 * 100.0;
    let outcome = seen.run.outcome(1);
    println!(
        "{name}: upstream 429 {} of {} ({overspent:.2} %), noticed after {:?}, recovered after {:?}, used {:.1} %\n{}",
        seen.refused,
        seen.sent,
        seen.noticed,
        seen.recovered,
        outcome.used * 100.0,
        outcome.table
    );
    assert!(overspent <= 2.0, "{name}");
    let slowest = |times: &[Duration]| times.iter().max().copied().unwrap_or_default();
    assert!(
        slowest(&seen.noticed) <= Duration::from_millis(1_500),
        "{seen:?}",
        seen = seen.noticed
    );
    assert!(
        slowest(&seen.recovered) <= Duration::from_secs(2),
        "{seen:?}",
        seen = seen.recovered
    );
    // Nobody stood still: everyone got something, the greedy one too.
    for caller in 0..super::fleet::CALLERS.len() {
        let got = seen
            .run
            .told
            .iter()
            .filter(|told| told.caller == caller && told.status == 200);
        assert!(got.count() > 0, "{name}: caller {caller} got nothing");
    }
}

#[test]
fn the_server_is_killed_and_comes_back_empty() {
    let lasts = window().mul_f64(1.5);
    let seen = through(lasts, Redis::kill, Redis::start_again);
    check("killed, and restarted empty", &seen);
}

#[test]
fn the_server_is_paused() {
    let lasts = Duration::from_secs(5).min(window() * 2);
    let seen = through(
        lasts,
        |redis| redis.signal("STOP"),
        |redis| redis.signal("CONT"),
    );
    check("paused", &seen);
}

#[test]
fn the_server_loses_everything_in_the_middle() {
    let redis = Redis::start();
    let (quota, window) = (quota(), window());
    let shared = format!("url = \"{}\"", redis.url());
    let mut fleet = Fleet::start(3, limit(quota, window), Some(&shared));
    let run = run(&mut fleet, quota, window, window * 4, |_, began| {
        let at = began + window.mul_f64(BEFORE);
        std::thread::sleep(at.saturating_duration_since(now()));
        assert_eq!(redis.command(&["flushall"]), "OK");
    });
    let refused: usize = fleet.gateways.iter().map(|gateway| gateway.told(429)).sum();
    let outcome = run.outcome(1);
    println!(
        "emptied: upstream 429 {refused}, used {:.1} %\n{}",
        outcome.used * 100.0,
        outcome.table
    );
    // What the others had on their way when the first one told what it knew.
    let granted = run.told.iter().filter(|told| told.status == 200).count();
    assert!(refused * 50 <= granted, "{refused} of {granted}");
    assert!(outcome.used >= 0.95, "{outcome:?}");
}

#[test]
fn one_that_only_reads_is_as_good_as_gone() {
    let redis = Redis::start();
    let shared = format!("url = \"{}\"\nreplicas = 2", redis.url());
    let mut fleet = Fleet::start(1, limit(20, Duration::from_secs(60)), Some(&shared));
    let gateway = &mut fleet.gateways[0];
    assert_eq!(gateway.exchange("crm").status(), 200);
    let port = super::super::support::redis::free_port().to_string();
    assert_eq!(redis.command(&["replicaof", "127.0.0.1", &port]), "OK");
    until(gateway, false);
    // It goes on with what it holds and with its part: it was alone, so that is everything.
    let mut got = 1;
    while gateway.exchange("crm").status() == 200 {
        got += 1;
        assert!(got <= 20, "never unlimited");
    }
    assert!(got >= 19, "{got}");
    assert_eq!(redis.command(&["replicaof", "no", "one"]), "OK");
    until(gateway, true);
}

#[test]
fn without_a_server_from_the_start_a_part_is_spent_and_no_more() {
    let port = super::super::support::redis::free_port();
    let shared = format!("url = \"redis://127.0.0.1:{port}\"\nreplicas = 4");
    let fleet = Fleet::start(1, limit(20, Duration::from_secs(60)), Some(&shared));
    let gateway = &fleet.gateways[0];
    let statuses: Vec<u16> = (0..8).map(|_| gateway.exchange("crm").status()).collect();
    assert_eq!(statuses, [200, 200, 200, 200, 200, 429, 429, 429]);
    assert_eq!(gateway.told(429), 0);
}
