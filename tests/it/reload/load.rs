//! Reloads and rotations under load: no request fails, and none bears a credential that is older than the
//! one that was known to be in force when it was sent. The store's own log shows it. The tests do a tiny
//! run; `tests/reload/run` does the whole.

use super::gateway;
use crate::support::client::{Client, Request};
use crate::support::fake::{Fake, OK};
use crate::support::gateway::{Gateway, token_sha256};
use crate::support::number;
use metafield_gateway::server::Reloaded;
use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread;

const UNAUTHORIZED: &str = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n";
const PREFIX: &str = "canary-credential-number-";

/// What driver, clients and store know of each other.
struct World {
    /// The least credential that the store takes.
    least: AtomicU64,
    /// The credential that is known to be in force.
    visible: AtomicU64,
    /// How many requests each client has had answered.
    answered: Vec<AtomicU64>,
    over: AtomicBool,
}

fn credential_of(token: &str) -> u64 {
    let number = token
        .strip_prefix(PREFIX)
        .expect("a credential of the test");
    number.parse().expect("its number")
}

fn store(world: &Arc<World>) -> Fake {
    let world = Arc::clone(world);
    Fake::doing(move |connection| {
        while let Some(request) = connection.request()? {
            let token = request.field("x-auth-token").expect("a credential");
            let is_taken = credential_of(token) >= world.least.load(SeqCst);
            connection.send(if is_taken { OK } else { UNAUTHORIZED })?;
        }
        Ok(())
    })
}

/// Sends one request after the other; each says in its id which credential was in force before.
fn client(world: &World, gateway: SocketAddr, number: usize) {
    let mut client = Client::connect(gateway);
    while !world.over.load(SeqCst) {
        let visible = world.visible.load(SeqCst);
        let id = format!("00000000-0000-4000-8000-{visible:012}");
        let answer = client.exchange(&Request::update("{}").with("X-Correlation-Id", &id));
        assert_eq!(answer.status(), 200, "{}", answer.text());
        world.answered[number].fetch_add(1, SeqCst);
    }
}

/// Waits until every client has had a request answered that began after this.
fn go_round(world: &World) {
    let count = |client: &AtomicU64| client.load(SeqCst);
    let before: Vec<u64> = world.answered.iter().map(count).collect();
    while !world.over.load(SeqCst)
        && (world.answered.iter().map(count).zip(&before)).any(|(now, before)| now < before + 2)
    {
        thread::yield_now();
    }
}

fn put(gateway: &Gateway, name: &str, content: &str) {
    let folder = gateway.folder.path();
    fs::write(folder.join("new"), content).expect("a file");
    fs::rename(folder.join("new"), folder.join(name)).expect("in its place");
}

fn drive(world: &World, gateway: &Gateway, text: &str, reloads: usize, rotations: usize) {
    let every = reloads / rotations;
    let mut credential = 0;
    for turn in 0..reloads {
        if turn % every == 0 && credential < rotations as u64 {
            credential += 1;
            put(gateway, "credential", &format!("{PREFIX}{credential}"));
            world.least.store(credential, SeqCst);
            if credential % 2 == 0 {
                // Whoever comes first finds out by being refused.
                go_round(world);
            }
        }
        // Each is another one: a caller comes and goes.
        let digest = token_sha256(&format!("token-of-a-guest-{turn}"));
        let guest = format!(
            "{text}\n[[caller]]\nname = \"guest\"\ntoken_sha256 = [\"{digest}\"]\nscopes = [\"store_v2_customers\"]\n"
        );
        put(gateway, "gateway.toml", &guest);
        assert_eq!(gateway.reload(), Reloaded::Loaded);
        world.visible.store(credential, SeqCst);
        if turn % every == 0 {
            go_round(world);
        }
    }
}

#[test]
fn no_request_fails_and_none_bears_a_stale_credential() {
    let reloads = number("RELOAD_RELOADS", 40);
    let rotations = number("RELOAD_ROTATIONS", 10);
    let clients = number("RELOAD_CLIENTS", 8);
    let world = Arc::new(World {
        least: AtomicU64::new(0),
        visible: AtomicU64::new(0),
        answered: std::iter::repeat_with(AtomicU64::default)
            .take(clients)
            .collect(),
        over: AtomicBool::new(false),
    });
    let upstream = store(&world);
    let (gateway, text) = gateway(&upstream, "reload_interval = \"24h\"");
    put(&gateway, "credential", &format!("{PREFIX}0"));
    assert_eq!(gateway.reload(), Reloaded::Loaded);
    thread::scope(|scope| {
        for number in 0..clients {
            let (world, gateway) = (&world, gateway.address());
            scope.spawn(move || {
                let _over = Over(world);
                client(world, gateway, number);
            });
        }
        let _over = Over(&world);
        drive(&world, &gateway, &text, reloads, rotations);
    });
    let log = upstream.requests();
    for request in &log {
        let id = request.field("x-correlation-id").expect("an id");
        let known = id.rsplit('-').next().expect("a part");
        let known: u64 = known.parse().expect("a number");
        let borne = credential_of(request.field("x-auth-token").expect("a credential"));
        assert!(borne >= known, "{borne} was sent when {known} was in force");
    }
    let answered: u64 = world
        .answered
        .iter()
        .map(|client| client.load(SeqCst))
        .sum();
    let renewed = count(&gateway, "metafield_gateway_credential_renewals_total");
    let loads = count(&gateway, super::LOADS);
    println!(
        "{reloads} reloads ({loads} by the gateway's count) and {rotations} rotations under {clients} clients: \
         {answered} requests answered 200, {} seen by the store, {renewed} of them sent again after a 401, none stale",
        log.len()
    );
    assert!(answered > 0 && renewed > 0, "{answered} {renewed}");
    assert_eq!(log.len() as u64, answered + renewed);
    assert_eq!(loads, reloads as u64 + 1);
}

fn count(gateway: &Gateway, metric: &str) -> u64 {
    let value = gateway.metric(metric).to_string();
    value.parse().expect("a whole number")
}

/// Ends the others when one has ended, however that was.
struct Over<'w>(&'w World);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.over.store(true, SeqCst);
    }
}
