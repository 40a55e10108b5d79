//! The doors: `[listen]`, where callers come in, and `[admin]`, where probes, metrics and the status page are.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use toml::de::DeValue;

use super::address::{Address, address};
use crate::config::problem::{Located, shown};
use crate::config::reader::{Fault, TableReader, value};

/// `listen.address`: loopback, so that a fresh installation is reached from its own machine alone;
/// a sidecar shares the network of the application it serves.
pub const ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

/// `listen.socket_mode`: owner and group may connect; whoever may connect may try tokens.
pub const SOCKET_MODE: u32 = 0o660;

/// `[listen]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// Where callers connect.
    pub address: Located<Address>,
    /// The permission bits of a Unix socket, at most `0o777`.
    pub socket_mode: u32,
    /// TLS towards the callers; never with a Unix socket.
    pub tls: Option<Tls>,
}

/// `listen.tls`: files in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// The certificate chain, the server's own first.
    pub certificate: Located<PathBuf>,
    /// The private key of that certificate, not encrypted.
    pub private_key: Located<PathBuf>,
    /// The authorities of client certificates; `None`: none are asked for.
    pub client_ca: Option<Located<PathBuf>>,
    /// Whether a client may come without one, where there is a `client_ca`.
    pub client_auth: ClientAuth,
}

/// `listen.tls.client_auth`: required, because who names authorities means them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientAuth {
    /// A client without a certificate is refused in the handshake.
    Required,
    /// A client without a certificate is known by its token; a wrong one is refused all the same.
    Optional,
}

const CLIENT_AUTH: [(&str, ClientAuth); 2] = [
    ("required", ClientAuth::Required),
    ("optional", ClientAuth::Optional),
];

/// `[admin]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admin {
    /// Where probes and metrics are served, without TLS.
    pub address: Located<Address>,
    /// The names, in lower case and without a port, that a `Host` field may bear beside the address
    /// itself.
    pub hosts: Vec<String>,
    /// Where the status page is.
    pub page: Located<Page>,
}

/// `admin.page`: who sees the page sees who changes what, so that without the key it is served where only this
/// machine can connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Page {
    /// Nowhere.
    Off,
    /// At `admin.address`.
    Beside,
    /// At an address of its own.
    At(Address),
}

impl Page {
    /// What stands without the key.
    fn default_beside(address: &Address) -> Self {
        match address {
            // A Unix socket of the operator's has the callers' mode.
            Address::Tcp(_) if address.is_local() => Self::Beside,
            Address::Tcp(_) | Address::Unix(_) => Self::Off,
        }
    }
}

pub(super) fn listen(table: &mut TableReader<'_, '_>, base: &Path) -> Listen {
    let address = table.optional("address", address(base));
    // Which keys go with an address is not known of an address that cannot be read.
    let is_readable = table.is_sound();
    let default = Located {
        value: Address::Tcp(ADDRESS),
        place: table.place(),
    };
    let address = address.unwrap_or(default);
    let is_unix = matches!(address.value, Address::Unix(_));

    let mode = table.optional("socket_mode", socket_mode);
    if let Some(mode) = mode
        && !is_unix
        && is_readable
    {
        let fault = Fault::new("only a Unix socket has a mode, and `listen.address` is none")
            .with_hint("remove the key, or listen on `unix:/path`");
        table.fault(mode.place, "socket_mode", fault);
    }
    let mut tls_place = None;
    let tls = table.table(
        "tls",
        "such as `{ certificate = \"tls.crt\", private_key = \"tls.key\" }`",
        |tls| {
            tls_place = Some(tls.place());
            read_tls(tls, base)
        },
    );
    if let Some(place) = tls_place
        && is_unix
    {
        let fault = Fault::new("a Unix socket is served without TLS")
            .with_hint("remove the key: the socket's mode says who may connect");
        table.fault(place, "tls", fault);
    }
    let socket_mode = mode.map_or(SOCKET_MODE, |mode| mode.value);
    Listen {
        address,
        socket_mode,
        tls,
    }
}

fn read_tls(table: &mut TableReader<'_, '_>, base: &Path) -> Option<Tls> {
    let certificate = table.required(
        "certificate",
        "name the file of the certificate chain, in PEM",
        value::path(base),
    );
    let private_key = table.required(
        "private_key",
        "name the file of the private key, in PEM",
        value::path(base),
    );
    let client_ca = table.optional("client_ca", value::path(base));
    let client_auth = table.optional("client_auth", value::choice(&CLIENT_AUTH));
    if let Some(client_auth) = client_auth
        && !table.has("client_ca")
    {
        let fault = Fault::new("no client certificates are asked for without `client_ca`")
            .with_hint("name their authorities in `client_ca`, or remove the key");
        table.fault(client_auth.place, "client_auth", fault);
    }
    // What could not be read must not look as if it were not there.
    if !table.is_sound() {
        return None;
    }
    Some(Tls {
        certificate: certificate?,
        private_key: private_key?,
        client_ca,
        client_auth: client_auth.map_or(ClientAuth::Required, |found| found.value),
    })
}

pub(super) fn admin(table: &mut TableReader<'_, '_>, base: &Path) -> Option<Admin> {
    let hint =
        "such as `address = \"127.0.0.1:9090\"`; without `[admin]` there is no admin listener";
    let address = table.required("address", hint, address(base));
    let hint = "leave the key out to accept the address alone";
    let hosts = table.list("hosts", hint, |entry, _| host(entry));
    let page = table.optional("page", page(base));
    if let (Some(address), Some(page)) = (&address, &page)
        && let Page::At(at) = &page.value
        && at.collides_with(&address.value)
    {
        let fault = Fault::new("is also `admin.address`")
            .with_hint("write `\"on\"` for the page to be there too, or another address");
        table.fault(page.place, "page", fault);
    }
    let address = address?;
    Some(Admin {
        hosts: hosts.unwrap_or_default(),
        page: page.unwrap_or_else(|| Located {
            value: Page::default_beside(&address.value),
            place: address.place,
        }),
        address,
    })
}

/// Whether there is a page, or where.
fn page(base: &Path) -> impl Fn(&DeValue<'_>) -> Result<Page, Fault> {
    const HINT: &str =
        "write `\"on\"`, `\"off\"`, or an address of its own such as `\"127.0.0.1:9091\"`";
    let address = address(base);
    move |found| match value::text(found, "`\"on\"`, `\"off\"` or an address")
        .map_err(|fault| fault.with_hint(HINT))?
    {
        "off" => Ok(Page::Off),
        "on" => Ok(Page::Beside),
        _ => address(found)
            .map(Page::At)
            .map_err(|fault| fault.with_hint(HINT)),
    }
}

/// Permission bits, as `chmod` takes them.
fn socket_mode(found: &DeValue<'_>) -> Result<u32, Fault> {
    let hint = "write the mode in octal digits and quotes, such as `\"0660\"`";
    let text = value::text(found, "a mode").map_err(|fault| fault.with_hint(hint))?;
    let is_octal =
        (3..=4).contains(&text.len()) && text.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
    let mode = u32::from_str_radix(text, 8)
        .ok()
        .filter(|mode| is_octal && *mode <= 0o777);
    mode.ok_or_else(|| Fault::new(format!("{} is not a mode", shown(text))).with_hint(hint))
}

fn host(found: &DeValue<'_>) -> Result<String, Fault> {
    let text = value::text(found, "a host name")?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    if text.is_empty() || text.len() > 253 || !text.bytes().all(allowed) {
        return Err(Fault::new(format!("{} is not a host name", shown(text)))
            .with_hint("write the name alone, without scheme and port"));
    }
    Ok(text.to_ascii_lowercase())
}
