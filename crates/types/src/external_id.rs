use std::fmt;
use std::sync::Arc;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

use crate::InvalidInput;
use crate::limits::ID_BYTES_MAX;

/// Checks the text of an id: 1 to 128 bytes, no control, format or bidirectional characters,
/// because ids end in logs and terminals. They are data and never become part of a path.
fn check(field: &'static str, text: &str) -> Result<(), InvalidInput> {
    if text.is_empty() {
        return Err(InvalidInput::new(field, "must not be empty"));
    }
    if text.len() > ID_BYTES_MAX {
        let reason = format!("must be at most {ID_BYTES_MAX} bytes, got {}", text.len());
        return Err(InvalidInput::new(field, reason));
    }
    // Almost every id is plain: no table look-up per character.
    if text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    let forbidden = text.chars().find(|c| {
        matches!(
            c.general_category(),
            GeneralCategory::Control
                | GeneralCategory::Format
                | GeneralCategory::LineSeparator
                | GeneralCategory::ParagraphSeparator
        )
    });
    match forbidden {
        Some(c) => {
            let reason = format!("must not contain control or format characters, got U+{:04X}", u32::from(c));
            Err(InvalidInput::new(field, reason))
        }
        None => Ok(()),
    }
}

/// Reads the id called so without a copy in between.
struct IdText(&'static str);

impl Visitor<'_> for IdText {
    type Value = Arc<str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Arc<str>, E> {
        check(self.0, text).map_err(E::custom)?;
        Ok(Arc::from(text))
    }
}

macro_rules! external_id {
    ($(#[$doc:meta])* $name:ident, $field:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Parses an id.
            ///
            /// # Errors
            /// Empty, longer than 128 bytes, or with control or format characters.
            pub fn parse(text: &str) -> Result<Self, InvalidInput> {
                check($field, text)?;
                Ok(Self(Arc::from(text)))
            }

            /// The id as the caller wrote it.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(IdText($field)).map(Self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidInput;
            fn try_from(text: String) -> Result<Self, InvalidInput> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0.as_ref().to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

external_id! {
    /// The caller's name for an item.
    ItemId, "item_id"
}
external_id! {
    /// The caller's name for a user.
    UserId, "user_id"
}
external_id! {
    /// The caller's name for one event; the same id sent again is applied once.
    EventId, "event_id"
}
external_id! {
    /// The name of one recommendation answer; events carry it back so that they can be joined to it.
    RequestId, "request_id"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_data_so_path_like_text_is_taken() {
        for text in ["../../etc/passwd", "a b", "ünï", "日本", "%2e%2e", "🎬"] {
            assert!(ItemId::parse(text).is_ok(), "{text:?}");
        }
    }

    #[test]
    fn control_format_and_bidirectional_characters_are_refused() {
        for text in ["a\0", "a\n", "\u{202e}abc", "\u{200b}", "\u{feff}x", "a\u{2028}b", "\u{2066}x"] {
            assert!(UserId::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn length_is_counted_in_bytes() {
        assert!(ItemId::parse(&"x".repeat(128)).is_ok());
        assert!(ItemId::parse(&"x".repeat(129)).is_err());
        assert!(ItemId::parse(&"é".repeat(65)).is_err());
        assert!(ItemId::parse("").is_err());
    }
}
