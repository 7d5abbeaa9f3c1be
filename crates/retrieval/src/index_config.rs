use serde::{Deserialize, Serialize};

use crate::{Metric, RetrievalError};

/// Smaller leaves cost more links than they save reads.
const LEAF_MIN: usize = 8;
/// Larger leaves are read for the few near points that they hold.
const LEAF_MAX: usize = 1_024;
/// Fewer neighbours do not hold a graph together.
const M_MIN: usize = 2;
/// Beyond this recall no longer grows.
const M_MAX: usize = 64;
/// A narrower beam than this finds no useful neighbours.
const EF_CONSTRUCTION_MIN: usize = 8;
/// Build time grows with the beam; beyond this it grows for nothing.
const EF_CONSTRUCTION_MAX: usize = 2_000;

/// How an index is built.
///
/// ```
/// use shortlist_retrieval::{IndexConfig, Metric};
/// let config = IndexConfig::default();
/// assert_eq!((config.metric(), config.leaf_points()), (Metric::Ip, 64));
/// assert!(config.with_graph(1, 100).is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Fields")]
pub struct IndexConfig {
    /// Not a setting of a file: who builds an index knows what its vectors mean.
    #[serde(skip)]
    metric: Metric,
    leaf_points: usize,
    m: usize,
    ef_construction: usize,
}

impl IndexConfig {
    /// The same with another metric.
    #[must_use]
    pub fn with_metric(self, metric: Metric) -> Self {
        Self { metric, ..self }
    }

    /// The same with about `leaf_points` points per leaf, 8 to 1,024.
    ///
    /// # Errors
    /// [`RetrievalError::ConfigOutOfRange`].
    pub fn with_leaf_points(self, leaf_points: usize) -> Result<Self, RetrievalError> {
        within("leaf_points", leaf_points, LEAF_MIN, LEAF_MAX)?;
        Ok(Self { leaf_points, ..self })
    }

    /// The same with `m` neighbours per leaf on the upper layers of the graph of leaves (2 to 64;
    /// twice as many on layer 0) and a beam of `ef_construction` leaves while building it (8 to 2,000).
    ///
    /// # Errors
    /// [`RetrievalError::ConfigOutOfRange`].
    pub fn with_graph(self, m: usize, ef_construction: usize) -> Result<Self, RetrievalError> {
        within("m", m, M_MIN, M_MAX)?;
        within("ef_construction", ef_construction, EF_CONSTRUCTION_MIN, EF_CONSTRUCTION_MAX)?;
        Ok(Self { m, ef_construction, ..self })
    }

    /// What "near" means.
    pub fn metric(&self) -> Metric {
        self.metric
    }

    /// Points that a leaf holds on average.
    pub fn leaf_points(&self) -> usize {
        self.leaf_points
    }

    /// Most neighbours of a leaf on an upper layer of the graph; layer 0 has twice as many.
    pub fn m(&self) -> usize {
        self.m
    }

    /// Width of the graph builder's beam.
    pub fn ef_construction(&self) -> usize {
        self.ef_construction
    }
}

impl Default for IndexConfig {
    fn default() -> Self {
        Self { metric: Metric::Ip, leaf_points: 64, m: 8, ef_construction: 60 }
    }
}

fn within(field: &'static str, got: usize, min: usize, max: usize) -> Result<(), RetrievalError> {
    if (min..=max).contains(&got) { Ok(()) } else { Err(RetrievalError::ConfigOutOfRange { field, min, max, got }) }
}

/// The settings as written, before they are checked.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Fields {
    leaf_points: usize,
    m: usize,
    ef_construction: usize,
}

impl Default for Fields {
    fn default() -> Self {
        let IndexConfig { leaf_points, m, ef_construction, .. } = IndexConfig::default();
        Self { leaf_points, m, ef_construction }
    }
}

impl TryFrom<Fields> for IndexConfig {
    type Error = RetrievalError;
    fn try_from(fields: Fields) -> Result<Self, RetrievalError> {
        Self::default().with_leaf_points(fields.leaf_points)?.with_graph(fields.m, fields.ef_construction)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_of_each_range_are_taken_and_nothing_beyond() {
        let config = IndexConfig::default();
        for (m, ef) in [(2, 8), (64, 2_000)] {
            assert!(config.with_graph(m, ef).is_ok());
        }
        for (m, ef) in [(1, 8), (65, 8), (2, 7), (2, 2_001), (usize::MAX, 8), (2, usize::MAX)] {
            assert!(config.with_graph(m, ef).is_err(), "{m} {ef}");
        }
        assert!([8, 1_024].into_iter().all(|points| config.with_leaf_points(points).is_ok()));
        assert!([0, 7, 1_025].into_iter().all(|points| config.with_leaf_points(points).is_err()));
    }

    #[test]
    fn settings_are_checked_when_they_are_read() {
        let read = serde_json::from_str::<IndexConfig>;
        assert_eq!(read("{}").unwrap(), IndexConfig::default());
        let small = IndexConfig::default().with_leaf_points(16).unwrap();
        assert_eq!(read(r#"{"leaf_points":16}"#).unwrap(), small);
        assert!(read(r#"{"M":8}"#).unwrap_err().to_string().contains("unknown field"));
        assert_eq!(read(r#"{"m":65}"#).unwrap_err().to_string(), "m must be 2 to 64, got 65");
    }
}
