use std::fmt::Debug;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use shortlist_types::{Embedding, EmbeddingTable, InvalidInput, ItemIdx, UserIdx};

use crate::{
    EmbeddingError, FoldInScratch, GraphFilterConfig, GraphFilterModel, IalsConfig, IalsModel, Interactions, KnownUser,
    KnownUsers, SoftmaxConfig, SoftmaxModel,
};

/// A model that embeds items and users in one space, where a preference is an inner product: what an
/// approximate nearest-neighbour search can serve.
pub trait VectorModel: Debug + Send + Sync {
    /// The item vectors, one row per item of the training data.
    fn table(&self) -> &Arc<EmbeddingTable>;

    /// The vector of a user with these `(item, weight)` events, in any order; none if none of them says
    /// anything. Of several events for one item the greatest weight counts.
    fn fold_in(&self, events: &[(ItemIdx, f32)], scratch: &mut FoldInScratch) -> Option<Embedding>;

    /// The vector of a stored user moved by the events since; none if the model has no closed form for it,
    /// or the user is not its own.
    fn moved(
        &self,
        _stored: &KnownUser<'_>,
        _since: &[(ItemIdx, f32)],
        _scratch: &mut FoldInScratch,
    ) -> Option<Embedding> {
        None
    }

    /// The stored users of these histories, ascending by user; none if
    /// users are folded in so fast that nothing is gained.
    fn known_users(&self, _histories: &[History]) -> Option<Result<KnownUsers, EmbeddingError>> {
        None
    }

    /// What the model was fitted with.
    fn config(&self) -> VectorModelConfig;

    /// What else than its vectors it keeps per item, in the order of the table; empty for most models.
    fn item_values(&self) -> &[f32] {
        &[]
    }
}

/// What a user did.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    /// Who.
    pub user: UserIdx,
    /// The items that he showed interest in, with weights.
    pub events: Vec<(ItemIdx, f32)>,
}

/// Which vector model, and with which hyper-parameters.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum VectorModelConfig {
    /// Implicit alternating least squares.
    Ials(IalsConfig),
    /// The low-pass part of a graph filter.
    GraphFilter(GraphFilterConfig),
    /// Two towers under a softmax with sampled negatives.
    Softmax(SoftmaxConfig),
}

impl VectorModelConfig {
    /// The name in configurations and reports.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Ials(_) => "ials",
            Self::GraphFilter(_) => "graph-filter",
            Self::Softmax(_) => "softmax",
        }
    }

    /// Components per vector.
    pub fn dimensions(&self) -> usize {
        match self {
            Self::Ials(config) => config.dimensions,
            Self::GraphFilter(config) => config.dimensions,
            Self::Softmax(config) => config.dimensions,
        }
    }

    /// Rounds of a fit, as its progress counts them.
    pub fn rounds(&self) -> usize {
        match self {
            Self::Ials(config) => config.epochs,
            Self::GraphFilter(config) => config.iterations,
            Self::Softmax(config) => config.epochs,
        }
    }

    /// Checks every field.
    ///
    /// # Errors
    /// Names the first field out of range.
    pub fn check(&self) -> Result<(), InvalidInput> {
        match self {
            Self::Ials(config) => config.check(),
            Self::GraphFilter(config) => config.check(),
            Self::Softmax(config) => config.check(),
        }
    }

    /// Fits the model on all threads of the current rayon pool. `progress` hears the rounds done.
    ///
    /// # Errors
    /// A field out of range, or vectors that overflow.
    pub fn fit(
        &self,
        interactions: &Interactions,
        seed: u64,
        progress: &mut dyn FnMut(usize),
    ) -> Result<Box<dyn VectorModel>, EmbeddingError> {
        Ok(match self {
            Self::Ials(config) => Box::new(IalsModel::fit(interactions, config, seed, progress)?),
            Self::GraphFilter(config) => Box::new(GraphFilterModel::fit(interactions, config, seed, progress)?),
            Self::Softmax(config) => Box::new(SoftmaxModel::fit(interactions, config, seed, progress)?),
        })
    }

    /// A fitted model from what it keeps; equal to the fitted one bit for bit.
    ///
    /// # Errors
    /// A field out of range, a table or values that do not belong to such a model.
    pub fn from_parts(
        &self,
        table: Arc<EmbeddingTable>,
        item_values: Vec<f32>,
    ) -> Result<Box<dyn VectorModel>, EmbeddingError> {
        Ok(match self {
            Self::Ials(config) => Box::new(IalsModel::from_parts(table, config)?),
            Self::GraphFilter(config) => Box::new(GraphFilterModel::from_parts(table, item_values, config)?),
            Self::Softmax(config) => Box::new(SoftmaxModel::from_parts(table, config)?),
        })
    }
}

impl VectorModel for IalsModel {
    fn table(&self) -> &Arc<EmbeddingTable> {
        Self::table(self)
    }

    fn fold_in(&self, events: &[(ItemIdx, f32)], scratch: &mut FoldInScratch) -> Option<Embedding> {
        Self::fold_in(self, events.iter().copied(), scratch)
    }

    fn moved(
        &self,
        stored: &KnownUser<'_>,
        since: &[(ItemIdx, f32)],
        scratch: &mut FoldInScratch,
    ) -> Option<Embedding> {
        Self::moved(self, stored, since.iter().copied(), scratch)
    }

    fn known_users(&self, histories: &[History]) -> Option<Result<KnownUsers, EmbeddingError>> {
        let (mut scratch, mut users, mut values) = (FoldInScratch::default(), Vec::new(), Vec::new());
        for History { user, events } in histories {
            if let Some(vector) = Self::fold_in(self, events.iter().copied(), &mut scratch) {
                let mut items: Vec<ItemIdx> = events.iter().map(|event| event.0).collect();
                items.sort_unstable();
                items.dedup();
                users.push((*user, items, self.stiffness(events)));
                values.extend_from_slice(vector.as_slice());
            }
        }
        Some(KnownUsers::parse(users, values))
    }

    fn config(&self) -> VectorModelConfig {
        VectorModelConfig::Ials(*Self::config(self))
    }
}

impl VectorModel for GraphFilterModel {
    fn table(&self) -> &Arc<EmbeddingTable> {
        Self::table(self)
    }

    fn fold_in(&self, events: &[(ItemIdx, f32)], scratch: &mut FoldInScratch) -> Option<Embedding> {
        Self::fold_in(self, events.iter().copied(), scratch)
    }

    fn config(&self) -> VectorModelConfig {
        VectorModelConfig::GraphFilter(*Self::config(self))
    }

    fn item_values(&self) -> &[f32] {
        self.degrees()
    }
}

impl VectorModel for SoftmaxModel {
    fn table(&self) -> &Arc<EmbeddingTable> {
        Self::table(self)
    }

    fn fold_in(&self, events: &[(ItemIdx, f32)], scratch: &mut FoldInScratch) -> Option<Embedding> {
        Self::fold_in(self, events.iter().copied(), scratch)
    }

    fn config(&self) -> VectorModelConfig {
        VectorModelConfig::Softmax(*Self::config(self))
    }
}
