use rand::Rng;
use rand_distr::{Distribution, StandardNormal};

/// Dimensions of tastes: enough to tell communities and categories apart, few enough to be learned
/// from a hundred events per user.
const DIMENSIONS: usize = 8;

/// A point in the space of tastes; users and items that point the same way like each other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Latent([f64; DIMENSIONS]);

impl Latent {
    /// A direction drawn evenly from the sphere, of length 1.
    pub(crate) fn random(random: &mut impl Rng) -> Self {
        Self(std::array::from_fn(|_| normal(random))).normalised()
    }

    /// The direction of a weighted sum of points, of length 1.
    pub(crate) fn blend<const N: usize>(parts: [(f64, Self); N]) -> Self {
        let mut sum = [0.0; DIMENSIONS];
        for (weight, Self(part)) in parts {
            sum.iter_mut().zip(part).for_each(|(sum, part)| *sum += weight * part);
        }
        Self(sum).normalised()
    }

    /// Inner product: from -1 to 1 between points of length 1.
    pub(crate) fn dot(&self, other: &Self) -> f64 {
        self.0.iter().zip(&other.0).map(|(a, b)| a * b).sum()
    }

    fn normalised(self) -> Self {
        // The floor keeps a sum that cancels out finite.
        let length = self.dot(&self).sqrt().max(1e-9);
        Self(self.0.map(|x| x / length))
    }
}

/// One draw from the standard normal distribution.
pub(crate) fn normal(random: &mut impl Rng) -> f64 {
    StandardNormal.sample(random)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn points_have_length_1_and_blends_lean_to_the_heavier_part() {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let (a, b) = (Latent::random(&mut random), Latent::random(&mut random));
        let blend = Latent::blend([(0.9, a), (0.1, b)]);
        assert!((blend.dot(&blend) - 1.0).abs() < 1e-12);
        assert!(blend.dot(&a) > blend.dot(&b));
    }

    #[test]
    fn parts_that_cancel_out_stay_finite() {
        let a = Latent::random(&mut ChaCha8Rng::seed_from_u64(1));
        assert!(Latent::blend([(1.0, a), (-1.0, a)]).dot(&a).is_finite());
    }
}
