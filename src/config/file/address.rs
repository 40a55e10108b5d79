//! Where a door is: an IP address and a port, or a Unix socket's path. Names are not resolved, so
//! that what a door listens on stands in the file and nowhere else.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use toml::de::DeValue;

use crate::config::problem::shown;
use crate::config::reader::{Fault, value};

/// The most bytes a Unix socket's path may have: Linux's 107 (`sun_path` less its final NUL), less the
/// ending under which the socket is made before it is moved into place.
const LONGEST_SOCKET_PATH: usize = 107 - ".new".len();

/// Where a door listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// An IP address and a port; port 0 lets the system pick a free one.
    Tcp(SocketAddr),
    /// The path of a Unix stream socket.
    Unix(PathBuf),
}

impl Address {
    /// Whether only this machine can connect.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Tcp(address) => address.ip().to_canonical().is_loopback(),
            Self::Unix(_) => true,
        }
    }

    /// Whether two doors cannot both listen here.
    pub(super) fn collides_with(&self, other: &Self) -> bool {
        match self {
            Self::Tcp(address) => {
                let Self::Tcp(other) = other else {
                    return false;
                };
                let everywhere = address.ip().is_unspecified() || other.ip().is_unspecified();
                address.port() != 0
                    && address.port() == other.port()
                    && (everywhere || address.ip() == other.ip())
            }
            Self::Unix(_) => self == other,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Reads an address; a relative socket path is joined to `base`.
pub(super) fn address(base: &Path) -> impl Fn(&DeValue<'_>) -> Result<Address, Fault> {
    move |found| {
        let text = value::text(found, "an address")
            .map_err(|fault| fault.with_hint("such as `\"127.0.0.1:8080\"`"))?;
        match text.strip_prefix("unix:") {
            Some(path) => unix(base, path),
            None => tcp(text),
        }
    }
}

/// Reads the path of a Unix socket.
pub(super) fn socket(base: &Path) -> impl Fn(&DeValue<'_>) -> Result<PathBuf, Fault> {
    const HINT: &str = "write it as `unix:/run/metafield-gateway/handover.sock`";
    move |found| {
        let text = value::text(found, "a Unix socket").map_err(|fault| fault.with_hint(HINT))?;
        let Some(path) = text.strip_prefix("unix:") else {
            let message = format!("{} is not a Unix socket", shown(text));
            return Err(Fault::new(message).with_hint(HINT));
        };
        unix_path(base, path)
    }
}

fn unix(base: &Path, text: &str) -> Result<Address, Fault> {
    unix_path(base, text).map(Address::Unix)
}

fn unix_path(base: &Path, text: &str) -> Result<PathBuf, Fault> {
    let path = value::file_name(base, text)?;
    if path.as_os_str().len() > LONGEST_SOCKET_PATH {
        let message = format!("the socket's path is longer than {LONGEST_SOCKET_PATH} bytes");
        return Err(Fault::new(message).with_hint("the system takes no longer one"));
    }
    Ok(path)
}

fn tcp(text: &str) -> Result<Address, Fault> {
    if let Ok(address) = text.parse() {
        return Ok(Address::Tcp(address));
    }
    if text.parse::<IpAddr>().is_ok() {
        let hint = "write it as `127.0.0.1:8080` or `[::1]:8080`";
        return Err(Fault::new(format!("{} has no port", shown(text))).with_hint(hint));
    }
    let hint = match text.rsplit_once(':') {
        Some(("localhost", port)) => format!("names are not resolved: write `127.0.0.1:{port}`"),
        Some(("" | "*", port)) => format!("for every address write `0.0.0.0:{port}` or `[::]:{port}`"),
        _ if text.starts_with('/') => format!("for a Unix socket write `unix:{text}`"),
        _ => "names are not resolved: write an IP address and a port, such as `127.0.0.1:8080`, or `unix:/path`"
            .to_owned(),
    };
    Err(Fault::new(format!("{} is not an IP address and a port", shown(text))).with_hint(hint))
}
