//! A store, and gateways before it that share its quota.

use crate::support::client::{Client, Request};
use crate::support::gateway::{CREDENTIAL, Folder, token_sha256};
use crate::support::http1::Message;
use crate::support::process::Process;
use metafield_gateway::sandbox::{Limit, Options, Running, spawn};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// The callers, and the part of the quota that each wishes; the last one wishes for everything.
pub const CALLERS: [(&str, f64); 8] = [
    ("checkout", 0.16),
    ("crm", 0.12),
    ("erp", 0.10),
    ("loyalty", 0.08),
    ("returns", 0.06),
    ("search", 0.05),
    ("export", 0.03),
    ("nightly", f64::INFINITY),
];

/// A path that any caller may read.
pub const PATH: &str = "/stores/abc123/v3/customers/7/metafields";

pub fn token(caller: &str) -> String {
    format!("canary-token-of-{caller}")
}

/// A request of a caller.
pub fn request(caller: &str) -> Request {
    Request::new("GET", PATH).instead("X-Auth-Token", &token(caller))
}

/// The gateways and what they share.
pub struct Fleet {
    _store: Running,
    pub gateways: Vec<Gateway>,
    _folder: Folder,
}

/// One of them.
pub struct Gateway {
    pub process: Process,
    pub address: SocketAddr,
    pub admin: SocketAddr,
    pub config: PathBuf,
    audit: PathBuf,
}

impl Fleet {
    /// So many gateways before a store of this quota; `shared` is what stands in `[quota.shared]`, if anything.
    pub fn start(count: usize, limit: Limit, shared: Option<&str>) -> Self {
        let store = spawn(Options {
            token: CREDENTIAL.to_owned(),
            limit,
            ..Options::default()
        });
        let store = store.expect("a store");
        let folder = Folder::new();
        let gateways = (0..count)
            .map(|number| Gateway::start(number, store.address, limit, shared, &folder))
            .collect();
        Self {
            _store: store,
            gateways,
            _folder: folder,
        }
    }
}

impl Gateway {
    fn start(
        number: usize,
        store: SocketAddr,
        limit: Limit,
        shared: Option<&str>,
        folder: &Folder,
    ) -> Self {
        let credential = folder.write("credential", CREDENTIAL);
        let audit = folder.path().join(format!("audit-{number}.jsonl"));
        let window = limit.window.as_millis();
        let mut text = format!(
            "workers = 1\nlisten.address = \"127.0.0.1:0\"\nadmin.address = \"127.0.0.1:0\"\n\
             upstream.url = \"http://{store}\"\naudit.output = \"{}\"\n",
            audit.display()
        );
        if let Some(shared) = shared {
            write!(text, "[quota.shared]\n{shared}\n").expect("a string");
        }
        write!(
            text,
            "[[store]]\nhash = \"abc123\"\ncredential = {{ file = \"{}\" }}\n\
             quota = {{ requests = {}, per = \"{window}ms\" }}\n",
            credential.display(),
            limit.requests
        )
        .expect("a string");
        for (name, _) in CALLERS {
            let digest = token_sha256(&token(name));
            write!(
                text,
                "[[caller]]\nname = \"{name}\"\ntoken_sha256 = [\"{digest}\"]\n\
                 scopes = [\"store_v2_customers_read_only\"]\n"
            )
            .expect("a string");
        }
        let config = folder.write(&format!("gateway-{number}.toml"), text);
        let path = config.to_str().expect("a path").to_owned();
        let mut process = Process::start(&["serve", "--config", &path]);
        let address = process.bound(" listening address=");
        let admin = process.bound("admin listening address=");
        Self {
            process,
            address,
            admin,
            config,
            audit,
        }
    }

    pub fn exchange(&self, caller: &str) -> Message {
        Client::connect(self.address).exchange(&request(caller))
    }

    pub fn ready(&self) -> String {
        let request = Request::new("GET", "/readyz").instead("Host", "localhost");
        Client::connect(self.admin)
            .exchange(&request)
            .text()
            .to_owned()
    }

    pub fn metric(&self, line: &str) -> Option<f64> {
        let request = Request::new("GET", "/metrics").instead("Host", "localhost");
        let answer = Client::connect(self.admin).exchange(&request);
        let text = answer.text();
        let found = text.lines().find_map(|found| found.strip_prefix(line));
        found.and_then(|value| value.trim().parse().ok())
    }

    /// How many answers of the store had this status, by the record so far.
    pub fn told(&self, status: u16) -> usize {
        let text = std::fs::read_to_string(&self.audit).expect("the record");
        let field = format!("\"upstream_status\":{status}");
        text.lines().filter(|line| line.contains(&field)).count()
    }
}

/// A store's quota for a test.
pub fn limit(requests: u32, window: Duration) -> Limit {
    Limit { requests, window }
}

#[expect(
    clippy::disallowed_methods,
    reason = "what takes how long is what is looked at"
)]
pub fn now() -> Instant {
    Instant::now()
}
