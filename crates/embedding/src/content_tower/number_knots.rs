use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use shortlist_types::limits::{ATTRIBUTE_NAME_BYTES_MAX, NUMBERS_MAX};
use shortlist_types::{AttributeValue, Attributes, InvalidInput};

/// Most knots of one number: enough for a bend in every eighth of the items.
const KNOTS_MAX: usize = 9;
/// Most examples that quantiles are taken from, evenly spread over all.
const KNOT_EXAMPLES_MAX: usize = 100_000;

/// For each number among the attributes, its quantiles in training, ascending: the knots of the hat
/// functions that describe a value.
///
/// A hat is 1 at its own knot and falls to 0 at its neighbours, so that a weighted sum of hats is any
/// broken line over the knots, and a value beyond the outer knots counts as the outer knot: no number,
/// however huge, leaves the range of training.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NumberKnots(BTreeMap<String, Vec<f64>>);

impl NumberKnots {
    /// The knots of the numbers of these examples; of more than 1,024 names the most frequent are kept.
    ///
    /// **Cost**: a sort of each number over at most 100,000 examples.
    pub(crate) fn fit(examples: &[&Attributes]) -> Self {
        let mut values: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
        let stride = examples.len().div_ceil(KNOT_EXAMPLES_MAX).max(1);
        for attributes in examples.iter().step_by(stride) {
            for (name, value) in attributes.iter() {
                if let AttributeValue::Number(number) = value {
                    values.entry(name).or_default().push(*number);
                }
            }
        }
        let mut named: Vec<_> = values.into_iter().collect();
        named.sort_by_key(|(_, values)| std::cmp::Reverse(values.len()));
        named.truncate(NUMBERS_MAX);
        Self(named.into_iter().map(|(name, values)| (name.to_owned(), quantiles(values))).collect())
    }

    /// Checks knots that were stored.
    ///
    /// # Errors
    /// Too many names or knots, none, or knots that are not finite and ascending.
    pub(crate) fn check(&self) -> Result<(), InvalidInput> {
        let wrong = |reason: String| Err(InvalidInput::new("numbers", reason));
        if self.0.len() > NUMBERS_MAX {
            return wrong(format!("must have at most {NUMBERS_MAX} names, got {}", self.0.len()));
        }
        for (name, knots) in &self.0 {
            if name.len() > ATTRIBUTE_NAME_BYTES_MAX || !(1..=KNOTS_MAX).contains(&knots.len()) {
                return wrong(format!("{name:?} must have 1 to {KNOTS_MAX} knots, got {}", knots.len()));
            }
            if !knots.iter().all(|knot| knot.is_finite()) || !knots.is_sorted_by(|a, b| a < b) {
                return wrong(format!("the knots of {name:?} must be finite and ascend"));
            }
        }
        Ok(())
    }

    /// The hats that `value` of the number `name` stands under, as `(knot, height)`, one or two with
    /// heights that sum to 1; none for an unknown name.
    pub(crate) fn hats(&self, name: &str, value: f64) -> impl Iterator<Item = (usize, f32)> {
        let knots = self.0.get(name).map_or(&[][..], Vec::as_slice);
        let after = knots.partition_point(|&knot| knot <= value);
        let pair = match (after, knots.len()) {
            (_, 0) => [None, None],
            (0, _) => [Some((0, 1.0)), None],
            (after, count) if after == count => [Some((count - 1, 1.0)), None],
            (after, _) => {
                let height = share(knots[after - 1], value, knots[after]);
                [Some((after - 1, 1.0 - height)), Some((after, height))]
            }
        };
        pair.into_iter().flatten().filter(|hat| hat.1 > 0.0)
    }
}

/// How far `value` has come from `low` to `high`, 0 to 1.
fn share(low: f64, value: f64, high: f64) -> f32 {
    // Halves, because the difference of two huge numbers overflows.
    let share = (value / 2.0 - low / 2.0) / (high / 2.0 - low / 2.0);
    // Two subnormal knots may have the same half: 0 / 0 counts as 0.
    if share > 0.0 { share.min(1.0) as f32 } else { 0.0 }
}

/// Distinct quantiles, from the least value to the greatest; `values` is not empty.
fn quantiles(mut values: Vec<f64>) -> Vec<f64> {
    // Plus zero turns -0.0 into 0.0, which are one knot.
    values.iter_mut().for_each(|value| *value += 0.0);
    values.sort_unstable_by(f64::total_cmp);
    let last = values.len() - 1;
    let at = |k: usize| values[(last * k + (KNOTS_MAX - 1) / 2) / (KNOTS_MAX - 1)];
    let mut knots: Vec<f64> = (0..KNOTS_MAX).map(at).collect();
    knots.dedup_by(|a, b| a.total_cmp(b).is_eq());
    knots
}

#[cfg(test)]
mod tests {
    use super::*;

    fn knots(values: impl IntoIterator<Item = f64>) -> NumberKnots {
        let one = |x| Attributes::parse([("n".to_owned(), AttributeValue::Number(x))]).unwrap();
        let all: Vec<_> = values.into_iter().map(one).collect();
        NumberKnots::fit(&all.iter().collect::<Vec<_>>())
    }

    fn hats(knots: &NumberKnots, value: f64) -> Vec<(usize, f32)> {
        knots.hats("n", value).collect()
    }

    #[test]
    fn a_value_between_two_knots_stands_under_both() {
        let knots = knots((0..=80).map(f64::from));
        assert_eq!(hats(&knots, 10.0), [(1, 1.0)]);
        assert_eq!(hats(&knots, 12.5), [(1, 0.75), (2, 0.25)]);
        assert_eq!(hats(&knots, 1e300), [(8, 1.0)]);
        assert_eq!(hats(&knots, -1e300), [(0, 1.0)]);
        assert!(knots.hats("m", 1.0).next().is_none());
    }

    #[test]
    fn a_constant_has_one_knot_and_few_values_have_one_each() {
        assert_eq!(hats(&knots([3.0; 40]), 7.0), [(0, 1.0)]);
        assert_eq!(hats(&knots([-0.0, 0.0]), 0.0), [(0, 1.0)]);
        assert_eq!(hats(&knots([1.0, 2.0, 4.0]), 3.0), [(1, 0.5), (2, 0.5)]);
    }

    #[test]
    fn heights_stay_between_0_and_1_for_the_greatest_and_least_numbers() {
        for (low, high) in [(-f64::MAX, f64::MAX), (0.0, f64::from_bits(1)), (-f64::from_bits(1), f64::from_bits(1))] {
            let knots = knots([low, high]);
            for value in [low, 0.0, high, 1.0, -1.0] {
                let sum: f32 = hats(&knots, value).iter().map(|hat| hat.1).sum();
                assert!((sum - 1.0).abs() < 1e-6, "{low} {value} {high}: {sum}");
            }
        }
    }

    #[test]
    fn stored_knots_must_ascend() {
        for json in [r#"{"n": []}"#, r#"{"n": [2.0, 1.0]}"#, r#"{"n": [1.0, 1.0]}"#] {
            let knots: NumberKnots = serde_json::from_str(json).unwrap();
            assert!(knots.check().is_err(), "{json}");
        }
        assert!(knots([1.0, 5.0]).check().is_ok());
    }
}
