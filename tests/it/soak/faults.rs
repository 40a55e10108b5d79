//! The faults, and how large the gateway is meanwhile. How long one lasts is counted in what the clients
//! see of it.

use super::load::{self, Asked, Board};
use super::upstream::Upstream;
use super::{Plan, now};
use crate::support::PATIENCE;
use crate::support::process::kib;
use std::fmt;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How many new connections are tried while no descriptor is free.
const NEWCOMERS: usize = 8;
/// How many silent connections more wait before those, should a descriptor come free.
const SPARE: usize = 16;
/// How many answers each client has in the mean between two faults.
const ROUNDS: usize = 4;

/// The gateway's resident memory, in KiB.
#[derive(Debug, Clone, Copy, Default)]
pub struct Memory {
    before: u64,
    /// The most while the upstream was killed and started again.
    kills: u64,
    pauses: u64,
    exhaustions: u64,
    after: u64,
    /// The most of the whole run.
    peak: u64,
}

impl Memory {
    /// How much more than before it was at its most.
    pub fn growth(&self) -> u64 {
        self.peak.saturating_sub(self.before)
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<40}{:>10}", "resident memory", "KiB")?;
        for (name, value) in [
            ("under load, before any fault", self.before),
            ("most, upstream killed", self.kills),
            ("most, upstream paused", self.pauses),
            ("most, descriptors exhausted", self.exhaustions),
            ("under load, after all", self.after),
            ("most of all", self.peak),
        ] {
            writeln!(f, "  {name:<38}{value:>10}")?;
        }
        Ok(())
    }
}

/// What was seen of the gateway from outside while things went wrong.
#[derive(Debug, Default)]
pub struct Findings {
    pub memory: Memory,
    /// The requests of the new connections that were tried while no descriptor was free.
    pub newcomers: Vec<Asked>,
    /// How long at most they waited when descriptors were free again.
    pub slowest_recovery: Duration,
}

/// What goes wrong.
#[derive(Debug)]
pub struct Faults<'a> {
    plan: Plan,
    board: &'a Board,
    upstream: &'a mut Upstream,
    address: SocketAddr,
    gateway: u32,
    findings: Findings,
}

impl<'a> Faults<'a> {
    /// The faults of a plan, for a gateway that listens here and has this process id.
    pub fn new(
        plan: Plan,
        board: &'a Board,
        upstream: &'a mut Upstream,
        address: SocketAddr,
        gateway: u32,
    ) -> Self {
        Self {
            plan,
            board,
            upstream,
            address,
            gateway,
            findings: Findings::default(),
        }
    }

    /// One after the other, their kinds by turns.
    pub fn all(mut self) -> Findings {
        let Plan {
            kills,
            pauses,
            exhaustions,
            ..
        } = self.plan;
        let mut memory = Memory {
            before: self.health(),
            ..Memory::default()
        };
        for turn in 0..kills.max(pauses).max(exhaustions) {
            if turn < kills {
                memory.kills = memory.kills.max(self.kill());
            }
            if turn < pauses {
                memory.pauses = memory.pauses.max(self.pause());
            }
            if turn < exhaustions {
                memory.exhaustions = memory.exhaustions.max(self.exhaust());
            }
        }
        self.health();
        memory.after = kib(self.gateway, "VmRSS:");
        // The kernel's own count of it lags a little behind.
        memory.peak = [memory.kills, memory.pauses, memory.exhaustions]
            .into_iter()
            .fold(kib(self.gateway, "VmHWM:"), u64::max);
        self.findings.memory = memory;
        self.findings
    }

    /// Waits until the clients have answers of the upstream again; gives the most memory meanwhile.
    fn health(&self) -> u64 {
        self.wait_for(200, ROUNDS * self.plan.connections)
    }

    fn wait_for(&self, status: u16, answers: usize) -> u64 {
        let mut most = kib(self.gateway, "VmRSS:");
        self.board.wait_for(status, answers, || {
            most = most.max(kib(self.gateway, "VmRSS:"));
        });
        most
    }

    /// The upstream first hangs up, where some requests may be sent again, and then dies for a while.
    fn kill(&mut self) -> u64 {
        self.upstream.hang_up();
        let hung_up = self.health();
        self.upstream.kill();
        let without = self.wait_for(502, self.plan.connections.div_ceil(2));
        self.upstream.restart();
        hung_up.max(without).max(self.health())
    }

    fn pause(&mut self) -> u64 {
        self.upstream.pause();
        let without = self.wait_for(504, self.plan.connections.div_ceil(2));
        self.upstream.resume();
        without.max(self.health())
    }

    fn exhaust(&mut self) -> u64 {
        let silent = self.take_all_descriptors();
        let waiting: Vec<_> = (0..NEWCOMERS)
            .map(|_| load::ask(self.board, self.address))
            .collect();
        let most = self.health();
        let began = now();
        drop(silent);
        let newcomers = &mut self.findings.newcomers;
        newcomers.extend(waiting.into_iter().map(load::Waiting::answer));
        newcomers.push(load::ask(self.board, self.address).answer());
        let slowest = &mut self.findings.slowest_recovery;
        *slowest = began.elapsed().max(*slowest);
        most.max(self.health())
    }

    /// Opens connections and says nothing on them until the gateway can accept no more.
    fn take_all_descriptors(&self) -> Vec<TcpStream> {
        let silence = || TcpStream::connect(self.address).expect("room to wait at the door");
        let mut silent = Vec::new();
        while !self.is_exhausted() && silent.len() < self.plan.descriptors() {
            silent.push(silence());
        }
        silent.extend((0..SPARE).map(|_| silence()));
        let begun = now();
        while !self.is_exhausted() {
            assert!(begun.elapsed() < PATIENCE, "descriptors are left");
            std::thread::yield_now();
        }
        silent
    }

    fn is_exhausted(&self) -> bool {
        let open = std::fs::read_dir(format!("/proc/{}/fd", self.gateway));
        open.expect("the gateway runs").count() >= self.plan.descriptors()
    }
}
