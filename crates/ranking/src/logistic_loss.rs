use rayon::prelude::*;

use crate::lanes::{LANES, add_scaled, dot};
use crate::probability::sigmoid;
use crate::standardization::Standardization;
use crate::{RankingError, TrainingRows};

/// Rows that one task sums: its borders depend on the rows alone, never on the threads.
const BLOCK_ROWS: usize = 4_096;

/// The penalised log-loss of a linear model over standardised rows, as a function of its parameters.
///
/// `sum w ln(1 + exp(-y m)) / sum w + (l2 / sum w) / 2 |weights|^2`, with the margin m of a row and its
/// label y as 1 or -1. Divided by the sum of weights, so that tolerances do not depend on the data.
///
/// **Shapes**: parameters are the weights of the features, the intercept, then zeros up to a multiple
/// of eight; `design` is rows x that width, with 1 in the column of the intercept.
pub(crate) struct LogisticLoss<'a> {
    design: Vec<f32>,
    width: usize,
    rows: &'a TrainingRows,
    weight_total: f64,
    penalty: Vec<f64>,
}

/// Loss and gradient at one point.
pub(crate) struct Evaluation {
    pub(crate) loss: f64,
    pub(crate) gradient: Vec<f64>,
}

impl<'a> LogisticLoss<'a> {
    /// **Cost**: a standardised copy of the rows, 4 bytes per value.
    ///
    /// # Errors
    /// The rows do not have both labels.
    pub(crate) fn new(
        rows: &'a TrainingRows,
        standardization: &Standardization,
        l2: f64,
    ) -> Result<Self, RankingError> {
        let positives = rows.labels().iter().filter(|&&label| label).count();
        if positives == 0 || positives == rows.len() {
            return Err(RankingError::OneClass { positives, rows: rows.len() });
        }
        let features = rows.number_count();
        let width = (features + 1).next_multiple_of(LANES);
        let mut design = vec![0.0; rows.len() * width];
        design.par_chunks_mut(width).zip(rows.numbers().par_chunks(features)).for_each(|(to, row)| {
            standardization.apply(row, &mut to[..features]);
            to[features] = 1.0;
        });
        let weight_total = rows.weights().iter().map(|&weight| f64::from(weight)).sum();
        // The intercept is the base rate of the outcome: nothing speaks for a small one.
        let mut penalty = vec![0.0; width];
        penalty[..features].fill(l2 / weight_total);
        Ok(Self { design, width, rows, weight_total, penalty })
    }

    /// No weights, and the intercept that says the base rate.
    pub(crate) fn start(&self) -> Vec<f64> {
        let rows = self.rows.labels().iter().zip(self.rows.weights());
        let positive: f64 = rows.filter(|(label, _)| **label).map(|(_, &weight)| f64::from(weight)).sum();
        let mut parameters = vec![0.0; self.width];
        parameters[self.rows.number_count()] = (positive / (self.weight_total - positive)).ln();
        parameters
    }

    pub(crate) fn row_count(&self) -> usize {
        self.rows.len()
    }

    /// Loss and gradient at `parameters`; leaves the second derivative of each row's loss by its margin
    /// in `curvatures`.
    ///
    /// **Cost**: one pass over the rows, on all threads.
    pub(crate) fn evaluate(&self, parameters: &[f64], curvatures: &mut [f64]) -> Evaluation {
        let labels = self.rows.labels().par_chunks(BLOCK_ROWS).zip(self.rows.weights().par_chunks(BLOCK_ROWS));
        let blocks: Vec<Evaluation> = self
            .design
            .par_chunks(BLOCK_ROWS * self.width)
            .zip(labels)
            .zip(curvatures.par_chunks_mut(BLOCK_ROWS))
            .map(|((design, (labels, weights)), curvatures)| {
                let mut sum = Evaluation { loss: 0.0, gradient: vec![0.0; self.width] };
                let rows = design.chunks_exact(self.width).zip(labels).zip(weights).zip(curvatures);
                for (((row, &label), &weight), curvature) in rows {
                    let weight = f64::from(weight) / self.weight_total;
                    let margin = dot(row, parameters);
                    let probability = sigmoid(margin);
                    // ln(1 + exp(-y m)), by the exponential that cannot overflow.
                    let signed = if label { margin } else { -margin };
                    sum.loss += weight * ((-signed).max(0.0) + (-signed.abs()).exp().ln_1p());
                    let target = if label { 1.0 } else { 0.0 };
                    add_scaled(&mut sum.gradient, weight * (probability - target), row);
                    *curvature = weight * probability * sigmoid(-margin);
                }
                sum
            })
            .collect();
        let mut total = Evaluation { loss: 0.0, gradient: vec![0.0; self.width] };
        for block in &blocks {
            total.loss += block.loss;
            add(&mut total.gradient, &block.gradient);
        }
        for ((gradient, penalty), parameter) in total.gradient.iter_mut().zip(&self.penalty).zip(parameters) {
            *gradient += penalty * parameter;
            total.loss += 0.5 * penalty * parameter * parameter;
        }
        total
    }

    /// The Hessian, given by the curvatures of an evaluation, times `direction`.
    ///
    /// **Cost**: one pass over the rows, on all threads.
    pub(crate) fn hessian_times(&self, curvatures: &[f64], direction: &[f64]) -> Vec<f64> {
        let blocks: Vec<Vec<f64>> = self
            .design
            .par_chunks(BLOCK_ROWS * self.width)
            .zip(curvatures.par_chunks(BLOCK_ROWS))
            .map(|(design, curvatures)| {
                let mut sum = vec![0.0; self.width];
                for (row, curvature) in design.chunks_exact(self.width).zip(curvatures) {
                    add_scaled(&mut sum, curvature * dot(row, direction), row);
                }
                sum
            })
            .collect();
        let mut total: Vec<f64> = self.penalty.iter().zip(direction).map(|(penalty, x)| penalty * x).collect();
        blocks.iter().for_each(|block| add(&mut total, block));
        total
    }
}

fn add(to: &mut [f64], from: &[f64]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to += from;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> TrainingRows {
        let mut rows = TrainingRows::of_numbers(3).unwrap();
        for i in 0..50_u8 {
            let x = f32::from(i);
            rows.push_numbers(&[x.sin() * 3.0, (x * 1.7).cos(), x % 7.0], i % 3 == 0, 0.5 + x % 4.0).unwrap();
        }
        rows
    }

    #[test]
    fn gradient_and_hessian_agree_with_finite_differences() {
        let rows = rows();
        let loss = LogisticLoss::new(&rows, &Standardization::of(&rows), 2.0).unwrap();
        let at = [0.3, -0.7, 1.1, 0.2, 0.0, 0.0, 0.0, 0.0];
        let direction = [0.5, 0.1, -0.4, 0.9, 0.0, 0.0, 0.0, 0.0];
        let step = 1e-5;
        let moved = |sign: f64| -> Vec<f64> { at.iter().zip(direction).map(|(x, d)| x + sign * step * d).collect() };
        let mut curvatures = vec![0.0; 50];
        let before = loss.evaluate(&moved(-1.0), &mut curvatures);
        let after = loss.evaluate(&moved(1.0), &mut curvatures);
        let here = loss.evaluate(&at, &mut curvatures);
        let slope: f64 = here.gradient.iter().zip(direction).map(|(g, d)| g * d).sum();
        assert!(((after.loss - before.loss) / (2.0 * step) - slope).abs() < 1e-8);
        let product = loss.hessian_times(&curvatures, &direction);
        for ((after, before), product) in after.gradient.iter().zip(&before.gradient).zip(&product) {
            assert!(((after - before) / (2.0 * step) - product).abs() < 1e-8, "{after} {before} {product}");
        }
    }

    #[test]
    fn the_start_predicts_the_base_rate() {
        let rows = rows();
        let loss = LogisticLoss::new(&rows, &Standardization::of(&rows), 2.0).unwrap();
        let here = loss.evaluate(&loss.start(), &mut [0.0; 50]);
        assert!(here.gradient[3].abs() < 1e-12, "the derivative by the intercept vanishes");
    }
}
