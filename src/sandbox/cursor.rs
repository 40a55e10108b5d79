//! Cursors: the base64 of `id:` and a number, as BigCommerce shows them.
//!
//! The encoding is kept (and not made simpler) because its `=` signs must survive the way through
//! the gateway's query.

/// The cursor that stands at a metafield.
pub(super) fn encode(id: u64) -> String {
    let mut cursor = String::new();
    for chunk in format!("id:{id}").as_bytes().chunks(3) {
        let word = chunk
            .iter()
            .fold(0, |word, byte| word << 8 | usize::from(*byte));
        let word = word << (8 * (3 - chunk.len()));
        for (place, shift) in [18, 12, 6, 0].into_iter().enumerate() {
            let digit = ALPHABET.get(word >> shift & 63).copied();
            let used = place <= chunk.len();
            cursor.push(char::from(digit.filter(|_| used).unwrap_or(b'=')));
        }
    }
    cursor
}

/// The metafield a cursor stands at; `None` for a text that is no cursor.
pub(super) fn decode(cursor: &str) -> Option<u64> {
    let (mut text, mut word, mut bits) = (Vec::new(), 0, 0);
    for byte in cursor.trim_end_matches('=').bytes() {
        word = word << 6 | ALPHABET.iter().position(|digit| *digit == byte)?;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            text.push(u8::try_from(word >> bits).ok()?);
            word &= (1 << bits) - 1;
        }
    }
    let text = String::from_utf8(text).ok()?;
    text.strip_prefix("id:")?.parse().ok()
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_back() {
        assert_eq!(encode(7), "aWQ6Nw==");
        for id in [0, 7, 42, 1_000, u64::MAX] {
            assert_eq!(decode(&encode(id)), Some(id));
        }
    }

    #[test]
    fn other_texts_are_no_cursors() {
        for bad in [
            "", "7", "aWQ6", "aWQ6!w==", "eHg6Nw==", "////", "é", "aWQ6LTE=",
        ] {
            assert_eq!(decode(bad), None, "{bad}");
        }
    }
}
