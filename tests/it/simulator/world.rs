//! One run: callers come, the gateway decides, the store answers.

use super::callers::{Appetite, Wisher};
use super::events::{Agenda, Chance};
use super::fleet::{self, Fleet, Outage};
use super::store::Store;
use metafield_gateway::policy::vocabulary::StoreHash;
use metafield_gateway::quota::{
    Answered, CallerTerms, Reading, Refused, StoreTerms, Terms, Unit, Waiter, Why,
};
use std::time::Duration;

/// The length of a window in milliseconds.
pub const WINDOW: u64 = 30_000;

/// How often a request asks the shared server, and how long it waits for what others hold, as in the gateway.
const QUESTIONS: u32 = 4;
const ELSEWHERE: u64 = 1_000;

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
    /// How many gateways share the store's quota; 0: there is one, which shares nothing.
    pub replicas: usize,
    /// Every so many windows half of them leave, and come back in the next one.
    pub comes_and_goes: bool,
    /// When the shared server fails, in windows, and how.
    pub outage: Option<(f64, f64, Outage)>,
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
            replicas: 0,
            comes_and_goes: false,
            outage: None,
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
pub type Windows = Vec<Vec<Cell>>;

/// What happened in a run.
pub struct History {
    pub windows: Windows,
    /// Questions to the shared server: because a request waited or what is held ran low, and for nothing else
    /// than to be known.
    pub questions: u64,
    pub beats: u64,
    pub sent: u64,
}

impl History {
    /// How many requests came.
    pub fn came(&self) -> u64 {
        let cells = self.windows.iter().flatten();
        cells.map(|cell| u64::from(cell.asked)).sum()
    }
}

pub(super) enum Event {
    Come(usize),
    /// Once more, as it was asked to.
    Again(usize),
    /// Where others may have given back what they hold.
    Retry(Box<(Attempt, Waiter)>),
    Arrive(Box<Flight>),
    Answer(Box<Flight>),
    Other,
    /// Of the shared server.
    Server(fleet::Event),
}

/// One request on its way through a gateway.
#[derive(Debug, Clone)]
pub(super) struct Attempt {
    pub(super) caller: usize,
    replica: usize,
    is_new: bool,
    questions: u32,
    /// Since when it waits.
    since: Option<u64>,
    /// Whether its caller comes again when it is refused.
    comes_again: bool,
}

pub(super) struct Flight {
    caller: usize,
    replica: usize,
    unit: Unit,
    granted: bool,
    reading: Option<Reading>,
}

pub(super) struct World<'s> {
    pub(super) scenario: &'s Scenario,
    pub(super) agenda: Agenda<Event>,
    pub(super) chance: Chance,
    store: Store,
    pub(super) fleet: Fleet,
    history: Windows,
    /// Requests that were sent.
    sent: u64,
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
        replicas: (scenario.replicas > 0).then_some(10),
    };
    let mut world = World {
        scenario,
        agenda: Agenda::new(),
        chance: Chance(seed),
        store: Store::new(scenario.quota, WINDOW, scenario.on_a_grid),
        fleet: Fleet::new(scenario, &terms, hash),
        sent: 0,
        history: vec![vec![Cell::default(); scenario.callers.len()]; windows],
    };
    world.begin();
    let end = WINDOW * windows as u64;
    while let Some((now, event)) = world.agenda.next(end) {
        world.happen(now, event);
    }
    History {
        windows: world.history,
        questions: world.fleet.questions,
        beats: world.fleet.beats,
        sent: world.sent,
    }
}

pub(super) fn ms(millis: u64) -> Duration {
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
        self.begin_sharing();
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
            Event::Again(caller) => {
                let replica = self.pick(now);
                let attempt = Attempt {
                    caller,
                    replica,
                    is_new: true,
                    questions: 0,
                    since: None,
                    comes_again: false,
                };
                self.try_to_send(now, attempt);
            }
            Event::Retry(retry) => {
                let (attempt, waiter) = *retry;
                self.fleet.replicas[attempt.replica].line.go(&waiter);
                self.try_to_send(now, attempt);
            }
            Event::Server(event) => self.serve(now, event),
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
                    self.ask(now, caller, false);
                }
                self.agenda.at(now + every, Event::Come(caller));
            }
            Appetite::Throttled | Appetite::Greedy { .. } => {}
        }
        self.ask(now, caller, true);
    }

    fn ask(&mut self, now: u64, caller: usize, comes_again: bool) {
        self.cell(now, caller).asked += 1;
        // One after the other is one connection; many at once are many.
        let replica = match self.scenario.callers[caller].appetite {
            Appetite::Throttled => caller % self.fleet.present(now),
            _ => self.pick(now),
        };
        let attempt = Attempt {
            caller,
            replica,
            is_new: true,
            questions: 0,
            since: None,
            comes_again,
        };
        self.try_to_send(now, attempt);
    }

    /// A replica that is there.
    fn pick(&mut self, now: u64) -> usize {
        let count = self.fleet.present(now);
        usize::try_from(self.chance.within((0, count as u64 - 1))).expect("a replica")
    }

    /// As the gateway does it for one request.
    pub(super) fn try_to_send(&mut self, now: u64, mut attempt: Attempt) {
        let Attempt {
            caller, replica, ..
        } = attempt;
        let seat = &self.fleet.replicas[replica].seats[caller];
        match seat.take(attempt.is_new, ms(now)) {
            Ok(Some(mut unit)) => {
                if seat.runs_low(ms(now)) {
                    self.want(now, replica);
                }
                if unit.sent(ms(now)).is_err() {
                    self.cell(now, caller).refused += 1;
                    return;
                }
                self.sent += 1;
                let delay = self.chance.within(self.scenario.delay);
                let flight = Flight {
                    caller,
                    replica,
                    unit,
                    granted: false,
                    reading: None,
                };
                self.agenda.at(now + delay, Event::Arrive(Box::new(flight)));
            }
            Ok(None) => panic!("the store has a budget"),
            Err(refused) => {
                let asks = matches!(refused.why, Why::Unasked | Why::Unheld);
                if asks && self.wait(now, &mut attempt, &refused) {
                    return;
                }
                let retry = if asks { ms(ELSEWHERE) } else { refused.retry };
                self.refuse(now, &attempt, retry);
            }
        }
    }

    /// Whether a request waits for the shared server, or for what other gateways hold.
    fn wait(&mut self, now: u64, attempt: &mut Attempt, refused: &Refused) -> bool {
        let wait = u64::try_from(refused.retry.as_millis()).expect("a short time");
        let since = *attempt.since.get_or_insert(now);
        let replica = &mut self.fleet.replicas[attempt.replica];
        let waiter = replica.seats[attempt.caller].waiter(ms(now));
        let waiter = waiter.expect("a shared quota");
        if attempt.questions == QUESTIONS
            || now + wait > since + ELSEWHERE
            || !replica.line.come(&waiter)
        {
            return false;
        }
        attempt.is_new &= refused.why == Why::Unasked;
        if wait > 0 {
            let again = Event::Retry(Box::new((attempt.clone(), waiter)));
            self.agenda.at(now + wait, again);
            return true;
        }
        attempt.questions += 1;
        replica.waiting.push((attempt.clone(), waiter));
        let number = attempt.replica;
        self.want(now, number);
        true
    }

    fn refuse(&mut self, now: u64, attempt: &Attempt, retry: Duration) {
        self.cell(now, attempt.caller).refused += 1;
        match self.scenario.callers[attempt.caller].appetite {
            Appetite::Bursts { .. } => {
                // In whole seconds, as they are told.
                let wait = u64::try_from(retry.as_millis()).expect("a time");
                let wait = wait.div_ceil(1000).max(1) * 1000;
                self.agenda.at(now + wait, Event::Again(attempt.caller));
            }
            Appetite::Throttled if attempt.comes_again => {
                // It has given up, and somebody starts it again.
                self.agenda.at(now + WINDOW, Event::Come(attempt.caller));
            }
            Appetite::Greedy { .. } if attempt.comes_again => {
                self.agenda.at(now + 500, Event::Come(attempt.caller));
            }
            _ => {}
        }
    }

    fn answer(&mut self, now: u64, flight: Flight) {
        let Flight {
            caller,
            replica,
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
                let shown = self.fleet.replicas[replica].seats[caller].shown(reading, ms(now));
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
