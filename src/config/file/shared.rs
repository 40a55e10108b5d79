//! `[quota.shared]`: the Redis or Valkey server by which several gateways share the stores' quotas.

use std::path::{Path, PathBuf};

use toml::de::DeValue;

use super::origin::{self, is_loopback};
use crate::config::problem::{Located, shown};
use crate::config::reader::{Fault, TableReader, value};

/// `quota.shared.cluster`: one server, as in most places.
pub const CLUSTER: bool = false;

/// `quota.shared.prefix`, with which the names of keys begin.
pub const PREFIX: &str = "metafield-gateway";

/// `quota.shared.replicas`: among so many the quota is divided while the server has never answered. More than
/// most have, because whoever guesses too low overspends.
pub const REPLICAS: u32 = 10;

/// The most replicas.
const MOST: u32 = 10_000;

/// The most characters of a name.
const LONGEST: usize = 64;

const PORT: u16 = 6379;
const FORM: &str = "write it as `rediss://redis.example:6379`";
pub(super) const EXAMPLE: &str = "write `[quota.shared]` with `url`";
const PASSWORD: &str = "write `password_file = \"/run/secrets/redis-password\"`";
const NEVER_INLINE: &str = "a password does not belong into this file: write `password_file`, and replace the one that stood here";

/// `[quota.shared]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shared {
    /// Where the server is, or the first node of a cluster.
    pub url: Located<ServerUrl>,
    /// Whether it is a cluster.
    pub cluster: bool,
    /// Its user, if not the default one.
    pub username: Option<String>,
    /// Where the password is.
    pub password_file: Option<Located<PathBuf>>,
    /// The authorities to trust instead of the bundled web roots, a file in PEM.
    pub ca: Option<Located<PathBuf>>,
    /// With which the names of keys begin.
    pub prefix: String,
    /// How many gateways share the quotas as long as the server has not told.
    pub replicas: u32,
}

/// The URL of a Redis server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerUrl {
    /// Whether it is spoken to with TLS.
    pub tls: bool,
    /// A name in lower case, or an address without brackets.
    pub host: String,
    /// The port, never 0.
    pub port: u16,
    /// The number of the database.
    pub database: u16,
}

impl ServerUrl {
    /// The URL as text.
    pub fn show(&self) -> String {
        let scheme = if self.tls { "rediss" } else { "redis" };
        let host = if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        format!("{scheme}://{host}:{}/{}", self.port, self.database)
    }

    /// Whether what is sent there can be read on its way from this machine to another.
    pub fn is_readable_on_its_way(&self) -> bool {
        !self.tls && !is_loopback(&self.host)
    }

    /// Reads `redis[s]://HOST[:PORT][/DATABASE]`. A URL with a user is not echoed: it may hold a password.
    fn parse(text: &str) -> Result<Self, Fault> {
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(Fault::new("is not a URL with scheme and host").with_hint(FORM));
        };
        if rest.contains('@') {
            let fault = Fault::new("must not hold a user or a password");
            return Err(fault.with_hint(format!("{PASSWORD} and `username`")));
        }
        let tls = match scheme {
            "rediss" => true,
            "redis" => false,
            other => {
                let message = format!("the scheme {} is not known", shown(other));
                return Err(
                    Fault::new(message).with_hint("known are `rediss` (with TLS) and `redis`")
                );
            }
        };
        if rest.contains(['?', '#']) {
            return Err(Fault::new("must not have a query or a fragment").with_hint(FORM));
        }
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        let database = match database {
            "" => 0,
            number => number.parse().map_err(|_| {
                Fault::new(format!("{} is not the number of a database", shown(number)))
                    .with_hint(FORM)
            })?,
        };
        let (host, port) = origin::split_port(authority)?;
        Ok(Self {
            tls,
            host: origin::read_host(host)?,
            port: port.unwrap_or(PORT),
            database,
        })
    }
}

pub(super) fn shared(table: &mut TableReader<'_, '_>, base: &Path) -> Option<Shared> {
    for key in ["host", "port", "address", "urls", "nodes"] {
        table.misnomer(
            key,
            "it belongs into `url`; of a cluster, one node is enough",
        );
    }
    for key in ["password", "secret", "token"] {
        table.misnomer(key, NEVER_INLINE);
    }
    let url = table.required("url", FORM, |found| {
        ServerUrl::parse(value::text(found, "a URL")?)
    });
    let cluster = table.or("cluster", CLUSTER, value::boolean).value;
    let username = table.optional("username", |found| name(found, "a user's name"));
    let password_file = table.optional("password_file", value::path(base));
    if let (Some(name), None) = (&username, &password_file) {
        let fault = Fault::new("is of no use without a password");
        table.fault(name.place, "username", fault.with_hint(PASSWORD));
    }
    let ca = table.optional("ca", value::path(base));
    let prefix = table.or("prefix", PREFIX.to_owned(), |found| name(found, "a prefix"));
    let replicas = table
        .or("replicas", REPLICAS, value::integer(1..=MOST))
        .value;
    let allow_plaintext = table.or("allow_plaintext", false, value::boolean).value;
    if let Some(url) = &url {
        refuse(table, url, cluster, allow_plaintext);
    }
    Some(Shared {
        url: url?,
        cluster,
        username: username.map(|name| name.value),
        password_file,
        ca,
        prefix: prefix.value,
        replicas,
    })
}

fn refuse(
    table: &mut TableReader<'_, '_>,
    url: &Located<ServerUrl>,
    cluster: bool,
    allow_plaintext: bool,
) {
    if cluster && url.value.database != 0 {
        let fault = Fault::new("names a database, and a cluster has none");
        table.fault(url.place, "url", fault.with_hint(FORM));
    }
    if !allow_plaintext && url.value.is_readable_on_its_way() {
        let fault =
            Fault::new("would send password and counts without encryption to another machine");
        let hint = "write `rediss://`, or set `allow_plaintext = true` if the way there is trusted";
        table.fault(url.place, "url", fault.with_hint(hint));
    }
}

/// A word that cannot be taken for anything else in a key or a command.
fn name(found: &DeValue<'_>, what: &str) -> Result<String, Fault> {
    let text = value::text(found, what)?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    if text.is_empty() || text.len() > LONGEST || !text.bytes().all(allowed) {
        let message = format!("{} is not {what}", shown(text));
        let hint = format!("it is 1 to {LONGEST} letters, digits, `_`, `.` or `-`");
        return Err(Fault::new(message).with_hint(hint));
    }
    Ok(text.to_owned())
}
