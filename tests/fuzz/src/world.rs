//! The fixed configuration that every target runs with.

use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use metafield_gateway::config::materials::Secrets;
use metafield_gateway::config::{Materials, Snapshot, file};
use metafield_gateway::identity::{Caller, Digest, Evidence};
use metafield_gateway::policy::{Allowed, Judged};
use metafield_gateway::secret::Secret;
use std::fmt::Write;
use std::path::Path;
use std::sync::{Arc, LazyLock};

/// The real credential: nobody but the upstream may ever see it.
pub const CREDENTIAL: &str = "credential-5f1e0c4d-of-the-store";
/// Tokens of a caller that may do everything, of one that may read, and of one with grants.
pub const WRITER: &str = "token-of-the-writer";
pub const READER: &str = "token-of-the-reader";
pub const LIMITED: &str = "token-of-the-limited";
/// The authority of the upstream.
pub const UPSTREAM: &str = "127.0.0.1:1";

/// The namespaces of the limited caller.
pub const NAMESPACES: &str = "namespaces = [\"crm\", \"crm.*\"]";

/// The configuration as it was compiled.
pub static SNAPSHOT: LazyLock<Arc<Snapshot>> = LazyLock::new(|| compile("refuse"));

/// The same, where fields that metafields do not have are forwarded.
pub static FORWARDING: LazyLock<Arc<Snapshot>> = LazyLock::new(|| compile("forward"));

fn compile(unknown_fields: &str) -> Arc<Snapshot> {
    let mut text = format!(
        "upstream.url = \"http://{UPSTREAM}\"\npolicy.unknown_fields = \"{unknown_fields}\"\n\
         policy.ownership = \"named\"\n\
         limits.body = \"16KiB\"\nlimits.batch_body = \"32KiB\"\nlimits.batch_items = 8\n\
         limits.value_length = 1000\n\
         [[store]]\nhash = \"abc123\"\ncredential = {{ file = \"c\" }}\n"
    );
    let limited = format!(
        "scopes = [\"store_v2_customers\"]\noperations = [\"update\", \"update_batch\", \"list\"]\n\
         permission_sets = [\"app_only\", \"read\"]\n{NAMESPACES}"
    );
    for (name, token, rest) in [
        ("writer", WRITER, "scopes = [\"store_v2_customers\"]"),
        (
            "reader",
            READER,
            "scopes = [\"store_v2_customers_read_only\"]",
        ),
        ("limited", LIMITED, limited.as_str()),
    ] {
        let digest = hex(Digest::of(token.as_bytes()).as_ref());
        writeln!(
            text,
            "[[caller]]\nname = \"{name}\"\ntoken_sha256 = [\"{digest}\"]\n{rest}"
        )
        .expect("a string");
    }
    let file = file::read(&text, Path::new(""))
        .unwrap_or_else(|problems| panic!("{}", problems.report("fuzz")));
    let materials = Materials {
        credentials: vec![Secrets {
            current: Secret::new(CREDENTIAL.into()).expect("a credential"),
            previous: None,
        }],
        jwks: Vec::new(),
        server_tls: None,
        upstream_ca: None,
        shared: None,
    };
    let snapshot = Snapshot::compile(&file, materials);
    Arc::new(snapshot.unwrap_or_else(|problems| panic!("{}", problems.report("fuzz"))))
}

/// Bytes in hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("a string");
        hex
    })
}

/// What was allowed by itself: in this configuration nothing is looked up.
pub fn by_itself(judged: Judged<'_>) -> Allowed {
    match judged {
        Judged::Allowed(allowed) => allowed,
        other => panic!("it is judged further: {other:?}"),
    }
}

/// The caller with this token.
pub fn caller(token: &str) -> &'static Arc<Caller> {
    let token = HeaderValue::from_str(token).expect("a token");
    let headers = HeaderMap::from_iter([(HeaderName::from_static("x-auth-token"), token)]);
    let identity = SNAPSHOT
        .callers
        .identify(&headers, &Evidence::default(), Timestamp::UNIX_EPOCH);
    identity.expect("a known token").caller
}
