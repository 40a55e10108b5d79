//! Which connections are served: at most so many in all, and at most so many from one address. One over
//! a bound is not left to wait: it takes one of a few places in which its first request is answered 503,
//! so that its client knows; when those are taken too, it is closed. Everything here happens once a
//! connection, over all workers.

use crate::config::Limits;
use crate::observe::Peer;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError};

/// How many connections beside `limits.connections` may be told that they are too many, at once: enough
/// for a burst of an application's pool, few enough to cost nothing.
pub const TURNED_AWAY: usize = 64;

/// How many of those one address may take.
const TURNED_AWAY_PER_PEER: usize = 8;

/// The addresses that are counted, and how many connections each has.
#[expect(
    clippy::disallowed_types,
    reason = "taken once a connection, for a look-up; no request waits for it"
)]
type Peers = std::sync::Mutex<HashMap<IpAddr, Counts>>;

/// The connections of one address.
#[derive(Debug, Default)]
struct Counts {
    served: usize,
    turned_away: usize,
}

impl Counts {
    fn of(&mut self, over: bool) -> &mut usize {
        if over {
            &mut self.turned_away
        } else {
            &mut self.served
        }
    }
}

/// The connections of all workers.
#[derive(Debug)]
pub(super) struct Admission {
    served: AtomicUsize,
    most: usize,
    turned_away: AtomicUsize,
    peers: Peers,
    most_per_peer: usize,
    exempts_local_peers: bool,
}

/// A connection's place, given up when dropped.
#[derive(Debug)]
pub(super) struct Place {
    admission: Arc<Admission>,
    /// The bound that the connection is over, if it is to be turned away.
    pub(super) over: Option<&'static str>,
    peer: Option<IpAddr>,
}

impl Admission {
    pub(super) fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Self {
            served: AtomicUsize::default(),
            most: limits.connections,
            turned_away: AtomicUsize::default(),
            peers: Peers::default(),
            most_per_peer: limits.connections_per_peer,
            exempts_local_peers: limits.exempt_local_peers,
        })
    }

    /// A place for a connection; `None` if there is not even one in which to be turned away.
    pub(super) fn admit(self: &Arc<Self>, peer: Peer) -> Option<Place> {
        let address = self.counted(peer);
        match self.place(None, address) {
            Ok(place) => Some(place),
            Err(bound) => self.place(Some(bound), address).ok(),
        }
    }

    /// A place among those that are served, or among those that are turned away for being `over` a bound;
    /// the bound that is met if there is none.
    fn place(
        self: &Arc<Self>,
        over: Option<&'static str>,
        address: Option<IpAddr>,
    ) -> Result<Place, &'static str> {
        let (count, most, most_per_peer) = match over {
            None => (&self.served, self.most, self.most_per_peer),
            Some(_) => (&self.turned_away, TURNED_AWAY, TURNED_AWAY_PER_PEER),
        };
        if !take(count, most) {
            return Err("limits.connections");
        }
        // From here on dropping it gives back what was taken.
        let mut place = Place {
            admission: Arc::clone(self),
            over,
            peer: None,
        };
        if let Some(address) = address {
            if !self.take_of(address, over.is_some(), most_per_peer) {
                return Err("limits.connections_per_peer");
            }
            place.peer = Some(address);
        }
        Ok(place)
    }

    /// What stands for a peer's address. An IPv6 peer commonly has the whole of its /64 network
    /// (RFC 6177), and could come from another address each time; not so on the link itself, nor behind
    /// NAT64 (RFC 6052), where an IPv4 address stands at the end.
    fn counted(&self, peer: Peer) -> Option<IpAddr> {
        let Peer::Tcp(address) = peer else {
            return None;
        };
        let address = address.ip().to_canonical();
        if self.exempts_local_peers && address.is_loopback() {
            return None;
        }
        let IpAddr::V6(six) = address else {
            return Some(address);
        };
        let translated = six.segments().starts_with(&[0x64, 0xff9b, 0, 0, 0, 0]);
        if translated || six.is_unicast_link_local() {
            return Some(address);
        }
        let network = u128::from(six) >> 64 << 64;
        Some(IpAddr::V6(Ipv6Addr::from(network)))
    }

    fn take_of(&self, address: IpAddr, over: bool, most: usize) -> bool {
        let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        let count = peers.entry(address).or_default().of(over);
        let free = *count < most;
        *count += usize::from(free);
        free
    }

    fn give_back(&self, address: IpAddr, over: bool) {
        let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut counts) = peers.entry(address) {
            *counts.get_mut().of(over) -= 1;
            if counts.get().served + counts.get().turned_away == 0 {
                counts.remove();
            }
        }
    }
}

/// Counts one more, if that is not too many.
fn take(count: &AtomicUsize, most: usize) -> bool {
    let more = |count: usize| (count < most).then_some(count + 1);
    count
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
        .is_ok()
}

impl Drop for Place {
    fn drop(&mut self) {
        let admission = &self.admission;
        let count = match self.over {
            None => &admission.served,
            Some(_) => &admission.turned_away,
        };
        count.fetch_sub(1, Ordering::Relaxed);
        if let Some(address) = self.peer {
            admission.give_back(address, self.over.is_some());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::file;
    use std::path::Path;

    fn admission(settings: &str) -> Arc<Admission> {
        let text = format!(
            "{settings}\n[[store]]\nhash = \"a\"\ncredential = {{ file = \"c\" }}\n\
             [[caller]]\nname = \"a\"\ntoken_sha256 = [\"{}\"]\nscopes = [\"store_v2_customers\"]",
            "0".repeat(64)
        );
        let file = file::read(&text, Path::new("")).expect("a configuration");
        Admission::new(&file.limits)
    }

    fn peer(address: &str) -> Peer {
        Peer::Tcp(address.parse().expect("an address"))
    }

    fn bound(place: Option<&Place>) -> Option<&'static str> {
        place.expect("a place").over
    }

    #[test]
    fn places_are_given_back() {
        let all = admission("limits.connections = 2");
        let one = all.admit(Peer::Unix);
        let two = all.admit(Peer::Unix);
        assert_eq!((bound(one.as_ref()), bound(two.as_ref())), (None, None));
        let three = all.admit(Peer::Unix);
        assert_eq!(bound(three.as_ref()), Some("limits.connections"));
        drop(one);
        assert_eq!(bound(all.admit(Peer::Unix).as_ref()), None);
        drop(three);
        assert_eq!(all.turned_away.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn so_many_are_told_and_no_more() {
        let all = admission("limits.connections = 1");
        let _served = all.admit(Peer::Unix);
        let told: Vec<_> = (0..TURNED_AWAY).map(|_| all.admit(Peer::Unix)).collect();
        assert!(told.iter().all(Option::is_some));
        assert!(all.admit(Peer::Unix).is_none());
        drop(told);
        assert!(all.admit(Peer::Unix).is_some());
    }

    #[test]
    fn one_address_does_not_take_every_place_in_which_to_be_told() {
        let all = admission("limits.connections = 1");
        let _served = all.admit(peer("192.0.2.9:1"));
        let greedy: Vec<_> = (0..20).map(|_| all.admit(peer("192.0.2.1:1"))).collect();
        let told = greedy.iter().filter(|place| place.is_some()).count();
        assert_eq!(told, TURNED_AWAY_PER_PEER);
        let other = all.admit(peer("192.0.2.2:1"));
        assert_eq!(bound(other.as_ref()), Some("limits.connections"));
    }

    #[test]
    fn an_address_is_counted_apart_from_the_others() {
        let all = admission("limits.connections_per_peer = 1");
        let over = Some("limits.connections_per_peer");
        let one = all.admit(peer("192.0.2.1:1"));
        assert_eq!(bound(one.as_ref()), None);
        assert_eq!(bound(all.admit(peer("192.0.2.1:2")).as_ref()), over);
        assert_eq!(
            bound(all.admit(peer("[::ffff:192.0.2.1]:3")).as_ref()),
            over
        );
        let other = all.admit(peer("192.0.2.2:1"));
        assert_eq!(bound(other.as_ref()), None);
        let six = all.admit(peer("[2001:db8::1]:1"));
        assert_eq!(bound(six.as_ref()), None);
        assert_eq!(
            bound(all.admit(peer("[2001:db8::ffff:1]:1")).as_ref()),
            over
        );
        let next = all.admit(peer("[2001:db8:0:1::1]:1"));
        assert_eq!(bound(next.as_ref()), None);
        drop(one);
        assert_eq!(bound(all.admit(peer("192.0.2.1:4")).as_ref()), None);
        let links = [
            "[fe80::1]:1",
            "[fe80::2]:1",
            "[64:ff9b::192.0.2.1]:1",
            "[64:ff9b::192.0.2.2]:1",
        ];
        let links = links.map(|link| all.admit(peer(link)));
        assert!(links.iter().all(|place| bound(place.as_ref()).is_none()));
        drop(links);
        drop((other, six, next));
        assert!(all.peers.lock().expect("no panic").is_empty());
        assert_eq!(all.served.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn local_peers_are_one_another_unless_that_is_asked_for() {
        let local = [
            peer("127.0.0.1:1"),
            peer("127.0.0.1:2"),
            peer("[::1]:1"),
            Peer::Unix,
        ];
        let exempt = admission("limits.connections_per_peer = 1");
        let places: Vec<_> = local.iter().map(|peer| exempt.admit(*peer)).collect();
        assert!(places.iter().all(|place| bound(place.as_ref()).is_none()));
        let counted =
            admission("limits.connections_per_peer = 1\nlimits.exempt_local_peers = false");
        let places: Vec<_> = local.iter().map(|peer| counted.admit(*peer)).collect();
        let over: Vec<bool> = places
            .iter()
            .map(|place| bound(place.as_ref()).is_some())
            .collect();
        assert_eq!(over, [false, true, false, false]);
    }
}
