use serde::{Deserialize, Serialize};

use crate::dense::Matrix;
use crate::probability::sigmoid;

/// What is minimised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// The log-loss of each row: scores become log-odds.
    #[default]
    Pointwise,
    /// The log-loss of the order of each pair of a positive and a negative row of a request (RankNet):
    /// scores order the rows of a request and mean nothing else.
    Pairwise,
    /// The log-loss of picking each positive row of a request by a softmax over it and the request's
    /// negative rows: scores order the rows of a request and mean nothing else.
    Listwise,
}

impl Loss {
    /// Whether rows are compared within their request, so that a batch takes whole requests.
    pub(crate) fn compares(self) -> bool {
        self != Self::Pointwise
    }

    /// Whether scores are log-odds, of which a probability can be made.
    pub fn gives_log_odds(self) -> bool {
        self == Self::Pointwise
    }

    /// The weighted mean loss over rows, pairs or positives and heads; writes its derivatives.
    ///
    /// **Shapes**: logits, labels and derivatives rows x heads; a weight per row; `groups` are the ends
    /// of the requests, ascending. A request without both outcomes adds nothing where rows are compared.
    pub(crate) fn evaluate(self, logits: &Matrix, truth: Truth<'_>, derivatives: &mut Matrix) -> f64 {
        derivatives.clear(logits.rows(), logits.columns);
        let mut sum = Sum::default();
        for head in 0..logits.columns {
            let mut start = 0;
            match self {
                Self::Pointwise => pointwise(head, logits, truth, derivatives, &mut sum),
                Self::Pairwise | Self::Listwise => {
                    for end in truth.groups {
                        let rows = start..*end as usize;
                        start = *end as usize;
                        let list = List { head, rows, logits, truth };
                        match self {
                            Self::Pairwise => list.pairwise(derivatives, &mut sum),
                            _ => list.listwise(derivatives, &mut sum),
                        }
                    }
                }
            }
        }
        if sum.weight <= 0.0 {
            return 0.0;
        }
        let factor = (1.0 / sum.weight) as f32;
        derivatives.values.iter_mut().for_each(|derivative| *derivative *= factor);
        sum.loss / sum.weight
    }
}

/// What happened.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Truth<'a> {
    pub(crate) labels: &'a [bool],
    pub(crate) weights: &'a [f32],
    pub(crate) groups: &'a [u32],
}

#[derive(Debug, Default)]
struct Sum {
    loss: f64,
    weight: f64,
}

/// `ln(1 + exp(x))`, by the exponential that cannot overflow.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

fn pointwise(head: usize, logits: &Matrix, truth: Truth<'_>, derivatives: &mut Matrix, sum: &mut Sum) {
    let heads = logits.columns;
    for (row, &weight) in truth.weights.iter().enumerate() {
        let at = row * heads + head;
        let (logit, weight) = (f64::from(logits.values[at]), f64::from(weight));
        let target = if truth.labels[at] { 1.0 } else { 0.0 };
        sum.loss += weight * softplus(if truth.labels[at] { -logit } else { logit });
        sum.weight += weight;
        derivatives.values[at] = (weight * (sigmoid(logit) - target)) as f32;
    }
}

/// The rows of one request and one outcome.
struct List<'a> {
    head: usize,
    rows: std::ops::Range<usize>,
    logits: &'a Matrix,
    truth: Truth<'a>,
}

impl List<'_> {
    fn place(&self, row: usize) -> usize {
        row * self.logits.columns + self.head
    }

    fn rows_where(&self, label: bool) -> Vec<(usize, f64, f64)> {
        let rows = self.rows.clone().map(|row| (row, self.place(row)));
        rows.filter(|(_, at)| self.truth.labels[*at] == label)
            .map(|(row, at)| (at, f64::from(self.logits.values[at]), f64::from(self.truth.weights[row])))
            .collect()
    }

    fn pairwise(&self, derivatives: &mut Matrix, sum: &mut Sum) {
        let negatives = self.rows_where(false);
        for (positive, high, weight) in self.rows_where(true) {
            for (negative, low, other) in &negatives {
                let weight = weight * other;
                sum.loss += weight * softplus(low - high);
                sum.weight += weight;
                let pull = (weight * sigmoid(low - high)) as f32;
                derivatives.values[positive] -= pull;
                derivatives.values[*negative] += pull;
            }
        }
    }

    /// A negative that stands for several, by its weight, counts as several in the sum.
    fn listwise(&self, derivatives: &mut Matrix, sum: &mut Sum) {
        let negatives = self.rows_where(false);
        if negatives.is_empty() {
            return;
        }
        let positives = self.rows_where(true);
        let most = negatives.iter().chain(&positives).fold(f64::MIN, |most, (_, logit, _)| most.max(*logit));
        let mass = |(_, logit, weight): &(usize, f64, f64)| weight * (logit - most).exp();
        let below: f64 = negatives.iter().map(mass).sum();
        for (positive, logit, weight) in positives {
            let own = (logit - most).exp();
            let total = own + below;
            sum.loss += weight * (total.ln() - (logit - most));
            sum.weight += weight;
            derivatives.values[positive] += (weight * (own / total - 1.0)) as f32;
            for negative in &negatives {
                derivatives.values[negative.0] += (weight * mass(negative) / total) as f32;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn derivatives_agree_with_finite_differences() {
        let mut random = ChaCha8Rng::seed_from_u64(7);
        let (rows, heads) = (12, 2);
        let logits = Matrix::of(heads, (0..rows * heads).map(|_| random.random_range(-3.0..3.0)).collect());
        let labels: Vec<bool> = (0..rows * heads).map(|i| i % 3 == 0).collect();
        let weights: Vec<f32> = (0..rows).map(|_| random.random_range(0.5..4.0)).collect();
        let truth = Truth { labels: &labels, weights: &weights, groups: &[5, 6, 12] };
        for loss in [Loss::Pointwise, Loss::Pairwise, Loss::Listwise] {
            let mut derivatives = Matrix::default();
            loss.evaluate(&logits, truth, &mut derivatives);
            for place in 0..rows * heads {
                let moved = |by: f32| {
                    let mut logits = logits.clone();
                    logits.values[place] += by;
                    loss.evaluate(&logits, truth, &mut Matrix::default())
                };
                let step = 1.0 / 1024.0;
                let expected = (moved(step) - moved(-step)) / (2.0 * f64::from(step));
                let got = f64::from(derivatives.values[place]);
                assert!((got - expected).abs() < 1e-5, "{loss:?} {place}: {got} {expected}");
            }
        }
    }

    #[test]
    fn extreme_scores_and_one_sided_requests_stay_finite() {
        let logits = Matrix::of(1, vec![3e38, -3e38, 1e30, 0.0]);
        let truth = Truth { labels: &[false, true, true, true], weights: &[1.0; 4], groups: &[3, 4] };
        for loss in [Loss::Pointwise, Loss::Pairwise, Loss::Listwise] {
            let mut derivatives = Matrix::default();
            assert!(loss.evaluate(&logits, truth, &mut derivatives).is_finite());
            assert!(derivatives.values.iter().all(|value| value.is_finite()), "{loss:?}");
        }
    }
}
