//! BigCommerce's official Python client, with its own handling of rate limits on, beside a greedy caller.

use super::ground::text;
use crate::doors;
use crate::python_client::{REMEDY, installed, python, store};
use crate::support::client::{CUSTOMER, Client, Request};
use crate::support::gateway::{Folder, READER};
use crate::support::http1::json;
use crate::support::tls::{Authority, Dialer};
use metafield_gateway::observe::Clock;
use metafield_gateway::sandbox::Limit;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Duration;

/// The store's requests in a second.
const QUOTA: u32 = 40;
/// How many the client sends.
const REQUESTS: usize = 50;

#[test]
fn it_keeps_to_its_share_and_is_never_refused() {
    let client = installed();
    let (store, metafield) = store(Limit {
        requests: QUOTA,
        window: Duration::from_secs(1),
    });
    let (authority, folder) = (Authority::new(), Folder::new());
    let setup = doors::setup(store.address, &authority, "");
    let quota = format!("quota = {{ requests = {QUOTA}, per = \"1s\" }}");
    let text = text(&setup, &quota, &[]);
    let gateway = setup.start_as(&text, &Clock::system());
    let mut python = python(&client, "throttled.py", gateway.address())
        .args([metafield, REQUESTS.to_string()])
        .env(
            "REQUESTS_CA_BUNDLE",
            folder.write("ca.crt", authority.pem()),
        )
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{REMEDY}: {error}"));
    let out = python.stdout.take().expect("its output");
    let tls = Dialer::trusting(&authority).connect(gateway.address());
    let mut greedy = Client::over(tls.expect("a connection"));
    let get = Request::new("GET", CUSTOMER).instead("X-Auth-Token", READER);
    let (mut lines, mut refused) = (Vec::new(), 0);
    for line in BufReader::new(out).lines() {
        lines.push(json(line.expect("a line").as_bytes()));
        // Ten for each of the other's, whether it gets them or not.
        for _ in 0..10 {
            refused += u32::from(greedy.exchange(&get).status() == 429);
        }
    }
    assert!(python.wait().expect("its end").success(), "{lines:?}");
    assert_eq!(lines.len(), REQUESTS);
    assert!(refused > 100, "the other was not greedy: {refused}");
    // It never had more than a half of the quota for itself, nor less than it could use at the end.
    let quotas: Vec<u64> = lines
        .iter()
        .filter_map(|line| line["requests_quota"].as_u64())
        .collect();
    assert_eq!(quotas.len(), REQUESTS);
    let last = quotas.last().copied().unwrap_or_default();
    assert!((10..=u64::from(QUOTA)).contains(&last), "{quotas:?}");
    let lines = gateway.stop();
    let told = |status: u16| {
        lines
            .iter()
            .filter(|line| line["upstream_status"] == status)
            .count()
    };
    assert_eq!(told(429), 0, "BigCommerce refused nothing");
    let own: Vec<_> = lines
        .iter()
        .filter(|line| line["caller"] == "writer")
        .collect();
    assert_eq!(own.len(), REQUESTS);
    assert!(own.iter().all(|line| line["upstream_status"] == 200));
}
