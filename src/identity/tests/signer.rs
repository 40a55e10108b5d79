//! An issuer's side, made by the test: keys, key sets, and tokens with whatever header and claims.

use aws_lc_rs::encoding::AsBigEndian;
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING,
    ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256,
    RSA_PSS_SHA256, RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::sync::LazyLock;

/// A key of the test, with the way in which it signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Alg {
    Rs256,
    Ps256,
    Es256,
    Es384,
    Ed25519,
    /// Another P-256 key.
    Other,
    /// The key of `Rs256` signing as PS256 does.
    RsAsPs,
    /// The key of `Es256` signing in DER.
    EsAsDer,
    /// HMAC with SHA-256 by the public key of `Rs256` as the secret.
    Hs256,
    /// No signature.
    Nothing,
}

struct Keys {
    rsa: RsaKeyPair,
    pss: RsaKeyPair,
    p256: EcdsaKeyPair,
    other: EcdsaKeyPair,
    p384: EcdsaKeyPair,
    ed25519: Ed25519KeyPair,
}

static KEYS: LazyLock<Keys> = LazyLock::new(|| Keys {
    rsa: RsaKeyPair::generate(KeySize::Rsa2048).unwrap(),
    pss: RsaKeyPair::generate(KeySize::Rsa2048).unwrap(),
    p256: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(),
    other: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(),
    p384: EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap(),
    ed25519: Ed25519KeyPair::generate().unwrap(),
});

pub(super) fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// `n` and `e` of an RSA key of 2048 bits, from `RSAPublicKey` in DER (RFC 8017 appendix A.1.1).
fn rsa(key: &RsaKeyPair) -> (&[u8], &[u8]) {
    let der = key.public_key().as_ref();
    let (n, e) = der[..].split_at(der.len() - 5);
    (&n[n.len() - 256..], &e[2..])
}

/// A public key as a member of a set; `more` are further members.
pub(super) fn jwk(alg: Alg, kid: &str, more: &str) -> String {
    let keys = &*KEYS;
    let ec = |curve: &str, key: &EcdsaKeyPair| {
        let point = &key.public_key().as_ref()[1..];
        let (x, y) = point.split_at(point.len() / 2);
        let (x, y) = (b64(x), b64(y));
        format!(r#""kty":"EC","crv":"{curve}","x":"{x}","y":"{y}""#)
    };
    let members = match alg {
        Alg::Rs256 | Alg::Ps256 => {
            let (n, e) = rsa(if alg == Alg::Rs256 {
                &keys.rsa
            } else {
                &keys.pss
            });
            format!(r#""kty":"RSA","n":"{}","e":"{}""#, b64(n), b64(e))
        }
        Alg::Es256 => ec("P-256", &keys.p256),
        Alg::Other => ec("P-256", &keys.other),
        Alg::Es384 => ec("P-384", &keys.p384),
        Alg::Ed25519 => {
            let x = b64(keys.ed25519.public_key().as_ref());
            format!(r#""kty":"OKP","crv":"Ed25519","x":"{x}""#)
        }
        _ => panic!("{alg:?} has no public key"),
    };
    let kid = if kid.is_empty() {
        String::new()
    } else {
        format!(r#","kid":"{kid}""#)
    };
    let comma = if more.is_empty() { "" } else { "," };
    format!("{{{members}{kid}{comma}{more}}}")
}

pub(super) fn sign(alg: Alg, message: &[u8]) -> Vec<u8> {
    let keys = &*KEYS;
    let random = SystemRandom::new();
    let by_rsa = |key: &RsaKeyPair, encoding| {
        let mut signature = vec![0; key.public_modulus_len()];
        key.sign(encoding, &random, message, &mut signature)
            .unwrap();
        signature
    };
    let by_ec = |key: &EcdsaKeyPair| key.sign(&random, message).unwrap().as_ref().to_vec();
    match alg {
        Alg::Rs256 => by_rsa(&keys.rsa, &RSA_PKCS1_SHA256),
        Alg::Ps256 => by_rsa(&keys.pss, &RSA_PSS_SHA256),
        Alg::RsAsPs => by_rsa(&keys.rsa, &RSA_PSS_SHA256),
        Alg::Es256 => by_ec(&keys.p256),
        Alg::Other => by_ec(&keys.other),
        Alg::Es384 => by_ec(&keys.p384),
        Alg::Ed25519 => keys.ed25519.sign(message).as_ref().to_vec(),
        Alg::EsAsDer => {
            let private = keys.p256.private_key().as_be_bytes().unwrap();
            let public = keys.p256.public_key().as_ref();
            let key = EcdsaKeyPair::from_private_key_and_public_key(
                &ECDSA_P256_SHA256_ASN1_SIGNING,
                private.as_ref(),
                public,
            );
            by_ec(&key.unwrap())
        }
        Alg::Hs256 => {
            let secret = hmac::Key::new(hmac::HMAC_SHA256, keys.rsa.public_key().as_ref());
            hmac::sign(&secret, message).as_ref().to_vec()
        }
        Alg::Nothing => Vec::new(),
    }
}

/// A token of these texts, which need not be JSON.
pub(super) fn token(header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>, alg: Alg) -> String {
    let signed = format!("{}.{}", b64(header), b64(payload));
    let signature = b64(sign(alg, signed.as_bytes()));
    format!("{signed}.{signature}")
}
