use rand::Rng;

use crate::latent::{Latent, normal};
use crate::words::{BRANDS, CATEGORIES, NOUNS};

/// Brands that sell in one category.
const BRANDS_PER_CATEGORY: usize = 6;

/// Taste of one kind of goods: what its items have in common.
#[derive(Debug, Clone)]
pub(crate) struct Category {
    /// Where its items lie.
    pub(crate) centre: Latent,
    /// How each noun moves an item: the weak subcategory.
    pub(crate) nouns: [Latent; NOUNS],
    /// Logarithm of the typical price.
    pub(crate) log_price: f64,
    /// Share of the catalogue, relative to the others.
    pub(crate) weight: f64,
    /// Indices of the brands that sell here.
    pub(crate) brands: [usize; BRANDS_PER_CATEGORY],
    hour_peak: f64,
    hour_amplitude: f64,
}

/// How one maker differs from the others.
#[derive(Debug, Clone)]
pub(crate) struct Brand {
    /// Added to the logarithm of the price.
    pub(crate) log_price: f64,
    /// Added to the quality.
    pub(crate) quality: f64,
}

impl Category {
    /// One per entry of [`CATEGORIES`].
    pub(crate) fn generate(random: &mut impl Rng) -> Vec<Self> {
        let category = |(place, words): (usize, &crate::words::CategoryWords)| Self {
            centre: Latent::random(random),
            nouns: std::array::from_fn(|_| Latent::random(random)),
            log_price: words.price.ln(),
            weight: random.random_range(0.6..1.6),
            // Steps of 5 through 24 brands: neighbours share some makers and not all.
            brands: std::array::from_fn(|i| (place * 7 + i * 5) % BRANDS.len()),
            hour_peak: random.random_range(0.0..24.0),
            hour_amplitude: random.random_range(0.2..0.8),
        };
        CATEGORIES.iter().enumerate().map(category).collect()
    }

    /// How much more these goods appeal at this hour (UTC, 0 to 24) than on average.
    pub(crate) fn appetite(&self, hour: f64) -> f64 {
        self.hour_amplitude * ((hour - self.hour_peak) / 24.0 * std::f64::consts::TAU).cos()
    }
}

impl Brand {
    /// One per entry of [`BRANDS`].
    pub(crate) fn generate(random: &mut impl Rng) -> Vec<Self> {
        let brand = |_| Self { log_price: 0.25 * normal(random), quality: 0.4 * normal(random) };
        BRANDS.iter().map(brand).collect()
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn appetite_peaks_once_a_day() {
        let categories = Category::generate(&mut ChaCha8Rng::seed_from_u64(1));
        for category in &categories {
            let at = |hour: f64| category.appetite(hour);
            assert!(at(category.hour_peak) > at(category.hour_peak + 6.0));
            assert!((at(3.0) - at(27.0)).abs() < 1e-9);
            let brands: std::collections::BTreeSet<_> = category.brands.iter().collect();
            assert_eq!(brands.len(), BRANDS_PER_CATEGORY);
        }
    }
}
