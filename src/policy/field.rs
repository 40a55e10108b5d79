//! The fields of a metafield, each with its rule (contract section 3). Lengths count Unicode scalar
//! values; ids are integer tokens, never floats.

use super::json::Token;
use super::route::Operation;
use super::rules::Rules;
use super::vocabulary::{Id, PermissionSet, Verb};
use crate::denial::Code;
use std::borrow::Cow;

/// A field that a metafield has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    DateCreated,
    DateModified,
    Description,
    Id,
    Key,
    Namespace,
    OwnerClientId,
    PermissionSet,
    ResourceId,
    ResourceType,
    Value,
}

impl Field {
    const ALL: [Self; 11] = [
        Self::DateCreated,
        Self::DateModified,
        Self::Description,
        Self::Id,
        Self::Key,
        Self::Namespace,
        Self::OwnerClientId,
        Self::PermissionSet,
        Self::ResourceId,
        Self::ResourceType,
        Self::Value,
    ];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::DateCreated => "date_created",
            Self::DateModified => "date_modified",
            Self::Description => "description",
            Self::Id => "id",
            Self::Key => "key",
            Self::Namespace => "namespace",
            Self::OwnerClientId => "owner_client_id",
            Self::PermissionSet => "permission_set",
            Self::ResourceId => "resource_id",
            Self::ResourceType => "resource_type",
            Self::Value => "value",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.as_str() == name)
    }

    /// The field's place in a set of fields.
    pub(super) const fn bit(self) -> u16 {
        1 << self as u16
    }
}

/// Whether a key is no field, but a lenient reader could take it for one: equal after folding case
/// and dropping `_`, `-` and white space.
pub(super) fn imitates(key: &str) -> bool {
    Field::from_name(key).is_none() && is_or_imitates(key)
}

/// Whether a key is a field's name or imitates one.
pub(super) fn is_or_imitates(key: &str) -> bool {
    // The key is folded once, and no further than a field's name could go.
    let mut start = ['\0'; LONGEST + 1];
    let letters = folded(key).zip(start.iter_mut());
    let count = letters.map(|(letter, place)| *place = letter).count();
    let start = start.get(..count).unwrap_or_default();
    Field::ALL
        .into_iter()
        .any(|field| folded(field.as_str()).eq(start.iter().copied()))
}

/// The letters of the longest name, `permission_set`, `resource_type` or `owner_client_id`, when folded.
const LONGEST: usize = 13;

/// Folds by way of both cases, since some letters (`ſ`, `ı`, `ẞ`) only meet their ASCII relatives on
/// the way. What a lenient reader may skip is skipped: characters that are not seen, and the
/// dot that `İ` leaves. Full-width forms are read as their ASCII relatives.
fn folded(text: &str) -> impl Iterator<Item = char> {
    text.chars()
        .map(|letter| match letter {
            '\u{ff01}'..='\u{ff5e}' => char::from_u32(letter as u32 - 0xfee0).unwrap_or(letter),
            other => other,
        })
        .flat_map(char::to_lowercase)
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
        .filter(|letter| !is_skipped(*letter))
}

fn is_skipped(letter: char) -> bool {
    letter.is_whitespace()
        || letter.is_control()
        || matches!(
            letter,
            '_' | '-'
                | '\u{ad}'
                | '\u{34f}'
                | '\u{61c}'
                | '\u{115f}'..='\u{1160}'
                | '\u{17b4}'..='\u{17b5}'
                | '\u{307}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{202a}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{3164}'
                | '\u{fe00}'..='\u{fe0f}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff0}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

type Refusal = (Code, Cow<'static, str>);

const NAME_LENGTH: usize = 64;
const DESCRIPTION_LENGTH: usize = 255;
/// What an answer contains and an application may send back: dates and a client id.
const ECHO_LENGTH: usize = 64;

/// Judges a field's value.
pub(super) fn judge(
    field: Field,
    token: &Token<'_>,
    operation: &Operation,
    rules: &Rules,
) -> Result<(), Refusal> {
    match field {
        Field::Id if matches!(operation.verb, Verb::Create | Verb::CreateBatch) => Err((
            Code::InvalidField,
            "is given by BigCommerce; leave it out of a create".into(),
        )),
        Field::Id => equal_id(token, operation.metafield),
        Field::ResourceId => equal_id(token, operation.customer),
        Field::PermissionSet => permission_set(token),
        Field::Namespace | Field::Key => length(token, 1, NAME_LENGTH),
        Field::Value => length(token, 1, rules.value_length),
        Field::Description => length(token, 0, DESCRIPTION_LENGTH),
        Field::ResourceType => match token {
            Token::Text(text) if text == "customer" => Ok(()),
            _ => Err((Code::InvalidField, "must be \"customer\"".into())),
        },
        Field::DateCreated | Field::DateModified | Field::OwnerClientId => match token {
            Token::Null => Ok(()),
            token => length(token, 0, ECHO_LENGTH),
        },
    }
}

fn equal_id(token: &Token<'_>, path: Option<Id>) -> Result<(), Refusal> {
    let Token::Integer(value) = token else {
        return Err((
            Code::InvalidField,
            "must be an integer, written without quotes, point or exponent".into(),
        ));
    };
    let Some(id) = Id::new(*value) else {
        return Err((
            Code::InvalidField,
            "must be from 1 to 9223372036854775807".into(),
        ));
    };
    match path {
        Some(expected) if id != expected => {
            Err((Code::IdMismatch, "is not the id in the path".into()))
        }
        _ => Ok(()),
    }
}

fn permission_set(token: &Token<'_>) -> Result<(), Refusal> {
    match token {
        Token::Text(text) if PermissionSet::from_name(text).is_some() => Ok(()),
        _ => Err((
            Code::InvalidPermissionSet,
            "must be one of app_only, read, write, read_and_sf_access, write_and_sf_access".into(),
        )),
    }
}

fn length(token: &Token<'_>, least: usize, most: usize) -> Result<(), Refusal> {
    let Token::Text(text) = token else {
        return Err((Code::InvalidField, "must be a string".into()));
    };
    // A text never has more characters than bytes: most texts need no counting.
    let fits = text.len() >= least && (text.len() <= most || text.chars().count() <= most);
    if fits {
        Ok(())
    } else if least == 0 {
        Err((
            Code::InvalidField,
            format!("must be a string of at most {most} characters").into(),
        ))
    } else {
        Err((
            Code::InvalidField,
            format!("must be a string of {least} to {most} characters").into(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imitations_are_found() {
        for key in [
            "Permission_Set",
            "PERMISSION_SET",
            "permissionSet",
            "permission-set",
            "permission set",
            "permissionset",
            "_permission__set_",
            "permiſſion_set",
            "permi\u{1e9e}ion_set",
            "ID",
            "Id",
            "i_d",
            "ıd",
            "KEY",
            "\u{212a}ey",
            "PERM\u{130}SS\u{130}ON_SET",
            "permission\u{ad}_set",
            "val\u{200b}ue",
            "\u{ff49}\u{ff44}",
            "\u{feff}id",
            "id\u{0}",
            "resourceId",
            "name space",
            "Value",
            "owner\u{a0}client\tid",
        ] {
            assert!(imitates(key), "{key}");
        }
        for key in ["", "_", "ids", "permission_sets", "valu", "colour", "keys"] {
            assert!(!imitates(key), "{key}");
        }
        for field in Field::ALL {
            assert!(!imitates(field.as_str()) && is_or_imitates(field.as_str()));
        }
    }

    #[test]
    fn the_longest_name_is_known() {
        let longest = Field::ALL.map(|field| folded(field.as_str()).count());
        assert_eq!(longest.into_iter().max(), Some(LONGEST));
        assert!(!is_or_imitates(&"permission_set".repeat(1000)));
        assert!(!is_or_imitates("permission_sets"));
    }

    #[test]
    fn each_field_has_a_bit_of_its_own() {
        let union = Field::ALL
            .into_iter()
            .fold(0_u16, |bits, field| bits | field.bit());
        assert_eq!(union.count_ones() as usize, Field::ALL.len());
    }

    #[test]
    fn lengths_count_characters() {
        let text = |text: String| length(&Token::Text(text.into()), 1, 64).is_ok();
        assert!(text("😀".repeat(64)));
        assert!(!text("😀".repeat(65)));
        assert!(!text(String::new()));
        assert!(text("a".to_owned()));
    }
}
