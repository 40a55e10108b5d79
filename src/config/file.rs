//! One configuration file as plain data. Reading it is pure: no other file, no variable, no clock and
//! no network is touched, and every problem is reported at once. A [`File`] holds no secret: digests,
//! file names and variable names only. Every default is a constant with its reason, and
//! `config/gateway.toml` shows each of them; a test holds the two equal.

mod address;
mod audit;
mod caller;
pub mod issuer;
pub mod limits;
pub mod listen;
mod origin;
pub mod otlp;
pub mod policy;
pub mod quota;
pub mod shared;
mod store;
pub mod upstream;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use self::address::Address;
pub use self::audit::{Audit, QUEUE};
pub use self::caller::{Caller, Grants, Identity, SignedToken, Token};
pub use self::issuer::{Issuer, Jwks, Remote};
pub use self::limits::Limits;
pub use self::listen::{Admin, ClientAuth, Listen, Page, Tls};
pub use self::origin::{Origin, Scheme};
pub use self::otlp::Otlp;
pub use self::policy::Policy;
pub use self::quota::Quota;
pub use self::shared::{ServerUrl, Shared};
pub use self::store::{CredentialSource, Store};
pub use self::upstream::Upstream;
use super::problem::{Located, Problems};
use super::reader::{self, Fault, TableReader, value};
use crate::observe::Output;
use crate::policy::vocabulary::StoreHash;

/// `drain_timeout`, after which a stopping gateway cuts what is still open: below the 30 s that
/// Kubernetes waits before it kills.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(25);

/// `drain_delay`, how long a stopping gateway still accepts connections while `/readyz` already says
/// no: nothing, because a sidecar has no load balancer that must notice first.
pub const DRAIN_DELAY: Duration = Duration::ZERO;

/// `reload_interval`, how often the file and what it names are looked at: soon enough for a person who waits
/// for a change, and nothing for a machine.
pub const RELOAD_INTERVAL: Duration = Duration::from_secs(5);

/// Everything of one configuration file, defaults filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Worker threads, 1 to 64; `None`: the CPUs the process may use, at most 2.
    pub workers: Option<usize>,
    /// How long open requests may take when the gateway stops.
    pub drain_timeout: Duration,
    /// How long a stopping gateway still accepts connections; may be zero.
    pub drain_delay: Duration,
    /// Where traces and audit records go beside; `None`: nowhere.
    pub otlp: Option<Otlp>,
    /// How often it is looked whether the file or what it names has changed.
    pub reload_interval: Duration,
    /// The Unix socket on which a new process asks for the listening sockets; `None`: none can take them over.
    pub handover: Option<Located<PathBuf>>,
    /// Where callers come in.
    pub listen: Listen,
    /// Where probes and metrics are served; `None`: nowhere.
    pub admin: Option<Admin>,
    /// BigCommerce.
    pub upstream: Upstream,
    /// The record of decisions.
    pub audit: Audit,
    /// The rules that can be chosen.
    pub policy: Policy,
    /// How much a request may take.
    pub limits: Limits,
    /// What callers are shown of quotas.
    pub quota: Quota,
    /// The stores, at least one.
    pub stores: Vec<Store>,
    /// The issuers of signed tokens.
    pub issuers: Vec<Issuer>,
    /// The callers, at least one.
    pub callers: Vec<Caller>,
}

/// What a configuration names and does not hold, as far as it could be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Named {
    /// The credentials of the stores.
    pub credentials: Vec<NamedCredential>,
    /// `listen.tls`
    pub tls: Option<Tls>,
    /// `upstream.ca`
    pub upstream_ca: Option<Located<PathBuf>>,
    /// The keys of the issuers, each with the issuer's index.
    pub jwks: Vec<(usize, Located<Jwks>)>,
    /// `audit.output`
    pub audit: Option<Located<Output>>,
    /// `quota.shared`
    pub shared: Option<NamedShared>,
}

/// What `quota.shared` names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NamedShared {
    /// `quota.shared.password_file`
    pub password_file: Option<Located<PathBuf>>,
    /// `quota.shared.ca`
    pub ca: Option<Located<PathBuf>>,
}

/// Where the credential of a store is, and the one that it had before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedCredential {
    /// The store's index in the file.
    pub index: usize,
    /// `credential`
    pub current: Located<CredentialSource>,
    /// `credential.previous`
    pub previous: Option<Located<CredentialSource>>,
}

impl File {
    /// What the file names.
    pub fn named(&self) -> Named {
        Named {
            credentials: credentials(self.stores.iter().map(Some)),
            tls: self.listen.tls.clone(),
            upstream_ca: self.upstream.ca.clone(),
            jwks: jwks(self.issuers.iter().map(Some)),
            audit: Some(self.audit.output.clone()),
            shared: named_shared(Some(&self.quota)),
        }
    }
}

fn named_shared(quota: Option<&Quota>) -> Option<NamedShared> {
    let shared = quota?.shared.as_ref()?;
    Some(NamedShared {
        password_file: shared.password_file.clone(),
        ca: shared.ca.clone(),
    })
}

fn credentials<'s>(stores: impl Iterator<Item = Option<&'s Store>>) -> Vec<NamedCredential> {
    let named = |(index, store): (usize, Option<&Store>)| {
        let store = store?;
        Some(NamedCredential {
            index,
            current: store.credential.clone(),
            previous: store.previous.clone(),
        })
    };
    stores.enumerate().filter_map(named).collect()
}

fn jwks<'i>(issuers: impl Iterator<Item = Option<&'i Issuer>>) -> Vec<(usize, Located<Jwks>)> {
    let sources = issuers.enumerate();
    sources
        .filter_map(|(index, issuer)| Some((index, issuer?.jwks.clone())))
        .collect()
}

/// Reads a configuration from its text. Relative paths are joined to `base`, the file's directory.
pub fn read(text: &str, base: &Path) -> Result<File, Problems> {
    read_with_names(text, base).0
}

/// As [`read`], with what is named, so that this can be looked at although there are problems.
pub fn read_with_names(text: &str, base: &Path) -> (Result<File, Problems>, Named) {
    let mut named = Named::default();
    let file = reader::document(text, |root| file(root, base, &mut named));
    (file, named)
}

fn file(root: &mut TableReader<'_, '_>, base: &Path, named: &mut Named) -> Option<File> {
    root.misnomer("tls", "it belongs into `[listen]`");
    let workers = root.optional("workers", value::integer(1..=64));
    let drain_timeout = root.or("drain_timeout", DRAIN_TIMEOUT, value::duration);
    let drain_delay = root
        .or("drain_delay", DRAIN_DELAY, value::duration_or_zero)
        .value;
    let reload_interval = root
        .or("reload_interval", RELOAD_INTERVAL, value::duration)
        .value;
    let handover = root.optional("handover", address::socket(base));
    let mut doors_known = false;
    let listen = root.section("listen", |table| {
        let listen = listen::listen(table, base);
        doors_known = table.is_sound() && listen.tls.is_some() == table.has("tls");
        listen
    });
    let admin = root.table("admin", "write `[admin]` with `address`", |table| {
        listen::admin(table, base)
    });
    refuse_one_address_for_both(root, listen.as_ref(), admin.as_ref());
    let upstream = root.section("upstream", |table| upstream::upstream(table, base));
    let audit = root.section("audit", |table| audit::audit(table, base));
    let policy = root.section("policy", policy::policy);
    let limits = root.section("limits", limits::limits);
    let quota = root.section("quota", |table| quota::quota(table, base));
    let otlp = root.table("otlp", "write `[otlp]` with `endpoint`", otlp::otlp);
    let stores = store::stores(root, base);
    let hashes = known_hashes(stores.as_deref()).filter(|_| !root.is_partial());
    let issuers = issuer::issuers(root, base);
    let signers = issuer::known_names(&issuers).filter(|_| !root.is_partial());
    let known = caller::Known {
        stores: hashes.as_ref(),
        batch_items: limits.as_ref().map(|limits| limits.batch_items),
        deadline: upstream.as_ref().map(|upstream| upstream.deadline),
        issuers: signers.as_ref(),
        listen: listen.as_ref().filter(|_| doors_known),
    };
    let callers = caller::callers(root, known);
    quota::refuse_contradictions(
        root,
        stores.as_deref().unwrap_or_default(),
        callers.as_deref().unwrap_or_default(),
    );
    *named = Named {
        credentials: credentials(stores.iter().flatten().map(Option::as_ref)),
        tls: listen.as_ref().and_then(|listen| listen.tls.clone()),
        upstream_ca: upstream.as_ref().and_then(|upstream| upstream.ca.clone()),
        jwks: jwks(issuers.iter().map(Option::as_ref)),
        audit: audit.as_ref().map(|audit| audit.output.clone()),
        shared: named_shared(quota.as_ref()),
    };
    Some(File {
        workers: workers.map(|workers| workers.value),
        drain_timeout: drain_timeout.value,
        drain_delay,
        reload_interval,
        handover,
        listen: listen?,
        admin,
        upstream: upstream?,
        audit: audit?,
        policy: policy?,
        limits: limits?,
        quota: quota?,
        otlp,
        stores: complete(stores?)?,
        issuers: complete(issuers)?,
        callers: complete(callers?)?,
    })
}

/// The entries, if all of them are right, in no more memory than they need: they stay for as long as the process.
fn complete<T>(entries: Vec<Option<T>>) -> Option<Vec<T>> {
    let mut complete: Vec<T> = entries.into_iter().collect::<Option<_>>()?;
    complete.shrink_to_fit();
    Some(complete)
}

/// The hashes callers may name; `None` if a store could not be read, because it may be the one meant.
fn known_hashes(stores: Option<&[Option<Store>]>) -> Option<BTreeSet<StoreHash>> {
    stores?
        .iter()
        .map(|store| store.as_ref().map(|store| store.hash))
        .collect()
}

fn refuse_one_address_for_both(
    root: &mut TableReader<'_, '_>,
    listen: Option<&Listen>,
    admin: Option<&Admin>,
) {
    let (Some(listen), Some(admin)) = (listen, admin) else {
        return;
    };
    let page = match &admin.page.value {
        Page::At(address) => Some((address, admin.page.place, "admin.page")),
        Page::Off | Page::Beside => None,
    };
    let own = (&admin.address.value, admin.address.place, "admin.address");
    for (address, place, key) in [Some(own), page].into_iter().flatten() {
        if listen.address.value.collides_with(address) {
            let fault = Fault::new("is also `listen.address`").with_hint("give each door its own");
            root.fault(place, key, fault);
        }
    }
}
