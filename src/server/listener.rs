//! The listening sockets: TCP, or a Unix socket with its mode set before anyone can connect.

use crate::config::file::Address;
use crate::gateway::{Stream, ease};
use crate::observe::Peer;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener as StdUnixListener, UnixStream as StdUnixStream};
use std::path::{Path, PathBuf};
use std::{fmt, fs, net};
use tokio::net::{TcpListener, UnixListener};

/// How many connections may wait for their acceptance.
const BACKLOG: i32 = 1024;

/// Where a Unix socket is bound before it is moved to its path, and what its own name stays.
pub(super) fn beside(path: &Path) -> PathBuf {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    PathBuf::from(beside)
}

/// A bound address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bound {
    /// IP address and port, the real one where 0 was asked for.
    Tcp(net::SocketAddr),
    /// The path of a Unix socket.
    Unix(PathBuf),
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// The file of a bound Unix socket.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    /// Device and inode: another process may have put its own socket in the place since.
    identity: (u64, u64),
}

impl SocketFile {
    /// The file of an address that was just bound, if it has one.
    pub(super) fn of(bound: &Bound) -> Option<Self> {
        let Bound::Unix(path) = bound else {
            return None;
        };
        let identity = identity(path).ok()?;
        let path = path.clone();
        Some(Self { path, identity })
    }

    /// Removes the file, unless it is another's by now.
    pub(super) fn remove(&self) -> io::Result<()> {
        match identity(&self.path) {
            Ok(identity) if identity == self.identity => fs::remove_file(&self.path),
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for SocketFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.display().fmt(f)
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|found| (found.dev(), found.ino()))
}

/// A listening socket that no runtime owns yet, and that every worker takes a share of.
#[derive(Debug)]
pub(super) enum Listener {
    Tcp(net::TcpListener),
    Unix(StdUnixListener),
}

impl Listener {
    /// A socket that listens already, and where.
    pub(super) fn tcp(listener: net::TcpListener) -> io::Result<(Self, Bound)> {
        let address = listener.local_addr()?;
        ease(&listener, address.ip());
        Ok((Self::Tcp(listener), Bound::Tcp(address)))
    }
}

/// A worker's share of a listening socket.
#[derive(Debug)]
pub(super) enum Door {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// Binds an address.
pub(super) fn bind(address: &Address, socket_mode: u32) -> io::Result<(Listener, Bound)> {
    match address {
        Address::Tcp(address) => {
            let socket = Socket::new(
                Domain::for_address(*address),
                Type::STREAM,
                Some(Protocol::TCP),
            )?;
            socket.set_reuse_address(true)?;
            socket.set_nonblocking(true)?;
            socket.bind(&SockAddr::from(*address))?;
            socket.listen(BACKLOG)?;
            Listener::tcp(net::TcpListener::from(socket))
        }
        Address::Unix(path) => Ok((
            Listener::Unix(bind_unix(path, socket_mode)?),
            Bound::Unix(path.clone()),
        )),
    }
}

/// Binds beside the path, sets the mode, and moves the socket into place: it is never there with
/// another mode, and a stale one is replaced in one step.
pub(super) fn bind_unix(path: &Path, mode: u32) -> io::Result<StdUnixListener> {
    refuse_if_answered(path)?;
    let beside = beside(path);
    if fs::symlink_metadata(&beside).is_ok_and(|found| found.file_type().is_socket()) {
        fs::remove_file(&beside)?;
    }
    let listener = StdUnixListener::bind(&beside)?;
    listener.set_nonblocking(true)?;
    fs::set_permissions(&beside, fs::Permissions::from_mode(mode))?;
    fs::rename(&beside, path)?;
    Ok(listener)
}

/// A socket on which somebody answers, or something that is no socket, is not ours to replace.
fn refuse_if_answered(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
        Ok(found) if !found.file_type().is_socket() => {
            return Err(io::Error::new(
                ErrorKind::AlreadyExists,
                "there is a file that is no socket",
            ));
        }
        Ok(_) => {}
    }
    match StdUnixStream::connect(path) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(()),
        Err(error) => Err(error),
        Ok(_) => Err(io::Error::new(
            ErrorKind::AddrInUse,
            "another process answers on this socket",
        )),
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(listener) => listener.as_fd(),
            Self::Unix(listener) => listener.as_fd(),
        }
    }
}

impl Listener {
    pub(super) fn try_clone(&self) -> io::Result<Self> {
        match self {
            Self::Tcp(listener) => listener.try_clone().map(Self::Tcp),
            Self::Unix(listener) => listener.try_clone().map(Self::Unix),
        }
    }

    /// Hands the socket to the runtime of this thread.
    pub(super) fn open(self) -> io::Result<Door> {
        match self {
            Self::Tcp(listener) => TcpListener::from_std(listener).map(Door::Tcp),
            Self::Unix(listener) => UnixListener::from_std(listener).map(Door::Unix),
        }
    }
}

impl Door {
    /// The next connection. Cancel safe.
    pub(super) async fn accept(&self) -> io::Result<(Stream, Peer)> {
        match self {
            Self::Tcp(listener) => listener.accept().await.map(tcp),
            Self::Unix(listener) => listener
                .accept()
                .await
                .map(|(stream, _)| (Stream::Unix(stream), Peer::Unix)),
        }
    }

    /// Closes the door and gives the connections that were waiting at it.
    pub(super) fn close(self) -> io::Result<Vec<(Stream, Peer)>> {
        let mut waiting = Vec::new();
        match self {
            Self::Tcp(listener) => {
                let listener = listener.into_std()?;
                while let Ok((stream, peer)) = listener.accept() {
                    stream.set_nonblocking(true)?;
                    waiting.push(tcp((tokio::net::TcpStream::from_std(stream)?, peer)));
                }
            }
            Self::Unix(listener) => {
                let listener = listener.into_std()?;
                while let Ok((stream, _)) = listener.accept() {
                    stream.set_nonblocking(true)?;
                    waiting.push((
                        Stream::Unix(tokio::net::UnixStream::from_std(stream)?),
                        Peer::Unix,
                    ));
                }
            }
        }
        Ok(waiting)
    }
}

fn tcp((stream, peer): (tokio::net::TcpStream, net::SocketAddr)) -> (Stream, Peer) {
    // Answers leave in one write; waiting for more to send would only delay them.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY could not be set");
    }
    (Stream::Tcp(stream), Peer::Tcp(peer))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder =
            std::env::temp_dir().join(format!("metafield-gateway-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).expect("a temporary folder");
        folder
    }

    #[test]
    fn connections_within_the_machine_are_not_paced() {
        let (listener, bound) = bind(&Address::Tcp(([127, 0, 0, 1], 0).into()), 0).expect("a port");
        let (Listener::Tcp(listener), Bound::Tcp(address)) = (listener, bound) else {
            panic!("no TCP");
        };
        let _client = net::TcpStream::connect(address).expect("a connection");
        listener.set_nonblocking(false).expect("a mode");
        let (accepted, _) = listener.accept().expect("the other end");
        let algorithm = socket2::SockRef::from(&accepted).tcp_congestion();
        assert!(algorithm.expect("an algorithm").starts_with(b"reno"));
    }

    #[test]
    fn a_unix_socket_has_its_mode_and_replaces_a_stale_one() {
        let folder = folder("stale");
        let path = folder.join("gateway.sock");
        drop(StdUnixListener::bind(&path).expect("a socket that nobody answers on"));
        let (_listener, bound) = bind(&Address::Unix(path.clone()), 0o600).expect("bound");
        assert_eq!(bound, Bound::Unix(path.clone()));
        let mode = fs::metadata(&path)
            .expect("the socket")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(StdUnixStream::connect(&path).is_ok());
        fs::remove_dir_all(folder).expect("cleaned");
    }

    #[test]
    fn a_live_socket_and_a_file_are_left_alone() {
        let folder = folder("live");
        let path = folder.join("gateway.sock");
        let _live = StdUnixListener::bind(&path).expect("a socket");
        let error = bind(&Address::Unix(path), 0o600).expect_err("somebody answers");
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        let file = folder.join("file");
        fs::write(&file, "precious").expect("a file");
        assert!(bind(&Address::Unix(file.clone()), 0o600).is_err());
        assert_eq!(fs::read_to_string(&file).ok().as_deref(), Some("precious"));
        fs::remove_dir_all(folder).expect("cleaned");
    }

    #[test]
    fn the_socket_of_a_successor_is_left_alone() {
        let folder = folder("successor");
        let path = folder.join("gateway.sock");
        let address = Address::Unix(path.clone());
        let (old, bound) = bind(&address, 0o600).expect("bound");
        let old_file = SocketFile::of(&bound).expect("a file");
        drop(old);
        let (_new, bound) = bind(&address, 0o600).expect("bound again");
        let new_file = SocketFile::of(&bound).expect("a file");
        old_file.remove().expect("nothing to do");
        assert!(StdUnixStream::connect(&path).is_ok());
        new_file.remove().expect("removed");
        assert!(!path.exists());
        new_file.remove().expect("nothing to do");
        fs::remove_dir_all(folder).expect("cleaned");
    }

    #[test]
    fn port_zero_is_resolved() {
        let address = Address::Tcp(([127, 0, 0, 1], 0).into());
        let (_listener, bound) = bind(&address, 0).expect("bound");
        assert!(matches!(bound, Bound::Tcp(address) if address.port() != 0));
    }
}
