//! What the overloads have in common: they grow by steps, one after each request of the normal client,
//! and how each of their connections ended is held against what the gateway counted.

use super::ground::{Ground, Metrics};
use crate::support::PATIENCE;
use crate::support::client::Client;
use crate::support::http1::Message;
use std::collections::BTreeMap;
use std::fmt;
use std::net::{SocketAddr, TcpStream};

/// Some kind of overload.
pub trait Hostile: fmt::Debug {
    /// A little more of it, and a look at what has become of it; `served` is whether the normal client
    /// was, just before.
    fn step(&mut self, ground: &Ground, served: bool);

    /// Whether all of it is there.
    fn is_up(&self) -> bool;

    /// How many connections it keeps open meanwhile.
    fn keeps(&self) -> usize;

    /// Ends what no limit ends.
    fn let_go(&mut self) {}

    /// Whether all of it has ended, as its own connections or the gateway's counts since its beginning
    /// tell.
    fn is_over(&self, began: &Metrics, now: &Metrics) -> bool;

    /// How its connections ended, which the gateway has counted in the same way.
    fn account(&mut self, began: &Metrics, now: &Metrics) -> Endings;
}

/// How many connections ended in which way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Endings(BTreeMap<String, usize>);

impl Endings {
    pub fn add(&mut self, ending: &str) {
        *self.0.entry(ending.to_owned()).or_default() += 1;
    }

    pub fn of(&self, ending: &str) -> usize {
        self.0.get(ending).copied().unwrap_or(0)
    }

    pub fn all(&self) -> usize {
        self.0.values().sum()
    }
}

impl fmt::Display for Endings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut comma = "";
        for (ending, count) in &self.0 {
            write!(f, "{comma}{count} {ending}")?;
            comma = ", ";
        }
        Ok(())
    }
}

/// Several overloads at once.
#[derive(Debug)]
pub struct Together(pub Vec<Box<dyn Hostile>>);

impl Hostile for Together {
    fn step(&mut self, ground: &Ground, served: bool) {
        for hostile in &mut self.0 {
            hostile.step(ground, served);
        }
    }

    fn is_up(&self) -> bool {
        self.0.iter().all(|hostile| hostile.is_up())
    }

    fn keeps(&self) -> usize {
        self.0.iter().map(|hostile| hostile.keeps()).sum()
    }

    fn let_go(&mut self) {
        for hostile in &mut self.0 {
            hostile.let_go();
        }
    }

    fn is_over(&self, began: &Metrics, now: &Metrics) -> bool {
        self.0.iter().all(|hostile| hostile.is_over(began, now))
    }

    fn account(&mut self, began: &Metrics, now: &Metrics) -> Endings {
        let mut all = Endings::default();
        for hostile in &mut self.0 {
            for (ending, count) in hostile.account(began, now).0 {
                *all.0.entry(ending).or_default() += count;
            }
        }
        all
    }
}

/// How much a client has room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reads {
    Much,
    /// As little as it can: by the segments of loopback, 64 KiB each, the system would keep megabytes of
    /// what is not read, and the gateway nothing.
    Little,
}

/// The least that a system gives to what a connection receives, and the size of a common network.
const BUFFER: usize = 4096;
const SEGMENT: u32 = 1000;

/// The address of loopback that is used unasked.
pub const LOCAL: [u8; 4] = [127, 0, 0, 1];

/// Connects from an address of one's own.
pub fn connect_from(from: [u8; 4], address: SocketAddr, reads: Reads) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None);
    let socket = socket.expect("a socket");
    if reads == Reads::Little {
        socket.set_recv_buffer_size(BUFFER).expect("a size");
        socket.set_tcp_mss(SEGMENT).expect("a size");
    }
    // Where there is no need, the port is not taken from all the others that lead elsewhere.
    if from != LOCAL {
        let from = SocketAddr::from((from, 0)).into();
        socket.bind(&from).expect("an address of loopback");
    }
    socket
        .connect(&address.into())
        .expect("the gateway listens");
    let stream = TcpStream::from(socket);
    stream.set_nodelay(true).expect("no delay");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream.set_write_timeout(Some(PATIENCE)).expect("a timeout");
    stream
}

/// How a connection ended that has asked and waits for its answer.
pub fn ending(client: &mut Client) -> String {
    match client.try_answer(false) {
        Ok(Some(answer)) => name(&answer),
        // A gateway that closes without having read may reset.
        Ok(None) | Err(_) => CLOSED.to_owned(),
    }
}

/// The end of a connection without a byte of an answer.
pub const CLOSED: &str = "closed unanswered";

/// An answer's status, and its code where the gateway made it.
pub fn name(answer: &Message) -> String {
    if answer.status() == 503 {
        assert_eq!(answer.field("retry-after"), Some("1"), "{answer:?}");
    }
    let status = answer.status();
    match answer.code() {
        Some(code) => format!("{status} {code}"),
        None => status.to_string(),
    }
}
