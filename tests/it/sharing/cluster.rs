//! A cluster of three masters with a replica each: one master is taken away, and then its slots have no owner.

use super::fleet::{Fleet, limit, now};
use crate::support::PATIENCE;
use crate::support::redis::{Redis, command, free_port};
use metafield_gateway::quota::keys;
use std::process::Command;
use std::time::Duration;

/// How long a node may be silent before the others take it for gone, in milliseconds.
const NODE_TIMEOUT: &str = "500";

const QUOTA: u32 = 400;

/// Six nodes that know each other.
fn cluster() -> Vec<Redis> {
    let nodes: Vec<Redis> = (0..6)
        .map(|_| {
            Redis::start_with(&[
                "--cluster-enabled",
                "yes",
                "--cluster-port",
                &free_port().to_string(),
                "--cluster-node-timeout",
                NODE_TIMEOUT,
                "--repl-diskless-sync-delay",
                "0",
            ])
        })
        .collect();
    let addresses: Vec<String> = nodes
        .iter()
        .map(|node| format!("127.0.0.1:{}", node.port))
        .collect();
    let output = Command::new("redis-cli")
        .args(["--cluster", "create"])
        .args(&addresses)
        .args(["--cluster-replicas", "1", "--cluster-yes"])
        .output()
        .expect("redis-cli");
    assert!(output.status.success(), "{output:?}");
    for node in &nodes {
        wait(|| {
            let links = node.command(&["cluster", "info"]);
            links.contains("cluster_state:ok") && links.contains("cluster_known_nodes:6")
        });
    }
    nodes
}

fn wait(mut is_so: impl FnMut() -> bool) -> Duration {
    let began = now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "it does not come");
        std::thread::sleep(Duration::from_millis(20));
    }
    began.elapsed()
}

/// The port of the master that has the store's slot, as a node says that is there.
fn master(nodes: &[Redis]) -> Option<u16> {
    let key = &keys("metafield-gateway", "abc123")[0];
    let alive = nodes
        .iter()
        .find(|node| !node.command(&["ping"]).is_empty())?;
    let slot: u32 = alive.command(&["cluster", "keyslot", key]).parse().ok()?;
    // Start, end, then address, port and name of the master and of each replica.
    let text = command(alive.port, &["cluster", "nodes"]);
    let owner = text.lines().find(|line| {
        let mut words = line.split_whitespace().skip(8);
        line.contains("master")
            && !line.contains("fail")
            && words.any(|range| {
                let (from, to) = range.split_once('-').unwrap_or((range, range));
                let within = |text: &str| text.parse::<u32>().ok();
                within(from)
                    .zip(within(to))
                    .is_some_and(|(from, to)| (from..=to).contains(&slot))
            })
    })?;
    let address = owner.split_whitespace().nth(1)?.split('@').next()?;
    address.rsplit_once(':')?.1.parse().ok()
}

#[test]
fn a_master_is_taken_away_and_then_its_slots_have_no_owner() {
    let mut nodes = cluster();
    let first = master(&nodes).expect("an owner");
    // The gateways are told of a node that stays.
    let other = nodes.iter().find(|node| node.port != first).expect("one");
    let shared = format!("url = \"{}\"\ncluster = true\nreplicas = 2", other.url());
    let fleet = Fleet::start(2, limit(QUOTA, Duration::from_secs(600)), Some(&shared));
    let shared = |gateway: &super::fleet::Gateway| {
        gateway.metric("metafield_gateway_store_quota_shared{store=\"abc123\"} ") == Some(1.0)
    };
    let exchange = |times: usize| {
        (0..times)
            .filter(|turn| fleet.gateways[turn % 2].exchange("crm").status() == 200)
            .count()
    };
    assert_eq!(exchange(10), 10);
    let replicas = "metafield_gateway_store_quota_replicas{store=\"abc123\"} ";
    wait(|| {
        fleet
            .gateways
            .iter()
            .all(|gateway| gateway.metric(replicas) == Some(2.0))
    });

    let owner = nodes
        .iter_mut()
        .find(|node| node.port == first)
        .expect("the owner");
    owner.kill();
    let killed = now();
    wait(|| fleet.gateways.iter().any(|gateway| !shared(gateway)));
    let noticed = killed.elapsed();
    // Nobody stands still meanwhile.
    assert_eq!(exchange(10), 10);
    wait(|| fleet.gateways.iter().all(&shared));
    println!(
        "a master taken away: noticed after {noticed:?}, shared again after {:?}",
        killed.elapsed()
    );
    assert!(noticed <= Duration::from_millis(1_500), "{noticed:?}");
    assert_eq!(exchange(10), 10);

    let second = wait_for_master(&nodes, first);
    let owner = nodes
        .iter_mut()
        .find(|node| node.port == second)
        .expect("the new owner");
    owner.kill();
    let noticed = wait(|| fleet.gateways.iter().all(|gateway| !shared(gateway)));
    println!("slots without an owner: noticed after {noticed:?}");
    // Each goes on with its part, and never beyond: of what was left, half each.
    let more = exchange(2 * QUOTA as usize);
    assert!(more >= 300, "{more}");
    assert!(more + 30 <= QUOTA as usize, "{more}");
    let refused: usize = fleet.gateways.iter().map(|gateway| gateway.told(429)).sum();
    assert_eq!(refused, 0);
}

fn wait_for_master(nodes: &[Redis], gone: u16) -> u16 {
    let mut found = None;
    wait(|| {
        found = master(nodes).filter(|port| *port != gone);
        found.is_some()
    });
    found.expect("it was waited for")
}
