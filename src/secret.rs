//! Secrets in memory. A [`Secret`] has no `Debug`, `Display`, `Clone`, `PartialEq` or `Serialize`,
//! so that it cannot be printed, copied or compared by accident, and it is wiped when dropped.

use zeroize::Zeroizing;

/// Bytes that must not be seen: a credential as it was read from a file or a variable.
#[expect(
    missing_debug_implementations,
    reason = "a secret must not be printable"
)]
pub struct Secret(Zeroizing<Vec<u8>>);

/// Why a text cannot serve as a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// Nothing but white space.
    #[error("it is empty")]
    Empty,
    /// Longer than [`Secret::MAX_LENGTH`].
    #[error("it is longer than {} bytes", Secret::MAX_LENGTH)]
    TooLong,
    /// A byte that cannot stand in a header field.
    #[error("it holds a character that is not visible ASCII")]
    NotVisibleAscii,
}

impl Secret {
    /// The most bytes a credential may have.
    pub const MAX_LENGTH: usize = 8192;

    /// Takes a credential over, without the white space that an editor leaves at the end.
    pub fn new(mut text: Vec<u8>) -> Result<Self, SecretError> {
        let kept = text.trim_ascii_end().len();
        text.truncate(kept);
        let secret = Self(Zeroizing::new(text));
        if secret.0.is_empty() {
            Err(SecretError::Empty)
        } else if secret.0.len() > Self::MAX_LENGTH {
            Err(SecretError::TooLong)
        } else if !secret.0.iter().all(u8::is_ascii_graphic) {
            Err(SecretError::NotVisibleAscii)
        } else {
            Ok(secret)
        }
    }

    /// Gives the bytes up to one who answers for them; they are still wiped when dropped.
    pub fn into_inner(self) -> Zeroizing<Vec<u8>> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trailing_white_space_is_dropped() {
        let secret = Secret::new(b"token-text\r\n".to_vec()).map(|s| s.into_inner().to_vec());
        assert_eq!(secret, Ok(b"token-text".to_vec()));
    }

    #[test]
    fn unusable_texts_are_named() {
        let reason = |text: &[u8]| Secret::new(text.to_vec()).err();
        assert_eq!(reason(b""), Some(SecretError::Empty));
        assert_eq!(reason(b" \n"), Some(SecretError::Empty));
        assert_eq!(reason(b"two words"), Some(SecretError::NotVisibleAscii));
        assert_eq!(
            reason("schlüssel".as_bytes()),
            Some(SecretError::NotVisibleAscii)
        );
        assert_eq!(reason(&[b'a'; 8193]), Some(SecretError::TooLong));
    }
}
