//! The failure soak: a gateway as a process under constant load, while its upstream is killed and paused
//! and its file descriptors run out. Afterwards every request is accounted for: at its client, in the
//! audit log and in the upstream's own record. The tests do a short one; `tests/soak/run` does the whole.

mod accounting;
mod faults;
mod load;
mod tampered;
mod upstream;

use crate::support::gateway::{CREDENTIAL, Folder, Setup};
use crate::support::number;
use crate::support::process::Process;
use accounting::Account;
use faults::{Faults, Findings, Memory};
use load::{Asked, Board};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use upstream::Upstream;

/// The gateway's: so small that a pause of the upstream meets it soon.
const SETTINGS: &str = "upstream.deadline = \"400ms\"\nlimits.header_timeout = \"1m\"";
/// What the gateway may open besides a connection on either side for each client: its own files, and a
/// few new connections.
const FURTHER_DESCRIPTORS: usize = 40;
/// The default of `drain_timeout`.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(25);
/// How soon after an exhaustion new connections are served: ten times what is expected.
const RECOVERY: Duration = Duration::from_secs(5);
/// So many requests that the upstream hung up on are not all of a kind that is never sent again.
const MANY: usize = 64;
/// How much larger than under load the gateway may be at its largest.
const GROWTH_KIB: u64 = 32 * 1024;

/// How much of everything.
#[derive(Debug, Clone, Copy)]
struct Plan {
    connections: usize,
    kills: usize,
    pauses: usize,
    exhaustions: usize,
}

impl Plan {
    /// From the environment; without it, what the tests have time for.
    fn from_environment() -> Self {
        Self {
            connections: number("SOAK_CONNECTIONS", 64),
            kills: number("SOAK_KILLS", 2),
            pauses: number("SOAK_PAUSES", 1),
            exhaustions: number("SOAK_EXHAUSTIONS", 1),
        }
    }

    fn descriptors(self) -> usize {
        2 * self.connections + FURTHER_DESCRIPTORS
    }
}

/// What a run leaves behind for its accounting.
struct Run {
    asked: Vec<Asked>,
    memory: Memory,
    slowest_recovery: Duration,
    drain: Duration,
}

/// Runs the gateway from its start to its drain.
fn run(plan: Plan, folder: &Folder, upstream: &mut Upstream) -> Run {
    let setup = Setup::new(upstream.address).with(SETTINGS).workers(2);
    let path = folder.write("gateway.toml", setup.text());
    let path = path.to_str().expect("UTF-8");
    let mut gateway =
        Process::start_with_descriptors(plan.descriptors(), &["serve", "--config", path]);
    let address = gateway.bound(" listening address=");
    let board = Board::default();
    let (mut asked, (findings, began)) = under_load(plan, &board, address, || {
        let faults = Faults::new(plan, &board, upstream, address, gateway.id());
        let findings = faults.all();
        board.drains();
        let began = now();
        gateway.signal("TERM");
        (findings, began)
    });
    let ended = gateway.end();
    let drain = began.elapsed();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.trim_end().ends_with("drained"));
    if plan.exhaustions > 0 {
        for text in ["connections cannot be accepted", "can be accepted again"] {
            assert!(ended.stderr.contains(text), "{text}: not logged");
        }
    }
    let Findings {
        memory,
        newcomers,
        slowest_recovery,
    } = findings;
    asked.extend(newcomers);
    Run {
        asked,
        memory,
        slowest_recovery,
        drain,
    }
}

/// Does something while the clients ask; they go on until the gateway tells them to leave.
fn under_load<T>(
    plan: Plan,
    board: &Board,
    address: SocketAddr,
    act: impl FnOnce() -> T,
) -> (Vec<Asked>, T) {
    std::thread::scope(|scope| {
        // If something fails the clients must end, or the scope would wait for them.
        let abandon = board.abandoned_when_dropped();
        let clients: Vec<_> = (0..plan.connections)
            .map(|_| scope.spawn(|| load::until_told_to_leave(board, address)))
            .collect();
        let done = act();
        let asked = clients
            .into_iter()
            .flat_map(|client| client.join().expect("no panic"))
            .collect();
        drop(abandon);
        (asked, done)
    })
}

#[test]
fn whatever_fails_every_request_is_answered_once_and_audited_once() {
    let plan = Plan::from_environment();
    assert!(plan.connections > 0, "nobody would ask");
    let folder = Folder::new();
    folder.write("credential", CREDENTIAL);
    let record = folder.path().join("upstream.ids");
    let mut upstream = Upstream::start(&record);
    let run = run(plan, &folder, &mut upstream);
    upstream.end();
    let audit = std::fs::read_to_string(folder.path().join("audit.jsonl")).expect("an audit log");
    let seen = std::fs::read_to_string(&record).expect("a record");
    let account = Account::of(&run.asked, &audit, &seen);
    println!("{plan:?}, {} descriptors\n{account}", plan.descriptors());
    println!("{}", run.memory);
    println!(
        "new connections served {:?} after an exhaustion at the latest; drained in {:?}",
        run.slowest_recovery, run.drain
    );
    assert!(account.problems().is_empty(), "{:#?}", account.problems());
    if plan.kills * plan.connections >= MANY {
        assert!(account.received_twice() > 0, "nothing was sent again");
    }
    assert!(run.slowest_recovery < RECOVERY);
    assert!(run.drain < DRAIN_TIMEOUT);
    assert!(run.memory.growth() < GROWTH_KIB);
}

#[expect(
    clippy::disallowed_methods,
    reason = "the soak measures how long things took"
)]
fn now() -> Instant {
    Instant::now()
}
