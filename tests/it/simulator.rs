//! Budgets in a time of their own: callers of unlike appetites, other apps on the same store, answers that
//! are delayed and overtake each other. Discrete events, seeded, no clock; what decides is the gateway's own
//! code. The tests run it in little; `tests/simulator/run` in full, and writes the table and the plot of
//! `deploy/`.

mod callers;
mod events;
mod figures;
mod fleet;
mod plot;
pub mod server;
mod store;
mod world;

use crate::support::number;
use callers::{Appetite, Wisher};
use figures::Outcome;
use std::fmt::Write as _;
use std::path::PathBuf;
use world::{Scenario, run};

/// The seed of the first run; the next ones have the next.
const SEED: u64 = 20_261_127;

fn wisher(name: &'static str, appetite: Appetite) -> Wisher {
    Wisher {
        name,
        appetite,
        weight: 1,
        guaranteed: 0,
    }
}

/// The most windows for more than a hundred gateways.
const MANY: usize = 12;

/// Eight callers, as they are in shops: six that come evenly, one that slows itself down, one without bound.
fn eight() -> Vec<Wisher> {
    vec![
        wisher("checkout", Appetite::Even { a_window: 12.0 }),
        wisher("loyalty", Appetite::Even { a_window: 6.0 }),
        wisher("crm", Appetite::Even { a_window: 20.0 }),
        wisher("search", Appetite::Even { a_window: 3.0 }),
        wisher("returns", Appetite::Random { a_window: 9.0 }),
        wisher(
            "erp",
            Appetite::Bursts {
                of: 30,
                every: 45_000,
            },
        ),
        wisher("export", Appetite::Throttled),
        wisher("nightly", Appetite::Greedy { at_once: 8 }),
    ]
}

fn fifty() -> Vec<Wisher> {
    fifty_with(3)
}

/// Fifty callers, of which ten come without bound, so many at once.
fn fifty_with(at_once: u32) -> Vec<Wisher> {
    let kinds = [
        Appetite::Even { a_window: 4.0 },
        Appetite::Random { a_window: 8.0 },
        Appetite::Bursts {
            of: 15,
            every: 60_000,
        },
        Appetite::Throttled,
        Appetite::Greedy { at_once },
    ];
    let name =
        |number: usize| -> &'static str { Box::leak(format!("c{number:02}").into_boxed_str()) };
    (0..50)
        .map(|number| wisher(name(number), kinds[number % kinds.len()]))
        .collect()
}

fn scenarios() -> Vec<Scenario> {
    let plain = Scenario::new("eight callers", eight());
    let mut guaranteed = Scenario::new("two of eight guaranteed, one of weight 3", eight());
    guaranteed.callers[0].guaranteed = 14;
    guaranteed.callers[2].guaranteed = 22;
    guaranteed.callers[6].weight = 3;
    vec![
        plain.clone(),
        guaranteed,
        Scenario {
            name: "other apps, 30 kept free",
            keep_free: 30,
            others: 25.0,
            ..plain.clone()
        },
        Scenario {
            name: "other apps, nothing kept",
            others: 40.0,
            ..plain.clone()
        },
        Scenario {
            name: "a plan that tells nothing",
            tells: false,
            ..plain.clone()
        },
        Scenario {
            name: "windows on a grid",
            on_a_grid: true,
            ..plain.clone()
        },
        Scenario {
            name: "answers after 0.2 to 5 s",
            delay: (200, 5_000),
            ..plain
        },
        Scenario {
            name: "fifty callers, 450 a window",
            quota: 450,
            configured: 450,
            ..Scenario::new("", fifty())
        },
        Scenario {
            name: "the same, configured as 150",
            quota: 450,
            ..Scenario::new("", fifty())
        },
    ]
}

/// Several gateways before one store, few first.
fn shared() -> Vec<Scenario> {
    let eight_of = |name, replicas| Scenario {
        replicas,
        ..Scenario::new(name, eight())
    };
    let fifty_of = |name, replicas, quota| Scenario {
        replicas,
        quota,
        configured: quota,
        ..Scenario::new(name, fifty())
    };
    let outage = |name, outage| Scenario {
        outage: Some((8.4, 10.6, outage)),
        ..eight_of(name, 3)
    };
    vec![
        eight_of("eight callers, 150 a window", 1),
        eight_of("eight callers, 150", 3),
        Scenario {
            tells: false,
            ..eight_of("the same, a plan that tells nothing", 3)
        },
        Scenario {
            keep_free: 30,
            others: 25.0,
            ..eight_of("the same, other apps, 30 kept free", 3)
        },
        Scenario {
            on_a_grid: true,
            ..eight_of("the same, windows on a grid", 3)
        },
        outage(
            "the same, the server silent for 66 s",
            fleet::Outage::Silent,
        ),
        outage("the same, the server gone for 66 s", fleet::Outage::Gone),
        outage("the same, gone, and back empty", fleet::Outage::Emptied),
        fifty_of("fifty callers, 450", 10, 450),
        Scenario {
            comes_and_goes: true,
            ..fifty_of("the same, half of them come and go", 10, 450)
        },
        fifty_of("fifty callers, 1,000", 1, 1_000),
        fifty_of("fifty callers, 1,000", 100, 1_000),
        Scenario {
            callers: fifty_with(30),
            ..fifty_of("fifty hungry callers, 10,000", 1_000, 10_000)
        },
        fifty_of("fifty callers, 500", 1_000, 500),
    ]
}

/// What must hold whatever the seed.
fn check_shared(scenario: &Scenario, outcome: &Outcome) {
    let context = format!("{} x {}: {outcome:?}", scenario.replicas, scenario.name);
    let (most, used, fair) = match scenario {
        Scenario {
            outage: Some(_), ..
        } => (0.01, 0.9, 0.85),
        Scenario { others, .. } if *others > 0.0 => (0.01, 0.95, 0.93),
        // Less than a request a window for each gateway.
        Scenario { quota, .. } if (*quota as usize) < scenario.replicas => (0.01, 0.9, 0.75),
        Scenario { replicas, .. } if *replicas > 100 => (0.01, 0.97, 0.85),
        Scenario { callers, .. } if callers.len() > 8 => (0.01, 0.97, 0.85),
        _ => (0.01, 0.97, 0.93),
    };
    assert!(outcome.overspent <= most, "{context}");
    assert!(outcome.used >= used, "{context}");
    assert!(outcome.fairness >= fair, "{context}");
}

#[test]
fn gateways_share_a_budget_and_do_not_overspend_it() {
    let windows = number("SIMULATOR_WINDOWS", 14);
    let runs = number("SIMULATOR_RUNS", 1);
    let largest = number("SIMULATOR_REPLICAS", 10);
    let mut table = String::from(
        "| gateways | scenario | used | refused by BigCommerce | fairness | least served | questions a request | beats |\n|---|---|---|---|---|---|---|---|\n",
    );
    let only = std::env::var("SIMULATOR_ONLY").unwrap_or_default();
    for scenario in shared() {
        let name = format!("{} x {}", scenario.replicas, scenario.name);
        if scenario.replicas > largest || !name.contains(&only) {
            continue;
        }
        // Many gateways take their time.
        let (runs, windows) = match scenario.replicas {
            0..=10 => (runs, windows),
            11..=100 => (1, windows),
            _ => (1, windows.min(MANY)),
        };
        let mut outcomes = Vec::new();
        let (mut came, mut questions, mut beats) = (0, 0, 0);
        for seed in SEED..SEED + runs as u64 {
            let history = run(&scenario, windows, seed);
            let outcome = Outcome::of(&scenario, &history);
            println!(
                "{} x {}: {outcome:?}, {} sent, {} questions, {} beats",
                scenario.replicas, scenario.name, history.sent, history.questions, history.beats
            );
            check_shared(&scenario, &outcome);
            outcomes.push(outcome);
            came += history.came();
            questions += history.questions;
            beats += history.beats;
        }
        let worst = Outcome::worst(&outcomes);
        #[expect(clippy::cast_precision_loss, reason = "numbers of a simulation")]
        let for_each = |count: u64| count as f64 / came.max(1) as f64;
        writeln!(
            table,
            "| {} | {} | {:.1} % | {:.2} % | {:.3} | {:.0} % | {:.2} | {:.2} |",
            scenario.replicas,
            scenario.name,
            worst.used * 100.0,
            worst.overspent * 100.0,
            worst.fairness,
            worst.least * 100.0,
            for_each(questions),
            for_each(beats),
        )
        .expect("a string");
    }
    if only.is_empty() {
        put_table("quotas.md", "shared", &table);
    }
}

/// What must hold in every scenario, whatever the seed.
fn check(scenario: &Scenario, outcome: &Outcome) {
    let context = format!("{}: {outcome:?}", scenario.name);
    // What others spend without telling is known only when it is gone.
    let most = match scenario {
        Scenario { tells: false, .. } => 0.002,
        Scenario { others, .. } if *others > 0.0 => 0.01,
        _ => 0.0,
    };
    assert!(outcome.overspent <= most, "{context}");
    if scenario.delay.1 > 1_000 {
        // What is on its way may be counted twice, and one request after the other gets nowhere.
        assert!(outcome.used >= 0.75, "{context}");
        return;
    }
    if scenario.others > f64::from(scenario.keep_free) {
        // They take from everyone.
        assert!(outcome.used >= 0.93, "{context}");
        return;
    }
    if scenario.tells {
        assert_eq!(outcome.throttled_refused, 0, "{context}");
    }
    assert!(outcome.used >= 0.97, "{context}");
    assert!(outcome.fairness >= 0.93, "{context}");
}

#[test]
fn budgets_are_used_up_fairly_and_never_overspent() {
    let windows = number("SIMULATOR_WINDOWS", 14);
    let runs = number("SIMULATOR_RUNS", 1);
    let mut table = String::from(
        "| scenario | used | refused by BigCommerce | fairness | least served | requests |\n|---|---|---|---|---|---|\n",
    );
    for scenario in scenarios() {
        let mut outcomes = Vec::new();
        for seed in SEED..SEED + runs as u64 {
            let history = run(&scenario, windows, seed);
            let outcome = Outcome::of(&scenario, &history);
            println!("{}: {outcome:?}", scenario.name);
            if scenario.name == "eight callers" && seed == SEED {
                draw("quota-shares.svg", &plot::svg(&scenario, &history));
            }
            check(&scenario, &outcome);
            outcomes.push(outcome);
        }
        let worst = Outcome::worst(&outcomes);
        writeln!(
            table,
            "| {} | {:.1} % | {:.2} % | {:.3} | {:.0} % | {} |",
            scenario.name,
            worst.used * 100.0,
            worst.overspent * 100.0,
            worst.fairness,
            worst.least * 100.0,
            worst.requests
        )
        .expect("a string");
    }
    put_table("quotas.md", "simulated", &table);
}

/// Puts a table between its marks in a page of `deploy/`, where that is asked for.
fn put_table(name: &str, mark: &str, table: &str) {
    let Ok(folder) = std::env::var("SIMULATOR_OUT") else {
        return;
    };
    let path = PathBuf::from(folder).join(name);
    let page = std::fs::read_to_string(&path).expect("the page");
    let (first, last) = (format!("<!-- {mark} -->\n"), "<!-- end -->");
    let (before, rest) = page.split_once(&first).expect("the first mark");
    let (_, after) = rest.split_once(last).expect("the second mark");
    let page = format!("{before}{first}{table}{last}{after}");
    std::fs::write(path, page).expect("written");
}

/// Writes what is shown in `deploy/`, where that is asked for.
fn draw(name: &str, text: &str) {
    if let Ok(folder) = std::env::var("SIMULATOR_OUT") {
        let path = PathBuf::from(folder).join(name);
        std::fs::write(path, text).expect("written");
    }
}
