use shortlist_evaluation::{EvaluationError, bootstrap_mean};

use super::Measurement;

/// Resamples of an interval; the usual number.
const BOOTSTRAP_SAMPLES: usize = 1_000;

/// A validation metric of one trial, finite by construction; greater is better, so a loss comes negated.
#[derive(Debug, Clone, PartialEq)]
pub struct Objective {
    values: Values,
}

#[derive(Debug, Clone, PartialEq)]
enum Values {
    Mean { mean: f64, users: usize },
    PerUser(Vec<f64>),
}

impl Objective {
    /// The metric of each user: its mean is what counts, and an interval can be given.
    ///
    /// **Errors**: no users, a value that is NaN or infinite.
    pub fn of_users(values: Vec<f64>) -> Result<Self, EvaluationError> {
        if values.is_empty() {
            return Err(EvaluationError::Empty);
        }
        if let Some(row) = values.iter().position(|value| !value.is_finite()) {
            return Err(EvaluationError::NotFinite { row, got: values[row] });
        }
        Ok(Self { values: Values::PerUser(values) })
    }

    /// The mean over `users`, without an interval.
    ///
    /// **Errors**: no users, a mean that is NaN or infinite.
    pub fn of_mean(mean: f64, users: usize) -> Result<Self, EvaluationError> {
        if users == 0 {
            return Err(EvaluationError::Empty);
        }
        if !mean.is_finite() {
            return Err(EvaluationError::NotFinite { row: 0, got: mean });
        }
        Ok(Self { values: Values::Mean { mean, users } })
    }

    /// The mean, and the interval that the users give it.
    ///
    /// **Cost**: 1,000 draws per user, where users are known.
    pub(super) fn measure(&self, seed: u64) -> Result<Measurement, EvaluationError> {
        match &self.values {
            Values::Mean { mean, users } => Ok(Measurement { mean: *mean, users: *users, interval: None }),
            Values::PerUser(values) => {
                let interval = bootstrap_mean(values, BOOTSTRAP_SAMPLES, seed)?;
                let ends = Some([interval.low, interval.high]);
                Ok(Measurement { mean: interval.mean, users: interval.n, interval: ends })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_finite_is_no_objective() {
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(matches!(Objective::of_mean(bad, 3), Err(EvaluationError::NotFinite { row: 0, .. })));
            assert!(matches!(Objective::of_users(vec![0.5, bad]), Err(EvaluationError::NotFinite { row: 1, .. })));
        }
        assert_eq!(Objective::of_mean(0.5, 0), Err(EvaluationError::Empty));
        assert_eq!(Objective::of_users(vec![]), Err(EvaluationError::Empty));
    }

    #[test]
    fn users_give_an_interval_and_a_mean_alone_does_not() {
        let users: Vec<f64> = (0..100).map(|i| f64::from(i % 2)).collect();
        let measured = Objective::of_users(users).unwrap().measure(1).unwrap();
        let [low, high] = measured.interval.unwrap();
        assert!(measured.users == 100 && low < 0.5 && 0.5 < high && (measured.mean - 0.5).abs() < 1e-12);
        assert_eq!(Objective::of_mean(0.5, 9).unwrap().measure(1).unwrap().interval, None);
    }
}
