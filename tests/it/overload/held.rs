//! Connections that are held for as long as their clients like: idle ones, and ones that have sent almost
//! all of a head of 64 KiB.

use super::ground::{Ground, Metrics};
use super::hostile::{Endings, Hostile, ending};
use crate::support::client::{Client, Request};

/// Connections that have made one request each.
#[derive(Debug)]
pub struct Idle {
    count: usize,
    begun: usize,
    open: Vec<Client>,
}

impl Idle {
    pub fn new(count: usize) -> Self {
        Self {
            count,
            begun: 0,
            open: Vec::new(),
        }
    }
}

impl Hostile for Idle {
    fn step(&mut self, ground: &Ground, _: bool) {
        if !self.is_up() {
            let mut client = Client::connect(ground.address);
            assert_eq!(client.exchange(&Request::update("{}")).status(), 200);
            self.open.push(client);
            self.begun += 1;
        }
    }

    fn is_up(&self) -> bool {
        self.begun == self.count
    }

    fn keeps(&self) -> usize {
        self.count
    }

    fn let_go(&mut self) {
        self.open.clear();
    }

    fn is_over(&self, _: &Metrics, now: &Metrics) -> bool {
        now.open() == 1
    }

    fn account(&mut self, began: &Metrics, now: &Metrics) -> Endings {
        assert_eq!(now.all_closed_since(began), 0, "a limit met an idle client");
        let mut endings = Endings::default();
        (0..self.count).for_each(|_| endings.add("left by its client"));
        endings
    }
}

/// The header section of each large head: beyond `limits.headers`, and within what is read of it.
const SECTION: usize = 64 * 1024;
const FIELD: usize = 8 * 1024;

/// Connections on which all but the end of a large head has come.
#[derive(Debug)]
pub struct LargeHeads {
    count: usize,
    begun: usize,
    open: Vec<Client>,
    endings: Endings,
}

impl LargeHeads {
    pub fn new(count: usize) -> Self {
        Self {
            count,
            begun: 0,
            open: Vec::new(),
            endings: Endings::default(),
        }
    }

    fn head() -> Vec<u8> {
        let mut request = Request::new("GET", crate::support::client::ONE);
        for number in 0..SECTION / FIELD {
            let name = format!("X-{number}");
            let length = FIELD - name.len() - ": \r\n".len();
            request = request.with(&name, &"x".repeat(length));
        }
        request.head()
    }
}

impl Hostile for LargeHeads {
    fn step(&mut self, ground: &Ground, _: bool) {
        if !self.is_up() {
            let mut client = Client::connect(ground.address);
            let head = Self::head();
            client.send(head.strip_suffix(b"\r\n").expect("an empty line"));
            self.open.push(client);
            self.begun += 1;
        }
    }

    fn is_up(&self) -> bool {
        self.begun == self.count
    }

    fn keeps(&self) -> usize {
        self.count
    }

    fn let_go(&mut self) {
        for mut client in self.open.drain(..) {
            client.send("\r\n");
            self.endings.add(&ending(&mut client));
        }
    }

    fn is_over(&self, _: &Metrics, now: &Metrics) -> bool {
        now.open() == 1
    }

    fn account(&mut self, began: &Metrics, now: &Metrics) -> Endings {
        const REFUSED: &str = "431 headers_too_large";
        assert_eq!(self.endings.of(REFUSED), self.count, "{:?}", self.endings);
        let counted = now.denied_since(began, "get", "headers_too_large");
        assert_eq!(counted, self.count as u64);
        std::mem::take(&mut self.endings)
    }
}
