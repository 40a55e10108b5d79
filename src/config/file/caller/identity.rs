//! By what a caller is known: its tokens, its client certificates, its users and groups on a Unix socket.
//! Nothing is listed for two callers, so that nobody is two of them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use toml::de::DeValue;

use super::names::{dns_name, spiffe_id};
use super::signed::{SignedToken, signed_token};
use crate::config::file::Listen;
use crate::config::file::address::Address;
use crate::config::problem::{Located, Place};
use crate::config::reader::{Fault, TableReader, twice, value};

const DIGEST: &str = "it is the SHA-256 of the token in 64 hex digits, not the token: `metafield-gateway token` prints both";
const NEVER_INLINE: &str = "a token does not belong into this file: write `token_sha256`, its SHA-256, and replace the token that stood here";
const CERTIFICATE: &str =
    "such as `{ spiffe = [\"spiffe://example.org/crm\"] }` or `{ dns = [\"crm.example.org\"] }`";
const UNIX: &str = "such as `{ uid = [1000] }` or `{ gid = [1000] }`";

/// As what Linux shows every user and group that the gateway's user namespace does not have
/// (`user_namespaces(7)`, `/proc/sys/kernel/overflowuid`).
const UNMAPPED: u32 = 65534;

/// What one `[[caller]]` is known by; never nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// Its static tokens, each unique in the file.
    pub tokens: Vec<Located<Token>>,
    /// Its signed tokens.
    pub signed_token: Option<Located<SignedToken>>,
    /// The SPIFFE ids of its client certificates, each unique in the file.
    pub spiffe: Vec<String>,
    /// The DNS names of its client certificates, in lower case, each unique in the file.
    pub dns: Vec<String>,
    /// Its users on a Unix socket, each unique in the file.
    pub uids: Vec<u32>,
    /// Its groups on a Unix socket, each unique in the file.
    pub gids: Vec<u32>,
}

/// One token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    /// Of its text.
    pub sha256: [u8; 32],
    /// From when on it is refused; `None`: never.
    pub expires: Option<Timestamp>,
}

/// What the callers before are known by, and where that stands; and what the listener can tell of peers.
#[derive(Default)]
pub(super) struct Seen {
    digests: BTreeMap<[u8; 32], Place>,
    spiffe: BTreeMap<String, Place>,
    dns: BTreeMap<String, Place>,
    uids: BTreeMap<u32, Place>,
    gids: BTreeMap<u32, Place>,
    door: Option<Door>,
}

/// What a listener can tell of its peers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Door {
    Unix,
    Certificates,
    Neither,
}

impl Seen {
    /// Before the first caller; `listen` is `None` if it could not be read.
    pub(super) fn none_yet(listen: Option<&Listen>) -> Self {
        let door = |listen: &Listen| match (&listen.address.value, &listen.tls) {
            (Address::Unix(_), _) => Door::Unix,
            (_, Some(tls)) if tls.client_ca.is_some() => Door::Certificates,
            _ => Door::Neither,
        };
        Self {
            door: listen.map(door),
            ..Self::default()
        }
    }

    fn is_other_than(&self, door: Door) -> bool {
        self.door.is_some_and(|known| known != door)
    }
}

/// Reads what a caller is known by: one way at least. `issuers` is `None` if an issuer could not be read.
pub(super) fn identity(
    table: &mut TableReader<'_, '_>,
    issuers: Option<&BTreeSet<String>>,
    seen: &mut Seen,
) -> Option<Identity> {
    for key in ["token", "tokens", "secret", "password", "api_key"] {
        table.misnomer(key, NEVER_INLINE);
    }
    let signed_token = signed_token(table, issuers);
    if !["signed_token", "certificate", "unix"]
        .iter()
        .any(|key| table.has(key))
    {
        table.must_have(
            "token_sha256",
            &format!("{DIGEST}; or bind the caller with `signed_token`, `certificate` or `unix`"),
        );
    }
    let tokens = tokens(table, &mut seen.digests);
    let mut place = table.place();
    let certificate = table.table("certificate", CERTIFICATE, |table| {
        place = table.place();
        certificate(table, seen)
    });
    if certificate.is_some() && seen.is_other_than(Door::Certificates) {
        let fault = Fault::new("the listener asks for no client certificates")
            .with_hint("name their authorities in `listen.tls.client_ca`");
        table.fault(place, "certificate", fault);
    }
    let unix = table.table("unix", UNIX, |table| {
        place = table.place();
        unix(table, seen)
    });
    if unix.is_some() && seen.is_other_than(Door::Unix) {
        let fault = Fault::new("only a Unix socket knows its peers, and `listen.address` is none")
            .with_hint("remove the key, or listen on `unix:/path`");
        table.fault(place, "unix", fault);
    }
    if !table.is_sound() {
        return None;
    }
    let (spiffe, dns) = certificate.unwrap_or_default();
    let (uids, gids) = unix.unwrap_or_default();
    Some(Identity {
        tokens: tokens.unwrap_or_default(),
        signed_token,
        spiffe,
        dns,
        uids,
        gids,
    })
}

fn tokens(
    table: &mut TableReader<'_, '_>,
    seen: &mut BTreeMap<[u8; 32], Place>,
) -> Option<Vec<Located<Token>>> {
    table.list_or_tables(
        "token_sha256",
        DIGEST,
        |found| {
            let sha256 = digest(found)?;
            let expires = None;
            Ok(Token { sha256, expires })
        },
        |table| {
            for key in ["token", "secret"] {
                table.misnomer(key, NEVER_INLINE);
            }
            let sha256 = table.required("sha256", DIGEST, digest);
            let expires = table.required("expires", INSTANT, instant);
            Some(Token {
                sha256: sha256?.value,
                expires: Some(expires?.value),
            })
        },
        |token, place| {
            once(token.sha256, place, seen).map(drop).map_err(|fault| {
                fault.with_hint("every token belongs to one caller and is listed once")
            })
        },
    )
}

fn certificate(
    table: &mut TableReader<'_, '_>,
    seen: &mut Seen,
) -> Option<(Vec<String>, Vec<String>)> {
    table.misnomer("common_name", "a common name identifies nobody: use `dns`");
    table.misnomer("cn", "a common name identifies nobody: use `dns`");
    table.misnomer("uri", "write `spiffe`");
    at_least_one(table, ["spiffe", "dns"], CERTIFICATE);
    let spiffe = table.list("spiffe", CERTIFICATE, |found, place| {
        once(spiffe_id(found)?, place, &mut seen.spiffe)
    });
    let dns = table.list("dns", CERTIFICATE, |found, place| {
        once(dns_name(found)?, place, &mut seen.dns)
    });
    table
        .is_sound()
        .then(|| (spiffe.unwrap_or_default(), dns.unwrap_or_default()))
}

fn unix(table: &mut TableReader<'_, '_>, seen: &mut Seen) -> Option<(Vec<u32>, Vec<u32>)> {
    const NUMBERS: &str =
        "users and groups are numbers: names are not looked up, `id` tells the number";
    table.misnomer("user", NUMBERS);
    table.misnomer("group", NUMBERS);
    at_least_one(table, ["uid", "gid"], UNIX);
    let uids = table.list("uid", UNIX, |found, place| {
        once(number(found)?, place, &mut seen.uids)
    });
    let gids = table.list("gid", UNIX, |found, place| {
        once(number(found)?, place, &mut seen.gids)
    });
    table
        .is_sound()
        .then(|| (uids.unwrap_or_default(), gids.unwrap_or_default()))
}

fn at_least_one(table: &mut TableReader<'_, '_>, keys: [&str; 2], hint: &str) {
    if !keys.iter().any(|key| table.has(key)) {
        table.fault_here(Fault::new("names nobody").with_hint(hint));
    }
}

fn once<T: Ord + Clone>(found: T, place: Place, seen: &mut BTreeMap<T, Place>) -> Result<T, Fault> {
    if let Some(first) = seen.get(&found) {
        return Err(twice(*first).with_hint("each names one caller and is listed once"));
    }
    seen.insert(found.clone(), place);
    Ok(found)
}

fn number(found: &DeValue<'_>) -> Result<u32, Fault> {
    let named = found
        .as_str()
        .is_some_and(|text| text.parse::<u32>().is_err());
    let number = value::integer(0..=u32::MAX - 1)(found);
    let number = number.map_err(|fault| {
        if named {
            fault.with_hint(
                "write the number: `id -u NAME` tells a user's, `getent group NAME` a group's",
            )
        } else {
            fault
        }
    });
    match number? {
        UNMAPPED => Err(Fault::new(
            "`65534` is how everyone from outside the gateway's user namespace appears",
        )
        .with_hint("let the application run under a number of its own")),
        number => Ok(number),
    }
}

/// A SHA-256 in hex. It is never echoed: someone may have put the token itself here.
fn digest(found: &DeValue<'_>) -> Result<[u8; 32], Fault> {
    let text = value::text(found, "64 hex digits").map_err(|fault| fault.with_hint(DIGEST))?;
    let fault = || Fault::new("is not 64 hex digits").with_hint(DIGEST);
    let mut digest = [0; 32];
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != digest.len() || !rest.is_empty() {
        return Err(fault());
    }
    for (byte, [high, low]) in digest.iter_mut().zip(pairs) {
        *byte = hex(*high)
            .zip(hex(*low))
            .map(|(high, low)| high << 4 | low)
            .ok_or_else(fault)?;
    }
    Ok(digest)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

const INSTANT: &str = "such as `expires = \"2027-01-31T00:00:00Z\"`; a token that never expires is its digest alone, in quotes";

/// A moment, as TOML's own date and time or as the same in quotes (RFC 3339).
fn instant(found: &DeValue<'_>) -> Result<Timestamp, Fault> {
    let fault = || Fault::new("is not a date and a time of day").with_hint(INSTANT);
    let moment = match found.as_datetime() {
        Some(moment) => *moment,
        None => value::text(found, "a date and a time of day")
            .map_err(|fault| fault.with_hint(INSTANT))?
            .parse()
            .map_err(|_| fault())?,
    };
    if moment.date.is_none() || moment.time.is_none() {
        return Err(fault());
    }
    if moment.offset.is_none() {
        return Err(Fault::new("does not say where it is that time of day")
            .with_hint("end it with `Z` for UTC, or with an offset such as `+01:00`"));
    }
    moment.to_string().parse().map_err(|_| fault())
}
