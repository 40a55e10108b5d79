//! What sharing costs: a request's time, and round trips to the shared server.

use super::fleet::{Fleet, Gateway, limit, now, request};
use crate::support::client::Client;
use crate::support::number;
use crate::support::redis::Redis;
use std::time::Duration;

/// How many requests come before round trips are counted.
const WARM: u32 = 40;

fn answered(gateway: &Gateway) -> f64 {
    let metric =
        "metafield_gateway_store_quota_questions_total{store=\"abc123\",outcome=\"answered\"} ";
    gateway.metric(metric).expect("it is counted")
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

#[test]
fn a_request_takes_about_as_long_as_without() {
    let requests = number("SHARING_LATENCY", 400);
    let redis = Redis::start();
    for quota in [450, 10_000, 1_000_000] {
        let shared = format!("url = \"{}\"\nprefix = \"of-{quota}\"", redis.url());
        // As many as the window has, at most.
        let requests = requests.min(quota as usize * 9 / 10);
        let all = limit(quota, Duration::from_secs(30));
        let fleets = [
            Fleet::start(1, all, None),
            Fleet::start(1, all, Some(&shared)),
        ];
        let mut clients: Vec<Client> = fleets
            .iter()
            .map(|fleet| Client::connect(fleet.gateways[0].address))
            .collect();
        let mut times = [Vec::new(), Vec::new()];
        let asked = request("crm");
        for _ in 0..requests {
            // One after the other, so that the machine's moods are the same for both.
            for (client, times) in clients.iter_mut().zip(&mut times) {
                let began = now();
                assert_eq!(client.exchange(&asked).status(), 200);
                times.push(began.elapsed());
            }
        }
        let [alone, shared] = times.each_mut().map(|times| median(times));
        let ratio = shared.as_secs_f64() / alone.as_secs_f64();
        println!(
            "quota {quota}: p50 {alone:?} alone, {shared:?} shared, ratio {ratio:.3} of {requests}"
        );
        // What depends on the machine is for the whole run.
        let most = if number("SHARING_FIGURES", 0) == 1 {
            1.05
        } else {
            3.0
        };
        assert!(quota < 1_000 || ratio <= most, "{ratio}");
    }
}

#[test]
fn most_requests_do_not_meet_the_server() {
    let redis = Redis::start();
    for (quota, most) in [(150, 1.0), (1_000, 0.06), (3_000, 0.05)] {
        let shared = format!("url = \"{}\"\nprefix = \"of-{quota}\"", redis.url());
        let fleet = Fleet::start(1, limit(quota, Duration::from_secs(60)), Some(&shared));
        let gateway = &fleet.gateways[0];
        let mut client = Client::connect(gateway.address);
        // What a gateway has just started to do it learns in the first of them.
        for turn in 0..WARM {
            let answer = client.exchange(&request("crm"));
            assert_eq!(answer.status(), 200, "{turn}: {answer:?}");
        }
        let before = answered(gateway);
        for turn in WARM..quota {
            let answer = client.exchange(&request("crm"));
            assert_eq!(answer.status(), 200, "{turn}: {answer:?}");
        }
        let trips = (answered(gateway) - before) / f64::from(quota - WARM);
        println!(
            "quota {quota}: {trips:.3} round trips a request, one for {:.1}",
            1.0 / trips
        );
        assert!(trips <= most, "{quota}: {trips}");
    }
}
