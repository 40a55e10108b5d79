//! Which worker serves a connection: the one that has the fewest, whoever accepted it. All workers wait at the same
//! door, and the one that wakes first would take as many as come at once.

use super::admission::Place;
use crate::gateway::Stream;
use crate::observe::Peer;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// One worker's connections.
#[derive(Debug)]
struct Desk {
    open: AtomicUsize,
    sender: UnboundedSender<Handed>,
}

/// A connection in a worker's count, until dropped.
#[derive(Debug)]
pub(super) struct Load(Arc<Desk>);

impl Load {
    fn on(desk: &Arc<Desk>) -> Self {
        desk.open.fetch_add(1, Relaxed);
        Self(Arc::clone(desk))
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Relaxed);
    }
}

/// A connection that was accepted.
#[derive(Debug)]
pub(super) struct Accepted {
    pub(super) stream: Stream,
    pub(super) peer: Peer,
    pub(super) place: Option<Place>,
    pub(super) load: Load,
}

/// The same between two workers, of whose runtimes it is no part.
#[derive(Debug)]
struct Handed {
    socket: Socket,
    peer: Peer,
    place: Option<Place>,
    load: Load,
}

#[derive(Debug)]
enum Socket {
    Tcp(std::net::TcpStream),
    Unix(std::os::unix::net::UnixStream),
}

/// A worker's place among the others.
#[derive(Debug)]
pub(super) struct Seat {
    desks: Arc<[Arc<Desk>]>,
    number: usize,
    inbox: UnboundedReceiver<Handed>,
}

/// The seats of so many workers.
pub(super) fn seats(count: usize) -> Vec<Seat> {
    let (desks, inboxes): (Vec<_>, Vec<_>) = (0..count)
        .map(|_| {
            let (sender, inbox) = unbounded_channel();
            let open = AtomicUsize::new(0);
            (Arc::new(Desk { open, sender }), inbox)
        })
        .unzip();
    let desks: Arc<[Arc<Desk>]> = desks.into();
    let seat = |(number, inbox)| Seat {
        desks: Arc::clone(&desks),
        number,
        inbox,
    };
    inboxes.into_iter().enumerate().map(seat).collect()
}

impl Seat {
    /// Takes a connection into this worker's count, or gives it to a worker that has fewer; then there is nothing
    /// left to do.
    pub(super) fn seat(
        &self,
        stream: Stream,
        peer: Peer,
        place: Option<Place>,
    ) -> Option<Accepted> {
        let own = self.desks.get(self.number)?;
        // A worker that ends takes no more.
        let takers = self.desks.iter().filter(|desk| !desk.sender.is_closed());
        let least = takers.min_by_key(|desk| desk.open.load(Relaxed));
        let other = least.filter(|other| other.open.load(Relaxed) < own.open.load(Relaxed));
        let Some(other) = other else {
            return Some(Accepted {
                stream,
                peer,
                place,
                load: Load::on(own),
            });
        };
        let socket = match taken_out(stream) {
            Ok(socket) => socket,
            Err(error) => {
                tracing::debug!(%error, "a connection could not be handed to another worker");
                return None;
            }
        };
        let load = Load::on(other);
        let handed = Handed {
            socket,
            peer,
            place,
            load,
        };
        // It may have ended since.
        let Err(refused) = other.sender.send(handed) else {
            return None;
        };
        let mut accepted = refused.0.open()?;
        accepted.load = Load::on(own);
        Some(accepted)
    }

    /// The next connection that another worker gives. Cancel safe.
    pub(super) async fn next(&mut self) -> Accepted {
        loop {
            match self.inbox.recv().await {
                Some(handed) => {
                    if let Some(accepted) = handed.open() {
                        return accepted;
                    }
                }
                // The seat itself keeps the inbox open until it is closed, and nobody asks after that.
                None => std::future::pending().await,
            }
        }
    }

    /// Takes no more from others, and gives what they have given.
    pub(super) fn close(&mut self) -> Vec<Accepted> {
        self.inbox.close();
        std::iter::from_fn(|| self.inbox.try_recv().ok())
            .filter_map(Handed::open)
            .collect()
    }
}

fn taken_out(stream: Stream) -> io::Result<Socket> {
    match stream {
        Stream::Tcp(tcp) => tcp.into_std().map(Socket::Tcp),
        Stream::Unix(unix) => unix.into_std().map(Socket::Unix),
        // Before its handshake there is no TLS on it.
        Stream::Tls(_) => Err(io::ErrorKind::Unsupported.into()),
        #[cfg(feature = "fuzzing")]
        Stream::Pipe(_) => Err(io::ErrorKind::Unsupported.into()),
    }
}

impl Handed {
    /// Makes it a part of this worker's runtime.
    fn open(self) -> Option<Accepted> {
        let stream = match self.socket {
            Socket::Tcp(tcp) => tokio::net::TcpStream::from_std(tcp).map(Stream::Tcp),
            Socket::Unix(unix) => tokio::net::UnixStream::from_std(unix).map(Stream::Unix),
        };
        let stream = stream
            .inspect_err(|error| tracing::debug!(%error, "a connection could not be taken over"))
            .ok()?;
        Some(Accepted {
            stream,
            peer: self.peer,
            place: self.place,
            load: self.load,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;
    use tokio::runtime::{Builder, LocalOptions};

    fn connection() -> (Stream, UnixStream) {
        let (ours, theirs) = UnixStream::pair().expect("a pair");
        ours.set_nonblocking(true).expect("a mode");
        let ours = tokio::net::UnixStream::from_std(ours).expect("a socket");
        (Stream::Unix(ours), theirs)
    }

    #[test]
    fn the_worker_with_the_fewest_serves_and_one_that_ends_takes_none() {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build_local(LocalOptions::default());
        runtime.expect("a runtime").block_on(async {
            let mut seats = seats(3);
            let mut others = seats.split_off(1);
            let seat = seats.pop().expect("the first");
            let mut kept = Vec::new();
            let mut take = |count: usize| {
                let taken = (0..count).filter_map(|_| {
                    let (ours, theirs) = connection();
                    kept.push(theirs);
                    seat.seat(ours, Peer::Unix, None)
                });
                taken.collect::<Vec<_>>()
            };
            let open = |seats: &[Seat]| -> Vec<usize> {
                let desks = seats.first().expect("a seat").desks.iter();
                desks.map(|desk| desk.open.load(Relaxed)).collect()
            };
            let own = take(6);
            assert_eq!((own.len(), open(&others)), (2, vec![2, 2, 2]));
            let handed = [others[0].next().await, others[0].next().await];
            drop(handed);
            assert_eq!(open(&others), [2, 0, 2]);
            assert_eq!(others[1].close().len(), 2, "and both are dropped");
            // The last has ended, so that what it is given comes back.
            let back = take(4);
            assert_eq!((back.len(), open(&others)), (1, vec![3, 3, 0]));
        });
    }
}
