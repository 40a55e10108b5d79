//! The id under which a request is known.

/// The id under which a request is known on both sides of the gateway: a UUID (RFC 9562).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CorrelationId([u8; Self::LENGTH]);

impl CorrelationId {
    const LENGTH: usize = 36;

    /// The caller's own, if it is a UUID.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let text: [u8; Self::LENGTH] = text.try_into().ok()?;
        let formed = text.iter().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        });
        formed.then_some(Self(text))
    }

    /// A version 4 UUID from random bytes.
    pub fn from_random(mut bytes: [u8; 16]) -> Self {
        const GROUPS: [usize; 8] = [0, 4, 9, 14, 19, 24, 28, 32];
        let [_, _, _, _, _, _, version, _, variant, ..] = &mut bytes;
        *version = *version & 0x0f | 0x40;
        *variant = *variant & 0x3f | 0x80;
        let mut text = [b'-'; Self::LENGTH];
        let (pairs, _) = bytes.as_chunks();
        for (group, pair) in GROUPS.into_iter().zip(pairs) {
            if let Some((place, _)) = text
                .get_mut(group..)
                .and_then(|text| text.split_first_chunk_mut())
            {
                *place = hexadecimal(*pair);
            }
        }
        Self(text)
    }

    /// The UUID's text.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The four digits of two bytes, each of the steps for all four at once.
fn hexadecimal(bytes: [u8; 2]) -> [u8; 4] {
    let both = u32::from(u16::from_be_bytes(bytes));
    let apart = (both | both << 8) & 0x00ff_00ff;
    let digits = (apart | apart << 4) & 0x0f0f_0f0f;
    // Ten and more carry into the fifth bit.
    let letters = (digits + 0x0606_0606) >> 4 & 0x0101_0101;
    let to_letter = u32::from(b'a' - b'0' - 10);
    (digits + 0x3030_3030 + letters * to_letter).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn correlation_ids_are_uuids() {
        let good = b"6ba7b810-9dad-11d1-80b4-00C04fd430c8";
        assert_eq!(
            CorrelationId::parse(good).map(|id| id.as_bytes().to_vec()),
            Some(good.to_vec())
        );
        for bad in [
            "",
            "6ba7b810",
            "6ba7b8109dad11d180b400c04fd430c8",
            "6ba7b810-9dad-11d1-80b4-00c04fd430cg",
            "6ba7b810-9dad-11d1-80b4_00c04fd430c8",
            "6ba7b810-9dad-11d1-80b4-00c04fd430c8 ",
        ] {
            assert_eq!(CorrelationId::parse(bad.as_bytes()), None, "{bad}");
        }
        let fresh = CorrelationId::from_random([0; 16]);
        assert_eq!(fresh.as_bytes(), b"00000000-0000-4000-8000-000000000000");
        assert!(CorrelationId::parse(fresh.as_bytes()).is_some());
    }

    #[test]
    fn any_two_bytes_are_their_digits() {
        for bytes in 0..=u16::MAX {
            let digits = hexadecimal(bytes.to_be_bytes());
            assert_eq!(digits, format!("{bytes:04x}").as_bytes());
        }
    }
}
