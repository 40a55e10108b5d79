//! Several gateways that share one quota, and the server by which they do: up, silent, gone, or emptied.

use super::server::Server;
use super::world::{self, Attempt, Scenario, WINDOW, World, ms};
use metafield_gateway::policy::vocabulary::StoreHash;
use metafield_gateway::quota::{
    Answer, Book, Ledger, Question, Reported, Seat, Terms, Waiter, Waiting,
};
use std::sync::Arc;

/// How long a gateway waits for the shared server, and when it asks again; as the gateway's own driver does.
const LIMIT: u64 = 250;
const AGAIN: u64 = 500;
const EVERY: u64 = 450;
const FAILURES: u32 = 2;

/// How the shared server fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outage {
    /// It answers nothing, and everything when it is back.
    Silent,
    /// What is asked is lost.
    Gone,
    /// The same, and it comes back without what it knew.
    Emptied,
}

pub struct Replica {
    pub seats: Vec<Seat>,
    ledger: Arc<Ledger>,
    name: Arc<str>,
    reported: Reported,
    pub waiting: Vec<(Attempt, Waiter)>,
    pub line: Waiting,
    /// The question that is on its way.
    asking: Option<u64>,
    /// Whether another one is wanted.
    wants: bool,
    is_down: bool,
    failures: u32,
    asked: u64,
}

pub enum Event {
    /// A question arrives, with its number.
    Ask(usize, u64, Box<Question>),
    Answer(usize, u64, Box<(Question, Answer)>),
    /// Nothing has come.
    Late(usize, u64),
    /// It is time to be known.
    Beat(usize),
    Back,
}

pub struct Fleet {
    pub replicas: Vec<Replica>,
    server: Option<Server>,
    comes_and_goes: bool,
    /// What waits in the sockets of a silent server.
    held: Vec<(usize, u64, Box<Question>)>,
    number: u64,
    pub questions: u64,
    pub beats: u64,
}

impl Fleet {
    pub fn new(scenario: &Scenario, terms: &Terms, hash: StoreHash) -> Self {
        let replica = |number: usize| {
            let book = Arc::new(Book::of(terms.clone(), None).expect("a book"));
            let seats = (0..scenario.callers.len())
                .map(|caller| book.seat(caller, &hash).expect("a seat"))
                .collect();
            let ledger = Arc::clone(book.ledger(&hash).expect("a budget"));
            Replica {
                seats,
                ledger,
                name: format!("r{number}").into(),
                reported: Reported::default(),
                waiting: Vec::new(),
                line: Waiting::default(),
                asking: None,
                wants: false,
                is_down: false,
                failures: 0,
                asked: 0,
            }
        };
        Self {
            replicas: (0..scenario.replicas.max(1)).map(replica).collect(),
            server: (scenario.replicas > 0).then(Server::new),
            comes_and_goes: scenario.comes_and_goes,
            held: Vec::new(),
            number: 0,
            questions: 0,
            beats: 0,
        }
    }

    /// How many there are now.
    pub fn present(&self, now: u64) -> usize {
        let all = self.replicas.len();
        if self.comes_and_goes && now / (2 * WINDOW) % 2 == 1 {
            all.div_ceil(2)
        } else {
            all
        }
    }
}

impl World<'_> {
    pub fn begin_sharing(&mut self) {
        if self.fleet.server.is_none() {
            return;
        }
        for replica in 0..self.fleet.replicas.len() {
            let at = self.chance.within((0, 700));
            self.agenda
                .at(at, world::Event::Server(Event::Beat(replica)));
        }
        if let Some((_, to, _)) = self.scenario.outage {
            self.agenda
                .at(moment(to), world::Event::Server(Event::Back));
        }
    }

    fn outage(&self, now: u64) -> Option<Outage> {
        let (from, to, outage) = self.scenario.outage?;
        (moment(from)..moment(to)).contains(&now).then_some(outage)
    }

    /// A replica wants something of the server.
    pub fn want(&mut self, now: u64, number: usize) {
        self.fleet.replicas[number].wants = true;
        if self.fleet.replicas[number].asking.is_none() {
            self.fleet.questions += 1;
            self.ask_server(now, number);
        }
    }

    fn ask_server(&mut self, now: u64, number: usize) {
        self.fleet.number += 1;
        let id = self.fleet.number;
        let replica = &mut self.fleet.replicas[number];
        replica.wants = false;
        replica.asking = Some(id);
        replica.asked = now;
        let name = Arc::clone(&replica.name);
        let waiting = replica.line.clone();
        let question = replica
            .ledger
            .ask((&name, waiting), &mut replica.reported, ms(now))
            .expect("a shared quota");
        let way = self.chance.within((0, 2));
        let event = Event::Ask(number, id, Box::new(question));
        self.agenda.at(now + way, world::Event::Server(event));
        let late = Event::Late(number, id);
        self.agenda.at(now + LIMIT, world::Event::Server(late));
    }

    pub fn serve(&mut self, now: u64, event: Event) {
        match event {
            Event::Ask(number, id, question) => match self.outage(now) {
                None => self.answer_question(now, number, id, *question),
                Some(Outage::Silent) => self.fleet.held.push((number, id, question)),
                Some(Outage::Gone | Outage::Emptied) => {}
            },
            Event::Back => {
                if let Some((.., Outage::Emptied)) = self.scenario.outage
                    && let Some(server) = &self.fleet.server
                {
                    server.restart();
                }
                for (number, id, question) in std::mem::take(&mut self.fleet.held) {
                    self.answer_question(now, number, id, *question);
                }
            }
            Event::Answer(number, id, both) => {
                let replica = &mut self.fleet.replicas[number];
                if replica.asking != Some(id) {
                    return;
                }
                let (question, answer) = &*both;
                replica
                    .ledger
                    .answered(question, answer, &mut replica.reported, ms(now));
                replica.is_down = false;
                replica.failures = 0;
                self.end_round(now, number);
            }
            Event::Late(number, id) => {
                let replica = &mut self.fleet.replicas[number];
                if replica.asking != Some(id) {
                    return;
                }
                replica.failures += 1;
                if replica.failures < FAILURES {
                    self.ask_server(now, number);
                    return;
                }
                replica.ledger.part(ms(now));
                replica.is_down = true;
                self.end_round(now, number);
            }
            Event::Beat(number) => self.beat(now, number),
        }
    }

    fn answer_question(&mut self, now: u64, number: usize, id: u64, question: Question) {
        let server = self.fleet.server.as_ref().expect("a server");
        let answer = server.ask(&question, now);
        let way = self.chance.within((0, 2));
        let event = Event::Answer(number, id, Box::new((question, answer)));
        self.agenda.at(now + way, world::Event::Server(event));
    }

    fn end_round(&mut self, now: u64, number: usize) {
        let replica = &mut self.fleet.replicas[number];
        replica.asking = None;
        for (attempt, waiter) in std::mem::take(&mut replica.waiting) {
            self.fleet.replicas[number].line.go(&waiter);
            self.try_to_send(now, attempt);
        }
        let replica = &self.fleet.replicas[number];
        let is_short = !replica.line.is_empty() || replica.ledger.runs_low(ms(now));
        if replica.wants && is_short && replica.asking.is_none() && !replica.is_down {
            self.fleet.questions += 1;
            self.ask_server(now, number);
        }
    }

    fn beat(&mut self, now: u64, number: usize) {
        let is_here = number < self.fleet.present(now);
        let count = self.fleet.replicas.len() as u64;
        let replica = &self.fleet.replicas[number];
        let together = if replica.ledger.holds(ms(now)) {
            count / 2
        } else {
            2 * count
        };
        let every = if replica.is_down {
            AGAIN
        } else {
            together.clamp(EVERY, 10_000)
        };
        if is_here && replica.asking.is_none() && now >= replica.asked + every {
            self.fleet.beats += 1;
            self.ask_server(now, number);
        }
        let next = (self.fleet.replicas[number].asked + every).max(now + 1);
        self.agenda
            .at(next, world::Event::Server(Event::Beat(number)));
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a time of a simulation"
)]
fn moment(windows: f64) -> u64 {
    (windows * WINDOW as f64) as u64
}
