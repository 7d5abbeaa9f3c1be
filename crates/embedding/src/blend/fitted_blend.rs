use std::sync::Arc;

use shortlist_types::{Embedding, EmbeddingTable, InvalidInput, ItemIdx, dot};

use super::item_vectors::{joined, part_of};
use super::usual_deviation::{of_rows, of_vectors};
use super::vector_part::scale_of;
use super::{BlendConfig, RowPartConfig, Taste, TasteScratch, VectorPart, VectorPartConfig};
use crate::{
    EmbeddingError, FoldInScratch, History, Interactions, ItemToItemModel, KnownUser, KnownUsers, VectorModel,
};

/// Fitted models and their weights: what the first stage scores by.
///
/// A user's score of an item is the sum over the parts of `weight * score / usual deviation`, where the
/// deviation is that of a part's scores over all items, for the user in the middle, so that no part
/// drowns the others because its numbers are larger. So the vector parts together are one inner product
/// of joined vectors, and the item-to-item parts together are one matrix.
#[derive(Debug)]
pub struct Blend {
    vectors: Vec<VectorPart>,
    /// The sum of the parts.
    item_to_item: Option<ItemToItemModel>,
    item_to_item_parts: Vec<RowPartConfig>,
}

impl Blend {
    /// Fits every part on all threads of the current rayon pool. `progress` hears the rounds done, of
    /// [`Self::rounds`].
    ///
    /// # Errors
    /// A bad configuration, or a part that cannot be fitted.
    pub fn fit(
        interactions: &Interactions,
        config: &BlendConfig,
        seed: u64,
        progress: &mut dyn FnMut(usize),
    ) -> Result<Self, EmbeddingError> {
        config.check().map_err(EmbeddingError::Config)?;
        let mut done = 0;
        let mut vectors = Vec::with_capacity(config.vectors.len());
        for part in &config.vectors {
            let model = part.model.fit(interactions, seed, &mut |rounds| progress(done + rounds))?;
            done += part.model.rounds();
            let factor = part.weight / of_vectors(&*model, interactions);
            vectors.push(VectorPart::new(model, part.weight, factor));
        }
        let mut rows = Vec::with_capacity(config.item_to_item.len());
        for part in &config.item_to_item {
            let model = ItemToItemModel::fit(interactions, &part.model)?;
            let factor = part.weight / of_rows(&model, interactions);
            rows.push((model, factor));
            done += 1;
            progress(done);
        }
        let item_to_item = if rows.is_empty() { None } else { Some(ItemToItemModel::sum_of(&rows)?) };
        Ok(Self { vectors, item_to_item, item_to_item_parts: config.item_to_item.clone() })
    }

    /// One vector model alone, whose scores are its products.
    pub fn of_model(model: Box<dyn VectorModel>) -> Self {
        Self { vectors: vec![VectorPart::new(model, 1.0, 1.0)], item_to_item: None, item_to_item_parts: Vec::new() }
    }

    /// Rounds of a fit, as its progress counts them.
    pub fn rounds(config: &BlendConfig) -> usize {
        config.vectors.iter().map(|part| part.model.rounds()).sum::<usize>() + config.item_to_item.len()
    }

    /// A fitted blend from what it keeps: the joined vectors and, for every vector part, its
    /// configuration, its factor and its values per item. Equal to the fitted one bit for bit.
    ///
    /// # Errors
    /// Parts that do not belong together.
    pub fn from_parts(
        joined: Option<&EmbeddingTable>,
        vectors: Vec<(VectorPartConfig, f32, Vec<f32>)>,
        item_to_item: Option<ItemToItemModel>,
        item_to_item_parts: Vec<RowPartConfig>,
    ) -> Result<Self, EmbeddingError> {
        let mut first = 0;
        let mut parts = Vec::with_capacity(vectors.len());
        for (VectorPartConfig { weight, model }, factor, item_values) in vectors {
            // Written so that NaN fails too.
            if !(factor > 0.0 && factor.is_finite()) {
                let reason = format!("must be finite and above 0, got {factor}");
                return Err(EmbeddingError::Parts(InvalidInput::new("factor", reason)));
            }
            let joined = joined.ok_or(EmbeddingError::PartsDiffer)?;
            let scale = scale_of(factor);
            let table = part_of(joined, first, model.dimensions(), scale)?;
            first += model.dimensions();
            parts.push(VectorPart::new(model.from_parts(table, item_values)?, weight, factor));
        }
        if let Some(joined) = joined.filter(|joined| joined.dimensions() != first) {
            return Err(EmbeddingError::DimensionsDiffer { expected: first, got: joined.dimensions() });
        }
        Ok(Self { vectors: parts, item_to_item, item_to_item_parts })
    }

    /// The vectors that the index is built from; none without a vector model.
    ///
    /// **Shapes**: one row per item of the training data, the dimensions of all vector parts together.
    ///
    /// # Errors
    /// Parts over different items.
    pub fn joined_vectors(&self) -> Result<Option<Arc<EmbeddingTable>>, EmbeddingError> {
        joined(&self.vectors)
    }

    /// A user's taste from his `(item, weight)` events; none if none of them says anything.
    ///
    /// Events come in any order; of several for one item the greatest weight counts, as in training.
    ///
    /// **Cost**: the fold-in of every vector part and one pass over the rows of the user's items.
    pub fn taste(&self, events: &[(ItemIdx, f32)], scratch: &mut TasteScratch) -> Option<Taste> {
        self.taste_by(events, scratch, &mut |model, scratch| model.fold_in(events, scratch))
    }

    /// The taste of a user whose vector is stored, from it and his events `since`; models that store no
    /// users read all his `events`.
    ///
    /// **Cost**: as [`Self::taste`], but for the models with stored users that of the new events alone.
    pub fn taste_of_known(
        &self,
        stored: &KnownUser<'_>,
        since: &[(ItemIdx, f32)],
        events: &[(ItemIdx, f32)],
        scratch: &mut TasteScratch,
    ) -> Option<Taste> {
        let vector = |model: &dyn VectorModel, scratch: &mut FoldInScratch| {
            model.moved(stored, since, scratch).or_else(|| model.fold_in(events, scratch))
        };
        self.taste_by(events, scratch, &mut { vector })
    }

    fn taste_by(
        &self,
        events: &[(ItemIdx, f32)],
        scratch: &mut TasteScratch,
        vector_of: &mut dyn FnMut(&dyn VectorModel, &mut FoldInScratch) -> Option<Embedding>,
    ) -> Option<Taste> {
        let mut values = Vec::new();
        let mut says_something = false;
        for part in &self.vectors {
            let user = vector_of(part.model(), &mut scratch.fold_in);
            says_something |= user.is_some();
            part.extend_query(user.as_ref().map(Embedding::as_slice), &mut values);
        }
        let sums = self.item_to_item.as_ref().map(|model| {
            let mut sums = scratch.take_sums();
            says_something |= model.sum(events.iter().copied(), &mut sums);
            sums
        });
        let query = if values.is_empty() { None } else { Embedding::parse(values).ok() };
        let taste = Taste { query, sums };
        if says_something {
            return Some(taste);
        }
        scratch.reuse(taste);
        None
    }

    /// A user's score of an item: the sum of the parts. `vector` is the item's joined vector; without one,
    /// nothing but its neighbours speaks for it. None if no part knows the item.
    ///
    /// **Cost**: one multiply-add per joined dimension, and a binary search.
    pub fn score(&self, taste: &Taste, item: ItemIdx, vector: Option<&[f32]>) -> Option<f32> {
        let by_vector = taste.query.as_ref().zip(vector).map(|(query, vector)| dot(query.as_slice(), vector));
        let rows = self.item_to_item.as_ref().zip(taste.sums.as_ref());
        let by_rows = rows.and_then(|(model, sums)| Some(sums.score(model.row_of(item)?)));
        match (by_vector, by_rows) {
            (None, None) => None,
            (vector, rows) => Some(vector.unwrap_or(0.0) + rows.unwrap_or(0.0)),
        }
    }

    /// The `n` items that the item-to-item models put highest among those that `keep` lets through, best
    /// first; none without such a model.
    ///
    /// **Cost**: one selection among the items that the user's rows name.
    pub fn neighbors(&self, taste: &Taste, n: usize, keep: &mut dyn FnMut(ItemIdx) -> bool) -> Vec<(ItemIdx, f32)> {
        match (&self.item_to_item, &taste.sums) {
            (Some(model), Some(sums)) => sums.top(model, n, keep),
            _ => Vec::new(),
        }
    }

    /// The stored users of these histories, ascending by user; nobody if no model gains by it.
    ///
    /// # Errors
    /// Vectors that overflow.
    pub fn known_users(&self, histories: &[History]) -> Result<KnownUsers, EmbeddingError> {
        let stored = self.vectors.iter().find_map(|part| part.model().known_users(histories));
        stored.unwrap_or_else(|| Ok(KnownUsers::default()))
    }

    /// The vector parts, in the order in which their vectors are joined.
    pub fn vectors(&self) -> &[VectorPart] {
        &self.vectors
    }

    /// The sum of the item-to-item parts.
    pub fn item_to_item(&self) -> Option<&ItemToItemModel> {
        self.item_to_item.as_ref()
    }

    /// The configuration that gives this blend.
    pub fn config(&self) -> BlendConfig {
        let part = |part: &VectorPart| VectorPartConfig { weight: part.weight(), model: part.model().config() };
        BlendConfig { vectors: self.vectors.iter().map(part).collect(), item_to_item: self.item_to_item_parts.clone() }
    }
}
