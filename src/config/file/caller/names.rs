//! The names that a client certificate may be known by, as they must stand in the file: exact, so that
//! comparing them is comparing bytes.

use toml::de::DeValue;

use crate::config::problem::shown;
use crate::config::reader::{Fault, value};

/// The most bytes of a SPIFFE id (SPIFFE-ID, section 2.3), and of its trust domain.
const LONGEST_ID: usize = 2048;
const LONGEST_DOMAIN: usize = 255;

/// A workload's SPIFFE id (SPIFFE-ID, section 2), which always has a path (X509-SVID, section 2).
pub(super) fn spiffe_id(found: &DeValue<'_>) -> Result<String, Fault> {
    let text = value::text(found, "a SPIFFE id")?;
    let fault = |hint: &str| {
        Err(Fault::new(format!("{} is not a workload's SPIFFE id", shown(text))).with_hint(hint))
    };
    let Some(rest) = text.strip_prefix("spiffe://") else {
        return fault("it begins with `spiffe://`, in lower case");
    };
    if text.len() > LONGEST_ID {
        return fault("it has at most 2048 bytes");
    }
    let Some((domain, path)) = rest.split_once('/') else {
        return fault("a path follows the trust domain, such as `spiffe://example.org/crm`");
    };
    let of_domain = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'_')
    };
    if domain.is_empty() || domain.len() > LONGEST_DOMAIN || !domain.bytes().all(of_domain) {
        return fault(
            "its trust domain is 1 to 255 lower-case letters, digits, `.`, `-` and `_`, without a port or a user",
        );
    }
    let of_path = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let is_segment =
        |segment: &str| !matches!(segment, "" | "." | "..") && segment.bytes().all(of_path);
    if !path.split('/').all(is_segment) {
        return fault(
            "its path's segments are letters, digits, `.`, `-` and `_`; none is empty, `.` or `..`, and nothing follows the path",
        );
    }
    Ok(text.to_owned())
}

/// A host's name in lower case, without a wildcard.
pub(super) fn dns_name(found: &DeValue<'_>) -> Result<String, Fault> {
    let text = value::text(found, "a DNS name")?;
    let fault =
        |hint: &str| Err(Fault::new(format!("{} is not a DNS name", shown(text))).with_hint(hint));
    if text.contains('*') {
        return fault("wildcards are not known here: list each name");
    }
    let of_label = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(of_label)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if text.len() > 253 || !text.split('.').all(is_label) {
        return fault("write it as it stands in the certificate, such as `crm.example.org`");
    }
    let last = text.rsplit('.').next().unwrap_or_default();
    if last.bytes().all(|byte| byte.is_ascii_digit()) {
        return fault("an IP address identifies nobody");
    }
    Ok(text.to_ascii_lowercase())
}
