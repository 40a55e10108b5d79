//! Clients that send a byte now and then: of a head, or of a body. Between two bytes of one connection
//! there are as many requests of the normal client as there are such connections.

use super::ground::{Ground, Metrics};
use super::hostile::{CLOSED, Endings, Hostile, ending};
use crate::support::client::{Client, Request};
use std::io::{ErrorKind, Write};
use std::net::TcpStream;

/// What is sent slowly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Head,
    /// Of a request that is allowed up to its body.
    Body,
}

/// The length that a slow body has by its head.
const DECLARED: &str = "200000";
const REFUSED: &str = "408 body_timeout";

/// Slow connections; the gateway's limits end them.
#[derive(Debug)]
pub struct Slow {
    part: Part,
    count: usize,
    open: Vec<TcpStream>,
    begun: usize,
    next: usize,
    endings: Endings,
}

impl Slow {
    pub fn new(part: Part, count: usize) -> Self {
        Self {
            part,
            count,
            open: Vec::new(),
            begun: 0,
            next: 0,
            endings: Endings::default(),
        }
    }

    fn begin(&mut self, ground: &Ground) {
        let bytes = match self.part {
            Part::Head => {
                b"PUT /stores/abc123/v3/customers/7/metafields/9 HTTP/1.1\r\nX-Slow: ".to_vec()
            }
            Part::Body => {
                let mut bytes = Request::update("").with("Content-Length", DECLARED).head();
                bytes.extend_from_slice(b"{\"value\":\"");
                bytes
            }
        };
        let mut stream = TcpStream::connect(ground.address).expect("the gateway listens");
        stream.set_nodelay(true).expect("no delay");
        stream.write_all(&bytes).expect("room for a head");
        stream.set_nonblocking(true).expect("a mode");
        self.open.push(stream);
        self.begun += 1;
    }

    /// One byte more on the next connection, unless that has ended.
    fn drip(&mut self) {
        if self.open.is_empty() {
            return;
        }
        self.next = (self.next + 1) % self.open.len();
        let stream = &mut self.open[self.next];
        let waits = stream
            .peek(&mut [0])
            .is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
        if waits && stream.write_all(b"x").is_ok() {
            return;
        }
        let stream = self.open.swap_remove(self.next);
        stream.set_nonblocking(false).expect("a mode");
        let ending = ending(&mut Client::over(stream));
        self.endings.add(&ending);
    }
}

impl Hostile for Slow {
    fn step(&mut self, ground: &Ground, _: bool) {
        if self.begun < self.count {
            self.begin(ground);
        }
        self.drip();
    }

    fn is_up(&self) -> bool {
        self.begun == self.count
    }

    fn keeps(&self) -> usize {
        self.count
    }

    fn is_over(&self, _: &Metrics, _: &Metrics) -> bool {
        self.open.is_empty()
    }

    fn account(&mut self, began: &Metrics, now: &Metrics) -> Endings {
        let (ending, counted) = match self.part {
            Part::Head => (CLOSED, now.closed_since(began, "head_timeout")),
            Part::Body => (REFUSED, now.denied_since(began, "update", "body_timeout")),
        };
        assert_eq!(self.endings.of(ending), self.count, "{:?}", self.endings);
        assert_eq!(counted, self.count as u64, "{ending}");
        let mut endings = Endings::default();
        let name = match self.part {
            Part::Head => "closed by limits.header_timeout",
            Part::Body => "408 by limits.body_timeout",
        };
        (0..self.count).for_each(|_| endings.add(name));
        endings
    }
}
