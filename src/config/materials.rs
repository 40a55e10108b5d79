//! What a configuration names and does not hold: credentials, certificates, keys. Everything is read once, with a bound, and every file or variable that cannot
//! serve is a problem at the place where it is named. A message holds paths and causes, never a byte
//! of what was read. `check --without-secrets` does not call this at all.

mod outside;

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

pub use self::outside::{Fingerprint, Outside};
use super::file::{CredentialSource, Jwks, Named, NamedCredential, NamedShared, Tls};
use super::problem::{Located, Place, Problem, Problems, shown};
use crate::identity::LARGEST_SET;
use crate::observe::Output;
use crate::secret::{Secret, SecretError};
use zeroize::Zeroizing;

/// The most bytes of a credential's file: eight times the longest credential, so that a wrong file is
/// named and a device cannot fill the memory.
const LARGEST_CREDENTIAL: usize = 64 << 10;

/// The most bytes of a PEM file: several times the bundle of every public authority.
const LARGEST_PEM: usize = 1 << 20;

/// Everything that was read from outside the configuration file.
#[expect(
    missing_debug_implementations,
    reason = "credentials and a private key must not be printable"
)]
pub struct Materials {
    /// The credentials of each store, in the order of [`Named::credentials`].
    pub credentials: Vec<Secrets>,
    /// For `listen.tls`.
    pub server_tls: Option<ServerTls>,
    /// For `upstream.ca`, at least one certificate.
    pub upstream_ca: Option<Vec<CertificateDer<'static>>>,
    /// Of each issuer, in the order of [`Named::jwks`].
    pub jwks: Vec<KeyMaterial>,
    /// For `quota.shared`.
    pub shared: Option<SharedSecrets>,
}

/// What `quota.shared` names.
#[derive(Default)]
#[expect(
    missing_debug_implementations,
    reason = "a password must not be printable"
)]
pub struct SharedSecrets {
    /// `quota.shared.password_file`, visible ASCII.
    pub password: Option<Zeroizing<Vec<u8>>>,
    /// `quota.shared.ca`, at least one certificate.
    pub ca: Option<Vec<CertificateDer<'static>>>,
}

/// What an issuer's `jwks` names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyMaterial {
    /// The text of a key set.
    Text(Vec<u8>),
    /// The authorities of the server from which the keys are fetched; `None` for the web roots.
    Authorities(Option<Vec<CertificateDer<'static>>>),
}

/// The credentials of one store.
#[expect(missing_debug_implementations, reason = "they must not be printable")]
pub struct Secrets {
    /// `credential`
    pub current: Secret,
    /// `credential.previous`
    pub previous: Option<Secret>,
}

/// What `listen.tls` names.
#[expect(
    missing_debug_implementations,
    reason = "a private key must not be printable"
)]
pub struct ServerTls {
    /// The chain, at least one certificate, the server's own first.
    pub certificates: Vec<CertificateDer<'static>>,
    /// The first private key of its file; whether it fits the certificate is not known yet.
    pub private_key: PrivateKeyDer<'static>,
    /// The authorities of client certificates, at least one.
    pub client_ca: Option<Vec<CertificateDer<'static>>>,
}

/// Reads everything that a configuration names. Blocks on files.
pub fn read(named: &Named, outside: &Outside<'_>) -> Result<Materials, Problems> {
    let mut problems = Vec::new();
    let mut keep = |problem| problems.push(problem);
    let credentials: Vec<_> = (named.credentials.iter())
        .filter_map(|named| credentials(named, outside, &mut keep))
        .collect();
    let server_tls = named
        .tls
        .as_ref()
        .and_then(|tls| server_tls(tls, outside, &mut keep));
    let upstream_ca = named.upstream_ca.as_ref().and_then(|ca| {
        certificates(ca, "upstream.ca", outside)
            .map_err(&mut keep)
            .ok()
    });
    let jwks: Vec<_> = (named.jwks.iter())
        .filter_map(|(index, source)| {
            key_material(*index, source, outside)
                .map_err(&mut keep)
                .ok()
        })
        .collect();
    if let Some(problem) = named.audit.as_ref().and_then(homeless) {
        keep(problem);
    }
    let shared = named
        .shared
        .as_ref()
        .map(|named| shared_secrets(named, outside, &mut keep));
    match Problems::found(problems) {
        Some(problems) => Err(problems),
        None => Ok(Materials {
            credentials,
            server_tls,
            upstream_ca,
            jwks,
            shared,
        }),
    }
}

/// The files with secrets that every user of the machine can read. What cannot be looked at is no matter here.
pub fn exposed(named: &Named) -> Vec<Problem> {
    const OTHERS: u32 = 0o004;
    let mut files = Vec::new();
    for credential in &named.credentials {
        let key = format!("store[{}].credential", credential.index);
        let sources = [
            (key.clone(), Some(&credential.current)),
            (format!("{key}.previous"), credential.previous.as_ref()),
        ];
        for (key, source) in sources {
            if let Some(source) = source
                && let CredentialSource::File(path) = &source.value
            {
                files.push((source.place, format!("{key}.file"), path.as_path()));
            }
        }
    }
    if let Some(tls) = &named.tls {
        let key = "listen.tls.private_key".to_owned();
        files.push((tls.private_key.place, key, tls.private_key.value.as_ref()));
    }
    if let Some(password) = named
        .shared
        .as_ref()
        .and_then(|shared| shared.password_file.as_ref())
    {
        let key = "quota.shared.password_file".to_owned();
        files.push((password.place, key, password.value.as_path()));
    }
    let is_exposed = |path: &Path| {
        let metadata = std::fs::metadata(path);
        metadata.is_ok_and(|metadata| metadata.mode() & OTHERS != 0)
    };
    files.retain(|(_, _, path)| is_exposed(path));
    let told = files.into_iter().map(|(place, key, path)| {
        let message = format!("{} can be read by every user of this machine", shown_path(path));
        Problem::new(place, key, message)
            .with_hint("take that from them, as with `chmod o= FILE`, or set a mounted secret's `defaultMode` to 0440")
    });
    told.collect()
}

/// An audit log in a folder that does not exist. Whether it can be written shows when it is opened.
fn homeless(output: &Located<Output>) -> Option<Problem> {
    let Output::File(path) = &output.value else {
        return None;
    };
    if path.is_dir() {
        let message = format!("{} is a folder", shown_path(path));
        let problem = Problem::new(output.place, "audit.output", message);
        return Some(problem.with_hint("name a file in it"));
    }
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())?;
    (!folder.is_dir()).then(|| {
        let message = format!("there is no folder {}", shown(&folder.to_string_lossy()));
        Problem::new(output.place, "audit.output", message)
            .with_hint("make it first, and let the user that the gateway runs as write there")
    })
}

/// The credentials of one store; `None` if one of them cannot be had.
pub fn credentials(
    named: &NamedCredential,
    outside: &Outside<'_>,
    keep: &mut impl FnMut(Problem),
) -> Option<Secrets> {
    let key = format!("store[{}].credential", named.index);
    let current = credential(&key, &named.current, outside).map_err(&mut *keep);
    let previous = named.previous.as_ref().map(|previous| {
        credential(&format!("{key}.previous"), previous, outside).map_err(&mut *keep)
    });
    Some(Secrets {
        current: current.ok()?,
        previous: previous.transpose().ok()?,
    })
}

/// What `quota.shared` names; what cannot be had is a problem and left out.
fn shared_secrets(
    named: &NamedShared,
    outside: &Outside<'_>,
    keep: &mut impl FnMut(Problem),
) -> SharedSecrets {
    let password = named
        .password_file
        .as_ref()
        .and_then(|file| password(file, outside).map_err(&mut *keep).ok());
    let ca = named.ca.as_ref().and_then(|ca| {
        certificates(ca, "quota.shared.ca", outside)
            .map_err(&mut *keep)
            .ok()
    });
    SharedSecrets {
        password: password.map(Secret::into_inner),
        ca,
    }
}

fn password(file: &Located<PathBuf>, outside: &Outside<'_>) -> Result<Secret, Problem> {
    let key = "quota.shared.password_file";
    let what = shown_path(&file.value);
    let mut text = outside
        .file(&file.value, LARGEST_CREDENTIAL)
        .map_err(|error| unreadable(file.place, key, &what, &error))?;
    Secret::new(std::mem::take(&mut *text)).map_err(|error| {
        let message = format!("{what} cannot be a password: {error}");
        let hint = "it must hold the server's password and nothing else";
        Problem::new(file.place, key, message).with_hint(hint)
    })
}

fn credential(
    key: &str,
    source: &Located<CredentialSource>,
    outside: &Outside<'_>,
) -> Result<Secret, Problem> {
    let Located {
        value: source,
        place,
    } = source;
    let key = format!("{key}.{}", source.key());
    let unusable = |what: &str, error: SecretError| {
        Problem::new(
            *place,
            key.as_str(),
            format!("{what} cannot be a credential: {error}"),
        )
        .with_hint("it must hold the API account's access token and nothing else")
    };
    match source {
        CredentialSource::File(path) => {
            let what = shown_path(path);
            let mut text = outside
                .file(path, LARGEST_CREDENTIAL)
                .map_err(|error| unreadable(*place, &key, &what, &error))?;
            Secret::new(std::mem::take(&mut *text)).map_err(|error| unusable(&what, error))
        }
        CredentialSource::Variable(name) => {
            // The name is not shown: someone may have put the credential itself in its place.
            let Some(text) = outside.variable(name) else {
                return Err(
                    Problem::new(*place, key, "the environment variable is not set").with_hint(
                        "set it where the gateway is started, or write `{ file = ... }`",
                    ),
                );
            };
            Secret::new(text.into_encoded_bytes())
                .map_err(|error| unusable("the environment variable", error))
        }
    }
}

fn key_material(
    index: usize,
    source: &Located<Jwks>,
    outside: &Outside<'_>,
) -> Result<KeyMaterial, Problem> {
    match &source.value {
        Jwks::File(path) => {
            let key = format!("issuer[{index}].jwks.file");
            let text = outside
                .file(path, LARGEST_SET + 1)
                .map_err(|error| unreadable(source.place, &key, &shown_path(path), &error))?;
            Ok(KeyMaterial::Text(text.to_vec()))
        }
        Jwks::Url(remote) => {
            let key = format!("issuer[{index}].jwks.ca");
            let ca = remote.ca.as_ref();
            let ca = ca.map(|ca| certificates(ca, &key, outside)).transpose()?;
            Ok(KeyMaterial::Authorities(ca))
        }
    }
}

fn server_tls(
    tls: &Tls,
    outside: &Outside<'_>,
    keep: &mut impl FnMut(Problem),
) -> Option<ServerTls> {
    let chain = certificates(&tls.certificate, "listen.tls.certificate", outside)
        .map_err(&mut *keep)
        .ok();
    let private_key = private_key(&tls.private_key, outside)
        .map_err(&mut *keep)
        .ok();
    let authorities = tls.client_ca.as_ref();
    let client_ca = authorities.and_then(|ca| {
        certificates(ca, "listen.tls.client_ca", outside)
            .map_err(&mut *keep)
            .ok()
    });
    Some(ServerTls {
        certificates: chain?,
        private_key: private_key?,
        client_ca,
    })
}

fn certificates(
    file: &Located<impl AsRef<Path>>,
    key: &str,
    outside: &Outside<'_>,
) -> Result<Vec<CertificateDer<'static>>, Problem> {
    let what = shown_path(file.value.as_ref());
    let text = outside
        .file(file.value.as_ref(), LARGEST_PEM)
        .map_err(|error| unreadable(file.place, key, &what, &error))?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match found {
        Ok(found) if found.is_empty() => Err(not_pem(
            file.place,
            key,
            &what,
            "certificate",
            &pem::Error::NoItemsFound,
        )),
        Ok(found) => Ok(found),
        Err(error) => Err(not_pem(file.place, key, &what, "certificate", &error)),
    }
}

fn private_key(
    file: &Located<impl AsRef<Path>>,
    outside: &Outside<'_>,
) -> Result<PrivateKeyDer<'static>, Problem> {
    const KEY: &str = "listen.tls.private_key";
    let what = shown_path(file.value.as_ref());
    let text = outside
        .file(file.value.as_ref(), LARGEST_PEM)
        .map_err(|error| unreadable(file.place, KEY, &what, &error))?;
    PrivateKeyDer::from_pem_slice(&text)
        .map_err(|error| not_pem(file.place, KEY, &what, "private key", &error))
}

fn unreadable(place: Place, key: &str, what: &str, error: &io::Error) -> Problem {
    let hint = match error.kind() {
        io::ErrorKind::NotFound => {
            "put it there first; relative paths are relative to the configuration file"
        }
        io::ErrorKind::PermissionDenied => {
            "let the user that the gateway runs as read it, and nobody else"
        }
        io::ErrorKind::FileTooLarge => "this is probably another file than the one meant",
        _ => "name a file that the gateway can read",
    };
    Problem::new(
        place,
        key,
        format!("{what} cannot be read: {}", cause(error)),
    )
    .with_hint(hint)
}

/// The cause in the voice of the other messages.
fn cause(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::IsADirectory => "it is a directory".to_owned(),
        _ => error.to_string(),
    }
}

/// A fault of a PEM file. The error itself is not shown, because it can hold a line of a key.
fn not_pem(place: Place, key: &str, what: &str, item: &str, error: &pem::Error) -> Problem {
    let cause = match error {
        pem::Error::NoItemsFound => format!("{what} holds no {item} in PEM"),
        pem::Error::MissingSectionEnd { .. } => format!("{what} ends inside a PEM section"),
        pem::Error::IllegalSectionStart { .. } => {
            format!("{what} has a malformed `-----BEGIN` line")
        }
        pem::Error::Base64Decode(_) => format!("{what} has a PEM section that is not base64"),
        _ => format!("{what} is not a PEM file"),
    };
    let hint = match item {
        "certificate" => "it must begin with `-----BEGIN CERTIFICATE-----`",
        _ => "it must hold a key in PKCS#8, PKCS#1 or SEC1 that is not encrypted",
    };
    Problem::new(place, key, cause).with_hint(hint)
}

/// A path for a message, unless its last part looks like a token that was put in its place.
fn shown_path(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let is_token_like = name.len() >= 24
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && name.bytes().any(|byte| byte.is_ascii_digit());
    if is_token_like {
        "the file".to_owned()
    } else {
        shown(&path.to_string_lossy())
    }
}

#[cfg(test)]
mod tests;
