use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::SparseRows;
use crate::softmax::SoftmaxConfig;

/// Marks an item that is not in the sample.
const ABSENT: u32 = u32::MAX;

/// Draws the negatives that all pairs of a batch share, with probability by popularity.
///
/// The draw is systematic: N points at equal distances, the first at random, on the line of the
/// cumulated probabilities q. An item is drawn N q times in the mean, as with independent draws, but
/// never a whole draw more or less: the popular items are in every sample, and the estimate varies less.
pub(crate) struct NegativeSampler {
    /// For each item the probability of it and all before it.
    cumulated: Vec<f64>,
    /// For each item `log(prior / (N q))`.
    corrections: Vec<f32>,
    draws: usize,
}

/// The drawn items, each once, and what to add to their logits.
#[derive(Default)]
pub(crate) struct NegativeSample {
    /// The rows of the items, ascending.
    pub(crate) items: Vec<u32>,
    /// For each drawn item `log(count prior / (N q))`.
    pub(crate) corrections: Vec<f32>,
    /// For each item of the table its place in `items`.
    places: Vec<u32>,
}

impl NegativeSampler {
    /// For the items of `by_item`; q grows with a power of the number of users.
    ///
    /// With a popularity discount of 0 the prior is 1, and the corrected sum has the sum over all items
    /// as its mean. Above 0 it grows with the popularity, too, so that popular items count more in the
    /// sum and learn lower scores.
    pub(crate) fn new(by_item: &SparseRows, config: &SoftmaxConfig) -> Self {
        let (items, draws) = (by_item.rows() as f64, config.negatives);
        let probabilities = shares(by_item, config.negative_exponent);
        let priors = shares(by_item, config.popularity_discount);
        let log = |(q, share): (&f64, &f64)| (share * items / (draws as f64 * q)).ln() as f32;
        let corrections = probabilities.iter().zip(&priors).map(log).collect();
        let mut sum = 0.0;
        let cumulate = |q: &f64| {
            sum += q;
            sum
        };
        Self { cumulated: probabilities.iter().map(cumulate).collect(), corrections, draws }
    }

    /// Replaces the sample. **Cost**: one pass over the items.
    pub(crate) fn draw(&self, rng: &mut ChaCha8Rng, sample: &mut NegativeSample) {
        sample.forget(self.cumulated.len());
        let first: f64 = rng.random();
        let mut item = 0;
        let last = self.cumulated.len() - 1;
        for draw in 0..self.draws {
            let point = (draw as f64 + first) / self.draws as f64;
            // Rounding may leave the whole sum a little below 1.
            while item < last && self.cumulated[item] <= point {
                item += 1;
            }
            sample.count(item as u32);
        }
        for (correction, &item) in sample.corrections.iter_mut().zip(&sample.items) {
            // Held the count until now.
            *correction = correction.ln() + self.corrections[item as usize];
        }
    }
}

/// What each item has of the whole, by the `exponent`-th power of the number of its users.
fn shares(by_item: &SparseRows, exponent: f64) -> Vec<f64> {
    let power = |item| (by_item.row(item).len() as f64).powf(exponent);
    let powers: Vec<f64> = (0..by_item.rows()).map(power).collect();
    let total: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / total).collect()
}

impl NegativeSample {
    /// The place of an item in the sample, if it was drawn.
    pub(crate) fn place_of(&self, item: usize) -> Option<usize> {
        self.places.get(item).filter(|&&place| place != ABSENT).map(|&place| place as usize)
    }

    fn forget(&mut self, items: usize) {
        for &item in &self.items {
            self.places[item as usize] = ABSENT;
        }
        self.places.resize(items, ABSENT);
        self.items.clear();
        self.corrections.clear();
    }

    /// Counts one draw; items come in ascending order.
    fn count(&mut self, item: u32) {
        if self.items.last() != Some(&item) {
            self.places[item as usize] = self.items.len() as u32;
            self.items.push(item);
            self.corrections.push(0.0);
        }
        if let Some(count) = self.corrections.last_mut() {
            *count += 1.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    /// Item i has i + 1 users.
    fn by_item(items: u32) -> SparseRows {
        let entries = (0..items).flat_map(|item| (0..=item).map(move |user| (item, user, 1.0)));
        SparseRows::from_sorted(items as usize, items as usize, entries)
    }

    fn sampler(items: u32, negatives: usize, negative_exponent: f64) -> NegativeSampler {
        let config =
            SoftmaxConfig { negatives, negative_exponent, popularity_discount: 0.0, ..SoftmaxConfig::default() };
        NegativeSampler::new(&by_item(items), &config)
    }

    #[test]
    fn as_many_even_draws_as_items_are_all_items_without_correction() {
        let sampler = sampler(37, 37, 0.0);
        let mut sample = NegativeSample::default();
        for seed in 0..5 {
            sampler.draw(&mut ChaCha8Rng::seed_from_u64(seed), &mut sample);
            assert_eq!(sample.items, (0..37).collect::<Vec<u32>>());
            assert!(sample.corrections.iter().all(|c| c.abs() < 1e-6), "{:?}", sample.corrections);
        }
    }

    #[test]
    fn the_corrected_sum_has_the_sum_over_all_items_as_its_mean() {
        let value = |item: usize| ((item * 7) % 11) as f64;
        let full: f64 = (0..40).map(value).sum();
        for (draws, exponent) in [(5, 1.0), (12, 0.5), (300, 1.0)] {
            let sampler = sampler(40, draws, exponent);
            let mut rng = ChaCha8Rng::seed_from_u64(11);
            let mut sample = NegativeSample::default();
            let mut mean = 0.0;
            for _ in 0..4_000 {
                sampler.draw(&mut rng, &mut sample);
                for (&item, &correction) in sample.items.iter().zip(&sample.corrections) {
                    assert_eq!(sample.items[sample.place_of(item as usize).unwrap()], item);
                    mean += value(item as usize) * f64::from(correction).exp() / 4_000.0;
                }
            }
            assert!((mean / full - 1.0).abs() < 0.02, "{draws} draws: {mean} beside {full}");
        }
    }
}
