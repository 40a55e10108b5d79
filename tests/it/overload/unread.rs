//! Clients that ask for large answers, several at once, and never read.

use super::ground::{Ground, LARGE, Metrics};
use super::hostile::{Endings, Hostile, LOCAL, Reads, connect_from};
use crate::support::client::{ALL, Client, Request};
use std::io::Write;

/// How many answers each asks for.
const PIPELINED: usize = 4;
/// Connections whose answers are not read; `limits.write_timeout` ends them.
#[derive(Debug)]
pub struct Unread {
    count: usize,
    begun: usize,
    open: Vec<std::net::TcpStream>,
}

impl Unread {
    pub fn new(count: usize) -> Self {
        Self {
            count,
            begun: 0,
            open: Vec::new(),
        }
    }
}

impl Hostile for Unread {
    fn step(&mut self, ground: &Ground, _: bool) {
        if !self.is_up() {
            let mut stream = connect_from(LOCAL, ground.address, Reads::Little);
            let requests = Request::new("GET", ALL).to_bytes().repeat(PIPELINED);
            stream.write_all(&requests).expect("room for requests");
            self.open.push(stream);
            self.begun += 1;
        }
    }

    fn is_up(&self) -> bool {
        self.begun == self.count
    }

    fn keeps(&self) -> usize {
        self.count
    }

    fn is_over(&self, began: &Metrics, now: &Metrics) -> bool {
        now.closed_since(began, "write_timeout") == self.count as u64
    }

    fn account(&mut self, _: &Metrics, _: &Metrics) -> Endings {
        let mut endings = Endings::default();
        for stream in self.open.drain(..) {
            let read = Client::over(stream).rest().len();
            assert!(read < LARGE, "{read} bytes were on their way");
            endings.add("closed by limits.write_timeout");
        }
        assert_eq!(endings.all(), self.count);
        endings
    }
}
