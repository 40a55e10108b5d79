//! The certified `oidc-provider` from npm: its tokens, fetched by curl from its token endpoint, used by curl.

use super::kubernetes::curl;
use super::*;
use crate::support::PATIENCE;
use crate::support::http1::json as parsed;
use crate::support::node::{self, REMEDY, succeeded};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;

const VERSION: &str = "oidc-provider-9.13.3";

/// The provider's program.
fn installed() -> PathBuf {
    node::program("oidc", VERSION, "provider.mjs")
}

/// A provider that runs; it is stopped when dropped.
struct Provider {
    child: Child,
    url: String,
}

impl Provider {
    fn start(script: &Path, port: &str, algorithm: &str, key: &str) -> Self {
        let mut child = Command::new("node")
            .arg(script)
            .args([port, algorithm, key])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{REMEDY}: {error}"));
        let stdout = child.stdout.take().expect("piped");
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                // Nobody listens any more once the URL is known.
                drop(sender.send(line));
            }
        });
        let url = lines.recv_timeout(PATIENCE).expect("the provider starts");
        Self { child, url }
    }

    fn port(&self) -> String {
        let (_, port) = self.url.rsplit_once(':').expect("a port");
        port.to_owned()
    }

    /// A token of a client, by the client-credentials grant.
    fn token(&self, client: &str, scope: &str) -> String {
        let output = Command::new("curl")
            .args(["--silent", "--fail-with-body", "--noproxy", "*"])
            .args(["--data", "grant_type=client_credentials"])
            .args(["--data", "client_secret=secret-of-the-test"])
            .args(["--data", &format!("client_id={client}")])
            .args(["--data", &format!("scope={scope}")])
            .arg(format!("{}/token", self.url))
            .output();
        let answer = parsed(succeeded(&output.expect("curl runs")).as_bytes());
        let token = answer["access_token"].as_str().expect("a token");
        token.to_owned()
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        // An error means that it has ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn gateway(upstream: &Fake, provider: &Provider, algorithm: &str, clock: &Clock) -> Gateway {
    let url = &provider.url;
    let setup = Setup::new(upstream.address).with("admin.address = \"127.0.0.1:0\"");
    let gateway = setup.with(&format!(
        "[[issuer]]\nname = \"idp\"\nissuer = \"{url}\"\naudience = \"metafield-gateway\"\n\
         jwks = {{ url = \"{url}/jwks\" }}\nalgorithms = [\"{algorithm}\"]\nscope_claim = \"scope\"\n\
         [[caller]]\nname = \"crm\"\nsigned_token = {{ issuer = \"idp\", claims = {{ client_id = \"crm-sync\" }} }}\n\
         scopes = [\"store_v2_customers\"]"
    ));
    let gateway = gateway.start_by(clock);
    gateway.wait_for_metric(&refreshes("ok"), 1.0);
    gateway
}

#[test]
fn tokens_of_each_algorithm_are_known_and_their_scopes_narrow() {
    let script = installed();
    for algorithm in ["RS256", "PS256", "ES256", "EdDSA"] {
        let upstream = Fake::good();
        let provider = Provider::start(&script, "0", algorithm, "first");
        let gateway = gateway(&upstream, &provider, algorithm, &Clock::system());
        let writer = provider.token("crm-sync", "store_v2_customers");
        let reader = provider.token("crm-sync", "store_v2_customers_read_only");
        for (method, token, expected) in [
            ("GET", writer.clone(), ok()),
            ("DELETE", writer, ok()),
            ("GET", reader.clone(), ok()),
            ("DELETE", reader, refused(403, "scope_denied")),
            (
                "GET",
                provider.token("crm-sync", ""),
                refused(403, "scope_denied"),
            ),
            (
                "GET",
                provider.token("stranger", "store_v2_customers"),
                refused(401, "unknown_token"),
            ),
        ] {
            assert_eq!(
                curl(&gateway, method, &token),
                expected,
                "{algorithm} {method}"
            );
        }
    }
}

#[test]
fn a_provider_that_restarts_with_other_keys_is_followed() {
    let (script, upstream) = (installed(), Fake::good());
    // The provider has the system's clock.
    let (clock, hand) = Clock::set(Clock::system().now());
    let provider = Provider::start(&script, "0", "ES256", "first");
    let gateway = gateway(&upstream, &provider, "ES256", &clock);
    let old = provider.token("crm-sync", "store_v2_customers");
    assert_eq!(curl(&gateway, "GET", &old), ok());
    let port = provider.port();
    drop(provider);
    assert_eq!(curl(&gateway, "GET", &old), ok(), "the provider is down");
    let provider = Provider::start(&script, &port, "ES256", "second");
    let new = provider.token("crm-sync", "store_v2_customers");
    // The first fetch was a moment ago, and the next that a token may ask for is ten seconds after it.
    let too_soon = curl(&gateway, "GET", &new);
    assert_eq!(too_soon, refused(401, "invalid_token"));
    assert_eq!(curl(&gateway, "GET", &old), ok());
    hand.advance(Duration::from_secs(10));
    assert_eq!(curl(&gateway, "GET", &new), ok());
    let gone = curl(&gateway, "GET", &old);
    assert_eq!(gone, refused(401, "invalid_token"));
}
