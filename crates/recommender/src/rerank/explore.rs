use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use shortlist_types::InvalidInput;

/// Most items that a draw may choose from.
const AMONG_MAX: usize = 1_000;
const TEMPERATURE_MIN: f64 = 0.001;
const TEMPERATURE_MAX: f64 = 10.0;

/// Gives some places of a list to items that are drawn at random, so that the log tells more than what the ranker
/// already believes. Either `epsilon` or `temperature` says how.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Explore {
    /// Most places of a list that are drawn, as a share of it, rounded down; which ones is drawn, too.
    pub share: f64,
    /// Epsilon-greedy: the chance that such a place goes to any of the items, all alike; else the best one has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epsilon: Option<f64>,
    /// Plackett-Luce: such a place goes to an item with a chance in proportion to exp(value / temperature). The value is
    /// what the other rules make of its score, on the scale on which the worst candidate has 0 and the best one 1:
    /// boosts added, likeness taken off. It is the distribution of Gumbel top-k.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// Items that are drawn from: so many from the top of the order.
    #[serde(default = "Explore::default_among")]
    pub among: usize,
}

impl Explore {
    fn default_among() -> usize {
        100
    }

    pub(super) fn check(&self) -> Result<(), InvalidInput> {
        let in_range = |field: &'static str, value: f64, low: f64, high: f64| {
            let error = || InvalidInput::new(field, format!("must be {low} to {high}, got {value}"));
            if (low..=high).contains(&value) { Ok(()) } else { Err(error()) }
        };
        in_range("share", self.share, 0.0, 1.0)?;
        in_range("among", self.among as f64, 1.0, AMONG_MAX as f64)?;
        match (self.epsilon, self.temperature) {
            (Some(epsilon), None) => in_range("epsilon", epsilon, 0.0, 1.0),
            (None, Some(temperature)) => in_range("temperature", temperature, TEMPERATURE_MIN, TEMPERATURE_MAX),
            _ => Err(InvalidInput::new(
                "",
                "needs either epsilon, for a uniform draw, or temperature, for a draw by score",
            )),
        }
    }
}

/// The draws of one list.
#[derive(Debug)]
pub(super) struct Draw {
    config: Explore,
    random: ChaCha8Rng,
    /// Places that may still be drawn.
    places: usize,
    /// How likely it is that so many places may still be drawn, for somebody who sees the items so far and not which of
    /// them were drawn: what propensities are told by.
    seen_from_outside: Vec<f64>,
}

/// Which item has a place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Drawn {
    pub(super) item: usize,
    /// The probability that this item has this place, given the items above it: exact, and over the places of a list
    /// the factors of the probability of the whole.
    pub(super) propensity: f32,
    /// Whether it stands there by chance.
    pub(super) by_chance: bool,
}

impl Draw {
    /// The draws of a list of `k`.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // 0..=1 of a length
    pub(super) fn new(config: Explore, seed: u64, k: usize) -> Self {
        let places = (k as f64 * config.share + 1e-9) as usize;
        let mut seen_from_outside = vec![0.0; places + 1];
        seen_from_outside[places] = 1.0;
        Self { config, random: ChaCha8Rng::seed_from_u64(seed), places, seen_from_outside }
    }

    /// Items from the top of the order that it draws from.
    pub(super) fn among(&self) -> usize {
        self.config.among
    }

    /// Whether, as seen from outside, there may be a place left to draw.
    pub(super) fn is_open(&self) -> bool {
        self.seen_from_outside.iter().skip(1).any(|likely| *likely > 0.0)
    }

    /// Decides on one of `left` places that nobody has yet: `best` is the item that would stand there, `others` are all
    /// that may be drawn, each with its score.
    ///
    /// Each of the places left is as likely as the others to be one of those that are drawn.
    ///
    /// **Cost**: with a temperature one exponential per item, and a step per place that may still be drawn.
    pub(super) fn decide(&mut self, best: usize, others: &[(usize, f32)], left: usize) -> Drawn {
        if others.is_empty() {
            return Drawn { item: best, propensity: 1.0, by_chance: false };
        }
        let chance = |places: usize| (places as f64 / left.max(1) as f64).min(1.0);
        let policy = Policy::of(&self.config, best, others);
        let is_drawn = self.random.random::<f64>() < chance(self.places);
        self.places -= usize::from(is_drawn);
        let item = if is_drawn { policy.pick(self.random.random(), others) } else { best };
        let (drawn, kept) = (policy.probability(item, others), f64::from(u8::from(item == best)));
        // Bayes: each number of places left, by how likely it makes what was seen.
        let mut after = vec![0.0; self.seen_from_outside.len()];
        for (places, likely) in self.seen_from_outside.iter().enumerate() {
            let chance = chance(places);
            after[places] += likely * (1.0 - chance) * kept;
            if places > 0 {
                after[places - 1] += likely * chance * drawn;
            }
        }
        let propensity: f64 = after.iter().sum();
        self.seen_from_outside = after.into_iter().map(|likely| likely / propensity).collect();
        #[allow(clippy::cast_possible_truncation)] // a probability
        let propensity = (propensity as f32).clamp(f32::MIN_POSITIVE, 1.0);
        Drawn { item, propensity, by_chance: item != best }
    }
}

/// How likely each item is on a place that is drawn.
enum Policy {
    /// Any of them with this chance, else the best.
    Epsilon { epsilon: f64, best: usize },
    /// In proportion to these weights, in the order of the items; and their sum.
    Weights(Vec<f64>, f64),
}

impl Policy {
    fn of(config: &Explore, best: usize, others: &[(usize, f32)]) -> Self {
        let Some(temperature) = config.temperature else {
            return Self::Epsilon { epsilon: config.epsilon.unwrap_or(0.0), best };
        };
        let most = others.iter().map(|(_, score)| *score).fold(f32::NEG_INFINITY, f32::max);
        let weight = |(_, score): &(usize, f32)| (f64::from(score - most) / temperature).exp();
        let weights: Vec<f64> = others.iter().map(weight).collect();
        let sum = weights.iter().sum();
        Self::Weights(weights, sum)
    }

    /// The item that a number from 0 to 1 falls on.
    fn pick(&self, random: f64, others: &[(usize, f32)]) -> usize {
        match self {
            Self::Epsilon { epsilon, best } if random >= *epsilon => *best,
            Self::Epsilon { epsilon, .. } => {
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // below the length
                let place = (random / epsilon * others.len() as f64) as usize;
                others[place.min(others.len() - 1)].0
            }
            Self::Weights(weights, sum) => {
                let mut left = random * sum;
                let falls = |weight: &f64| {
                    left -= weight;
                    left < 0.0
                };
                let place = weights.iter().position(falls).unwrap_or(0);
                others[place].0
            }
        }
    }

    fn probability(&self, item: usize, others: &[(usize, f32)]) -> f64 {
        let place = others.iter().position(|(other, _)| *other == item);
        match self {
            Self::Epsilon { epsilon, best } => {
                let by_chance = place.map_or(0.0, |_| epsilon / others.len() as f64);
                by_chance + if item == *best { 1.0 - epsilon } else { 0.0 }
            }
            Self::Weights(weights, sum) => place.map_or(0.0, |place| weights[place] / sum),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    const SCORES: [f32; 5] = [1.0, 0.9, 0.6, 0.55, 0.0];
    const DRAWS: u64 = 100_000;

    fn explore(share: f64, epsilon: Option<f64>, temperature: Option<f64>) -> Explore {
        Explore { share, epsilon, temperature, among: 100 }
    }

    /// The first `k` of a list drawn with this seed, and the product of its propensities.
    fn list(config: Explore, seed: u64, k: usize) -> (Vec<usize>, f64) {
        let mut draw = Draw::new(config, seed, k);
        let (mut list, mut propensity) = (Vec::new(), 1.0);
        for place in 0..k {
            let left: Vec<_> = (0..SCORES.len()).filter(|item| !list.contains(item)).collect();
            let others: Vec<_> = left.iter().map(|item| (*item, SCORES[*item])).collect();
            let drawn = draw.decide(left[0], &others, k - place);
            propensity *= f64::from(drawn.propensity);
            list.push(drawn.item);
        }
        (list, propensity)
    }

    /// How far frequencies are from what was to be expected, in standard deviations of each; the greatest.
    fn farthest(expected: &HashMap<Vec<usize>, f64>, counts: &HashMap<Vec<usize>, u64>) -> f64 {
        let far = |(list, p): (&Vec<usize>, &f64)| {
            let count = counts.get(list).copied().unwrap_or(0) as f64;
            (count - p * DRAWS as f64).abs() / (p * (1.0 - p) * DRAWS as f64).sqrt().max(1.0)
        };
        expected.iter().map(far).fold(0.0, f64::max)
    }

    #[test]
    fn lists_are_drawn_as_often_as_plackett_luce_says() {
        // All places: a list's propensity is its probability, in closed form.
        let temperature = 0.3;
        let weight = |item: usize| (f64::from(SCORES[item]) / temperature).exp();
        let mut expected = HashMap::new();
        for a in 0..5 {
            for b in (0..5).filter(|b| *b != a) {
                for c in (0..5).filter(|c| ![a, b].contains(c)) {
                    let all: f64 = (0..5).map(weight).sum();
                    let p = weight(a) / all * weight(b) / (all - weight(a)) * weight(c) / (all - weight(a) - weight(b));
                    expected.insert(vec![a, b, c], p);
                }
            }
        }
        let mut counts = HashMap::new();
        for seed in 0..DRAWS {
            let (list, propensity) = list(explore(1.0, None, Some(temperature)), seed, 3);
            let p = expected[&list];
            assert!((propensity / p - 1.0).abs() < 1e-4, "{list:?}: {propensity} is not {p}");
            *counts.entry(list).or_insert(0) += 1;
        }
        let deviations = farthest(&expected, &counts);
        assert!(deviations < 4.5, "{deviations} standard deviations");
        // A draw of other scores would be seen.
        let uniform = expected.keys().map(|list| (list.clone(), 1.0 / 60.0)).collect();
        assert!(farthest(&uniform, &counts) > 50.0);
    }

    #[test]
    fn lists_of_which_a_part_is_drawn_come_as_often_as_their_propensities_say() {
        for config in [explore(0.5, Some(0.4), None), explore(0.5, None, Some(0.2)), explore(0.5, Some(1.0), None)] {
            let (mut expected, mut counts) = (HashMap::new(), HashMap::new());
            for seed in 0..DRAWS {
                let (list, propensity) = list(config, seed, 4);
                let known: f64 = *expected.entry(list.clone()).or_insert(propensity);
                assert!((known / propensity - 1.0).abs() < 1e-5, "{list:?}: {known} and {propensity}");
                *counts.entry(list).or_insert(0) += 1;
            }
            let sum: f64 = expected.values().sum();
            assert!((sum - 1.0).abs() < 1e-3, "all lists that came have a probability of {sum} together");
            let deviations = farthest(&expected, &counts);
            assert!(deviations < 5.0, "{config:?}: {deviations} standard deviations");
        }
        // By hand: of two places one goes to any of three items.
        let (a_b, a_c) = (by_hand(&[0, 1]), by_hand(&[0, 2]));
        assert!((a_b - 5.0 / 12.0).abs() < 1e-6 && (a_c - 0.25).abs() < 1e-6, "{a_b}, {a_c}");
    }

    /// The probability of a list of two of three items, of which one place is uniform.
    fn by_hand(wanted: &[usize]) -> f64 {
        let all = [(0, 1.0), (1, 0.5), (2, 0.0)];
        (0..)
            .find_map(|seed| {
                let mut draw = Draw::new(explore(0.5, Some(1.0), None), seed, 2);
                let first = draw.decide(0, &all, 2);
                let left: Vec<_> = all.into_iter().filter(|(item, _)| *item != first.item).collect();
                let second = draw.decide(left[0].0, &left, 1);
                let is_it = [first.item, second.item] == *wanted;
                is_it.then(|| f64::from(first.propensity) * f64::from(second.propensity))
            })
            .unwrap()
    }

    #[test]
    fn a_seed_draws_the_same_list_and_no_share_draws_nothing() {
        let config = explore(1.0, None, Some(0.3));
        assert!((0..100).all(|seed| list(config, seed, 4) == list(config, seed, 4)));
        let none = explore(0.24, Some(1.0), None);
        assert!((0..100).all(|seed| list(none, seed, 4) == (vec![0, 1, 2, 3], 1.0)));
    }
}
