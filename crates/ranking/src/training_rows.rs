use crate::RankingError;

/// Most features of a row; more are refused.
pub const FEATURES_MAX: usize = 4_096;
/// Most rows of one fit; more are refused.
pub const ROWS_MAX: usize = 100_000_000;
/// Least weight of a row.
pub const WEIGHT_MIN: f32 = 1e-6;
/// Greatest weight of a row.
pub const WEIGHT_MAX: f32 = 1e6;

/// Labelled rows of features: what a ranker learns from. All values are finite.
///
/// **Shapes**: `values` is rows x features, row-major; `labels` and `weights` have one entry per row.
/// **Cost**: 4 bytes per feature and 5 per row.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainingRows {
    features: usize,
    values: Vec<f32>,
    labels: Vec<bool>,
    weights: Vec<f32>,
}

impl TrainingRows {
    /// No rows yet, of `features` features each.
    ///
    /// # Errors
    /// No features, or more than [`FEATURES_MAX`].
    pub fn new(features: usize) -> Result<Self, RankingError> {
        if !(1..=FEATURES_MAX).contains(&features) {
            return Err(RankingError::FeatureCount { got: features });
        }
        Ok(Self { features, values: Vec::new(), labels: Vec::new(), weights: Vec::new() })
    }

    /// Adds one row; on an error nothing is added.
    ///
    /// # Errors
    /// Another width, a feature that is not finite, a weight outside [`WEIGHT_MIN`] to [`WEIGHT_MAX`],
    /// or more than [`ROWS_MAX`] rows.
    pub fn push(&mut self, row: &[f32], label: bool, weight: f32) -> Result<(), RankingError> {
        if row.len() != self.features {
            return Err(RankingError::RowWidth { expected: self.features, got: row.len() });
        }
        if let Some((feature, &value)) = row.iter().enumerate().find(|(_, value)| !value.is_finite()) {
            return Err(RankingError::FeatureNotFinite { feature, value });
        }
        // The negated range refuses NaN too.
        if !(WEIGHT_MIN..=WEIGHT_MAX).contains(&weight) {
            return Err(RankingError::WeightOutOfRange { weight });
        }
        if self.len() == ROWS_MAX {
            return Err(RankingError::TooManyRows);
        }
        self.values.extend_from_slice(row);
        self.labels.push(label);
        self.weights.push(weight);
        Ok(())
    }

    /// Values per row.
    pub fn features(&self) -> usize {
        self.features
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// All values, row-major.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// Whether the wished outcome happened, by row.
    pub fn labels(&self) -> &[bool] {
        &self.labels
    }

    /// How much each row counts.
    pub fn weights(&self) -> &[f32] {
        &self.weights
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_cannot_be_taken_changes_nothing() {
        let mut rows = TrainingRows::new(2).unwrap();
        rows.push(&[1.0, 2.0], true, 1.0).unwrap();
        let before = rows.clone();
        assert_eq!(rows.push(&[1.0], true, 1.0), Err(RankingError::RowWidth { expected: 2, got: 1 }));
        let error = rows.push(&[1.0, f32::INFINITY], true, 1.0).unwrap_err();
        assert_eq!(error.to_string(), "feature 1 must be finite, got inf");
        for weight in [0.0, -1.0, f32::NAN, f32::INFINITY, 1e7] {
            assert!(matches!(rows.push(&[1.0, 2.0], true, weight), Err(RankingError::WeightOutOfRange { .. })));
        }
        assert_eq!(rows, before);
        assert_eq!(TrainingRows::new(0), Err(RankingError::FeatureCount { got: 0 }));
    }
}
