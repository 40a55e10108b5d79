//! `[[issuer]]`: who may sign tokens for callers, what such a token must say, and where the keys are that
//! check it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::uri::PathAndQuery;
use toml::de::DeValue;

use super::origin::{Origin, Scheme};
use crate::config::problem::{Located, Place, shown};
use crate::config::reader::{Fault, TableReader, twice, value};
use crate::identity::Algorithm;

/// `issuer.algorithms`: what nearly every issuer signs with, one for each common kind of key, so that a key
/// that names no algorithm is still for one alone.
pub const ALGORITHMS: [Algorithm; 2] = [Algorithm::Rs256, Algorithm::Es256];

/// `issuer.clock_skew`: clocks that are kept by NTP are within a second; this forgives one that is not.
pub const CLOCK_SKEW: Duration = Duration::from_secs(30);

/// The largest `issuer.clock_skew`: beyond, a clock is to be mended and not forgiven.
const LARGEST_SKEW: Duration = Duration::from_secs(300);

/// `issuer.max_lifetime`: a signed token cannot be taken back, and one that lasts for longer than a day is
/// a static token without its list.
pub const MAX_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// `issuer.jwks.refresh`: for so long a key that the issuer took away may still count. New keys do not wait
/// for it.
pub const REFRESH: Duration = Duration::from_secs(300);

/// `issuer.jwks.keep`: for so long the last keys count while the issuer is down: a night and the working
/// day in which somebody mends it.
pub const KEEP: Duration = Duration::from_secs(24 * 60 * 60);

/// The most issuers, and the most characters of a name, an `iss`, an audience or a claim.
const MOST_ISSUERS: usize = 64;
const LONGEST_NAME: usize = 64;
pub(super) const LONGEST_TEXT: usize = 1024;

const EXAMPLE: &str = "write `[[issuer]]` with `name`, `issuer`, `audience` and `jwks`";
const JWKS: &str =
    "write `{ file = \"jwks.json\" }` or `{ url = \"https://issuer.example/jwks.json\" }`";
const NO_SECRET: &str = "tokens are checked by public keys alone: name them with `jwks`";

/// One `[[issuer]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    /// By which callers refer to it, unique in the file.
    pub name: String,
    /// The exact `iss` of its tokens, unique in the file.
    pub issuer: String,
    /// Of which `aud` must name one.
    pub audience: Vec<String>,
    /// Where its keys are.
    pub jwks: Located<Jwks>,
    /// What its tokens may be signed with.
    pub algorithms: Vec<Algorithm>,
    /// The claim that carries scopes.
    pub scope_claim: Option<String>,
    /// How far the clocks may be apart.
    pub clock_skew: Duration,
    /// The longest time for which a token may be valid.
    pub max_lifetime: Duration,
}

/// Where an issuer's keys are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Jwks {
    /// In this file.
    File(PathBuf),
    /// At this URL.
    Url(Remote),
}

/// Keys that are fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    /// Scheme, host and port.
    pub origin: Origin,
    /// Path and query.
    pub target: PathAndQuery,
    /// The authorities to trust instead of the bundled web roots, a file in PEM.
    pub ca: Option<Located<PathBuf>>,
    /// How often they are fetched.
    pub refresh: Duration,
    /// How long they count without having been fetched again.
    pub keep: Duration,
}

#[derive(Default)]
struct Seen {
    names: BTreeMap<String, Place>,
    issuers: BTreeMap<String, Place>,
}

/// Every issuer; `None` for one that is wrong.
pub(super) fn issuers(root: &mut TableReader<'_, '_>, base: &Path) -> Vec<Option<Issuer>> {
    let mut seen = Seen::default();
    let found = root.optional_tables("issuer", EXAMPLE, |table| issuer(table, base, &mut seen));
    found.unwrap_or_default()
}

/// The names that callers may refer to; `None` if an issuer could not be read, because it may be the one
/// meant.
pub(super) fn known_names(issuers: &[Option<Issuer>]) -> Option<BTreeSet<String>> {
    let names = issuers.iter().map(Option::as_ref);
    names
        .map(|issuer| issuer.map(|issuer| issuer.name.clone()))
        .collect()
}

fn issuer(table: &mut TableReader<'_, '_>, base: &Path, seen: &mut Seen) -> Option<Issuer> {
    for key in ["secret", "client_secret", "key"] {
        table.misnomer(key, NO_SECRET);
    }
    for key in ["url", "jwks_url", "jwks_uri", "file", "ca"] {
        table.misnomer(key, "it belongs into `jwks = { ... }`");
    }
    if seen.names.len() >= MOST_ISSUERS {
        let message = format!("is one of more than {MOST_ISSUERS} issuers");
        table.fault_here(Fault::new(message));
    }
    let name = table.required("name", "callers refer to the issuer by it", name);
    unique(table, "name", name.as_ref(), &mut seen.names);
    let issuer = table.required("issuer", "it is the exact `iss` of the tokens", |found| {
        Ok(short(value::text(found, "the `iss` of the tokens")?)?.to_owned())
    });
    unique(table, "issuer", issuer.as_ref(), &mut seen.issuers);
    let audience = table.required(
        "audience",
        "it is what the tokens' `aud` says of this gateway",
        audience,
    );
    let jwks = table.required_table("jwks", JWKS, |table| jwks(table, base));
    let algorithms = table.list(
        "algorithms",
        "leave the key out for the default",
        |found, _| algorithm(found),
    );
    let scope_claim = table.optional("scope_claim", |found| {
        Ok(short(value::text(found, "the name of a claim")?)?.to_owned())
    });
    Some(Issuer {
        clock_skew: table.or("clock_skew", CLOCK_SKEW, skew).value,
        max_lifetime: table
            .or("max_lifetime", MAX_LIFETIME, value::duration)
            .value,
        name: name?.value,
        issuer: issuer?.value,
        audience: audience?.value,
        jwks: jwks?,
        algorithms: algorithms.unwrap_or_else(|| ALGORITHMS.to_vec()),
        scope_claim: scope_claim.map(|claim| claim.value),
    })
}

fn unique(
    table: &mut TableReader<'_, '_>,
    key: &str,
    found: Option<&Located<String>>,
    seen: &mut BTreeMap<String, Place>,
) {
    let Some(found) = found else { return };
    match seen.get(&found.value) {
        Some(first) => table.fault(found.place, key, twice(*first)),
        None => drop(seen.insert(found.value.clone(), found.place)),
    }
}

fn name(found: &DeValue<'_>) -> Result<String, Fault> {
    let text = value::text(found, "a name")?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    if text.is_empty() || text.len() > LONGEST_NAME || !text.bytes().all(allowed) {
        let hint = format!("a name is 1 to {LONGEST_NAME} letters, digits, `_`, `.` or `-`");
        let message = format!("{} is not an issuer's name", shown(text));
        return Err(Fault::new(message).with_hint(hint));
    }
    Ok(text.to_owned())
}

/// A text that a claim may be.
pub(super) fn short(text: &str) -> Result<&str, Fault> {
    if text.is_empty() {
        Err(Fault::new("is empty"))
    } else if text.len() > LONGEST_TEXT {
        Err(Fault::new(format!("is longer than {LONGEST_TEXT} bytes")))
    } else {
        Ok(text)
    }
}

fn audience(found: &DeValue<'_>) -> Result<Vec<String>, Fault> {
    const MOST: usize = 16;
    let Some(list) = found.as_array() else {
        let text = value::text(found, "an audience or an array of them")?;
        return Ok(vec![short(text)?.to_owned()]);
    };
    if list.is_empty() || list.len() > MOST {
        return Err(Fault::new(format!("names not 1 to {MOST} audiences")));
    }
    let text = |entry: &toml::Spanned<DeValue<'_>>| {
        let text = value::text(entry.get_ref(), "an audience")?;
        short(text).map(ToOwned::to_owned)
    };
    list.iter().map(text).collect()
}

fn algorithm(found: &DeValue<'_>) -> Result<Algorithm, Fault> {
    let text = value::text(found, "an algorithm's name")?;
    let known = Algorithm::ALL.into_iter();
    let found = known.clone().find(|algorithm| algorithm.as_str() == text);
    if text == "none" || text.starts_with("HS") {
        let fault = Fault::new(format!("{} proves nothing about who signed", shown(text)));
        return Err(fault.with_hint("whoever can check such a token can make one"));
    }
    found.ok_or_else(|| value::unknown_word(text, known.map(Algorithm::as_str)))
}

fn skew(found: &DeValue<'_>) -> Result<Duration, Fault> {
    let skew = value::duration_or_zero(found)?;
    if skew > LARGEST_SKEW {
        return Err(Fault::new("is longer than `5m`").with_hint("mend the clock that is so wrong"));
    }
    Ok(skew)
}

fn jwks(table: &mut TableReader<'_, '_>, base: &Path) -> Option<Located<Jwks>> {
    table.misnomer(
        "keys",
        "the keys belong into a file of their own: name it with `file`",
    );
    let both = table.has("file") && table.has("url");
    let neither = !table.has("file") && !table.has("url");
    let file = table.optional("file", value::path(base));
    let url = table.optional("url", |found| url(value::text(found, "a URL")?));
    if both || (neither && !table.is_partial()) {
        let message = if both {
            "has both `file` and `url`"
        } else {
            "has neither `file` nor `url`"
        };
        table.fault_here(Fault::new(message).with_hint(JWKS));
    }
    if let Some(file) = file {
        return Some(Located {
            value: Jwks::File(file.value),
            place: file.place,
        });
    }
    let ca = table.optional("ca", value::path(base));
    let refresh = table.or("refresh", REFRESH, refresh);
    let keep = table.or("keep", KEEP, value::duration);
    if keep.value < refresh.value && table.is_sound() {
        let fault = Fault::new("is shorter than `refresh`")
            .with_hint("keys would not count until their next turn");
        table.fault(keep.place, "keep", fault);
    }
    let Located { value, place } = url?;
    let (origin, target) = value;
    let remote = Remote {
        origin,
        target,
        ca,
        refresh: refresh.value,
        keep: keep.value,
    };
    Some(Located {
        value: Jwks::Url(remote),
        place,
    })
}

/// Not so often that the issuer takes it for an attack.
fn refresh(found: &DeValue<'_>) -> Result<Duration, Fault> {
    let refresh = value::duration(found)?;
    if refresh < Duration::from_secs(10) {
        return Err(Fault::new("is shorter than `10s`")
            .with_hint("new keys do not wait for it: a token that names one has them fetched"));
    }
    Ok(refresh)
}

/// `SCHEME://HOST[:PORT]/PATH[?QUERY]`; without TLS only from this machine, because whoever can change the
/// keys on their way is every caller.
fn url(text: &str) -> Result<(Origin, PathAndQuery), Fault> {
    let authority = text.find("://").map_or(0, |at| at + "://".len());
    let (_, rest) = text.split_at(authority);
    let end = authority + rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (origin, target) = text.split_at(end);
    let origin = Origin::parse(origin)?;
    if target.contains('#') {
        return Err(Fault::new("must not have a fragment"));
    }
    if origin.scheme == Scheme::Http && !origin.is_loopback() {
        return Err(
            Fault::new("would fetch keys without encryption from another machine").with_hint(
                "whoever can change them on their way could sign tokens: write `https://`",
            ),
        );
    }
    let target = if target.starts_with('/') {
        target.parse().ok()
    } else {
        None
    };
    target.map(|target| (origin, target)).ok_or_else(|| {
        Fault::new("has no path that can be asked for")
            .with_hint("name the key set itself: the `jwks_uri` of the issuer's `/.well-known/openid-configuration`")
    })
}
