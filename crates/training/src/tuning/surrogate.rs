use super::SearchSpace;
use super::cholesky::{Cholesky, dot};
use super::kernel::Kernel;

/// Length scales that are tried for each parameter, in widths of its range.
const LENGTHS: [f64; 6] = [0.1, 0.2, 0.4, 0.8, 1.6, 3.2];
/// The length scale that is expected before anything is known, and its spread in octaves: a metric
/// changes over half of a range that somebody took the care to write down.
const LENGTH_EXPECTED: f64 = 0.6;
const LENGTH_SPREAD: f64 = 1.5;
/// Noise that is tried, as a share of the spread of the metric.
const NOISES: [f64; 4] = [1e-6, 1e-4, 1e-2, 1e-1];
/// Rounds over all of these; the first finds most of it.
const ROUNDS: usize = 2;
/// How far below the median a result may lie, in distances from there to the best: a disaster tells
/// where not to go, but must not flatten the differences among good trials.
const WORST: f64 = 2.0;

/// What the results so far say about points that were not tried: a Gaussian process.
///
/// **Source**: Rasmussen and Williams 2006, "Gaussian Processes for Machine Learning", algorithm 2.1.
/// Length scales and noise maximise the marginal likelihood with a prior, over a coarse grid: with tens
/// of results, finer ones would be fitted to chance.
#[derive(Debug)]
pub(super) struct Surrogate {
    points: Vec<Vec<f64>>,
    fit: Fit,
    /// The best result, without its noise.
    incumbent: f64,
}

#[derive(Debug)]
struct Fit {
    kernel: Kernel,
    factor: Cholesky,
    weights: Vec<f64>,
    amplitude: f64,
    likelihood: f64,
}

impl Surrogate {
    /// The surrogate of these results; none if they are fewer than two or all the same.
    ///
    /// **Shapes**: n points of one place, 0 to 1, per parameter; n values, none for a failed trial,
    /// which is taken to be as bad as the worst.
    /// **Cost**: about 12 x parameters factorisations of n³ / 6 multiplications: below 10 ms for 40
    /// points of 3 parameters.
    pub(super) fn fit(space: &SearchSpace, points: Vec<Vec<f64>>, values: &[Option<f64>]) -> Option<Self> {
        let values = standardised(values)?;
        let mut kernel = Kernel::new(space, LENGTH_EXPECTED);
        let with_noise = |noise: f64| Some((noise, fit(&kernel, noise, &points, &values)?));
        let mut best = NOISES.into_iter().filter_map(with_noise).reduce(better)?;
        for _ in 0..ROUNDS {
            for parameter in 0..kernel.lengths.len() {
                for length in LENGTHS {
                    kernel.lengths.clone_from(&best.1.kernel.lengths);
                    kernel.lengths[parameter] = length;
                    let other = fit(&kernel, best.0, &points, &values).map(|fit| (best.0, fit));
                    best = other.into_iter().fold(best, better);
                }
            }
            for noise in NOISES {
                let other = fit(&best.1.kernel, noise, &points, &values).map(|fit| (noise, fit));
                best = other.into_iter().fold(best, better);
            }
        }
        let mut surrogate = Self { points, fit: best.1, incumbent: f64::NEG_INFINITY };
        let expected = surrogate.points.iter().map(|point| dot(&surrogate.alike(point), &surrogate.fit.weights));
        surrogate.incumbent = expected.fold(f64::NEG_INFINITY, f64::max);
        Some(surrogate)
    }

    /// By how much `point` is expected to beat the best so far, where it does at all.
    ///
    /// **Cost**: n² / 2 multiplications.
    /// **Source**: Jones, Schonlau, Welch 1998, "Efficient Global Optimization of Expensive Black-Box
    /// Functions"; against the best expected value, not the best seen, which noise flatters.
    pub(super) fn expected_improvement(&self, point: &[f64]) -> f64 {
        let alike = self.alike(point);
        let explained = self.fit.factor.forward(&alike);
        let variance = self.fit.amplitude * (1.0 - dot(&explained, &explained)).max(1e-12);
        let spread = variance.sqrt();
        let z = (dot(&alike, &self.fit.weights) - self.incumbent) / spread;
        let below = 0.5 * libm::erfc(-z * std::f64::consts::FRAC_1_SQRT_2);
        let density = libm::exp(-0.5 * z * z) / std::f64::consts::TAU.sqrt();
        spread * (z * below + density)
    }

    fn alike(&self, point: &[f64]) -> Vec<f64> {
        self.points.iter().map(|other| self.fit.kernel.at(point, other)).collect()
    }
}

/// The likelier of two; the first of equals.
fn better(a: (f64, Fit), b: (f64, Fit)) -> (f64, Fit) {
    if b.1.likelihood > a.1.likelihood { b } else { a }
}

/// The process with this kernel and noise; its amplitude is the likeliest one, in closed form.
fn fit(kernel: &Kernel, noise: f64, points: &[Vec<f64>], values: &[f64]) -> Option<Fit> {
    let row = |(i, point): (usize, &Vec<f64>)| {
        let mut row: Vec<f64> = points[..=i].iter().map(|other| kernel.at(point, other)).collect();
        row[i] += noise;
        row
    };
    let factor = Cholesky::new(points.iter().enumerate().map(row).collect())?;
    let weights = factor.solve(values);
    let n = values.len() as f64;
    let amplitude = (dot(values, &weights) / n).max(1e-9);
    let octaves = kernel.lengths.iter().map(|length| libm::log2(length / LENGTH_EXPECTED) / LENGTH_SPREAD);
    let prior: f64 = octaves.map(|octave| -0.5 * octave * octave).sum();
    let likelihood = -0.5 * (n * libm::log(amplitude) + factor.log_determinant()) + prior;
    Some(Fit { kernel: kernel.clone(), factor, weights, amplitude, likelihood })
}

/// Values with mean 0 and spread 1, disasters held at [`WORST`]; none if nothing tells them apart.
fn standardised(values: &[Option<f64>]) -> Option<Vec<f64>> {
    let mut sorted: Vec<f64> = values.iter().copied().flatten().collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let (least, most) = (*sorted.first()?, *sorted.last()?);
    let median = sorted[sorted.len() / 2];
    let held = median - WORST * (most - median);
    let worst = if most > median { held.max(least) } else { least };
    let held: Vec<f64> = values.iter().map(|value| value.unwrap_or(worst).max(worst)).collect();
    let n = held.len() as f64;
    let mean = held.iter().map(|value| value / n).sum::<f64>();
    let spread = held.iter().map(|value| (value - mean) * (value - mean) / n).sum::<f64>().sqrt();
    let told_apart = spread.is_finite() && spread > f64::EPSILON * mean.abs();
    told_apart.then(|| held.iter().map(|value| (value - mean) / spread).collect())
}

#[cfg(test)]
mod tests {
    use super::super::{Domain, Parameter};
    use super::*;

    #[test]
    fn a_disaster_does_not_flatten_the_others() {
        let held = standardised(&[Some(0.30), Some(0.31), Some(0.32), Some(-1e9), None]).unwrap();
        assert!((held[3] - held[4]).abs() < 1e-12, "a failed trial is as bad as the worst");
        assert!(held[2] - held[1] > 0.3, "{held:?}");
        assert!(standardised(&[Some(0.3), Some(0.3)]).is_none());
        assert!(standardised(&[None, None]).is_none());
        assert!(standardised(&[Some(f64::MAX), Some(f64::MIN)]).is_none());
    }

    #[test]
    fn improvement_is_expected_between_the_best_and_not_where_it_was_measured() {
        let real = Parameter::new("a", Domain::Uniform { low: 0.0, high: 1.0 }, 0.0);
        let space = SearchSpace::parse(vec![real]).unwrap();
        let points: Vec<Vec<f64>> = [0.0, 0.25, 0.4, 0.6, 0.75, 1.0].map(|place| vec![place]).to_vec();
        let values: Vec<_> = points.iter().map(|point| Some(-(point[0] - 0.5) * (point[0] - 0.5))).collect();
        let surrogate = Surrogate::fit(&space, points, &values).unwrap();
        let at = |place: f64| surrogate.expected_improvement(&[place]);
        assert!(at(0.5) > 10.0 * at(0.4) && at(0.5) > 100.0 * at(0.1), "{} {} {}", at(0.5), at(0.4), at(0.1));
    }
}
