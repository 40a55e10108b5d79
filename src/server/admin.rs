//! The operator's doors: `/livez`, `/readyz` and `/metrics`, and the status page there or behind a door of its own,
//! on a thread of their own. `Host` is checked, so that a page in somebody's browser cannot read them by rebinding a
//! name.

mod events;
mod page;

use super::control::{Controller, Stage};
use super::listener::{Bound, Door, Listener};
use super::{Followers, StartError};
use crate::config::file;
use crate::gateway::{ProcessWide, Stream};
use crate::observe::{
    AuditHealth, Board, Budgets, Exposition, Recent, ReloadHealth, Status, WorkerMetrics,
};
use bytes::Bytes;
use events::{Alive, Events};
use http::header::{ACCEPT, ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HOST, ORIGIN};
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use memchr::memmem;
use page::Page;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::{Builder, LocalOptions};
use tokio::task::AbortHandle;

/// How many of the operator's connections may be open: probes, scrapers and a person or two.
const CONNECTIONS: usize = 64;
/// How long a head may take, and a connection may be idle.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a connection may last in all: longer than any scrape interval needs.
const LIFETIME: Duration = Duration::from_secs(300);

/// An answer: whole, or a stream of events.
type Body = Either<Full<Bytes>, events::Stream>;

/// What a door shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shows {
    /// Probes and metrics.
    Probes,
    /// Probes, metrics and the status page.
    All,
    /// The status page.
    Page,
}

/// What the operator's doors show.
#[derive(Debug)]
pub(super) struct Admin {
    hosts: Vec<String>,
    audit: AuditHealth,
    controller: Arc<Controller>,
    exposition: Exposition,
    reloads: ReloadHealth,
    board: Board,
    budgets: Budgets,
    /// What the status page shows, where there is one.
    status: Option<Status>,
}

/// The doors as the operator's thread has them.
struct Desk {
    admin: Admin,
    page: Option<(Page, Rc<Events>)>,
}

/// Serves until the gateway has stopped: the operator's thread outlives the workers, because probes must be
/// answered while draining.
pub(super) fn start(admin: Admin, doors: Vec<(Listener, Bound, Shows)>) -> Result<(), StartError> {
    let serve = move || {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build_local(LocalOptions::default())?;
        runtime.block_on(Desk::new(admin).serve(doors))
    };
    let logged = || {
        if let Err(error) = serve() {
            tracing::error!(%error, "the admin listener failed");
        }
    };
    std::thread::Builder::new()
        .name("admin".to_owned())
        .spawn(logged)
        .map(drop)
        .map_err(StartError::Thread)
}

/// What can be seen of a running gateway: its workers, its audit log, its configuration.
pub(super) struct Seen {
    pub(super) workers: Vec<Arc<WorkerMetrics>>,
    pub(super) audit: AuditHealth,
    pub(super) reloads: ReloadHealth,
    pub(super) shared: Arc<ProcessWide>,
}

impl Desk {
    fn new(mut admin: Admin) -> Self {
        let status = admin.status.take();
        let page = status.map(|status| {
            let events = Events::new(status, Arc::clone(&admin.controller));
            (Page::new(), Rc::new(events))
        });
        Self { admin, page }
    }

    async fn serve(self, listeners: Vec<(Listener, Bound, Shows)>) -> std::io::Result<()> {
        let mut control = self.admin.controller.control();
        let mut successor = self.admin.controller.control();
        let this = Rc::new(self);
        let mut doors = Vec::new();
        for (listener, _, shows) in listeners {
            let door = listener.open()?;
            doors.push(tokio::task::spawn_local(
                Rc::clone(&this).accept(door, shows),
            ));
        }
        tokio::select! {
            () = control.reached(Stage::Stopped) => return Ok(()),
            () = successor.handed_over() => {}
        }
        // Who connects from now on is another process's; what is open is answered.
        for door in doors {
            door.abort();
        }
        control.reached(Stage::Stopped).await;
        Ok(())
    }

    async fn accept(self: Rc<Self>, door: Door, shows: Shows) {
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
            let connection = tokio::task::spawn_local(this.connection(stream, shows));
            open.push_back(connection.abort_handle());
            make_room(&mut open);
        }
    }

    async fn connection(self: Rc<Self>, stream: Stream, shows: Shows) {
        let streaming: Rc<RefCell<Alive>> = Rc::default();
        let streams = Rc::clone(&streaming);
        let service = service_fn(move |request| {
            let response = self.answer(&request, shows, &streams);
            async move { Ok::<_, Infallible>(response) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(PATIENCE)
            .max_header_size(16 * 1024)
            .serve_connection(TokioIo::new(stream), service);
        tokio::pin!(connection);
        // Over time or broken: either way the connection is closed, but not while a page is told something.
        while tokio::time::timeout(LIFETIME, &mut connection)
            .await
            .is_err()
        {
            if streaming.borrow().strong_count() == 0 {
                return;
            }
        }
    }

    fn answer(
        &self,
        request: &Request<Incoming>,
        shows: Shows,
        streaming: &RefCell<Alive>,
    ) -> Response<Body> {
        if !self.admin.knows(request) {
            let text = "the Host is not one of the admin listener's; add it to admin.hosts\n";
            return plain(StatusCode::FORBIDDEN, text);
        }
        let path = request.uri().path();
        let page = self.page.as_ref().filter(|_| shows != Shows::Probes);
        let is_here = match path {
            "/livez" | "/readyz" | "/metrics" => shows != Shows::Page,
            "/" | "/events" => page.is_some(),
            _ => false,
        };
        if !is_here {
            return plain(StatusCode::NOT_FOUND, shows.paths());
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
        match (path, page) {
            ("/livez", _) => plain(StatusCode::OK, "ok\n"),
            ("/readyz", _) => self.admin.readiness(),
            ("/metrics", _) => {
                let mut response = plain(StatusCode::OK, self.admin.exposition.text());
                let kind = HeaderValue::from_static(Exposition::CONTENT_TYPE);
                response.headers_mut().insert(CONTENT_TYPE, kind);
                response
            }
            ("/", Some((page, _))) => {
                let mut response = plain(StatusCode::OK, page.document());
                page.stamp(response.headers_mut());
                response
            }
            (_, Some((_, events))) => stream(request, events, streaming),
            (_, None) => plain(StatusCode::NOT_FOUND, shows.paths()),
        }
    }
}

/// The stream of events, for a page of this very origin: another's could read nothing of it, but take its place.
fn stream(
    request: &Request<Incoming>,
    events: &Rc<Events>,
    streaming: &RefCell<Alive>,
) -> Response<Body> {
    let headers = request.headers();
    if is_foreign(headers) {
        return plain(StatusCode::FORBIDDEN, "another site may not look\n");
    }
    let accepts = headers.get(ACCEPT).map(HeaderValue::as_bytes);
    if accepts.is_none_or(|kinds| memmem::find(kinds, EVENTS.as_bytes()).is_none()) {
        let text = "here are events: ask with Accept: text/event-stream\n";
        return plain(StatusCode::NOT_ACCEPTABLE, text);
    }
    let body = if request.method() == Method::HEAD {
        Either::Left(Full::default())
    } else if let Some((body, alive)) = events.watch() {
        streaming.replace(alive);
        Either::Right(body)
    } else {
        let text = "as many pages look as may; close one\n";
        return plain(StatusCode::SERVICE_UNAVAILABLE, text);
    };
    let mut response = Response::new(body);
    page::isolate(response.headers_mut(), EVENTS);
    // The next stream may be another process's to give.
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(CONNECTION, close);
    response
}

/// The media type of events.
const EVENTS: &str = "text/event-stream";

/// Whether a browser says that another site's page asks: by fetch metadata, which it sends only to addresses that it
/// trusts, or by `Origin`, which no page sends with a GET to its own.
fn is_foreign(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site");
    site.is_some_and(|site| site != "same-origin" && site != "none") || headers.contains_key(ORIGIN)
}

impl Shows {
    const fn paths(self) -> &'static str {
        match self {
            Self::Probes => {
                "here are /livez, /readyz and /metrics; the status page is where admin.page says\n"
            }
            Self::All => "here are /, /livez, /readyz and /metrics\n",
            Self::Page => "here is /\n",
        }
    }
}

impl Admin {
    /// What the configuration's doors show. Where there is a page, it shows these recent decisions.
    pub(super) fn new(
        settings: &file::Admin,
        controller: Arc<Controller>,
        seen: Seen,
        followers: &Followers,
        page: Option<Recent>,
    ) -> Self {
        let (board, budgets) = (followers.board.clone(), followers.budgets.clone());
        let Seen {
            workers,
            audit,
            reloads,
            shared,
        } = seen;
        let health = audit.clone();
        let exposition = Exposition::new(workers.clone(), audit.clone(), reloads.clone())
            .remembering(move || shared.remembered());
        let status = page.map(|recent| {
            let (followed, began) = ((board.clone(), budgets.clone()), reloads.now().since);
            Status::new(workers, audit, recent, reloads.clone(), followed, began)
        });
        Self {
            hosts: settings.hosts.clone(),
            audit: health,
            controller,
            exposition: exposition.with(board.clone(), budgets.clone()),
            reloads,
            board,
            budgets,
            status,
        }
    }

    /// The word of readiness, and below it what does not hold it up but is to be known: a refused
    /// configuration leaves the one before in force, and an issuer without keys the other callers.
    fn readiness(&self) -> Response<Body> {
        let (status, word) = if self.controller.is_ready() {
            (StatusCode::OK, "ready")
        } else {
            (StatusCode::SERVICE_UNAVAILABLE, "not ready")
        };
        let mut text = format!("{word}\n{}", self.reloads.now().detail());
        if self.audit.is_failing() {
            text.push_str("the audit log cannot be written\n");
        }
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

fn plain(status: StatusCode, text: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Either::Left(Full::new(text.into())));
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
