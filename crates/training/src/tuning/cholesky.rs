/// The lower triangle L of a symmetric positive definite matrix A = L Lᵀ.
#[derive(Debug, Clone)]
pub(super) struct Cholesky {
    rows: Vec<Vec<f64>>,
}

impl Cholesky {
    /// The factor of `matrix`; none if it is not positive definite.
    ///
    /// **Shapes**: row i of the lower triangle holds i + 1 values.
    /// **Cost**: n³ / 6 multiplications.
    pub(super) fn new(mut matrix: Vec<Vec<f64>>) -> Option<Self> {
        for i in 0..matrix.len() {
            let (above, rest) = matrix.split_at_mut(i);
            let row = rest.first_mut()?;
            for (j, other) in above.iter().enumerate() {
                row[j] = (row[j] - dot(&row[..j], &other[..j])) / other[j];
            }
            let square = row[i] - dot(&row[..i], &row[..i]);
            if square.is_nan() || square <= 0.0 {
                return None;
            }
            row[i] = square.sqrt();
        }
        Some(Self { rows: matrix })
    }

    /// The x with L x = `right`.
    pub(super) fn forward(&self, right: &[f64]) -> Vec<f64> {
        let mut x = Vec::with_capacity(right.len());
        for (i, (row, value)) in self.rows.iter().zip(right).enumerate() {
            x.push((value - dot(&row[..i], &x)) / row[i]);
        }
        x
    }

    /// The x with A x = `right`.
    pub(super) fn solve(&self, right: &[f64]) -> Vec<f64> {
        let mut x = self.forward(right);
        for (i, row) in self.rows.iter().enumerate().rev() {
            x[i] /= row[i];
            let done = x[i];
            x.iter_mut().zip(&row[..i]).for_each(|(value, factor)| *value -= factor * done);
        }
        x
    }

    /// The logarithm of the determinant of A.
    pub(super) fn log_determinant(&self) -> f64 {
        self.rows.iter().filter_map(|row| row.last()).map(|value| 2.0 * libm::log(*value)).sum()
    }
}

/// Inner product, added in order, so that every machine gets the same bits.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_solved_system_gives_its_right_side_back() {
        let lower = vec![vec![4.0], vec![1.0, 3.0], vec![-0.5, 0.25, 2.0]];
        let factor = Cholesky::new(lower.clone()).unwrap();
        let right = [1.0, -2.0, 0.5];
        let x = factor.solve(&right);
        for i in 0..3 {
            let row: Vec<f64> = (0..3).map(|j| lower[i.max(j)][i.min(j)]).collect();
            assert!((dot(&row, &x) - right[i]).abs() < 1e-12);
        }
        let forward = factor.forward(&right);
        assert!((dot(&forward, &forward) - dot(&right, &x)).abs() < 1e-12);
        // 4 (6 - 0.0625) - 1 (2 + 0.125) - 0.5 (0.25 + 1.5)
        assert!((libm::exp(factor.log_determinant()) - 20.75).abs() < 1e-12);
    }

    #[test]
    fn what_is_not_positive_definite_has_no_factor() {
        assert!(Cholesky::new(vec![vec![1.0], vec![2.0, 1.0]]).is_none());
        assert!(Cholesky::new(vec![vec![f64::NAN]]).is_none());
    }
}
