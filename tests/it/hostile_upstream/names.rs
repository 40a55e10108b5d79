//! A name that leads nowhere is an upstream that cannot be reached, and is known to be in time.

use super::{assert_own, fate};
use crate::support::client::{ONE, Request};
use crate::support::gateway::Setup;
use serde_json::json;

/// Far more than a look-up may take, and far less than the deadline below.
const SOON: u64 = 10_000_000;

#[test]
fn a_name_that_leads_nowhere_is_unreachable() {
    let hosts = [
        "name.invalid",
        "a.name.invalid:8443",
        "xn--nxasmq6b.invalid",
    ];
    for host in hosts {
        let gateway = Setup::url(&format!("https://{host}"))
            .with("upstream.connect_timeout = \"500ms\"\nupstream.deadline = \"60s\"")
            .start();
        for request in [Request::update("{}"), Request::new("DELETE", ONE)] {
            let answer = gateway.exchange(&request);
            let found = (answer.status(), answer.code());
            assert_eq!(found, (502, Some("upstream_unreachable")), "{host}");
            assert_own(&answer, false, host);
        }
        let lines = gateway.stop();
        assert_eq!(lines.len(), 2, "{host}");
        for line in lines {
            let expected = json!(["allowed", "upstream_unreachable", "no", null]);
            assert_eq!(fate(&line), expected, "{host}");
            assert!(line["duration_us"].as_u64() < Some(SOON), "{line}");
        }
    }
    super::tell("names", hosts.len());
}
