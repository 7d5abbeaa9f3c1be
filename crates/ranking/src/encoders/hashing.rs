use serde::{Deserialize, Serialize};
use shortlist_types::InvalidInput;

use crate::CATEGORY_IDS_MAX;

/// Texts by hash: no vocabulary to keep, at the price that some share an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "usize", into = "usize")]
pub struct Hashing {
    buckets: usize,
}

impl Hashing {
    /// # Errors
    /// No buckets, or more than [`CATEGORY_IDS_MAX`].
    pub fn new(buckets: usize) -> Result<Self, InvalidInput> {
        if !(1..=CATEGORY_IDS_MAX).contains(&buckets) {
            return Err(InvalidInput::new("buckets", format!("must lie in 1 to {CATEGORY_IDS_MAX}, got {buckets}")));
        }
        Ok(Self { buckets })
    }

    /// The id of a text: the same on every machine and in every version.
    ///
    /// **Source**: FNV-1a of 64 bits.
    pub fn id(self, text: &str) -> u32 {
        let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
        let hash = text.bytes().fold(0xCBF2_9CE4_8422_2325, step);
        (hash % self.buckets as u64) as u32
    }

    /// Ids are below this.
    pub fn ids(self) -> usize {
        self.buckets
    }
}

impl From<Hashing> for usize {
    fn from(hashing: Hashing) -> Self {
        hashing.buckets
    }
}

impl TryFrom<usize> for Hashing {
    type Error = InvalidInput;
    fn try_from(buckets: usize) -> Result<Self, InvalidInput> {
        Self::new(buckets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_stay_as_they_are_and_below_the_bound() {
        let hashing = Hashing::new(1_000).unwrap();
        assert_eq!(hashing.id("a"), (0xAF63_DC4C_8601_EC8C_u64 % 1_000) as u32);
        assert!((0..5_000).all(|i| (hashing.id(&i.to_string()) as usize) < hashing.ids()));
        assert!(Hashing::new(0).is_err() && serde_json::from_str::<Hashing>("0").is_err());
    }
}
