//! One round of a case after the other: the normal client alone, then with the overload rising, while it
//! lasts and until its last connection has ended, and alone again. Rounds are interleaved by their nature,
//! so that what the machine does otherwise meets all phases alike.

use super::ground::{Ground, Metrics};
use super::hostile::{Endings, Hostile};
use super::normal::{Block, Normal};
use super::{KIB, MIB, Plan, now};
use crate::support::PATIENCE;
use std::fmt;
use std::time::Duration;

/// How many requests there are between two looks at the gateway's memory and counts.
const LOOK_EVERY: usize = 32;
/// What memory may grow by besides what is counted: the allocator's pages, and whatever is made on first
/// use.
const SLACK: u64 = 4 * MIB;

/// What a case may cost.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    growth: u64,
    refuses: bool,
}

impl Bounds {
    /// The gateway grows by at most so many bytes, and the normal client is always served.
    pub fn of(growth: u64) -> Self {
        Self {
            growth,
            refuses: false,
        }
    }

    /// The normal client may be told to come again during the overload.
    pub fn with_refusals(self) -> Self {
        Self {
            refuses: true,
            ..self
        }
    }
}

/// The normal client's requests of a phase, and the most of the gateway's memory, in KiB.
#[derive(Debug, Clone, Copy)]
struct Phase {
    block: Block,
    memory: u64,
}

#[derive(Debug)]
struct Round {
    before: Phase,
    rising: Phase,
    lasting: Phase,
    ending: Phase,
    after: Phase,
    kept: usize,
    endings: Endings,
}

/// The rounds of one case.
#[derive(Debug)]
pub struct Rounds(Vec<Round>);

/// Plays the rounds of a plan before one gateway.
pub fn play(plan: Plan, settings: &str, hostile: impl Fn() -> Box<dyn Hostile>) -> Rounds {
    let ground = Ground::start(plan.workers, settings);
    let mut scene = Scene {
        normal: Normal::connect(ground.address),
        ground,
        plan,
        most: 0,
    };
    // What is made on first use is made before anything is measured.
    scene.phase(|scene| scene.ask(plan.requests));
    let rounds = (0..plan.rounds).map(|_| scene.round(hostile().as_mut()));
    let rounds = Rounds(rounds.collect());
    let Scene { ground, normal, .. } = scene;
    drop(normal);
    ground.end();
    rounds
}

struct Scene {
    ground: Ground,
    normal: Normal,
    plan: Plan,
    /// The most memory of this phase.
    most: u64,
}

impl Scene {
    fn round(&mut self, hostile: &mut dyn Hostile) -> Round {
        let requests = self.plan.requests;
        let began = self.ground.metrics();
        assert_eq!(began.open(), 1, "only the normal client's");
        let before = self.phase(|scene| scene.ask(requests));
        let rising = self.phase(|scene| scene.until(hostile, |hostile, _| hostile.is_up()));
        let lasting = self.phase(|scene| scene.beside(hostile, requests));
        if self.plan.figures {
            let open = hostile.keeps() as u64 + 1;
            let now = self
                .ground
                .until("others have gone", |now| now.open() <= open);
            assert_eq!(now.open(), open, "it ended too early");
        }
        let ending = self.phase(|scene| {
            hostile.let_go();
            scene.until(hostile, |hostile, now| hostile.is_over(&began, now));
        });
        let ended = self.ground.until("all are gone", |now| now.open() == 1);
        let endings = hostile.account(&began, &ended);
        let after = self.phase(|scene| scene.ask(requests));
        Round {
            before,
            rising,
            lasting,
            ending,
            after,
            kept: hostile.keeps(),
            endings,
        }
    }

    fn phase(&mut self, act: impl FnOnce(&mut Self)) -> Phase {
        self.most = 0;
        act(self);
        self.look();
        Phase {
            block: self.normal.report(),
            memory: self.most,
        }
    }

    fn look(&mut self) {
        self.most = self.most.max(self.ground.resident());
    }

    fn ask(&mut self, requests: usize) {
        for _ in 0..requests {
            self.normal.ask();
        }
    }

    /// Asks so many times while the overload goes on.
    fn beside(&mut self, hostile: &mut dyn Hostile, requests: usize) {
        for number in 0..requests {
            self.step(hostile);
            if number % LOOK_EVERY == 0 {
                self.look();
            }
        }
    }

    /// Asks until the overload has come to a point.
    fn until(&mut self, hostile: &mut dyn Hostile, point: impl Fn(&dyn Hostile, &Metrics) -> bool) {
        let begun = now();
        loop {
            let metrics = self.ground.metrics();
            if point(hostile, &metrics) {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "it goes on: {metrics:?}");
            self.beside(hostile, LOOK_EVERY);
        }
    }

    fn step(&mut self, hostile: &mut dyn Hostile) {
        let served = self.normal.ask();
        hostile.step(&self.ground, served);
    }
}

impl Round {
    fn phases(&self) -> [(&'static str, Phase); 5] {
        [
            ("before", self.before),
            ("rising", self.rising),
            ("during", self.lasting),
            ("ending", self.ending),
            ("after", self.after),
        ]
    }

    /// The most memory while there was any overload, in KiB.
    fn most(&self) -> u64 {
        self.rising
            .memory
            .max(self.lasting.memory)
            .max(self.ending.memory)
    }
}

fn median_p99(phases: impl Iterator<Item = Phase>) -> Duration {
    let mut all: Vec<_> = phases.map(|phase| phase.block.p99).collect();
    all.sort_unstable();
    all[all.len() / 2]
}

impl Rounds {
    /// How much each kept connection takes, by the first round.
    pub fn bytes_each(&self) -> u64 {
        let round = &self.0[0];
        let growth = round.lasting.memory.saturating_sub(round.before.memory);
        growth * KIB / round.kept as u64
    }

    /// The medians over the rounds of the normal client's p99: alone, which is before, and while the
    /// overload lasted.
    pub fn median_p99(&self) -> (Duration, Duration) {
        let alone = self.0.iter().map(|round| round.before);
        let during = self.0.iter().map(|round| round.lasting);
        (median_p99(alone), median_p99(during))
    }

    /// Memory and refusals are within the bounds, and no round leaves more behind than the first.
    pub fn check(&self, bounds: Bounds) {
        // What is freed comes back in other sizes and another order, so that the allocator keeps gaps: after
        // many rounds about half as much again, and no more.
        let slack = SLACK + bounds.growth / 2;
        let before = self.0[0].before.memory;
        let first = self.0[0].most().max(self.0[0].after.memory);
        for round in &self.0 {
            let grown = round.most().saturating_sub(before) * KIB;
            assert!(grown <= bounds.growth + slack, "grown by {grown}");
            let again = round.most().max(round.after.memory).saturating_sub(first) * KIB;
            assert!(again <= slack, "grown by {again} since the first round");
            for (name, phase) in round.phases() {
                let alone = matches!(name, "before" | "after");
                let refused = phase.block.refused;
                assert!(
                    refused == 0 || (bounds.refuses && !alone),
                    "{name}: {refused}"
                );
            }
        }
    }
}

impl fmt::Display for Rounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "  round phase   requests  refused   p50 us   p99 us  memory KiB"
        )?;
        for (number, round) in self.0.iter().enumerate() {
            for (name, Phase { block, memory }) in round.phases() {
                let Block {
                    requests, refused, ..
                } = block;
                let (p50, p99) = (block.median.as_micros(), block.p99.as_micros());
                writeln!(
                    f,
                    "  {number:>5} {name:<8}{requests:>8} {refused:>8} {p50:>8} {p99:>8} {memory:>11}"
                )?;
            }
            writeln!(f, "        {}", round.endings)?;
        }
        let (alone, during) = self.median_p99();
        writeln!(
            f,
            "  {} bytes for each of {} kept connections; median p99 {alone:?} alone, {during:?} during",
            self.bytes_each(),
            self.0[0].kept
        )
    }
}
