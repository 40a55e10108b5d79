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
use arc_swap::ArcSwapOption;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg, sockopt,
};
use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
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
pub struct Predecessor {
    stream: UnixStream,
    path: PathBuf,
}

impl Predecessor {
    /// Connects to the gateway that offers its sockets at this path; `None` if none does, or it drains already.
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
        let sockets = match receive(&stream) {
            // It has stopped offering.
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(None),
            received => received?,
        };
        if sockets.is_empty() {
            return Ok(None);
        }
        let path = path.to_owned();
        Ok(Some((Inherited::of(sockets)?, Self { stream, path })))
    }

    /// This process accepts connections: the other one may drain. Waits until it has stopped offering. An error means
    /// that it has not, and goes on.
    pub fn release(mut self) -> io::Result<()> {
        let mut rest = [0; 1];
        let told = self.stream.write_all(TAKEN);
        match told.and_then(|()| self.stream.read(&mut rest)) {
            Ok(0) => Ok(()),
            Ok(_) => Err(io::Error::other("the other process says something unknown")),
            // One that is gone leaves the sockets to this one.
            Err(_) if UnixStream::connect(&self.path).is_err() => Ok(()),
            Err(error) => {
                let message = format!("the other process does not wait any more: {error}");
                Err(io::Error::new(error.kind(), message))
            }
        }
    }
}

/// What is offered to a process that is to replace this one.
#[derive(Debug)]
pub(super) struct Offer {
    path: PathBuf,
    sockets: Arc<ArcSwapOption<Vec<Listener>>>,
    controller: Arc<Controller>,
}

impl Offer {
    /// Offers sockets from now on.
    pub(super) fn start(
        path: &Path,
        sockets: Vec<Listener>,
        controller: Arc<Controller>,
    ) -> Result<Self, StartError> {
        let failed = |source| StartError::Bind {
            key: "handover",
            address: format!("unix:{}", path.display()),
            source,
        };
        let listener = bind_unix(path, MODE).map_err(failed)?;
        listener.set_nonblocking(false).map_err(failed)?;
        let offer = Self {
            path: path.to_owned(),
            sockets: Arc::new(ArcSwapOption::from_pointee(sockets)),
            controller,
        };
        let (sockets, controller) = (Arc::clone(&offer.sockets), Arc::clone(&offer.controller));
        std::thread::Builder::new()
            .name("handover".to_owned())
            .spawn(move || keep_offering(listener, &sockets, &controller))
            .map_err(StartError::Thread)?;
        tracing::info!(path = %path.display(), "another process can take over the listening sockets");
        Ok(offer)
    }

    /// The file of the Unix socket.
    pub(super) fn file(&self) -> Option<SocketFile> {
        SocketFile::of(&Bound::Unix(self.path.clone()))
    }

    /// Nothing is offered any more. One that has been given the sockets may still take them.
    pub(super) fn withdraw(&self) {
        if !self.controller.is_handed_over() && self.sockets.swap(None).is_some() {
            // The thread waits for somebody.
            drop(UnixStream::connect(&self.path));
        }
    }
}

fn keep_offering(
    listener: UnixListener,
    sockets: &ArcSwapOption<Vec<Listener>>,
    controller: &Controller,
) {
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
                sockets.store(None);
                controller.hand_over();
                drop(stream);
                return;
            }
            Err(_) if sockets.load().is_none() => return,
            Err(error) => {
                tracing::warn!(%error, "the listening sockets were not handed over");
                std::thread::sleep(AGAIN);
            }
        }
    }
}

/// Gives the sockets to one that asks, and waits until it has taken them.
fn give(mut stream: &UnixStream, sockets: &ArcSwapOption<Vec<Listener>>) -> io::Result<()> {
    refuse_others(stream)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    match sockets.load_full() {
        Some(sockets) => send(stream, &sockets)?,
        None => return Err(io::Error::other("the gateway drains")),
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

fn send(stream: &UnixStream, sockets: &[Listener]) -> io::Result<()> {
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
    Ok(())
}

/// The sockets; none from one that drains and so says nothing.
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
    if received.bytes == 0 {
        return Ok(Vec::new());
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
