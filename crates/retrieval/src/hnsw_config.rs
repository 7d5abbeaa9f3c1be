use serde::{Deserialize, Serialize};

use crate::RetrievalError;

/// Fewer neighbours do not hold a graph together.
const M_MIN: usize = 2;
/// Twice this many neighbours fill 512 bytes per node; beyond it recall no longer grows.
const M_MAX: usize = 64;
/// A narrower beam than this finds no useful neighbours.
const EF_CONSTRUCTION_MIN: usize = 8;
/// Build time grows with the beam; beyond this it grows for nothing.
const EF_CONSTRUCTION_MAX: usize = 2_000;

/// How densely the graph is linked and how hard the builder looks for neighbours.
///
/// ```
/// use shortlist_retrieval::HnswConfig;
/// assert_eq!((HnswConfig::default().m(), HnswConfig::default().ef_construction()), (16, 200));
/// assert!(HnswConfig::new(1, 200).is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Fields")]
pub struct HnswConfig {
    m: usize,
    ef_construction: usize,
}

impl HnswConfig {
    /// Takes `m` neighbours per node on the upper layers (2 to 64; twice as many on layer 0) and a
    /// beam of `ef_construction` nodes while building (8 to 2,000).
    ///
    /// **Errors**: [`RetrievalError::ConfigOutOfRange`].
    pub fn new(m: usize, ef_construction: usize) -> Result<Self, RetrievalError> {
        within("m", m, M_MIN, M_MAX)?;
        within("ef_construction", ef_construction, EF_CONSTRUCTION_MIN, EF_CONSTRUCTION_MAX)?;
        Ok(Self { m, ef_construction })
    }

    /// Most neighbours of a node on an upper layer; layer 0 has twice as many.
    pub fn m(&self) -> usize {
        self.m
    }

    /// Width of the builder's beam.
    pub fn ef_construction(&self) -> usize {
        self.ef_construction
    }
}

impl Default for HnswConfig {
    fn default() -> Self {
        Self { m: 16, ef_construction: 200 }
    }
}

fn within(field: &'static str, got: usize, min: usize, max: usize) -> Result<(), RetrievalError> {
    if (min..=max).contains(&got) { Ok(()) } else { Err(RetrievalError::ConfigOutOfRange { field, min, max, got }) }
}

/// The settings as written, before they are checked.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Fields {
    m: usize,
    ef_construction: usize,
}

impl Default for Fields {
    fn default() -> Self {
        let HnswConfig { m, ef_construction } = HnswConfig::default();
        Self { m, ef_construction }
    }
}

impl TryFrom<Fields> for HnswConfig {
    type Error = RetrievalError;
    fn try_from(fields: Fields) -> Result<Self, RetrievalError> {
        Self::new(fields.m, fields.ef_construction)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_of_each_range_are_taken_and_nothing_beyond() {
        for (m, ef) in [(2, 8), (64, 2_000)] {
            assert!(HnswConfig::new(m, ef).is_ok());
        }
        for (m, ef) in [(1, 8), (65, 8), (2, 7), (2, 2_001), (usize::MAX, 8), (2, usize::MAX)] {
            assert!(HnswConfig::new(m, ef).is_err(), "{m} {ef}");
        }
    }

    #[test]
    fn settings_are_checked_when_they_are_read() {
        let read = serde_json::from_str::<HnswConfig>;
        assert_eq!(read("{}").unwrap(), HnswConfig::default());
        assert_eq!(read(r#"{"m":8}"#).unwrap(), HnswConfig::new(8, 200).unwrap());
        assert!(read(r#"{"M":8}"#).unwrap_err().to_string().contains("unknown field"));
        assert_eq!(read(r#"{"m":65}"#).unwrap_err().to_string(), "m must be 2 to 64, got 65");
    }
}
