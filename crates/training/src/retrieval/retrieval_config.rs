use std::fmt;

use serde::{Deserialize, Serialize};
use shortlist_embedding::{
    BlendConfig, EaseConfig, Interactions, ItemToItemConfig, LinearFilterConfig, SoftmaxConfig, VectorModelConfig,
};
use shortlist_types::InvalidInput;

use super::fitted_part::{PartConfig, blend_of};
use super::{GraphFilterStart, IalsStart};

/// Most trials of hyper-parameters per model.
const TRIALS_MAX: usize = 100;

/// `[training.retrieval]`: what the first stage is made of.
///
/// `best` leaves the softmax out: its fit takes longest and it adds least. The fields of each model are
/// where its search begins; with one trial they are what is fitted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetrievalConfig {
    /// Which model, or the best blend of several.
    pub model: RetrievalModel,
    /// Combinations of hyper-parameters that are tried per model; the first are those given here.
    pub trials: usize,
    /// Vectors by alternating least squares.
    pub ials: IalsStart,
    /// Vectors by a graph filter.
    pub graph_filter: GraphFilterStart,
    /// Vectors by two towers under a softmax.
    pub softmax: SoftmaxConfig,
    /// Neighbours by co-occurrence: a linear filter or a shrunk cosine.
    pub item_to_item: ItemToItemConfig,
    /// Neighbours by regression.
    pub ease: EaseConfig,
}

/// Which models the first stage may be made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RetrievalModel {
    /// What most users had: nothing is learned. For evaluation only; a service without a bundle does it.
    Popularity,
    /// Implicit alternating least squares.
    Ials,
    /// Low-pass graph filter.
    GraphFilter,
    /// Two towers under a softmax with sampled negatives.
    Softmax,
    /// Weighted co-occurrence.
    ItemToItem,
    /// Linear regression of every item on others.
    Ease,
    /// The blend that does best on validation.
    Best,
}

impl RetrievalModel {
    /// Every model, as the command line names them.
    pub const ALL: [Self; 7] =
        [Self::Popularity, Self::Ials, Self::GraphFilter, Self::Softmax, Self::ItemToItem, Self::Ease, Self::Best];

    /// The name in configurations, on the command line and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Popularity => "popularity",
            Self::Ials => "ials",
            Self::GraphFilter => "graph-filter",
            Self::Softmax => "softmax",
            Self::ItemToItem => "item-to-item",
            Self::Ease => "ease",
            Self::Best => "best",
        }
    }
}

impl fmt::Display for RetrievalModel {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl Default for RetrievalConfig {
    fn default() -> Self {
        Self {
            model: RetrievalModel::Best,
            trials: 4,
            ials: IalsStart::default(),
            graph_filter: GraphFilterStart::default(),
            softmax: SoftmaxConfig::default(),
            item_to_item: ItemToItemConfig::LinearFilter(LinearFilterConfig::default()),
            ease: EaseConfig::default(),
        }
    }
}

impl RetrievalConfig {
    /// Checks every field.
    ///
    /// # Errors
    /// Names the first field out of range.
    pub fn check(&self) -> Result<(), InvalidInput> {
        if !(1..=TRIALS_MAX).contains(&self.trials) {
            return Err(InvalidInput::new("trials", format!("must be 1 to {TRIALS_MAX}, got {}", self.trials)));
        }
        if self.model == RetrievalModel::Popularity {
            let reason = "must be learned: without a bundle popular items are served already";
            return Err(InvalidInput::new("model", reason));
        }
        self.ials.with_density(1.0, 1.0).check().map_err(|error| error.within("ials"))?;
        self.graph_filter.with_items(1).check().map_err(|error| error.within("graph_filter"))?;
        self.softmax.check().map_err(|error| error.within("softmax"))?;
        if matches!(self.item_to_item, ItemToItemConfig::Ease(_)) {
            let reason = "must be linear_filter or co_occurrence: ease has a table of its own";
            return Err(InvalidInput::new("kind", reason).within("item_to_item"));
        }
        self.item_to_item.check().map_err(|error| error.within("item_to_item"))?;
        self.ease.check().map_err(|error| error.within("ease"))
    }

    /// What is fitted where there is nothing to compare models on: all of them as they are given, with
    /// the usual weights.
    pub(crate) fn start(&self, interactions: &Interactions) -> BlendConfig {
        let parts = self.parts(interactions);
        let weights: Vec<f32> = parts.iter().map(PartConfig::usual_weight).collect();
        blend_of(parts, &weights)
    }

    /// The models that are looked at, with the parameters that their search begins with.
    pub(crate) fn parts(&self, interactions: &Interactions) -> Vec<PartConfig> {
        let ials = PartConfig::Vectors(VectorModelConfig::Ials(self.ials.for_data(interactions)));
        let graph_filter =
            PartConfig::Vectors(VectorModelConfig::GraphFilter(self.graph_filter.for_data(interactions)));
        let softmax = PartConfig::Vectors(VectorModelConfig::Softmax(self.softmax));
        let item_to_item = PartConfig::Rows(self.item_to_item);
        let ease = PartConfig::Rows(ItemToItemConfig::Ease(self.ease));
        match self.model {
            RetrievalModel::Popularity => Vec::new(),
            RetrievalModel::Ials => vec![ials],
            RetrievalModel::GraphFilter => vec![graph_filter],
            RetrievalModel::Softmax => vec![softmax],
            RetrievalModel::ItemToItem => vec![item_to_item],
            RetrievalModel::Ease => vec![ease],
            RetrievalModel::Best => vec![ials, graph_filter, item_to_item, ease],
        }
    }
}
