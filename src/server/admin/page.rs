//! The status page: one document that asks for nothing but its own events, and a policy that lets a browser run
//! nothing but its one script (Content Security Policy Level 3, section 2.3.1).

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY};
use http::header::{X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS};
use http::{HeaderMap, HeaderName, HeaderValue};

const DOCUMENT: &str = include_str!("page/index.html");
const STYLE: &str = include_str!("page/style.css");
const SCRIPT: &str = include_str!("page/script.js");

/// Where style and script stand in the document.
const STYLE_HERE: &str = "/* style */";
const SCRIPT_HERE: &str = "/* script */";

/// The document and its policy.
#[derive(Debug)]
pub(super) struct Page {
    document: Bytes,
    policy: HeaderValue,
}

impl Page {
    pub(super) fn new() -> Self {
        let document = DOCUMENT
            .replace(STYLE_HERE, STYLE)
            .replace(SCRIPT_HERE, SCRIPT);
        let hash = |text: &str| STANDARD.encode(digest(&SHA256, text.as_bytes()));
        let policy = format!(
            "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; img-src data:; connect-src 'self'; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
             trusted-types 'none'",
            hash(SCRIPT),
            hash(STYLE),
        );
        Self {
            document: document.into(),
            // Base64 is visible ASCII; a page without its policy would not run.
            policy: HeaderValue::try_from(policy)
                .unwrap_or_else(|_| HeaderValue::from_static("default-src 'none'")),
        }
    }

    pub(super) fn document(&self) -> Bytes {
        self.document.clone()
    }

    pub(super) fn stamp(&self, headers: &mut HeaderMap) {
        headers.insert(CONTENT_SECURITY_POLICY, self.policy.clone());
        isolate(headers, "text/html; charset=utf-8");
    }
}

/// Keeps what is shown from pages of other origins, and from caches.
pub(super) fn isolate(headers: &mut HeaderMap, kind: &'static str) {
    let fields: [(HeaderName, &'static str); 7] = [
        (CONTENT_TYPE, kind),
        (CACHE_CONTROL, "no-store"),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ];
    for (name, value) in fields {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_is_whole_and_asks_for_nothing() {
        for (place, part) in [(STYLE_HERE, STYLE), (SCRIPT_HERE, SCRIPT)] {
            assert_eq!(DOCUMENT.matches(place).count(), 1, "{place}");
            assert!(!part.contains("</"), "a part could end its element");
        }
        let page = Page::new();
        let document = String::from_utf8(page.document().to_vec()).unwrap();
        for foreign in [
            "http:",
            "https:",
            "//cdn",
            "@import",
            "url(",
            "innerHTML",
            "eval(",
        ] {
            // Namespaces of XML are names and no addresses.
            let document = document.replace("http://www.w3.org/2000/svg", "");
            assert!(!document.contains(foreign), "{foreign}");
        }
        let policy = page.policy.to_str().unwrap();
        assert!(
            policy.starts_with("default-src 'none'; script-src 'sha256-"),
            "{policy}"
        );
        assert!(!policy.contains("unsafe"));
    }
}
