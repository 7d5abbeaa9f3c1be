use rand::Rng;

/// Draws places in proportion to weights that change rarely.
///
/// **Cost**: linear to build; a draw is a binary search.
#[derive(Debug, Clone, Default)]
pub(crate) struct CumulativeTable(Vec<f64>);

impl CumulativeTable {
    /// One place per weight; weights are finite and not negative.
    pub(crate) fn new(weights: impl IntoIterator<Item = f64>) -> Self {
        let running_sum = |sum: &mut f64, weight: f64| {
            *sum += weight;
            Some(*sum)
        };
        Self(weights.into_iter().scan(0.0, running_sum).collect())
    }

    /// A place, the more probable the greater its weight; `None` if all weights are 0.
    pub(crate) fn draw(&self, random: &mut impl Rng) -> Option<usize> {
        let total = *self.0.last()?;
        let point = random.random::<f64>() * total;
        let place = self.0.partition_point(|&sum| sum <= point);
        (place < self.0.len()).then_some(place)
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn places_are_drawn_in_proportion_to_their_weights() {
        let table = CumulativeTable::new([1.0, 0.0, 3.0]);
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let mut counts = [0_u32; 3];
        for _ in 0..10_000 {
            counts[table.draw(&mut random).unwrap()] += 1;
        }
        assert_eq!(counts[1], 0);
        assert!((7_300..7_700).contains(&counts[2]), "{counts:?}");
    }

    #[test]
    fn nothing_is_drawn_from_nothing() {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        assert_eq!(CumulativeTable::new([]).draw(&mut random), None);
        assert_eq!(CumulativeTable::new([0.0]).draw(&mut random), None);
    }
}
