//! An origin: scheme, host and port of a URL that has nothing else.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::config::problem::shown;
use crate::config::reader::Fault;

/// How the upstream is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Without TLS.
    Http,
    /// With TLS.
    Https,
}

impl Scheme {
    /// The port that a URL of this scheme need not name.
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }

    /// The scheme as it stands in a URL.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// Where the upstream is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The scheme.
    pub scheme: Scheme,
    /// A name in lower case, an IPv4 address, or an IPv6 address without brackets: what is resolved
    /// and what the certificate must be for.
    pub host: String,
    /// The port, never 0.
    pub port: u16,
    /// The `Host` field: the host, an IPv6 address in brackets, and the port unless it is the scheme's.
    pub authority: String,
}

impl Origin {
    /// BigCommerce's API; the one host of every store.
    pub fn bigcommerce() -> Self {
        Self::new(Scheme::Https, "api.bigcommerce.com".to_owned(), 443)
    }

    /// Whether the host can only be this machine.
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.host)
    }

    /// Reads `SCHEME://HOST[:PORT][/]`. A URL with a user is not echoed: it may hold a password.
    pub(super) fn parse(text: &str) -> Result<Self, Fault> {
        const FORM: &str = "write it as `https://api.bigcommerce.com`";
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(Fault::new("is not a URL with scheme and host").with_hint(FORM));
        };
        let scheme = match scheme {
            "https" => Scheme::Https,
            "http" => Scheme::Http,
            other => {
                let message = format!("the scheme {} is not known", shown(other));
                return Err(Fault::new(message).with_hint("known are `https` and `http`"));
            }
        };
        if rest.contains('@') {
            return Err(Fault::new("must not hold a user or a password")
                .with_hint("the gateway authenticates with each store's `credential`"));
        }
        if rest.contains(['?', '#']) {
            return Err(Fault::new("must not have a query or a fragment").with_hint(FORM));
        }
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.contains('/') {
            return Err(Fault::new("must not have a path")
                .with_hint("paths are built by the gateway: name scheme and host alone"));
        }
        let (host, port) = split_port(authority)?;
        let port = port.unwrap_or(scheme.default_port());
        Ok(Self::new(scheme, read_host(host)?, port))
    }

    fn new(scheme: Scheme, host: String, port: u16) -> Self {
        let bracketed = if host.contains(':') {
            format!("[{host}]")
        } else {
            host.clone()
        };
        let authority = if port == scheme.default_port() {
            bracketed
        } else {
            format!("{bracketed}:{port}")
        };
        Self {
            scheme,
            host,
            port,
            authority,
        }
    }
}

/// Whether a host can only be this machine.
pub(super) fn is_loopback(host: &str) -> bool {
    match host.parse() {
        Ok(IpAddr::V4(address)) => address.is_loopback(),
        Ok(IpAddr::V6(address)) => address.is_loopback(),
        Err(_) => host == "localhost",
    }
}

pub(super) fn split_port(authority: &str) -> Result<(&str, Option<u16>), Fault> {
    let (host, port) = match authority.rsplit_once(':') {
        // The last colon of a bracketed address without a port is inside the brackets.
        Some((host, port)) if !port.ends_with(']') => (host, port),
        _ => return Ok((authority, None)),
    };
    let is_decimal = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    match port.parse() {
        Ok(number) if is_decimal && number != 0 => Ok((host, Some(number))),
        _ => Err(Fault::new(format!("{} is not a port", shown(port)))
            .with_hint("a port is a number from 1 to 65535")),
    }
}

/// A host in the form in which it is resolved.
pub(super) fn read_host(text: &str) -> Result<String, Fault> {
    let fault = || Fault::new(format!("{} is not a host", shown(text)));
    if let Some(bracketed) = text.strip_prefix('[') {
        let address = bracketed
            .strip_suffix(']')
            .and_then(|inner| inner.parse::<Ipv6Addr>().ok());
        return address.map(|address| address.to_string()).ok_or_else(fault);
    }
    let name = text.to_ascii_lowercase();
    let is_name = !name.is_empty() && name.len() <= 253 && name.split('.').all(is_label);
    // Resolvers take `127.1` or `2130706433` for addresses; only the plain form is one here.
    let last = name.rsplit('.').next().unwrap_or_default();
    let is_numeric = last.bytes().all(|byte| byte.is_ascii_digit()) || last.starts_with("0x");
    if !is_name || (is_numeric && name.parse::<Ipv4Addr>().is_err()) {
        return Err(fault());
    }
    Ok(name)
}

fn is_label(label: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (1..=63).contains(&label.len())
        && label.bytes().all(allowed)
        && !label.starts_with('-')
        && !label.ends_with('-')
}
