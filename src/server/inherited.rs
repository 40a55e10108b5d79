//! Listening sockets that were opened before this process: by an init system (`sd_listen_fds(3)`), or by the
//! gateway that it replaces. They are known again by their addresses.

use super::listener::{Bound, Listener, beside};
use crate::config::file::Address;
use listenfd::ListenFd;
use socket2::Socket;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;

/// How many sockets a gateway can have a use for; more than that are none of its own.
pub(super) const MOST: usize = 16;

/// Sockets that nobody has taken yet.
#[derive(Debug, Default)]
pub struct Inherited {
    sockets: Vec<(Listener, Bound)>,
    /// Whether they stay the init system's.
    are_lent: bool,
    /// Whether another gateway has them too, until it drains.
    are_shared: bool,
}

impl Inherited {
    /// No socket: every address is bound anew.
    pub fn none() -> Self {
        Self::default()
    }

    /// What the init system has passed to this process (`LISTEN_FDS`, where `LISTEN_PID` is this one).
    pub fn from_environment() -> io::Result<Self> {
        let is_ours =
            std::env::var("LISTEN_PID").is_ok_and(|id| id.parse() == Ok(std::process::id()));
        if !is_ours {
            return Ok(Self::none());
        }
        let mut passed = ListenFd::from_env();
        let mut inherited = Self {
            sockets: Vec::new(),
            are_lent: true,
            are_shared: false,
        };
        for index in 0..passed.len().min(MOST) {
            let socket = match passed.take_tcp_listener(index) {
                Ok(Some(listener)) => OwnedFd::from(listener),
                Ok(None) => continue,
                Err(_) => match passed.take_unix_listener(index)? {
                    Some(listener) => OwnedFd::from(listener),
                    None => continue,
                },
            };
            inherited.add(socket)?;
        }
        Ok(inherited)
    }

    /// What another gateway has passed.
    pub(super) fn of(sockets: impl IntoIterator<Item = OwnedFd>) -> io::Result<Self> {
        let mut inherited = Self {
            are_shared: true,
            ..Self::default()
        };
        for socket in sockets {
            inherited.add(socket)?;
        }
        Ok(inherited)
    }

    fn add(&mut self, socket: OwnedFd) -> io::Result<()> {
        let socket = Socket::from(socket);
        let wrong = |what: &str| {
            let message = format!("a passed descriptor is {what}");
            io::Error::new(ErrorKind::InvalidInput, message)
        };
        if !socket.is_listener()? {
            return Err(wrong("no listening socket"));
        }
        // The init system leaves that to us.
        socket.set_nonblocking(true)?;
        let address = socket.local_addr()?;
        let found = if address.as_socket().is_some() {
            Listener::tcp(TcpListener::from(OwnedFd::from(socket)))?
        } else if let Some(path) = address.as_pathname() {
            let path = path.to_owned();
            let listener = UnixListener::from(OwnedFd::from(socket));
            (Listener::Unix(listener), Bound::Unix(path))
        } else {
            return Err(wrong("neither of TCP nor a Unix socket with a path"));
        };
        self.sockets.push(found);
        Ok(())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.sockets.is_empty()
    }

    /// Whether they stay the init system's.
    pub(super) const fn are_lent(&self) -> bool {
        self.are_lent
    }

    /// Whether the files of Unix sockets are this process's to remove from the start.
    pub(super) const fn are_own(&self) -> bool {
        !self.are_lent && !self.are_shared
    }

    /// The socket of an address. Port 0 is any port that none of `all` the addresses names; of several the first, so
    /// that doors which are opened in the same order get the same ones.
    pub(super) fn take(
        &mut self,
        address: &Address,
        all: &[&Address],
    ) -> Option<(Listener, Bound)> {
        let is_named = |bound: &SocketAddr| {
            let mut all = all.iter();
            all.any(|other| matches!(other, Address::Tcp(other) if other == bound))
        };
        let fits = |bound: &Bound| match (address, bound) {
            (Address::Tcp(wanted), Bound::Tcp(bound)) => {
                let is_any = wanted.port() == 0 && wanted.ip() == bound.ip();
                wanted == bound || (is_any && !is_named(bound))
            }
            (Address::Unix(wanted), Bound::Unix(bound)) => {
                wanted == bound || beside(wanted) == *bound
            }
            _ => false,
        };
        let place = self.sockets.iter().position(|(_, bound)| fits(bound))?;
        let (listener, bound) = self.sockets.remove(place);
        let bound = match address {
            // It was bound beside its place.
            Address::Unix(path) => Bound::Unix(path.clone()),
            Address::Tcp(_) => bound,
        };
        Some((listener, bound))
    }

    /// The addresses of those that nobody wanted.
    pub(super) fn unused(&self) -> Vec<String> {
        let bound = self.sockets.iter().map(|(_, bound)| bound.to_string());
        bound.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, TcpStream};

    fn tcp() -> (OwnedFd, SocketAddr) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        (listener.into(), address)
    }

    #[test]
    fn a_socket_is_known_by_its_address_and_taken_once() {
        let (first, one) = tcp();
        let (second, other) = tcp();
        let mut inherited = Inherited::of([first, second]).unwrap();
        let elsewhere = Address::Tcp(SocketAddr::from(([127, 0, 0, 2], one.port())));
        assert!(inherited.take(&elsewhere, &[]).is_none());
        let (_, bound) = inherited.take(&Address::Tcp(other), &[]).unwrap();
        assert_eq!(bound, Bound::Tcp(other));
        assert!(inherited.take(&Address::Tcp(other), &[]).is_none());
        assert_eq!(inherited.unused(), [one.to_string()]);
        let any = Address::Tcp(SocketAddr::from(([127, 0, 0, 1], 0)));
        let (_, bound) = inherited.take(&any, &[]).unwrap();
        assert_eq!(bound, Bound::Tcp(one));
        assert_eq!(inherited.unused(), [""; 0]);
    }

    #[test]
    fn any_port_is_none_that_another_door_has() {
        let sockets = [tcp(), tcp(), tcp(), tcp()];
        let addresses = sockets.each_ref().map(|(_, address)| *address);
        let mut inherited = Inherited::of(sockets.map(|(socket, _)| socket)).unwrap();
        let any = Address::Tcp(SocketAddr::from(([127, 0, 0, 1], 0)));
        let fixed = Address::Tcp(addresses[1]);
        let all = [&any, &any, &fixed, &any];
        let taken = all.map(|address| inherited.take(address, &all).unwrap().1);
        let expected = [0, 2, 1, 3].map(|number| Bound::Tcp(addresses[number]));
        assert_eq!(taken, expected);
    }

    #[test]
    fn what_does_not_listen_is_refused() {
        let (listener, address) = tcp();
        let connected = TcpStream::connect(address).unwrap();
        let refused = Inherited::of([OwnedFd::from(connected)]);
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::InvalidInput);
        let (one, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        assert!(Inherited::of([listener, OwnedFd::from(one)]).is_err());
        let file = std::fs::File::open("/dev/null").unwrap();
        assert!(Inherited::of([OwnedFd::from(file)]).is_err());
    }
}
