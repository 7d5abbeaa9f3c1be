use std::fmt;

use serde::{Deserialize, Serialize};
use shortlist_types::InvalidInput;

use crate::sha256::sha256_hex;

const PREFIX: &str = "b-";
const HEX_DIGITS: usize = 16;

/// Name of a bundle: `b-` and 16 hex digits of the sha256 of its manifest, so that equal content
/// has an equal name and a name is safe in a path.
///
/// ```
/// use shortlist_store::BundleId;
/// assert!(BundleId::parse("b-0123456789abcdef").is_ok());
/// assert!(BundleId::parse("../b-0123456789abcdef").is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BundleId(String);

impl BundleId {
    /// Parses an id.
    ///
    /// # Errors
    /// Anything but `b-` and 16 lower-case hex digits.
    pub fn parse(text: &str) -> Result<Self, InvalidInput> {
        let is_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        match text.strip_prefix(PREFIX) {
            Some(digits) if digits.len() == HEX_DIGITS && digits.bytes().all(is_hex) => Ok(Self(text.to_owned())),
            _ => Err(InvalidInput::new("bundle", "must be `b-` and 16 of the digits 0-9 and a-f")),
        }
    }

    /// The id of the bundle with this manifest.
    pub(crate) fn of_manifest(bytes: &[u8]) -> Self {
        let mut id = PREFIX.to_owned();
        id.extend(sha256_hex(bytes).chars().take(HEX_DIGITS));
        Self(id)
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BundleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for BundleId {
    type Error = InvalidInput;
    fn try_from(text: String) -> Result<Self, InvalidInput> {
        Self::parse(&text)
    }
}

impl From<BundleId> for String {
    fn from(id: BundleId) -> String {
        id.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_the_one_form_is_an_id() {
        let bad = ["", "b-", "b-0123456789abcde", "b-0123456789abcdef0", "b-0123456789ABCDEF", "B-0123456789abcdef"];
        let paths = ["b-../../../../etc", "b-0123456789abcde/", "b-0123456789abcde\0", ".tmp-0123456789abcdef", "/"];
        for text in bad.into_iter().chain(paths) {
            assert!(BundleId::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn an_id_begins_as_the_sha256_of_its_manifest() {
        assert_eq!(BundleId::of_manifest(b"abc").as_str(), "b-ba7816bf8f01cfea");
    }

    proptest! {
        #[test]
        fn what_parses_has_no_path_in_it(text in "\\PC{0,20}|b-[0-9a-f./%]{16}") {
            if let Ok(id) = BundleId::parse(&text) {
                prop_assert!(id.as_str().bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'));
            }
        }
    }
}
