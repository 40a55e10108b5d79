//! The doors of a gateway: bound anew, or taken from whoever has them already.

use super::StartError;
use super::admin::Shows;
use super::inherited::Inherited;
use super::listener::{Bound, Listener, bind};
use crate::config::file::{Address, File, Page};
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

/// The doors with their addresses.
#[derive(Debug)]
pub(super) struct Doors {
    /// The callers'.
    pub(super) callers: (Listener, Bound),
    /// The operator's, with what each shows.
    pub(super) admin: Vec<(Listener, Bound, Shows)>,
}

impl Doors {
    fn listeners(&self) -> impl Iterator<Item = &Listener> {
        let admin = self.admin.iter().map(|(listener, ..)| listener);
        std::iter::once(&self.callers.0).chain(admin)
    }

    /// Every address.
    pub(super) fn bound(&self) -> impl Iterator<Item = &Bound> {
        let admin = self.admin.iter().map(|(_, bound, _)| bound);
        std::iter::once(&self.callers.1).chain(admin)
    }

    /// Where the operator connects for probes and metrics, and where for the status page.
    pub(super) fn admin(&self) -> (Option<Bound>, Option<Bound>) {
        let that = |shows: fn(Shows) -> bool| {
            let mut doors = self.admin.iter();
            let found = doors.find(|(_, _, what)| shows(*what));
            found.map(|(_, bound, _)| bound.clone())
        };
        (
            that(|shows| shows != Shows::Page),
            that(|shows| shows != Shows::Probes),
        )
    }
}

/// The mode of the status page's own Unix socket: it has no other password.
const PAGE_MODE: u32 = 0o600;

/// Opens all doors.
pub(super) fn open(file: &File, mut inherited: Inherited) -> Result<Doors, StartError> {
    let are_lent = inherited.are_lent();
    let admin = file.admin.as_ref();
    let page = admin.and_then(|admin| match &admin.page.value {
        Page::At(address) => Some(address),
        Page::Off | Page::Beside => None,
    });
    let all = [
        Some(&file.listen.address.value),
        admin.map(|admin| &admin.address.value),
        page,
    ];
    let all: Vec<&Address> = all.into_iter().flatten().collect();
    let mut open = |key, address: &Address, mode| match (inherited.take(address, &all), address) {
        (Some(found), Address::Unix(path)) if !are_lent => {
            // The mode is the new configuration's.
            let permissions = fs::Permissions::from_mode(mode);
            let set = fs::set_permissions(path, permissions);
            set.map_err(|source| bind_error(key, address, source))?;
            Ok(found)
        }
        (Some(found), _) => Ok(found),
        (None, _) => bind(address, mode).map_err(|source| bind_error(key, address, source)),
    };
    let mode = file.listen.socket_mode;
    let callers = open("listen.address", &file.listen.address.value, mode)?;
    let mut opened = Vec::new();
    if let Some(admin) = admin {
        let (listener, bound) = open("admin.address", &admin.address.value, mode)?;
        let shows = match admin.page.value {
            Page::Beside => Shows::All,
            Page::Off | Page::At(_) => Shows::Probes,
        };
        opened.push((listener, bound, shows));
    }
    if let Some(address) = page {
        let (listener, bound) = open("admin.page", address, PAGE_MODE)?;
        opened.push((listener, bound, Shows::Page));
    }
    let doors = Doors {
        callers,
        admin: opened,
    };
    let unused = inherited.unused();
    if are_lent && !unused.is_empty() {
        let addresses = unused.join(", ");
        return Err(StartError::Unused { addresses });
    }
    Ok(doors)
}

fn bind_error(key: &'static str, address: &Address, source: io::Error) -> StartError {
    StartError::Bind {
        key,
        address: address.to_string(),
        source,
    }
}

/// The sockets that another process may take over, and where it asks for them; `None` if none may.
pub(super) fn offered(
    file: &File,
    doors: &Doors,
) -> Result<Option<(PathBuf, Vec<Listener>)>, StartError> {
    let Some(path) = &file.handover else {
        return Ok(None);
    };
    let sockets: io::Result<_> = doors.listeners().map(Listener::try_clone).collect();
    let sockets = sockets.map_err(StartError::Thread)?;
    Ok(Some((path.value.clone(), sockets)))
}
