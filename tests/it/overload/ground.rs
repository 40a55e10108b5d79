//! The ground of a case: a gateway as a process of its own before an upstream that answers at once, and
//! what is seen of the gateway from outside.

use super::now;
use crate::support::PATIENCE;
use crate::support::client::{ALL, Client, Request};
use crate::support::fake::Fake;
use crate::support::gateway::{CREDENTIAL, Folder, Setup};
use crate::support::process::{Process, kib};
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// The length of the answer that some ask for and never read: of those that are collected in memory, not
/// the largest, so that there are many.
pub const LARGE: usize = 512 * 1024;

/// A gateway and what surrounds it.
#[derive(Debug)]
pub struct Ground {
    gateway: Process,
    pub address: SocketAddr,
    admin: SocketAddr,
    _upstream: Upstream,
    _folder: Folder,
}

struct Upstream(Fake);

impl std::fmt::Debug for Upstream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.address.fmt(f)
    }
}

impl Ground {
    /// Starts a gateway with these settings.
    pub fn start(workers: usize, settings: &str) -> Self {
        let upstream = upstream();
        let setup = Setup::new(upstream.address)
            .with("admin.address = \"127.0.0.1:0\"")
            .with(settings)
            .workers(workers);
        let folder = Folder::new();
        folder.write("credential", CREDENTIAL);
        let path = folder.write("gateway.toml", setup.text());
        let path = path.to_str().expect("UTF-8");
        let mut gateway = Process::start(&["serve", "--config", path]);
        Self {
            address: gateway.bound(" listening address="),
            admin: gateway.bound("admin listening address="),
            gateway,
            _upstream: Upstream(upstream),
            _folder: folder,
        }
    }

    /// The gateway's counters and gauges as they stand.
    pub fn metrics(&self) -> Metrics {
        let host = self.admin.to_string();
        let request = Request::new("GET", "/metrics")
            .without("X-Auth-Token")
            .instead("Host", &host)
            .with("Connection", "close");
        Metrics::read(Client::connect(self.admin).exchange(&request).text())
    }

    /// Looks at the metrics until they show something.
    pub fn until(&self, what: &str, shows: impl Fn(&Metrics) -> bool) -> Metrics {
        let begun = now();
        loop {
            let metrics = self.metrics();
            if shows(&metrics) {
                return metrics;
            }
            assert!(begun.elapsed() < PATIENCE, "{what}: not in {metrics:?}");
        }
    }

    /// The gateway's resident memory, in KiB.
    pub fn resident(&self) -> u64 {
        kib(self.gateway.id(), "VmRSS:")
    }

    /// Drains the gateway, which must be well until then.
    pub fn end(self) {
        self.gateway.signal("TERM");
        let ended = self.gateway.end();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert!(!ended.stderr.contains("panic"), "{}", ended.stderr);
    }
}

/// The samples of `/metrics` by name and labels.
#[derive(Debug, Default)]
pub struct Metrics(BTreeMap<String, u64>);

impl Metrics {
    fn read(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let samples = lines.filter_map(|line| {
            let (name, value) = line.rsplit_once(' ')?;
            let name = name.strip_prefix("metafield_gateway_")?;
            // What has a fraction is a time, and not counted here.
            Some((name.to_owned(), value.parse().ok()?))
        });
        Self(samples.collect())
    }

    fn get(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or(0)
    }

    /// How many of the callers' connections are open.
    pub fn open(&self) -> u64 {
        self.get("connections_open")
    }

    /// How many of those hold no buffers.
    pub fn parked(&self) -> u64 {
        self.get("connections_parked")
    }

    /// How many connections were closed without an answer for this reason since then.
    pub fn closed_since(&self, then: &Self, reason: &str) -> u64 {
        let name = format!("bare_closes_total{{reason=\"{reason}\"}}");
        self.get(&name) - then.get(&name)
    }

    /// How many connections were closed without an answer since then, for whatever reason.
    pub fn all_closed_since(&self, then: &Self) -> u64 {
        let all = |metrics: &Self| -> u64 {
            let closes = metrics.0.iter();
            let closes = closes.filter(|(name, _)| name.starts_with("bare_closes_total"));
            closes.map(|(_, count)| count).sum()
        };
        all(self) - all(then)
    }

    /// How many requests of an operation were denied with a code since then.
    pub fn denied_since(&self, then: &Self, operation: &str, code: &str) -> u64 {
        let name = format!(
            "requests_total{{operation=\"{operation}\",decision=\"denied\",code=\"{code}\"}}"
        );
        self.get(&name) - then.get(&name)
    }
}

/// Everything is answered at once, the list of all metafields at length.
fn upstream() -> Fake {
    let large = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {LARGE}\r\n\r\n{}",
        " ".repeat(LARGE)
    );
    let list = format!("GET {ALL} ");
    Fake::doing(move |connection| {
        while let Some(request) = connection.request()? {
            if request.start.starts_with(&list) {
                connection.send(&large)?;
            } else {
                connection.send(crate::support::fake::OK)?;
            }
        }
        Ok(())
    })
}
