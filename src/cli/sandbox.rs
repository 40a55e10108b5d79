//! `sandbox`: the gateway in front of an embedded store, to be tried without a BigCommerce account.

use super::serve::run;
use super::token::hex;
use super::{FAILED, complain, log};
use crate::config::materials::Secrets;
use crate::config::{Loaded, Materials, Snapshot, file};
use crate::identity::Digest;
use crate::sandbox::{Options, Running, Seed, spawn};
use crate::secret::Secret;
use crate::server::{Bound, Server};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const WRITER: &str = "sandbox-writer-token";
const READER: &str = "sandbox-reader-token";
const CUSTOMER: u64 = 7;

/// The lines to paste; `{url}` and `{path}` are filled in.
const LINES: &str = r#"The gateway listens on {url}, in front of an in-memory store that plays BigCommerce.
Two demo callers: sandbox-writer-token may change metafields, sandbox-reader-token may only read them.
Paste these lines into another terminal; the gateway's audit line for each appears here.

# Allowed: the writer changes a metafield (200).
curl -i -X PUT '{url}{path}' -H 'X-Auth-Token: sandbox-writer-token' -H 'Content-Type: application/json' -d '{"permission_set":"app_only","value":"gold"}'

# Refused for its permission_set, which is not one of BigCommerce's five (422).
curl -i -X PUT '{url}{path}' -H 'X-Auth-Token: sandbox-writer-token' -H 'Content-Type: application/json' -d '{"permission_set":"everyone","value":"gold"}'

# Refused for its scope: the reader may not write (403).
curl -i -X PUT '{url}{path}' -H 'X-Auth-Token: sandbox-reader-token' -H 'Content-Type: application/json' -d '{"permission_set":"app_only","value":"silver"}'

# Allowed: the reader reads what the writer wrote (200). Its share of the store's quota of 150 requests in
# 30 seconds stands in the X-Rate-Limit fields: try it in a loop.
curl -i '{url}{path}' -H 'X-Auth-Token: sandbox-reader-token'

# The gateway's counters. In a browser, {admin}/ shows them live, with the last decisions.
curl {admin}/metrics

For a configuration of your own, the in-memory store stands in for BigCommerce: upstream.url = "{store}",
the hash "{hash}" and the credential {credential}, which is worth nothing elsewhere.

Ctrl-C ends the sandbox.

"#;

/// Why the sandbox could not be put together.
#[derive(Debug, thiserror::Error)]
enum SandboxError {
    #[error("the embedded store could not be started")]
    Store(#[source] io::Error),
    #[error("the system gave no random bytes")]
    Random,
    #[error("the sandbox's own configuration is wrong: {0}")]
    Configuration(String),
    #[error(transparent)]
    Start(#[from] crate::server::StartError),
}

pub(super) fn sandbox(listen: SocketAddr) -> io::Result<u8> {
    let _log = log::start()?;
    match start(listen) {
        Ok((demo, server)) => {
            let lines = lines(&server, &demo);
            let code = run(server, Duration::ZERO, None, || print(&lines));
            drop(demo.store);
            code
        }
        Err(error) => {
            let taken = "choose another address, or a free port with --listen 127.0.0.1:0";
            let hint =
                matches!(error, SandboxError::Start(_)).then_some(&taken as &dyn std::fmt::Display);
            complain(&error, hint)?;
            Ok(FAILED)
        }
    }
}

/// What the lines tell of the store.
struct Demo {
    store: Running,
    hash: String,
    credential: String,
    path: String,
}

fn start(listen: SocketAddr) -> Result<(Demo, Server), SandboxError> {
    let mut bytes = [0; 24];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| SandboxError::Random)?;
    let credential = hex(&bytes);
    let options = Options {
        token: credential.clone(),
        ..Options::default()
    };
    let hash = options.store_hash.clone();
    let store = spawn(options).map_err(SandboxError::Store)?;
    let seed = Seed {
        customer: CUSTOMER,
        namespace: "crm",
        key: "tier",
        value: "bronze",
        permission_set: "app_only",
    };
    let metafield = store.shared().with_store(|shelf| shelf.seed(seed, now()));
    let text = configuration(listen, store.address, &hash);
    let wrong = |problems: crate::config::Problems| {
        SandboxError::Configuration(problems.report("sandbox").to_string())
    };
    let file = file::read(&text, Path::new("")).map_err(wrong)?;
    let secret = Secret::new(credential.clone().into_bytes())
        .map_err(|error| SandboxError::Configuration(error.to_string()))?;
    let materials = Materials {
        jwks: Vec::new(),
        credentials: vec![Secrets {
            current: secret,
            previous: None,
        }],
        server_tls: None,
        upstream_ca: None,
        shared: None,
    };
    let snapshot = Snapshot::compile(&file, materials).map_err(wrong)?;
    let loaded = Loaded {
        file,
        snapshot: Arc::new(snapshot),
    };
    let server = Server::start(loaded, None)?;
    let metafield = metafield.unwrap_or_default();
    let path = format!("/stores/{hash}/v3/customers/{CUSTOMER}/metafields/{metafield}");
    let demo = Demo {
        store,
        hash,
        credential,
        path,
    };
    Ok((demo, server))
}

fn configuration(listen: SocketAddr, store: SocketAddr, hash: &str) -> String {
    let mut text = format!(
        r#"
        listen.address = "{listen}"
        admin.address = "127.0.0.1:0"
        upstream.url = "http://{store}"
        [[store]]
        hash = "{hash}"
        credential = {{ env = "GIVEN_DIRECTLY" }}
        quota = {{ requests = 150, per = "30s" }}
        "#
    );
    let caller = |name: &str, token: &str, scope: &str| {
        let digest = hex(Digest::of(token.as_bytes()).as_ref());
        format!(
            "[[caller]]\nname = \"{name}\"\ntoken_sha256 = [\"{digest}\"]\nscopes = [\"{scope}\"]\n"
        )
    };
    text.push_str(&caller("sandbox-writer", WRITER, "store_v2_customers"));
    text.push_str(&caller(
        "sandbox-reader",
        READER,
        "store_v2_customers_read_only",
    ));
    text
}

fn lines(server: &Server, demo: &Demo) -> String {
    let url = |bound: &Bound| format!("http://{bound}");
    let admin = server.admin.as_ref().map(url).unwrap_or_default();
    LINES
        .replace("{url}", &url(&server.address))
        .replace("{path}", &demo.path)
        .replace("{store}", &format!("http://{}", demo.store.address))
        .replace("{hash}", &demo.hash)
        .replace("{credential}", &demo.credential)
        .replace("{admin}", &admin)
}

fn print(lines: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(lines.as_bytes())?;
    out.flush()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the demo data bears the date of the start"
)]
fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}
