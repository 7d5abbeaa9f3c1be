use std::fmt;
use std::io::{self, Read};
use std::path::Path;

use fs_err::File;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use shortlist_types::InvalidInput;

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

/// The sha256 of `bytes` in 64 lower-case hex digits.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// The length of a file and the sha256 of its bytes, read in pieces.
pub(crate) fn sha256_of_file(path: &Path) -> io::Result<(u64, String)> {
    let mut file = File::open(path)?;
    let mut piece = vec![0; 1 << 20];
    let (mut length, mut hash) = (0, Sha256::new());
    loop {
        let read = file.read(&mut piece)?;
        if read == 0 {
            return Ok((length, hex(&hash.finalize())));
        }
        length += read as u64;
        hash.update(&piece[..read]);
    }
}

fn hex(digest: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or_default();
    digest.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
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
    fn sha256_is_the_standard_one() {
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256_hex(b"abc"), expected);
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
