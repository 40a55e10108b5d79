//! Readers of single values: each says what it expected when it finds something else. None of them
//! repeats a text that could be a secret: those that echo are used only for words and numbers.

use std::fmt;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::de::DeValue;

use super::suggest::nearest;
use crate::config::problem::shown;
use crate::config::units::{self, UnitError};

/// What is wrong with one value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// As [`Problem::message`](crate::config::problem::Problem::message).
    pub message: String,
    /// As [`Problem::hint`](crate::config::problem::Problem::hint).
    pub hint: Option<String>,
}

impl Fault {
    /// A fault without a hint.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: None,
        }
    }

    /// The same fault with a hint.
    #[must_use]
    pub fn with_hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }

    /// A value of another type than `expected`, which comes with its article.
    pub fn mismatch(expected: &str, value: &DeValue<'_>) -> Self {
        Self::new(format!("expected {expected}, found {}", article(value)))
    }
}

/// A string; `expected` says which, with its article, for the message about another type.
pub fn text<'v>(value: &'v DeValue<'_>, expected: &str) -> Result<&'v str, Fault> {
    value
        .as_str()
        .ok_or_else(|| Fault::mismatch(expected, value))
}

/// `true` or `false`.
pub fn boolean(value: &DeValue<'_>) -> Result<bool, Fault> {
    let fault = || Fault::mismatch("`true` or `false`", value);
    value.as_bool().ok_or_else(fault)
}

/// An integer within the range.
pub fn integer<T>(range: RangeInclusive<T>) -> impl Fn(&DeValue<'_>) -> Result<T, Fault>
where
    T: TryFrom<u64> + PartialOrd + fmt::Display,
{
    move |value| {
        let Some(integer) = value.as_integer() else {
            let fault = Fault::mismatch("an integer", value);
            let number = value
                .as_str()
                .is_some_and(|text| text.parse::<i64>().is_ok());
            let unquoted = number.then(|| "write the number without quotes".to_owned());
            return Err(Fault {
                hint: unquoted,
                ..fault
            });
        };
        let number = u64::from_str_radix(integer.as_str(), integer.radix()).ok();
        let number = number.and_then(|number| T::try_from(number).ok());
        number
            .filter(|number| range.contains(number))
            .ok_or_else(|| {
                let (least, most) = (range.start(), range.end());
                Fault::new(format!(
                    "{} is not within {least} to {most}",
                    shown(&integer.to_string())
                ))
            })
    }
}

/// A duration of more than nothing and at most 24 hours.
pub fn duration(value: &DeValue<'_>) -> Result<Duration, Fault> {
    match duration_or_zero(value) {
        Ok(Duration::ZERO) => Err(Fault::new("must be longer than nothing")),
        other => other,
    }
}

/// A duration of at most 24 hours, or none.
pub fn duration_or_zero(value: &DeValue<'_>) -> Result<Duration, Fault> {
    const FORM: &str =
        "a duration is a number and `us`, `ms`, `s`, `m` or `h`, in quotes, such as `\"2.5s\"`";
    let text = text(value, "a duration").map_err(|fault| fault.with_hint(FORM))?;
    units::duration(text).map_err(|error| match error {
        UnitError::TooLarge => {
            let most = units::show_duration(units::LONGEST);
            Fault::new(format!("{} is longer than `{most}`", shown(text)))
        }
        error => Fault::new(format!("{} {error}", shown(text))).with_hint(FORM),
    })
}

/// A size in bytes within the range.
pub fn size(range: RangeInclusive<usize>) -> impl Fn(&DeValue<'_>) -> Result<usize, Fault> {
    const FORM: &str =
        "a size is a whole number and `B`, `KiB`, `MiB` or `GiB`, in quotes, such as `\"64KiB\"`";
    move |value| {
        let text = text(value, "a size").map_err(|fault| fault.with_hint(FORM))?;
        let unit = |error| match error {
            UnitError::NotBinary { meant } => Fault::new(format!("{} {error}", shown(text)))
                .with_hint(format!("sizes are counted in 1024s: write `{meant}`")),
            error => Fault::new(format!("{} {error}", shown(text))).with_hint(FORM),
        };
        let bytes = units::size(text).map_err(unit)?;
        if range.contains(&bytes) {
            return Ok(bytes);
        }
        let (least, most) = (
            units::show_size(*range.start()),
            units::show_size(*range.end()),
        );
        Err(Fault::new(format!(
            "{} is not within `{least}` to `{most}`",
            shown(text)
        )))
    }
}

/// One of a few words.
pub fn choice<T: Copy>(words: &[(&str, T)]) -> impl Fn(&DeValue<'_>) -> Result<T, Fault> {
    move |value| {
        let text = text(value, "a string")?;
        let found = words.iter().find(|(word, _)| *word == text);
        found
            .map(|(_, meaning)| *meaning)
            .ok_or_else(|| unknown_word(text, words.iter().map(|(word, _)| *word)))
    }
}

/// The fault of a word that is not among those known; the nearest is named first.
pub fn unknown_word<'w>(text: &str, known: impl Iterator<Item = &'w str> + Clone) -> Fault {
    unknown_word_near(text, known.clone(), known)
}

/// As [`unknown_word`], where one of `near` alone may have been meant.
pub fn unknown_word_near<'w>(
    text: &str,
    near: impl Iterator<Item = &'w str>,
    known: impl Iterator<Item = &'w str>,
) -> Fault {
    let listed: Vec<_> = known.map(|word| format!("`{word}`")).collect();
    let listed = listed.join(", ");
    Fault::new(format!("{} is not known", shown(text))).with_hint(match nearest(text, near) {
        Some(near) => format!("did you mean `{near}`? known are {listed}"),
        None => format!("known are {listed}"),
    })
}

/// A path, joined to `base` unless it is absolute. The text is never echoed.
pub fn path(base: &Path) -> impl Fn(&DeValue<'_>) -> Result<PathBuf, Fault> {
    move |value| file_name(base, text(value, "a path")?)
}

/// A path from its text, as [`path`] reads it.
pub fn file_name(base: &Path, text: &str) -> Result<PathBuf, Fault> {
    if text.is_empty() {
        Err(Fault::new("is empty").with_hint("name a file"))
    } else if text.contains('\0') {
        Err(Fault::new("holds a NUL, which no path can"))
    } else if text.contains("-----BEGIN") {
        Err(Fault::new("holds a PEM text instead of a path")
            .with_hint("put the text into a file of its own and name that"))
    } else {
        Ok(base.join(text))
    }
}

/// The type of a value, with its article.
fn article(value: &DeValue<'_>) -> String {
    let name = value.type_str();
    let article = if name.starts_with(['a', 'i']) {
        "an"
    } else {
        "a"
    };
    format!("{article} {name}")
}
