//! Workers share the connections, whichever of them accepts.

use crate::support::client::Request;
use crate::support::fake::Fake;
use crate::support::gateway::Setup;

/// Requests of so many connections over two workers; gives how many of them came over each worker's connections to the
/// upstream.
fn shares(connections: usize) -> Vec<usize> {
    const EACH: usize = 12;
    let upstream = Fake::good();
    let gateway = Setup::new(upstream.address).workers(2).start();
    let mut clients: Vec<_> = (0..connections).map(|_| gateway.connect()).collect();
    for _ in 0..EACH {
        // One at a time, so that each worker needs one connection.
        for client in &mut clients {
            assert_eq!(client.exchange(&Request::update("{}")).status(), 200);
        }
    }
    drop(clients);
    assert_eq!(gateway.stop().len(), connections * EACH);
    upstream.connections().iter().map(Vec::len).collect()
}

#[test]
fn no_worker_has_less_than_a_third_of_the_requests() {
    for connections in [4, 5, 8, 32] {
        let shares = shares(connections);
        assert_eq!(shares.len(), 2, "{connections}: {shares:?}");
        let all: usize = shares.iter().sum();
        assert!(
            shares.iter().all(|share| share * 3 >= all),
            "{connections}: {shares:?}"
        );
    }
}

#[test]
fn a_connection_that_ends_makes_room_for_the_next() {
    let upstream = Fake::good();
    let gateway = Setup::new(upstream.address).workers(2).start();
    let mut first = gateway.connect();
    assert_eq!(first.exchange(&Request::update("{}")).status(), 200);
    for _ in 0..8 {
        let mut next = gateway.connect();
        assert_eq!(next.exchange(&Request::update("{}")).status(), 200);
        drop(next);
    }
    drop(first);
    assert_eq!(gateway.stop().len(), 9);
    assert_eq!(upstream.connections().len(), 2);
}
