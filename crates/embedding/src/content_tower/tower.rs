use shortlist_types::{Attributes, Embedding};

use crate::content_tower::tower_fit::{TowerFit, choose_ridge};
use crate::content_tower::vocabulary::Vocabulary;
use crate::content_tower::{AttributeEncoder, ContentExample, ContentTowerParts, EncoderScratch};
use crate::{ContentTowerConfig, EmbeddingError};

/// Most examples of one fit; of more, those with the most events are learned from.
const EXAMPLES_MAX: usize = 1_000_000;

/// A map from attributes into the space of fitted vectors: the place of an item, or of a user, without a
/// single event.
///
/// The vector of an item is `b + W^T x`, where x holds its known features, of Euclidean length 1. W and b
/// minimise `sum_items w |y - b - W^T x|^2 + ridge (|W|^2 + |b - mean|^2)` over the fitted vectors y,
/// with w the item's events to the power of `trust_exponent`, over their mean.
///
/// What attributes do not tell is missing in the answer, so it is shorter than the vector the item will
/// have if it becomes popular. Among new items that is the right order; beside fitted ones, new items
/// rank late, and a caller who wants them earlier lengthens their vectors by one factor.
///
/// **Source**: Gantner et al. 2010, "Learning Attribute-to-Feature Mappings for Cold-Start
/// Recommendations", the linear map fitted by least squares. Differs in hashing (Weinberger et al. 2009,
/// "Feature Hashing for Large Scale Multitask Learning", without their signs, as buckets are too many to
/// collide) and in the choice of the ridge.
///
/// ```
/// use shortlist_embedding::{ContentExample, ContentTower, ContentTowerConfig, EncoderScratch};
/// use shortlist_types::Attributes;
/// let war: Attributes = serde_json::from_str(r#"{"genre": ["War"]}"#).unwrap();
/// let love: Attributes = serde_json::from_str(r#"{"genre": ["Romance"]}"#).unwrap();
/// let examples = [(&war, [1.0, 0.0]), (&love, [0.0, 1.0])];
/// let examples = examples.iter().cycle().take(40);
/// let examples = examples.map(|(attributes, vector)| ContentExample { attributes, vector, weight: 1.0 });
/// let tower = ContentTower::fit(examples, &ContentTowerConfig::default(), 7, &mut |_| ()).unwrap();
///
/// let new: Attributes = serde_json::from_str(r#"{"genre": ["War"], "title": "Alien"}"#).unwrap();
/// let place = tower.embed(&new, &mut EncoderScratch::default()).unwrap();
/// assert!(place.as_slice()[0] > 3.0 * place.as_slice()[1]);
/// assert!(tower.embed(&Attributes::default(), &mut EncoderScratch::default()).is_none());
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ContentTower {
    encoder: AttributeEncoder,
    vocabulary: Vocabulary,
    weights: Vec<f32>,
    bias: Vec<f32>,
    config: ContentTowerConfig,
}

impl ContentTower {
    /// Fits the map on all threads of the current rayon pool; the same bits on any number of them.
    /// `progress` hears the number of solves done after each: nine for the choice of the ridge, one for
    /// the answer, or that one alone.
    ///
    /// Examples without attributes teach nothing and are left out. Of more than a million examples or
    /// 40,000,000 features those with the most events are kept.
    ///
    /// **Shapes**: the vectors of all examples have the dimensions of the first.
    /// **Cost**: about 20 to 60 steps of 4 entries * k operations; memory
    /// 24 entries + 4 (examples + 5 features) k bytes: about 1 GB for 1,000,000 items with 20 features each at
    /// 64 dimensions.
    ///
    /// # Errors
    /// A field of `config` out of range, an example out of range, or none with attributes.
    pub fn fit<'a>(
        examples: impl IntoIterator<Item = ContentExample<'a>>,
        config: &ContentTowerConfig,
        seed: u64,
        progress: &mut dyn FnMut(usize),
    ) -> Result<Self, EmbeddingError> {
        config.check().map_err(EmbeddingError::Config)?;
        let examples = checked(examples)?;
        let mut solves = 0;
        let mut count = |_| {
            solves += 1;
            progress(solves);
        };
        let ridge = match config.ridge {
            Some(ridge) => ridge,
            None => choose_ridge(&examples, config, seed, &mut count)?,
        };
        let mut tower = Err(EmbeddingError::NoExamples);
        TowerFit::prepare(&examples, config, seed).solve_each(&[ridge], |_, parts| tower = Self::from_parts(parts));
        count(1);
        tower
    }

    /// A tower from its stored parts; equal to the stored one bit for bit.
    ///
    /// **Cost**: one pass over the parts.
    ///
    /// # Errors
    /// Parts whose lengths or order do not fit, or a number that is not finite.
    pub fn from_parts(parts: ContentTowerParts) -> Result<Self, EmbeddingError> {
        parts.check().map_err(EmbeddingError::TowerParts)?;
        let ContentTowerParts { config, seed, numbers, buckets, weights, bias } = parts;
        let encoder = AttributeEncoder::new(seed, numbers);
        Ok(Self { encoder, vocabulary: Vocabulary { buckets }, weights, bias, config })
    }

    /// All that the tower is made of, for [`Self::from_parts`].
    ///
    /// **Cost**: a copy.
    pub fn to_parts(&self) -> ContentTowerParts {
        ContentTowerParts {
            config: self.config,
            seed: self.encoder.seed(),
            numbers: self.encoder.numbers().clone(),
            buckets: self.vocabulary.buckets.clone(),
            weights: self.weights.clone(),
            bias: self.bias.clone(),
        }
    }

    /// The vector of an item with these attributes; none if it has none, or none that the tower knows:
    /// what is said of nobody else places nobody.
    ///
    /// **Shapes**: as many components as the examples had, in their space and not normalised.
    /// **Cost**: features * (a hash, a binary search, k operations), 10 to 20 microseconds for 20
    /// features at 64 dimensions; allocates the answer alone.
    pub fn embed(&self, attributes: &Attributes, scratch: &mut EncoderScratch) -> Option<Embedding> {
        self.encoder.encode(attributes, scratch);
        let EncoderScratch { features, known, .. } = scratch;
        self.vocabulary.look_up(features, known);
        if known.is_empty() {
            return None;
        }
        let dimensions = self.dimensions();
        let mut vector = self.bias.clone();
        for &(row, value) in known.iter() {
            let weights = self.weights.iter().skip(row as usize * dimensions);
            vector.iter_mut().zip(weights).for_each(|(to, weight)| *to += value * weight);
        }
        Embedding::parse(vector).ok()
    }

    /// Components of a vector.
    pub fn dimensions(&self) -> usize {
        self.bias.len()
    }

    /// What the tower was fitted with; `ridge` holds the strength that was chosen.
    pub fn config(&self) -> &ContentTowerConfig {
        &self.config
    }
}

/// The examples to learn from, the ones with the most events first.
fn checked<'a>(
    examples: impl IntoIterator<Item = ContentExample<'a>>,
) -> Result<Vec<ContentExample<'a>>, EmbeddingError> {
    let mut dimensions = None;
    let mut kept = Vec::new();
    for (place, example) in examples.into_iter().enumerate() {
        example.check(place, *dimensions.get_or_insert(example.vector.len()))?;
        if !example.attributes.is_empty() {
            kept.push(example);
        }
    }
    if kept.is_empty() {
        return Err(EmbeddingError::NoExamples);
    }
    // Stable, so that examples with as many events keep their order.
    kept.sort_by(|a, b| b.weight.total_cmp(&a.weight));
    kept.truncate(EXAMPLES_MAX);
    Ok(kept)
}

#[cfg(test)]
#[path = "tower_tests.rs"]
mod tests;
