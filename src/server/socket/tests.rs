//! What a socket knows of its client, over a pair of them.

use super::*;
use crate::gateway::Connection;
use crate::observe::WorkerMetrics;
use std::cell::Cell;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::task::Waker;
use tokio::runtime::Builder;
use tokio::time::Instant;

/// Only a defect meets it.
const PATIENCE: Duration = Duration::from_secs(10);

/// A client's end, and the socket on the other side.
struct Pair {
    client: Option<UnixStream>,
    socket: Socket,
    notes: Rc<Notes>,
}

impl Pair {
    #[expect(clippy::disallowed_methods, reason = "the sweep's clock")]
    fn new() -> Self {
        let (client, gateway) = UnixStream::pair().expect("a pair");
        gateway.set_nonblocking(true).expect("a switch");
        client.set_write_timeout(Some(PATIENCE)).expect("a timeout");
        client.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let gateway = tokio::net::UnixStream::from_std(gateway).expect("a runtime");
        let clock = Rc::new(Cell::new(Instant::now()));
        let notes = Rc::new(Notes::new(
            &clock,
            Phase::Silent,
            &Arc::<WorkerMetrics>::default(),
        ));
        Self {
            client: Some(client),
            socket: Socket::new(Stream::Unix(gateway), Rc::clone(&notes)),
            notes,
        }
    }

    fn sends(&mut self, bytes: &[u8]) {
        let client = self.client.as_mut().expect("it is there");
        client.write_all(bytes).expect("room");
    }

    fn leaves(&mut self) {
        self.client = None;
    }

    /// What one read gives, once there is something, as in a turn of its own.
    async fn reads(&mut self, room: usize) -> Vec<u8> {
        let mut space = vec![0; room];
        let count = poll_fn(|cx| {
            self.notes.turns();
            let mut buffer = ReadBuf::new(&mut space);
            let outcome = Pin::new(&mut self.socket).poll_read(cx, &mut buffer);
            outcome.map_ok(|()| buffer.filled().len())
        });
        let count = count.await.expect("it is read");
        space.truncate(count);
        space
    }

    /// Whether a look while a request is answered finds the client there.
    async fn is_there(&mut self) -> bool {
        self.notes.turns();
        waits().await;
        let flushed = poll_fn(|cx| Pin::new(&mut self.socket).poll_flush(cx));
        flushed.await.is_ok()
    }
}

/// The system tells what has come only where it is waited for.
async fn waits() {
    for _ in 0..3 {
        tokio::task::yield_now().await;
    }
}

fn run(test: impl Future<Output = ()>) {
    let runtime = Builder::new_current_thread().enable_all().build();
    let bounded = async { tokio::time::timeout(PATIENCE, test).await };
    let ended = runtime.expect("a runtime").block_on(bounded);
    ended.expect("nothing hangs");
}

#[test]
fn an_end_behind_a_request_is_known_with_it() {
    run(async {
        for room in [100, 7, 8] {
            for leaves in [false, true] {
                let mut pair = Pair::new();
                pair.sends(b"request");
                if leaves {
                    pair.leaves();
                }
                assert_eq!(pair.reads(room).await, b"request");
                // Where the room was filled, nobody has looked.
                assert_eq!(pair.notes.may_have_left(), leaves || room == 7, "{room}");
                pair.notes.enter(Phase::Busy);
                assert_eq!(pair.is_there().await, !leaves, "{room}");
            }
        }
    });
}

#[test]
fn what_a_turn_has_seen_is_not_looked_at_again() {
    run(async {
        let mut pair = Pair::new();
        pair.sends(b"request");
        assert_eq!(pair.reads(100).await, b"request");
        pair.notes.enter(Phase::Busy);
        pair.leaves();
        let cx = &mut Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut pair.socket).poll_flush(cx).is_ready());
        assert!(!pair.notes.may_have_left());
        assert!(!pair.is_there().await, "in the next");
    });
}

#[test]
fn what_comes_meanwhile_is_read_in_its_order_and_does_not_hide_the_end() {
    run(async {
        let mut pair = Pair::new();
        pair.sends(b"first");
        assert_eq!(pair.reads(100).await, b"first");
        pair.notes.enter(Phase::Busy);
        for part in [&b"sec"[..], b"ond"] {
            pair.sends(part);
            assert!(pair.is_there().await);
        }
        pair.sends(b"-third");
        assert_eq!(pair.reads(4).await, b"seco");
        let mut rest = Vec::new();
        while rest.len() < b"nd-third".len() {
            rest.extend(pair.reads(100).await);
        }
        assert_eq!(rest, b"nd-third");
        pair.leaves();
        assert!(!pair.is_there().await);
        assert_eq!(pair.reads(100).await, b"");
    });
}

#[test]
fn what_is_kept_is_bounded() {
    run(async {
        let mut pair = Pair::new();
        pair.notes.enter(Phase::Busy);
        for _ in 0..30 {
            pair.sends(&[b'x'; 1000]);
            assert!(pair.is_there().await);
        }
        assert!(pair.socket.begin.len() < 2 * AWAKENING);
        let mut left = 30_000;
        while left > 0 {
            left -= pair.reads(10_000).await.len();
        }
    });
}

#[test]
fn the_connection_is_the_bodys_while_that_is_waited_for() {
    run(async {
        let mut pair = Pair::new();
        pair.notes.enter(Phase::Busy);
        pair.notes.awaits_body(true);
        pair.sends(b"body");
        pair.leaves();
        assert!(pair.is_there().await);
        assert_eq!(pair.reads(100).await, b"body");
        assert_eq!(pair.reads(100).await, b"");
    });
}

#[test]
fn a_client_that_takes_nothing_is_looked_after() {
    run(async {
        let mut pair = Pair::new();
        pair.notes.enter(Phase::Sending);
        let piece = vec![0; 1024 * 1024];
        // Until it takes no more, also after the system has been asked what it takes.
        let mut full = 0;
        while full < 2 {
            let cx = &mut Context::from_waker(Waker::noop());
            let outcome = Pin::new(&mut pair.socket).poll_write(cx, &piece);
            full = if outcome.is_pending() { full + 1 } else { 0 };
            waits().await;
        }
        let client = pair.client.as_mut().expect("it is there");
        client
            .shutdown(std::net::Shutdown::Write)
            .expect("half a close");
        let write = poll_fn(|cx| {
            pair.notes.turns();
            Pin::new(&mut pair.socket).poll_write(cx, &piece)
        });
        let error = write.await.expect_err("the client has gone");
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        let mut taken = [0; 10];
        client.read_exact(&mut taken).expect("what was written");
    });
}

#[test]
fn empty_lines_begin_nothing() {
    run(async {
        let mut pair = Pair::new();
        pair.notes.enter(Phase::Idle);
        pair.sends(b"\r\n");
        assert_eq!(pair.reads(100).await, b"\r\n");
        assert!(pair.notes.is_idle());
        pair.sends(b"\r\nG");
        assert_eq!(pair.reads(100).await, b"\r\nG");
        assert!(!pair.notes.is_idle());
    });
}
