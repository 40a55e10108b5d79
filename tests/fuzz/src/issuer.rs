//! An issuer whose key the targets have: they sign whatever comes, and see what the gateway makes of it.

use crate::world::hex;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use metafield_gateway::config::materials::{KeyMaterial, Secrets};
use metafield_gateway::config::{Materials, Snapshot, file};
use metafield_gateway::identity::{Digest, Memory, Rejection, Signed};
use metafield_gateway::secret::Secret;
use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

/// What a token must claim.
pub const ISSUER: &str = "https://idp.test";
pub const AUDIENCE: &str = "gateway";
pub const SUBJECT: &str = "app";
/// The id of the key.
pub const KEY: &str = "k";
/// The second at which tokens are judged, how far a clock may be off, and how long a token may be valid.
pub const NOW: u64 = 1_800_000_000;
pub const SKEW: u64 = 30;
pub const LONGEST: u64 = 24 * 3600;

static PAIR: LazyLock<Ed25519KeyPair> =
    LazyLock::new(|| Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("32 bytes"));

static SNAPSHOT: LazyLock<Snapshot> = LazyLock::new(|| {
    let text = format!(
        "[[store]]\nhash = \"abc123\"\ncredential = {{ file = \"c\" }}\n\
         [[issuer]]\nname = \"idp\"\nissuer = \"{ISSUER}\"\naudience = \"{AUDIENCE}\"\n\
         algorithms = [\"EdDSA\", \"RS256\"]\njwks = {{ file = \"k\" }}\n\
         [[caller]]\nname = \"app\"\nscopes = [\"store_v2_customers\"]\n\
         signed_token = {{ issuer = \"idp\", subject = \"{SUBJECT}\" }}\n\
         [[caller]]\nname = \"other\"\nscopes = [\"store_v2_customers\"]\ntoken_sha256 = [\"{}\"]\n",
        hex(&[1; 32])
    );
    let file = file::read(&text, Path::new(""))
        .unwrap_or_else(|problems| panic!("{}", problems.report("fuzz")));
    let x = URL_SAFE_NO_PAD.encode(PAIR.public_key().as_ref());
    let keys = format!(
        r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","kid":"{KEY}","alg":"EdDSA","x":"{x}"}}]}}"#
    );
    let materials = Materials {
        credentials: vec![Secrets {
            current: Secret::new("a-credential".into()).expect("a credential"),
            previous: None,
        }],
        jwks: vec![KeyMaterial::Text(keys.into_bytes())],
        server_tls: None,
        upstream_ca: None,
        shared: None,
    };
    let snapshot = Snapshot::compile(&file, materials);
    snapshot.unwrap_or_else(|problems| panic!("{}", problems.report("fuzz")))
});

/// A token of this header and payload with a good signature.
pub fn signed(header: &[u8], payload: &[u8]) -> String {
    let signed = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(payload)
    );
    let signature = PAIR.sign(signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
}

/// What the gateway makes of a token, whether it has seen it before or not.
pub fn identify(token: &[u8], memory: &mut Memory) -> Result<Signed<'static>, Rejection> {
    let issuers = &SNAPSHOT.signers.issuers;
    let now = Duration::from_secs(NOW);
    let digest = Digest::of(token);
    let outcome = issuers.identify(token, digest, (memory, 1), now);
    outcome.map_err(|rejected| rejected.rejection)
}
