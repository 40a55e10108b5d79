//! The operator's door: `/livez`, `/readyz` and `/metrics`, on an address and a thread of their own.
//! `Host` is checked, so that a page in somebody's browser cannot read them by rebinding a name.

use super::control::{Controller, Stage};
use super::listener::{Door, Listener};
use crate::gateway::Stream;
use crate::observe::{Board, Budgets, Exposition, ReloadHealth};
use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HOST};
use http::uri::Authority;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::AbortHandle;

/// How many of the operator's connections may be open: probes, scrapers and a person or two.
const CONNECTIONS: usize = 64;
/// How long a head may take, and a connection may be idle.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a connection may last in all: longer than any scrape interval needs.
const LIFETIME: Duration = Duration::from_secs(300);

/// What the operator's door shows.
#[derive(Debug)]
pub(super) struct Admin {
    pub(super) hosts: Vec<String>,
    pub(super) controller: Arc<Controller>,
    pub(super) exposition: Exposition,
    pub(super) reloads: ReloadHealth,
    pub(super) board: Board,
    pub(super) budgets: Budgets,
}

impl Admin {
    /// Serves until the gateway has stopped.
    pub(super) async fn serve(self, listener: Listener) -> std::io::Result<()> {
        let door = listener.open()?;
        let mut control = self.controller.control();
        let mut successor = self.controller.control();
        tokio::select! {
            () = control.reached(Stage::Stopped) => return Ok(()),
            () = successor.handed_over() => {}
            () = Rc::new(self).accept(&door) => {}
        }
        // Who connects from now on is another process's; what is open is answered.
        drop(door);
        control.reached(Stage::Stopped).await;
        Ok(())
    }

    async fn accept(self: Rc<Self>, door: &Door) {
        let mut open = VecDeque::with_capacity(CONNECTIONS);
        let mut failing = false;
        loop {
            let stream = match door.accept().await {
                Ok((stream, _)) => {
                    failing = false;
                    stream
                }
                Err(error) => {
                    // It lasts as long as its cause, which is told once.
                    if !std::mem::replace(&mut failing, true) {
                        tracing::warn!(%error, "connections to the admin listener cannot be accepted");
                    }
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let this = Rc::clone(&self);
            let connection = tokio::task::spawn_local(async move {
                // Over time or broken: either way the connection is closed.
                drop(tokio::time::timeout(LIFETIME, this.connection(stream)).await);
            });
            open.push_back(connection.abort_handle());
            make_room(&mut open);
        }
    }

    async fn connection(self: Rc<Self>, stream: Stream) -> hyper::Result<()> {
        let service = service_fn(move |request| {
            let this = Rc::clone(&self);
            async move { Ok::<_, Infallible>(this.answer(&request)) }
        });
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(PATIENCE)
            .max_header_size(16 * 1024)
            .serve_connection(TokioIo::new(stream), service)
            .await
    }

    fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        if !self.knows(request) {
            let text = "the Host is not one of the admin listener's; add it to admin.hosts\n";
            return plain(StatusCode::FORBIDDEN, text);
        }
        let path = request.uri().path();
        if !matches!(path, "/livez" | "/readyz" | "/metrics") {
            return plain(
                StatusCode::NOT_FOUND,
                "here are /livez, /readyz and /metrics\n",
            );
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut response = plain(
                StatusCode::METHOD_NOT_ALLOWED,
                "this path takes GET and HEAD\n",
            );
            response
                .headers_mut()
                .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        match path {
            "/livez" => plain(StatusCode::OK, "ok\n"),
            "/readyz" => self.readiness(),
            _ => {
                let mut response = plain(StatusCode::OK, self.exposition.text());
                let kind = HeaderValue::from_static(Exposition::CONTENT_TYPE);
                response.headers_mut().insert(CONTENT_TYPE, kind);
                response
            }
        }
    }

    /// The word of readiness, and below it what does not hold it up but is to be known: a refused
    /// configuration leaves the one before in force, and an issuer without keys the other callers.
    fn readiness(&self) -> Response<Full<Bytes>> {
        let (status, word) = if self.controller.is_ready() {
            (StatusCode::OK, "ready")
        } else {
            (StatusCode::SERVICE_UNAVAILABLE, "not ready")
        };
        let mut text = format!("{word}\n{}", self.reloads.now().detail());
        for name in self.board.without_keys() {
            text.push_str("no keys of the issuer ");
            text.push_str(&name);
            text.push('\n');
        }
        for (store, rest) in self.budgets.paused() {
            let seconds = rest.as_millis().div_ceil(1000);
            let told = writeln!(text, "the store {store} is left alone for {seconds} s more");
            // Writing to a string cannot fail.
            debug_assert!(told.is_ok());
        }
        for (store, replicas) in self.budgets.alone() {
            let told = writeln!(
                text,
                "the quota of the store {store} is not shared: this gateway spends one part of {replicas}"
            );
            debug_assert!(told.is_ok());
        }
        plain(status, text)
    }

    /// An address cannot be rebound; a name must be known.
    fn knows(&self, request: &Request<Incoming>) -> bool {
        let mut hosts = request.headers().get_all(HOST).iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else {
            return false;
        };
        Authority::try_from(host.as_bytes())
            .is_ok_and(|authority| is_known(authority.host(), &self.hosts))
    }
}

/// Closes the oldest connection when there are too many: a probe must not wait for whoever is silent.
fn make_room(open: &mut VecDeque<AbortHandle>) {
    if open.len() > CONNECTIONS {
        open.retain(|connection| !connection.is_finished());
    }
    if open.len() > CONNECTIONS
        && let Some(oldest) = open.pop_front()
    {
        oldest.abort();
    }
}

fn is_known(host: &str, names: &[String]) -> bool {
    let address = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    address.parse::<IpAddr>().is_ok()
        || host.eq_ignore_ascii_case("localhost")
        || names.iter().any(|name| name.eq_ignore_ascii_case(host))
}

fn plain(status: StatusCode, text: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_and_addresses_are_safe() {
        let names = ["gateway.internal".to_owned()];
        for known in [
            "127.0.0.1",
            "10.1.2.3",
            "[::1]",
            "localhost",
            "LOCALHOST",
            "gateway.internal",
        ] {
            assert!(is_known(known, &names), "{known}");
        }
        for other in [
            "",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
        ] {
            assert!(!is_known(other, &names), "{other}");
        }
    }
}
