//! The store on a socket: HTTP/1.1 with keep-alive, on one thread.
//!
//! Here alone the sandbox reads a clock. A connection that breaks ends that connection and nothing
//! else. Stopping closes open connections at once: there is nothing to drain that outlives them.

use std::error::Error;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc::sync_channel;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::Options;
use super::answer::{Answer, Refusal};
use super::record::{Seen, Shared};
use super::store::{Ask, MAX_BODY, Store};

/// A store that runs on a thread of its own until this is dropped.
#[derive(Debug)]
pub struct Running {
    /// Where it listens: a free port of 127.0.0.1.
    pub address: SocketAddr,
    shared: Shared,
    until: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Starts a store on a thread and a free loopback port of its own. It is ready when this returns.
pub fn spawn(options: Options) -> io::Result<Running> {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let shared = Shared::new(Store::new(options));
    let (until, stopped) = oneshot::channel();
    // The runtime is built on its own thread: one may not be dropped inside another.
    let (ready, started) = sync_channel(1);
    let served = shared.clone();
    let thread = Builder::new()
        .name("sandbox-store".to_owned())
        .spawn(move || {
            let (runtime, listener) = match enter(listener) {
                Ok(entered) => entered,
                Err(error) => return drop(ready.send(Err(error))),
            };
            drop(ready.send(Ok(())));
            runtime.block_on(serve(listener, served, async {
                stopped.await.ok();
            }));
        })?;
    started.recv().map_err(io::Error::other)??;
    Ok(Running {
        address,
        shared,
        until: Some(until),
        thread: Some(thread),
    })
}

impl Running {
    /// The store and the record of what it received.
    pub fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Closes the listener and every connection, and waits until they are closed.
    pub fn stop(&mut self) {
        self.until.take();
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Serves a store to whoever connects until `until` is done, then closes every connection.
///
/// Needs a tokio runtime with its I/O and time drivers on.
pub async fn serve(listener: TcpListener, shared: Shared, until: impl Future<Output = ()>) {
    let mut connections = JoinSet::new();
    let mut number = 0;
    let mut until = std::pin::pin!(until);
    loop {
        tokio::select! {
            () = &mut until => return,
            Some(_ended) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    number += 1;
                    connections.spawn(connection(stream, number, shared.clone()));
                }
                // Out of descriptors or the like: the next try at once would fail too.
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
        }
    }
}

fn enter(listener: std::net::TcpListener) -> io::Result<(Runtime, TcpListener)> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let listener = {
        let _inside = runtime.enter();
        TcpListener::from_std(listener)?
    };
    Ok((runtime, listener))
}

async fn connection(stream: TcpStream, number: u64, shared: Shared) {
    let service = service_fn(move |request| handle(request, number, shared.clone()));
    let io = TokioIo::new(stream);
    let served = http1::Builder::new()
        .header_read_timeout(None)
        .serve_connection(io, service);
    // An error means that the peer went away or spoke no HTTP: nobody is left to be told.
    served.await.ok();
}

async fn handle(
    request: Request<Incoming>,
    connection: u64,
    shared: Shared,
) -> Result<Response<Full<Bytes>>, Box<dyn Error + Send + Sync>> {
    let (head, body) = request.into_parts();
    let (body, failure) = match Limited::new(body, MAX_BODY).collect().await {
        Ok(body) => (body.to_bytes(), None),
        Err(failure) => (Bytes::new(), Some(failure)),
    };
    let seen = seen(&head, connection, body.clone(), failure.is_none());
    match failure {
        None => {
            let ask = Ask {
                method: &head.method,
                path: head.uri.path(),
                query: head.uri.query(),
                headers: &head.headers,
                body: &body,
            };
            Ok(response(shared.answer(&ask, seen, now())))
        }
        Some(failure) => {
            shared.note(seen);
            if failure.is::<LengthLimitError>() {
                Ok(response(Refusal::TooLarge.into()))
            } else {
                Err(failure)
            }
        }
    }
}

fn seen(head: &Parts, connection: u64, body: Bytes, complete: bool) -> Seen {
    Seen {
        connection,
        method: head.method.clone(),
        target: head.uri.to_string(),
        version: head.version,
        headers: head.headers.clone(),
        body,
        complete,
    }
}

fn response(answer: Answer) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(answer.body));
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    response
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one clock of the sandbox: below, time is an argument"
)]
fn now() -> Timestamp {
    Timestamp::now()
}

/// How long to wait after a failed accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
