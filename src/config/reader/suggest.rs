//! Which known word was meant by one that is not known.

/// The nearest of the known words, if one is near enough to be meant.
pub(super) fn nearest<'w>(text: &str, known: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    /// Longer texts are no slip of the pen, and the distance takes quadratic time.
    const LONGEST: usize = 64;
    if text.len() > LONGEST {
        return None;
    }
    let text = text.to_ascii_lowercase().replace('-', "_");
    let distance = |word| strsim::damerau_levenshtein(&text, word);
    let (distance, word) = known.into_iter().map(|word| (distance(word), word)).min()?;
    // A third of the letters wrong is the most that still looks like the word.
    (distance <= (word.len() / 3).max(1)).then_some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised_and_strangers_are_not() {
        let known = ["scopes", "stores", "name", "token_sha256", "get"];
        for (text, meant) in [
            ("scope", Some("scopes")),
            ("Store", Some("stores")),
            ("socpes", Some("scopes")),
            ("token-sha256", Some("token_sha256")),
            ("token_sha", Some("token_sha256")),
            ("GET", Some("get")),
            ("names", Some("name")),
            ("put", None),
            ("", None),
            ("password", None),
        ] {
            assert_eq!(nearest(text, known), meant, "{text}");
        }
        assert_eq!(nearest(&"scopes".repeat(99), known), None);
        assert_eq!(nearest("scopes", []), None);
    }
}
