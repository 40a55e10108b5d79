//! A new process takes over the listening sockets of the one that runs (`handover`): the very same sockets, so that
//! no connection that waits at them is lost, and none is refused in between.
//!
//! The one that runs offers them on a Unix socket to processes of its own user. The new one connects, is
//! given the descriptors (`SCM_RIGHTS`, unix(7)), starts, and only when all its workers accept connections
//! says so; then the old one drains. Whatever goes wrong before that, the old one goes on as if nobody had asked.

use super::control::Controller;
use super::inherited::{Inherited, MOST};
use super::listener::{Listener, SocketFile, bind_unix};
use super::{Bound, StartError};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg, sockopt,
};
use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// With which the old process begins, so that another program, or a later version, is not taken for it.
const GREETING: &[u8] = b"metafield-gateway handover 1\n";

/// What the new process says when it accepts connections.
const TAKEN: &[u8] = b"taken\n";

/// How long a new process may take to start, and the old one to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long to wait after one that failed, so that it costs little.
const AGAIN: Duration = Duration::from_millis(100);

/// The mode of the socket: whoever may connect takes the callers' connections.
const MODE: u32 = 0o600;

/// The process whose sockets were taken; it drains when this one says that it is ready.
#[derive(Debug)]
pub struct Predecessor(UnixStream);

impl Predecessor {
    /// Connects to the gateway that offers its sockets at this path; `None` if none does.
    pub fn find(path: &Path) -> io::Result<Option<(Inherited, Self)>> {
        let stream = match UnixStream::connect(path) {
            Ok(stream) => stream,
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::NotFound | ErrorKind::ConnectionRefused
                ) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        // Somebody else's process could give us sockets of its own.
        refuse_others(&stream)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let sockets = receive(&stream)?;
        Ok(Some((Inherited::of(sockets)?, Self(stream))))
    }

    /// This process accepts connections: the other one may drain. Waits until it has stopped offering.
    pub fn release(mut self) -> io::Result<()> {
        self.0.write_all(TAKEN)?;
        let mut rest = [0; 1];
        match self.0.read(&mut rest)? {
            0 => Ok(()),
            _ => Err(io::Error::other("the other process says something unknown")),
        }
    }
}

/// Offers sockets to a process that is to replace this one, from now on.
pub(super) fn offer(
    path: &Path,
    sockets: Vec<Listener>,
    controller: Arc<Controller>,
) -> Result<Option<SocketFile>, StartError> {
    let failed = |source| StartError::Bind {
        key: "handover",
        address: format!("unix:{}", path.display()),
        source,
    };
    let listener = bind_unix(path, MODE).map_err(failed)?;
    listener.set_nonblocking(false).map_err(failed)?;
    let file = SocketFile::of(&Bound::Unix(path.to_owned()));
    std::thread::Builder::new()
        .name("handover".to_owned())
        .spawn(move || keep_offering(listener, &sockets, &controller))
        .map_err(StartError::Thread)?;
    Ok(file)
}

fn keep_offering(listener: UnixListener, sockets: &[Listener], controller: &Controller) {
    loop {
        let given = listener.accept().and_then(|(stream, _)| {
            give(&stream, sockets)?;
            Ok(stream)
        });
        match given {
            Ok(stream) => {
                // The new process offers them from when it sees the end of this connection: nobody may answer
                // in its place any more.
                drop(listener);
                controller.hand_over();
                drop(stream);
                return;
            }
            Err(error) => {
                tracing::warn!(%error, "the listening sockets were not handed over");
                std::thread::sleep(AGAIN);
            }
        }
    }
}

/// Gives the sockets to one that asks, and waits until it has taken them.
fn give(mut stream: &UnixStream, sockets: &[Listener]) -> io::Result<()> {
    refuse_others(stream)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let descriptors: Vec<BorrowedFd<'_>> = sockets.iter().map(AsFd::as_fd).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !control.push(SendAncillaryMessage::ScmRights(&descriptors)) {
        return Err(io::Error::other("there are too many sockets"));
    }
    let sent = sendmsg(
        stream,
        &[IoSlice::new(GREETING)],
        &mut control,
        SendFlags::NOSIGNAL,
    )?;
    if sent != GREETING.len() {
        return Err(io::Error::other("the greeting was cut"));
    }
    let mut said = [0; TAKEN.len()];
    stream.read_exact(&mut said).map_err(|error| {
        let what = match error.kind() {
            ErrorKind::UnexpectedEof => "the new process has not started",
            _ => "the new process does not say that it has started",
        };
        io::Error::new(error.kind(), what)
    })?;
    if said != TAKEN {
        return Err(io::Error::other("the new process says something unknown"));
    }
    Ok(())
}

fn receive(stream: &UnixStream) -> io::Result<Vec<OwnedFd>> {
    let mut greeting = [0; GREETING.len()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = recvmsg(
        stream,
        &mut [IoSliceMut::new(&mut greeting)],
        &mut control,
        RecvFlags::CMSG_CLOEXEC,
    )?;
    let mut sockets = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(descriptors) = message {
            sockets.extend(descriptors);
        }
    }
    if greeting.get(..received.bytes) != Some(GREETING) || sockets.is_empty() {
        let message = "what answers there is no gateway of this version";
        return Err(io::Error::new(ErrorKind::InvalidData, message));
    }
    Ok(sockets)
}

/// Only a process of the same user, or of root, is spoken to (`SO_PEERCRED`, unix(7)).
fn refuse_others(stream: &UnixStream) -> io::Result<()> {
    let peer = sockopt::socket_peercred(stream)?.uid;
    if peer == rustix::process::geteuid() || peer.is_root() {
        return Ok(());
    }
    let message = format!("the other process is of the user {}", peer.as_raw());
    Err(io::Error::new(ErrorKind::PermissionDenied, message))
}
