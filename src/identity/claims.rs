//! What a token claims, typed and judged by the issuer's settings. The time is an argument.

use super::facts::Facts;
use super::rejection::Rejection;
use super::settings::Settings;
use crate::policy::{Document, TokenScopes};
use std::time::Duration;

/// Numbers from here on are not exact, and no time that anyone means.
const BEYOND: f64 = 9_007_199_254_740_992.0;

/// A claim by the names that lead to it, such as `kubernetes.io` and within it `namespace`.
pub type ClaimPath = Vec<String>;

/// The issuer that a token names.
pub(super) fn issuer<'c>(claims: &'c Document<'_>) -> Option<&'c str> {
    claims.get("iss").and_then(Document::text)
}

/// Judges the claims of a token whose signature is good. `paths` are the claims by which callers are bound.
pub(super) fn judge(
    claims: &Document<'_>,
    settings: &Settings,
    paths: &[ClaimPath],
    now: Duration,
) -> Result<Facts, Rejection> {
    check_audience(claims, &settings.audience)?;
    let expires = time(claims, "exp")?.ok_or(Rejection::Claim("exp"))?;
    let not_before = time(claims, "nbf")?;
    let issued = time(claims, "iat")?;
    check_subject(claims)?;
    let facts = Facts {
        values: paths.iter().map(|path| value(claims, path)).collect(),
        scopes: scopes(claims, settings.scope_claim.as_deref())?,
        // A token from the future has a wrong clock behind it, or a wrong issuer.
        not_before: not_before.max(issued).unwrap_or_default(),
        expires,
    };
    facts.check_time(now, settings.clock_skew)?;
    let lifetime = expires.saturating_sub(issued.unwrap_or(now));
    if lifetime > settings.max_lifetime {
        return Err(Rejection::TooLong);
    }
    Ok(facts)
}

/// RFC 7519 section 4.1.3: one text, or a list of texts of which one must be meant.
fn check_audience(claims: &Document<'_>, expected: &[String]) -> Result<(), Rejection> {
    let is_meant = |text: &str| expected.iter().any(|audience| audience == text);
    let found = match claims.get("aud") {
        Some(Document::Text(audience)) => is_meant(audience),
        Some(Document::List(list)) => {
            let mut found = false;
            for audience in list {
                found |= is_meant(audience.text().ok_or(Rejection::Claim("aud"))?);
            }
            found
        }
        _ => return Err(Rejection::Claim("aud")),
    };
    if found {
        Ok(())
    } else {
        Err(Rejection::Audience)
    }
}

fn check_subject(claims: &Document<'_>) -> Result<(), Rejection> {
    match claims.get("sub") {
        None | Some(Document::Text(_)) => Ok(()),
        Some(_) => Err(Rejection::Claim("sub")),
    }
}

/// A `NumericDate` (RFC 7519 section 2), fractions included, as time since the epoch.
fn time(claims: &Document<'_>, name: &'static str) -> Result<Option<Duration>, Rejection> {
    match claims.get(name) {
        None => Ok(None),
        Some(Document::Number(seconds)) if (0.0..BEYOND).contains(seconds) => {
            let time = Duration::try_from_secs_f64(*seconds);
            time.map(Some).map_err(|_| Rejection::Claim(name))
        }
        Some(_) => Err(Rejection::Claim(name)),
    }
}

/// Only a text can be what a binding asks for.
fn value(claims: &Document<'_>, path: &[String]) -> Option<Box<str>> {
    let mut found = claims;
    for name in path {
        found = found.get(name)?;
    }
    found.text().map(Into::into)
}

/// The scopes of the token: a text of words (RFC 8693 section 4.2) or a list of texts. Without the claim it
/// has none.
fn scopes(claims: &Document<'_>, name: Option<&str>) -> Result<Option<TokenScopes>, Rejection> {
    let Some(name) = name else { return Ok(None) };
    let wrong = Rejection::Claim("scope_claim");
    let mut scopes = TokenScopes::default();
    match claims.get(name) {
        None => {}
        Some(Document::Text(words)) => words.split(' ').for_each(|word| scopes.add(word)),
        Some(Document::List(words)) => {
            for word in words {
                scopes.add(word.text().ok_or(wrong)?);
            }
        }
        Some(_) => return Err(wrong),
    }
    Ok(Some(scopes))
}
