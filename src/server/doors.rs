//! The two doors of a gateway: bound anew, or taken from whoever has them already.

use super::StartError;
use super::inherited::Inherited;
use super::listener::{Bound, Listener, bind};
use crate::config::file::{Address, File};
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

/// The callers' door with its address, and the operator's.
pub(super) type Doors = (Listener, Bound, Option<(Listener, Bound)>);

/// Opens both doors.
pub(super) fn open(file: &File, mut inherited: Inherited) -> Result<Doors, StartError> {
    let mode = file.listen.socket_mode;
    let are_lent = inherited.are_lent();
    let mut open = |key, address: &Address| match (inherited.take(address), address) {
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
    let (listener, address) = open("listen.address", &file.listen.address.value)?;
    let admin = file.admin.as_ref();
    let admin = admin.map(|admin| open("admin.address", &admin.address.value));
    let doors = (listener, address, admin.transpose()?);
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
    listener: &Listener,
    admin: Option<&(Listener, Bound)>,
) -> Result<Option<(PathBuf, Vec<Listener>)>, StartError> {
    let Some(path) = &file.handover else {
        return Ok(None);
    };
    let admin = admin.map(|(listener, _)| listener);
    let sockets = [Some(listener), admin].into_iter().flatten();
    let sockets: io::Result<_> = sockets.map(Listener::try_clone).collect();
    let sockets = sockets.map_err(StartError::Thread)?;
    Ok(Some((path.value.clone(), sockets)))
}
