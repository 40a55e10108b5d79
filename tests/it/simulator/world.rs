//! One run: callers come, the gateway decides, the store answers.

use super::callers::{Appetite, Wisher};
use super::events::{Agenda, Chance};
use super::store::Store;
use metafield_gateway::policy::vocabulary::StoreHash;
use metafield_gateway::quota::{
    Answered, Book, CallerTerms, Reading, Seat, StoreTerms, Terms, Unit,
};
use std::sync::Arc;
use std::time::Duration;

/// The length of a window in milliseconds.
pub const WINDOW: u64 = 30_000;

/// What is simulated.
#[derive(Debug, Clone)]
pub struct Scenario {
    pub name: &'static str,
    pub callers: Vec<Wisher>,
    /// What the store has.
    pub quota: u32,
    /// What the gateway is told that it has.
    pub configured: u32,
    pub keep_free: u32,
    /// What other apps spend in a window, on the average.
    pub others: f64,
    /// Each way between gateway and store takes something between these, in milliseconds.
    pub delay: (u64, u64),
    pub tells: bool,
    pub on_a_grid: bool,
}

impl Scenario {
    pub fn new(name: &'static str, callers: Vec<Wisher>) -> Self {
        Self {
            name,
            callers,
            quota: 150,
            configured: 150,
            keep_free: 0,
            others: 0.0,
            delay: (5, 150),
            tells: true,
            on_a_grid: false,
        }
    }
}

/// What happened: for each window of the gateway's time and each caller.
#[derive(Debug, Default, Clone)]
pub struct Cell {
    /// Requests that it came with, each once.
    pub asked: u32,
    /// Those that the gateway sent and BigCommerce granted.
    pub got: u32,
    /// Those that BigCommerce refused.
    pub refused_by_store: u32,
    /// Those that the gateway refused.
    pub refused: u32,
}

/// By window, by caller.
pub type History = Vec<Vec<Cell>>;

enum Event {
    Come(usize),
    /// Once more, as it was asked to.
    Again(usize),
    Arrive(Box<Flight>),
    Answer(Box<Flight>),
    Other,
}

struct Flight {
    caller: usize,
    unit: Unit,
    granted: bool,
    reading: Option<Reading>,
}

struct World<'s> {
    scenario: &'s Scenario,
    agenda: Agenda<Event>,
    chance: Chance,
    store: Store,
    seats: Vec<Seat>,
    history: History,
}

/// Runs a scenario for so many windows.
pub fn run(scenario: &Scenario, windows: usize, seed: u64) -> History {
    let hash = StoreHash::parse("abc").expect("a hash");
    let callers = scenario.callers.iter().map(|caller| {
        let terms = CallerTerms {
            weight: caller.weight,
            guaranteed: caller.guaranteed,
            ..CallerTerms::UNLIMITED
        };
        (caller.name.to_owned(), terms, None)
    });
    let terms = StoreTerms {
        requests: scenario.configured,
        per: Duration::from_millis(WINDOW),
        keep_free: scenario.keep_free,
    };
    let terms = Terms {
        stores: vec![(hash, terms)],
        callers: callers.collect(),
        shows_store: false,
    };
    let book = Arc::new(Book::of(terms, None).expect("a book"));
    let seats = (0..scenario.callers.len())
        .map(|caller| book.seat(caller, &hash).expect("a seat"))
        .collect();
    let mut world = World {
        scenario,
        agenda: Agenda::new(),
        chance: Chance(seed),
        store: Store::new(scenario.quota, WINDOW, scenario.on_a_grid),
        seats,
        history: vec![vec![Cell::default(); scenario.callers.len()]; windows],
    };
    world.begin();
    let end = WINDOW * windows as u64;
    while let Some((now, event)) = world.agenda.next(end) {
        world.happen(now, event);
    }
    world.history
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

impl World<'_> {
    fn begin(&mut self) {
        for (caller, wisher) in self.scenario.callers.iter().enumerate() {
            let times = match wisher.appetite {
                Appetite::Greedy { at_once } => at_once,
                _ => 1,
            };
            for _ in 0..times {
                let at = self.chance.within((1, 3_000));
                self.agenda.at(at, Event::Come(caller));
            }
        }
        if self.scenario.others > 0.0 {
            self.agenda.at(1, Event::Other);
        }
    }

    fn cell(&mut self, now: u64, caller: usize) -> &mut Cell {
        let window = usize::try_from(now / WINDOW).expect("a window");
        &mut self.history[window][caller]
    }

    fn happen(&mut self, now: u64, event: Event) {
        match event {
            Event::Other => {
                self.store.ask(now);
                let pause = self.chance.pause(self.scenario.others, WINDOW);
                self.agenda.at(now + pause, Event::Other);
            }
            Event::Come(caller) => self.come(now, caller),
            Event::Again(caller) => drop(self.send(now, caller)),
            Event::Arrive(mut flight) => {
                let (granted, reading) = self.store.ask(now);
                flight.granted = granted;
                flight.reading = self.scenario.tells.then_some(reading);
                let delay = self.chance.within(self.scenario.delay);
                self.agenda.at(now + delay, Event::Answer(flight));
            }
            Event::Answer(flight) => self.answer(now, *flight),
        }
    }

    fn come(&mut self, now: u64, caller: usize) {
        let appetite = self.scenario.callers[caller].appetite;
        match appetite {
            Appetite::Even { a_window } => {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    clippy::cast_precision_loss,
                    reason = "a time of a simulation"
                )]
                let pause = (WINDOW as f64 / a_window) as u64;
                // Evenly as people do: within a tenth.
                let jitter = self.chance.within((0, pause / 5));
                self.agenda
                    .at(now + pause - pause / 10 + jitter, Event::Come(caller));
            }
            Appetite::Random { a_window } => {
                let pause = self.chance.pause(a_window, WINDOW);
                self.agenda.at(now + pause, Event::Come(caller));
            }
            Appetite::Bursts { of, every } => {
                for _ in 1..of {
                    self.ask(now, caller);
                }
                self.agenda.at(now + every, Event::Come(caller));
            }
            Appetite::Throttled | Appetite::Greedy { .. } => {}
        }
        let was_let_through = self.ask(now, caller);
        if !was_let_through && !appetite.has_plan() {
            let pause = match appetite {
                // It has given up, and somebody starts it again.
                Appetite::Throttled => WINDOW,
                _ => 500,
            };
            self.agenda.at(now + pause, Event::Come(caller));
        }
    }

    fn ask(&mut self, now: u64, caller: usize) -> bool {
        self.cell(now, caller).asked += 1;
        self.send(now, caller)
    }

    fn send(&mut self, now: u64, caller: usize) -> bool {
        match self.seats[caller].take(true, ms(now)) {
            Ok(Some(mut unit)) => {
                let gone = unit.sent(ms(now));
                if gone.is_err() {
                    self.cell(now, caller).refused += 1;
                    return false;
                }
                let delay = self.chance.within(self.scenario.delay);
                let flight = Flight {
                    caller,
                    unit,
                    granted: false,
                    reading: None,
                };
                self.agenda.at(now + delay, Event::Arrive(Box::new(flight)));
                true
            }
            Ok(None) => panic!("the store has a budget"),
            Err(refused) => {
                self.cell(now, caller).refused += 1;
                if let Appetite::Bursts { .. } = self.scenario.callers[caller].appetite {
                    // In whole seconds, as they are told.
                    let wait = u64::try_from(refused.retry.as_millis()).expect("a time");
                    let wait = wait.div_ceil(1000) * 1000;
                    self.agenda.at(now + wait, Event::Again(caller));
                }
                false
            }
        }
    }

    fn answer(&mut self, now: u64, flight: Flight) {
        let Flight {
            caller,
            unit,
            granted,
            reading,
        } = flight;
        let answered = match (granted, reading) {
            (true, _) => Answered::Plainly,
            (false, Some(_)) => Answered::Spent,
            (false, None) => Answered::Burdened(
                metafield_gateway::quota::Burden::PlatformLoad,
                Duration::ZERO,
            ),
        };
        let chance = self.chance.even();
        unit.answered(reading.map(Ok), answered, chance, ms(now));
        let cell = self.cell(now, caller);
        if granted {
            cell.got += 1;
        } else {
            cell.refused_by_store += 1;
        }
        match self.scenario.callers[caller].appetite {
            Appetite::Greedy { .. } => self.agenda.at(now + 1, Event::Come(caller)),
            Appetite::Throttled => {
                let shown = self.seats[caller].shown(reading, ms(now));
                let shown = shown.expect("a store with a budget");
                let pause = if shown.left <= 1 {
                    shown.reset.div_ceil(1000) * 1000
                } else {
                    1
                };
                self.agenda.at(now + pause, Event::Come(caller));
            }
            _ => {}
        }
    }
}
