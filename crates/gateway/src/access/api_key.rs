use std::fmt;

use rand::TryRngCore;
use rand::rngs::OsRng;
use sha2::{Digest, Sha256};

/// What every key begins with, so that scanners of repositories find those that leaked.
const PREFIX: &str = "slk_";
const ID_DIGITS: usize = 16;
const SECRET_DIGITS: usize = 64;

/// An API key as its owner holds it: `slk_`, 16 hex digits that name it, `_`, and 64 that only he knows.
///
/// The secret has 256 random bits, so one SHA-256 of it is kept: there is nothing to guess that a slower hash would
/// protect.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey {
    id: String,
    secret: String,
}

impl ApiKey {
    /// A new key, from the system's random numbers.
    ///
    /// # Errors
    /// The system gives none.
    pub fn draw() -> Result<Self, rand::rand_core::OsError> {
        let mut bytes = [0_u8; (ID_DIGITS + SECRET_DIGITS) / 2];
        OsRng.try_fill_bytes(&mut bytes)?;
        let digits = hex(&bytes);
        let (id, secret) = digits.split_at(ID_DIGITS);
        Ok(Self { id: id.to_owned(), secret: secret.to_owned() })
    }

    /// The key in a header; none if it has not its form.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
        let fits = |text: &str, digits: usize| text.len() == digits && text.bytes().all(|b| b.is_ascii_hexdigit());
        let fits = fits(id, ID_DIGITS) && fits(secret, SECRET_DIGITS);
        fits.then(|| Self { id: id.to_owned(), secret: secret.to_owned() })
    }

    /// What names it; no secret.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The key itself, to be shown to its owner once.
    pub fn reveal(&self) -> String {
        format!("{PREFIX}{}_{}", self.id, self.secret)
    }

    pub(crate) fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.secret.as_bytes()).into()
    }
}

/// Says no secret.
impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Bytes as lower-case hex digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The 32 bytes that 64 hex digits are.
pub(crate) fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != bytes.len() || !rest.is_empty() {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(pairs) {
        let pair = std::str::from_utf8(pair).ok().filter(|pair| pair.bytes().all(|b| b.is_ascii_hexdigit()))?;
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_back_and_is_another_each_time() {
        let key = ApiKey::draw().unwrap();
        assert_eq!(ApiKey::parse(&key.reveal()), Some(key.clone()));
        assert_ne!(ApiKey::draw().unwrap(), key);
        assert_eq!(unhex(&hex(&key.hash())), Some(key.hash()));
        let said = format!("{key:?}");
        assert!(said.contains(key.id()) && !said.contains(&key.secret), "{said}");
        for text in ["", "slk_", "slk_1_2", &key.reveal()[1..], &format!("{}0", key.reveal()), "slk_é_é"] {
            assert_eq!(ApiKey::parse(text), None, "{text}");
        }
    }
}
