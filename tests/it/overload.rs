//! Overload: a gateway as a process is put under one kind of it after the other, while a normal client
//! goes on asking. It is served all the time, the gateway's memory stays within what the limits promise,
//! every hostile connection ends by the limit that is there for it, and everything is given back. The
//! tests do a tiny run; `tests/overload/run` does the whole, and there the times count too.

mod bodies;
mod flood;
mod ground;
mod held;
mod hostile;
mod normal;
mod round;
mod slow;
mod unread;

use crate::support::client::{Client, Request};
use crate::support::number;
use bodies::Bodies;
use flood::Flood;
use ground::Ground;
use held::{Idle, LargeHeads};
use hostile::{Hostile, Together};
use round::{Bounds, Rounds};
use slow::{Part, Slow};
use std::time::Instant;
use unread::Unread;

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// What the gateway holds for a connection that is idle after a request, with the buffers of a few that have
/// just become so.
const IDLE: u64 = 4 * KIB;
/// For one that is idle and has given its buffers back.
const PARKED: u64 = 3 * KIB;
/// For one at most in the middle of a head or a body that came slowly.
const SLOW: u64 = 32 * KIB;
/// For one that sends a head of 64 KiB: hyper's buffer, which doubles.
const LARGE_HEAD: u64 = 160 * KIB;
/// For one whose answer is passed on while it arrives and not read: the buffer of 64 KiB towards the
/// upstream, and the pieces that came out of it and wait.
const UNREAD: u64 = 4 * 64 * KIB;

/// What a request counts for beside its body, in KiB.
const HEAD: usize = 7;

/// How much of everything.
#[derive(Debug, Clone, Copy)]
struct Plan {
    workers: usize,
    idle: usize,
    slow: usize,
    room: usize,
    bodies: usize,
    body_kib: usize,
    answers_mib: usize,
    requests: usize,
    rounds: usize,
    timeout_ms: usize,
    /// Whether what depends on the machine and the build counts.
    figures: bool,
}

impl Plan {
    /// From the environment; without it, what the tests have time for.
    fn from_environment() -> Self {
        Self {
            workers: number("OVERLOAD_WORKERS", 1),
            idle: number("OVERLOAD_IDLE", 300),
            slow: number("OVERLOAD_SLOW", 30),
            room: number("OVERLOAD_ROOM", 20),
            bodies: number("OVERLOAD_BODIES", 4),
            body_kib: number("OVERLOAD_BODY_KIB", 1024),
            answers_mib: number("OVERLOAD_ANSWERS_MIB", 4),
            requests: number("OVERLOAD_REQUESTS", 40),
            rounds: number("OVERLOAD_ROUNDS", 2),
            timeout_ms: number("OVERLOAD_TIMEOUT_MS", 300),
            figures: number("OVERLOAD_FIGURES", 0) > 0,
        }
    }

    /// Limits that end slow clients soon, and that unread answers meet.
    fn limits(self) -> String {
        let Self {
            timeout_ms,
            answers_mib,
            ..
        } = self;
        let timeouts = ["header_timeout", "body_timeout", "write_timeout"]
            .map(|name| format!("limits.{name} = \"{timeout_ms}ms\"\n"));
        timeouts.concat() + &format!("limits.answer_memory = \"{answers_mib}MiB\"")
    }

    /// What unread answers may take.
    fn answers(self) -> u64 {
        self.answers_mib as u64 * MIB + self.slow as u64 * UNREAD
    }
}

/// The settings of one case, what is done to the gateway, and what it may cost.
struct Case<F> {
    name: &'static str,
    settings: String,
    bounds: Bounds,
    hostile: F,
}

impl<F: Fn() -> Box<dyn Hostile>> Case<F> {
    #[expect(clippy::print_stdout, reason = "the table is what a whole run is for")]
    fn play(self, plan: Plan) -> Rounds {
        let rounds = round::play(plan, &self.settings, self.hostile);
        println!("{}\n{rounds}", self.name);
        rounds.check(self.bounds);
        rounds
    }
}

fn bounded(connections: usize, each: u64) -> Bounds {
    Bounds::of(connections as u64 * each)
}

/// Not by rounds: what the allocator keeps for the next connections is there before it is counted.
#[test]
fn an_idle_connection_holds_little_more_than_its_socket() {
    const FIRST: u64 = 100;
    const ALL: u64 = 500;
    let ground = Ground::start(1, "");
    let mut open = Vec::new();
    let mut before = 0;
    for count in [FIRST, ALL] {
        while (open.len() as u64) < count {
            let mut client = Client::connect(ground.address);
            assert_eq!(client.exchange(&Request::update("{}")).status(), 200);
            open.push(client);
        }
        ground.until("connections without buffers", |now| now.parked() == count);
        let memory = ground.resident();
        if count == ALL {
            let each = memory.saturating_sub(before) * KIB / (ALL - FIRST);
            assert!(each <= PARKED, "{each} bytes for each");
        }
        before = memory;
    }
    for client in &mut open {
        assert_eq!(client.exchange(&Request::update("{}")).status(), 200);
    }
    drop(open);
    ground.until("no connection", |now| now.open() == 0);
    ground.end();
}

#[test]
fn idle_connections_cost_little() {
    let plan = Plan::from_environment();
    let count = plan.idle;
    let rounds = Case {
        name: "idle connections",
        settings: format!("limits.connections = {}", count + 1),
        bounds: bounded(count, IDLE),
        hostile: || Box::new(Idle::new(count)) as Box<dyn Hostile>,
    }
    // Each round leaves so many ports in use for a while.
    .play(Plan {
        rounds: plan.rounds.min(2),
        ..plan
    });
    // With few of them, of a build for tests, the allocator's pages and the futures' size tell.
    let most = if plan.figures { IDLE } else { 2 * IDLE };
    assert!(rounds.bytes_each() <= most, "{}", rounds.bytes_each());
}

#[test]
fn slow_heads_end_and_harm_nobody() {
    let plan = Plan::from_environment();
    let count = plan.slow;
    Case {
        name: "slow heads",
        settings: plan.limits(),
        bounds: bounded(count, SLOW),
        hostile: || Box::new(Slow::new(Part::Head, count)) as Box<dyn Hostile>,
    }
    .play(plan);
}

#[test]
fn slow_bodies_end_and_harm_nobody() {
    let plan = Plan::from_environment();
    let count = plan.slow;
    Case {
        name: "slow bodies",
        settings: plan.limits(),
        bounds: bounded(count, SLOW),
        hostile: || Box::new(Slow::new(Part::Body, count)) as Box<dyn Hostile>,
    }
    .play(plan);
}

#[test]
fn unread_answers_end_and_harm_nobody() {
    let plan = Plan::from_environment();
    let count = plan.slow;
    Case {
        name: "answers that nobody reads",
        settings: plan.limits(),
        bounds: Bounds::of(plan.answers()),
        hostile: || Box::new(Unread::new(count)) as Box<dyn Hostile>,
    }
    .play(plan);
}

#[test]
fn slow_heads_slow_bodies_and_unread_answers_at_once_harm_nobody() {
    let plan = Plan::from_environment();
    let count = plan.slow;
    let rounds = Case {
        name: "slow heads, slow bodies and answers that nobody reads",
        settings: plan.limits(),
        bounds: Bounds::of(plan.answers() + count as u64 * 2 * SLOW),
        hostile: || {
            Box::new(Together(vec![
                Box::new(Slow::new(Part::Head, count)),
                Box::new(Slow::new(Part::Body, count)),
                Box::new(Unread::new(count)),
            ])) as Box<dyn Hostile>
        },
    }
    .play(plan);
    if plan.figures {
        let (alone, during) = rounds.median_p99();
        assert!(during <= alone * 2, "p99 {alone:?}, then {during:?}");
    }
}

#[test]
fn a_flood_of_connections_is_turned_away() {
    let plan = Plan::from_environment();
    let room = plan.room;
    Case {
        name: "a flood beyond limits.connections",
        // The normal client has its own place.
        settings: format!("limits.connections = {}", room + 1),
        bounds: bounded(room + flood::BURST, SLOW),
        hostile: || {
            Box::new(Flood::new([127, 0, 0, 1], room, room.div_ceil(25))) as Box<dyn Hostile>
        },
    }
    .play(plan);
}

#[test]
fn a_flood_from_one_address_is_turned_away() {
    let plan = Plan::from_environment();
    let room = plan.room;
    Case {
        name: "a flood from one address",
        settings: format!(
            "limits.connections_per_peer = {room}\nlimits.exempt_local_peers = false"
        ),
        bounds: bounded(room + flood::BURST, SLOW),
        hostile: || {
            Box::new(Flood::new([127, 0, 0, 2], room, room.div_ceil(25))) as Box<dyn Hostile>
        },
    }
    .play(plan);
}

#[test]
fn bodies_take_no_more_than_their_memory() {
    let plan = Plan::from_environment();
    let (room, size) = (plan.bodies, plan.body_kib);
    // With the heads of their requests, and for those of others.
    let memory = room * (size + HEAD) + size / 2;
    Case {
        name: "bodies that fill limits.body_memory",
        settings: format!(
            "limits.body = \"{size}KiB\"\nlimits.batch_body = \"{size}KiB\"\n\
             limits.body_memory = \"{memory}KiB\"\nlimits.body_timeout = \"30s\""
        ),
        // While a body moves to a larger buffer it is there twice.
        bounds: Bounds::of((memory + 2 * size) as u64 * KIB).with_refusals(),
        hostile: || Box::new(Bodies::new(size * 1024, room, room)) as Box<dyn Hostile>,
    }
    // Workers share the memory in parts, and connections by chance.
    .play(Plan { workers: 1, ..plan });
}

#[test]
fn large_heads_take_no_more_than_their_buffers() {
    let plan = Plan::from_environment();
    let count = plan.slow;
    Case {
        name: "heads of 64 KiB",
        settings: "limits.header_timeout = \"30s\"".to_owned(),
        bounds: bounded(count, LARGE_HEAD),
        hostile: || Box::new(LargeHeads::new(count)) as Box<dyn Hostile>,
    }
    .play(plan);
}

#[expect(
    clippy::disallowed_methods,
    reason = "the normal client measures how long its requests take"
)]
fn now() -> Instant {
    Instant::now()
}
