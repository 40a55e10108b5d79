//! Upstreams that speak HTTP/2 over TLS, named by what they do. Each records every request by
//! connection.

use super::PATIENCE;
use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::{Request, Response};
use rustls::ServerConfig;
use std::error::Error;
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Barrier, Notify, oneshot};
use tokio_rustls::TlsAcceptor;

/// What an upstream does with one request.
#[derive(Clone)]
pub enum Act {
    /// Answers it.
    Answer,
    /// Answers it once as many requests as the barrier wants are there.
    Meet(Arc<Barrier>),
    /// Answers it with this many bytes.
    Large(usize),
    /// Answers it with a head that announces this many bytes, and is all, as for `HEAD`.
    Announce(usize),
    /// Says that it did not act on it.
    Refuse,
    /// Gives it up in the middle, for a reason of its own.
    Break,
    /// Never answers.
    Hold,
    /// Answers it and says that it is the connection's last.
    AnswerAndLeave,
    /// Closes the connection without a word.
    Vanish,
    /// The same once as many requests as the barrier wants are there.
    MeetAndVanish(Arc<Barrier>),
}

/// Decides by the numbers of the connection and of the request on it, both counted from 0.
type Behaviour = dyn Fn(usize, usize) -> Act + Send + Sync;

type Failure = Box<dyn Error + Send + Sync>;

/// An HTTP/2 upstream on a free port.
pub struct Fake {
    pub address: SocketAddr,
    log: Arc<Log>,
    until: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Log {
    entries: Mutex<Vec<Vec<Request<Bytes>>>>,
    /// The number of connections that have ended.
    ended: Mutex<usize>,
    changed: Condvar,
}

impl Fake {
    /// An upstream that does this with each request.
    pub fn doing(
        tls: Arc<ServerConfig>,
        behaviour: impl Fn(usize, usize) -> Act + Send + Sync + 'static,
    ) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("not blocking");
        let address = listener.local_addr().expect("bound");
        let log = Arc::new(Log::default());
        let (until, stopped) = oneshot::channel();
        let served = serve(listener, tls, Arc::clone(&log), Arc::new(behaviour));
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                tokio::select! {
                    () = served => {}
                    _ = stopped => {}
                }
            });
        });
        Self {
            address,
            log,
            until: Some(until),
            thread: Some(thread),
        }
    }

    /// An upstream that works.
    pub fn good(tls: Arc<ServerConfig>) -> Self {
        Self::doing(tls, |_, _| Act::Answer)
    }

    /// Every request so far, by connection.
    pub fn connections(&self) -> Vec<Vec<Request<Bytes>>> {
        self.log.entries.lock().expect("the record").clone()
    }

    /// Every request so far.
    pub fn requests(&self) -> Vec<Request<Bytes>> {
        self.connections().concat()
    }

    /// Waits until this many connections have ended.
    pub fn wait_for_ended(&self, count: usize) {
        let ended = self.log.ended.lock().expect("the record");
        let (_ended, waited) = self
            .log
            .changed
            .wait_timeout_while(ended, PATIENCE, |ended| *ended < count)
            .expect("the record");
        assert!(!waited.timed_out(), "{count} connections were to end");
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.until.take();
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

async fn serve(
    listener: std::net::TcpListener,
    tls: Arc<ServerConfig>,
    log: Arc<Log>,
    behaviour: Arc<Behaviour>,
) {
    let listener = TcpListener::from_std(listener).expect("a listener");
    let tls = TlsAcceptor::from(tls);
    for number in 0.. {
        let (stream, _) = listener.accept().await.expect("a connection");
        log.entries.lock().expect("the record").push(Vec::new());
        let (tls, log, behaviour) = (tls.clone(), Arc::clone(&log), Arc::clone(&behaviour));
        tokio::spawn(async move {
            // A gateway that ends a connection is what some tests are about.
            drop(connection(stream, tls, number, &log, &*behaviour).await);
            *log.ended.lock().expect("the record") += 1;
            log.changed.notify_all();
        });
    }
}

async fn connection(
    stream: TcpStream,
    tls: TlsAcceptor,
    number: usize,
    log: &Arc<Log>,
    behaviour: &Behaviour,
) -> Result<(), Failure> {
    let mut connection = h2::server::handshake(tls.accept(stream).await?).await?;
    let gone = Arc::new(Notify::new());
    for nth in 0.. {
        let accepted = tokio::select! {
            accepted = connection.accept() => accepted,
            () = gone.notified() => None,
        };
        let Some(accepted) = accepted else { break };
        let (request, respond) = accepted?;
        let act = behaviour(number, nth);
        if matches!(act, Act::AnswerAndLeave) {
            connection.graceful_shutdown();
        }
        let (log, gone) = (Arc::clone(log), Arc::clone(&gone));
        tokio::spawn(answer(request, respond, act, number, log, gone));
    }
    Ok(())
}

async fn answer(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    act: Act,
    number: usize,
    log: Arc<Log>,
    gone: Arc<Notify>,
) -> Result<(), h2::Error> {
    let (head, mut incoming) = request.into_parts();
    let mut body = Vec::new();
    while let Some(piece) = incoming.data().await {
        let piece = piece?;
        incoming.flow_control().release_capacity(piece.len())?;
        body.extend_from_slice(&piece);
    }
    if let Some(requests) = log.entries.lock().expect("the record").get_mut(number) {
        requests.push(Request::from_parts(head, Bytes::from(body)));
    }
    let mut answer = Bytes::from_static(b"{\"data\":{\"id\":9},\"meta\":{}}");
    match act {
        Act::Announce(size) => {
            let head = Response::builder().header("content-length", size);
            respond.send_response(head.body(()).expect("a head"), true)?;
            return Ok(());
        }
        Act::Large(size) => answer = Bytes::from(vec![b'#'; size]),
        Act::Answer | Act::AnswerAndLeave => {}
        Act::Meet(barrier) => {
            barrier.wait().await;
        }
        Act::Refuse => {
            respond.send_reset(Reason::REFUSED_STREAM);
            return Ok(());
        }
        Act::Break => {
            respond.send_reset(Reason::INTERNAL_ERROR);
            return Ok(());
        }
        Act::Hold => return std::future::pending().await,
        Act::MeetAndVanish(barrier) => {
            barrier.wait().await;
            gone.notify_one();
            return std::future::pending().await;
        }
        Act::Vanish => {
            gone.notify_one();
            // The stream is not given up before the connection is.
            return std::future::pending().await;
        }
    }
    let head = Response::builder()
        .header("content-type", "application/json")
        .body(())
        .expect("a head");
    let mut out = respond.send_response(head, false)?;
    out.send_data(answer, true)
}
