//! More connections than a bound lets in, from one address: so many that some cannot even be told.

use super::ground::{Ground, Metrics};
use super::hostile::{CLOSED, Endings, Hostile, Reads, connect_from, ending, name};
use crate::support::client::{Client, Request};
use metafield_gateway::server::TURNED_AWAY;

const TOLD: &str = "503 overloaded";
/// How many are tried at once beyond the bound; no place in which to be told comes free meanwhile.
pub const BURST: usize = TURNED_AWAY + 36;

/// A flood of connections that each make a request at once.
#[derive(Debug)]
pub struct Flood {
    from: [u8; 4],
    /// How many there is room for.
    room: usize,
    /// How many of a burst are told at least.
    told: usize,
    tried: usize,
    begun: usize,
    served: Vec<Client>,
    endings: Endings,
}

impl Flood {
    /// A flood of so many more bursts than there is room for.
    pub fn new(from: [u8; 4], room: usize, bursts: usize) -> Self {
        let own = std::net::Ipv4Addr::from(from) == std::net::Ipv4Addr::LOCALHOST;
        Self {
            from,
            room,
            // An address that is counted has a share of the places in which to be told.
            told: if own { TURNED_AWAY } else { 8 },
            tried: room + bursts * BURST,
            begun: 0,
            served: Vec::new(),
            endings: Endings::default(),
        }
    }

    fn connect(&self, ground: &Ground) -> Client {
        Client::over(connect_from(self.from, ground.address, Reads::Much))
    }

    fn burst(&mut self, ground: &Ground) {
        let request = Request::update("{}").to_bytes();
        let asked = (0..BURST).map(|_| {
            let mut client = self.connect(ground);
            // It may be closed already.
            drop(client.try_send(&request));
            client
        });
        let asked: Vec<Client> = asked.collect();
        self.begun += asked.len();
        for mut client in asked {
            self.endings.add(&ending(&mut client));
        }
    }
}

impl Hostile for Flood {
    fn step(&mut self, ground: &Ground, _: bool) {
        if self.begun < self.room {
            let mut client = self.connect(ground);
            assert_eq!(client.exchange(&Request::update("{}")).status(), 200);
            self.served.push(client);
            self.begun += 1;
        } else if !self.is_up() {
            self.burst(ground);
        }
    }

    fn is_up(&self) -> bool {
        self.begun == self.tried
    }

    fn keeps(&self) -> usize {
        self.room
    }

    fn let_go(&mut self) {
        for mut client in self.served.drain(..) {
            let answer = client.exchange(&Request::update("{}"));
            self.endings.add(&format!("served ({})", name(&answer)));
        }
    }

    fn is_over(&self, _: &Metrics, now: &Metrics) -> bool {
        now.open() == 1
    }

    fn account(&mut self, began: &Metrics, now: &Metrics) -> Endings {
        let endings = std::mem::take(&mut self.endings);
        let (told, closed) = (endings.of(TOLD), endings.of(CLOSED));
        assert_eq!(endings.of("served (200)"), self.room, "{endings}");
        assert_eq!(told + closed, self.tried - self.room, "{endings}");
        assert!(told >= self.told && closed > 0, "{endings}");
        let told_by_gateway = now.denied_since(began, "unknown", "overloaded");
        let closed_by_gateway = now.closed_since(began, "turned_away");
        assert_eq!(
            (told_by_gateway, closed_by_gateway),
            (told as u64, closed as u64)
        );
        endings
    }
}
