//! The signature algorithms of signed tokens. None is symmetric, and `none` is none of them: whoever can
//! check a token must not be able to make one.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, EcdsaVerificationAlgorithm,
    EdDSAParameters, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, RsaParameters,
};

/// An algorithm by its name in RFC 7518 section 3.1, RFC 8037 and RFC 9864.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// Ed25519, whose older name `EdDSA` leaves the curve open; no other curve is known here.
    Ed25519,
}

/// What the library needs to read a key of an algorithm.
pub(super) enum Family {
    Rsa(&'static RsaParameters),
    Ec {
        curve: &'static str,
        coordinate: usize,
        algorithm: &'static EcdsaVerificationAlgorithm,
    },
    Okp(&'static EdDSAParameters),
}

impl Algorithm {
    /// Every algorithm.
    pub const ALL: [Self; 5] = [
        Self::Rs256,
        Self::Ps256,
        Self::Es256,
        Self::Es384,
        Self::Ed25519,
    ];

    /// The name in a configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Ed25519 => "EdDSA",
        }
    }

    /// The algorithm with this exact name in a header or a key.
    pub fn from_name(name: &str) -> Option<Self> {
        if name == "Ed25519" {
            return Some(Self::Ed25519);
        }
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.as_str() == name)
    }

    pub(super) const fn family(self) -> Family {
        match self {
            Self::Rs256 => Family::Rsa(&RSA_PKCS1_2048_8192_SHA256),
            Self::Ps256 => Family::Rsa(&RSA_PSS_2048_8192_SHA256),
            Self::Es256 => Family::Ec {
                curve: "P-256",
                coordinate: 32,
                algorithm: &ECDSA_P256_SHA256_FIXED,
            },
            Self::Es384 => Family::Ec {
                curve: "P-384",
                coordinate: 48,
                algorithm: &ECDSA_P384_SHA384_FIXED,
            },
            Self::Ed25519 => Family::Okp(&ED25519),
        }
    }
}
