use rayon::prelude::*;
use serde::{Deserialize, Deserializer, Serialize, de};
use shortlist_types::InvalidInput;

use crate::TrainingRows;

/// Rows that one task sums: its borders depend on the rows alone, never on the threads.
const BLOCK_ROWS: usize = 4_096;
/// A spread below this part of the greatest value is rounding of single precision, not information.
const SPREAD_MIN: f64 = 1e-7;

/// Mean and standard deviation of each feature over the weighted rows.
///
/// A feature that is constant up to rounding has the deviation 0, and its standardised value is 0.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Standardization {
    pub(crate) means: Vec<f64>,
    pub(crate) deviations: Vec<f64>,
}

impl<'de> Deserialize<'de> for Standardization {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct File {
            means: Vec<f64>,
            deviations: Vec<f64>,
        }
        let File { means, deviations } = File::deserialize(deserializer)?;
        Self::parse(means, deviations).map_err(de::Error::custom)
    }
}

impl Standardization {
    /// Checks and keeps means and deviations.
    ///
    /// # Errors
    /// Different lengths, a number that is not finite, or a deviation below 0.
    pub fn parse(means: Vec<f64>, deviations: Vec<f64>) -> Result<Self, InvalidInput> {
        if means.len() != deviations.len() {
            let reason = format!("must have one entry per feature, {}, got {}", means.len(), deviations.len());
            return Err(InvalidInput::new("deviations", reason));
        }
        for (name, values) in [("means", &means), ("deviations", &deviations)] {
            if let Some(i) = values.iter().position(|value| !value.is_finite()) {
                return Err(InvalidInput::new(format!("{name}[{i}]"), format!("must be finite, got {}", values[i])));
            }
        }
        if let Some(i) = deviations.iter().position(|&deviation| deviation < 0.0) {
            let reason = format!("must be 0 or more, got {}", deviations[i]);
            return Err(InvalidInput::new(format!("deviations[{i}]"), reason));
        }
        Ok(Self { means, deviations })
    }

    /// Features of a row.
    pub fn features(&self) -> usize {
        self.means.len()
    }

    /// That of these rows.
    ///
    /// **Cost**: two passes over the rows, the second about the means, so that large means do not
    /// swallow small spreads.
    pub fn of(rows: &TrainingRows) -> Self {
        let total: f64 = rows.weights().iter().map(|&weight| f64::from(weight)).sum();
        let features = rows.number_count();
        let sums = sum_by_feature(rows, |_, value| f64::from(value));
        let means: Vec<f64> = sums.iter().map(|sum| sum / total).collect();
        let squares = sum_by_feature(rows, |feature, value| (f64::from(value) - means[feature]).powi(2));
        let mut greatest = vec![0.0_f32; features];
        for row in rows.numbers().chunks_exact(features) {
            for (greatest, value) in greatest.iter_mut().zip(row) {
                *greatest = greatest.max(value.abs());
            }
        }
        let deviation = |(square, greatest): (&f64, &f32)| {
            let deviation = (square / total).sqrt();
            if deviation > SPREAD_MIN * f64::from(*greatest) { deviation } else { 0.0 }
        };
        let deviations = squares.iter().zip(&greatest).map(deviation).collect();
        Self { means, deviations }
    }

    /// Writes the standardised values of one row.
    pub fn apply(&self, row: &[f32], to: &mut [f32]) {
        for (((to, &value), mean), &deviation) in to.iter_mut().zip(row).zip(&self.means).zip(&self.deviations) {
            *to = if deviation > 0.0 { ((f64::from(value) - mean) / deviation) as f32 } else { 0.0 };
        }
    }
}

/// The weighted sum over rows of `term(feature, value)`, for each feature.
fn sum_by_feature(rows: &TrainingRows, term: impl Fn(usize, f32) -> f64 + Sync) -> Vec<f64> {
    let features = rows.number_count();
    let sum_block = |(values, weights): (&[f32], &[f32])| {
        let mut sums = vec![0.0; features];
        for (row, &weight) in values.chunks_exact(features).zip(weights) {
            for (feature, (sum, &value)) in sums.iter_mut().zip(row).enumerate() {
                *sum += f64::from(weight) * term(feature, value);
            }
        }
        sums
    };
    let blocks: Vec<Vec<f64>> = rows
        .numbers()
        .par_chunks(BLOCK_ROWS * features)
        .zip(rows.weights().par_chunks(BLOCK_ROWS))
        .map(sum_block)
        .collect();
    let mut total = vec![0.0; features];
    for block in &blocks {
        for (total, sum) in total.iter_mut().zip(block) {
            *total += sum;
        }
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_count_like_repeated_rows_and_constants_have_no_spread() {
        let mut weighted = TrainingRows::of_numbers(3).unwrap();
        // The third feature differs by one step of single precision: rounding, not information.
        (0..9).for_each(|_| weighted.push_numbers(&[1.0, 0.1, 1e9], true, 1.0 / 3.0).unwrap());
        weighted.push_numbers(&[5.0, 0.1, 1e9 + 64.0], true, 1.0).unwrap();
        let found = Standardization::of(&weighted);
        assert!((found.means[0] - 2.0).abs() < 1e-6);
        assert!((found.deviations[0] - 3.0_f64.sqrt()).abs() < 1e-6);
        assert_eq!(found.deviations[1..], [0.0, 0.0]);
        let mut row = [9.0; 3];
        found.apply(&[2.0, 7.0, 7.0], &mut row);
        assert!(row[0].abs() < 1e-6 && row[1..].iter().all(|value| value.abs() <= 0.0), "{row:?}");
    }
}
