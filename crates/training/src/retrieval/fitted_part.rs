use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use shortlist_embedding::{
    BlendConfig, EmbeddingError, FoldInScratch, Interactions, ItemToItemConfig, ItemToItemModel, RowPartConfig,
    RowSums, VectorModel, VectorModelConfig, VectorPartConfig,
};
use shortlist_types::ItemIdx;

use super::Case;

/// Which model of either sort.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum PartConfig {
    Vectors(VectorModelConfig),
    Rows(ItemToItemConfig),
}

/// A fitted model of either sort.
pub(crate) enum FittedPart {
    Vectors(Box<dyn VectorModel>),
    Rows(ItemToItemModel),
}

impl PartConfig {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Vectors(config) => config.name(),
            Self::Rows(config) => config.name(),
        }
    }

    /// Its weight in a blend that does well on most data; only ratios matter.
    pub(crate) fn usual_weight(&self) -> f32 {
        match self {
            Self::Vectors(VectorModelConfig::Ials(_)) => 1.0,
            Self::Vectors(_) => 0.5,
            Self::Rows(_) => 0.3,
        }
    }

    pub(crate) fn fit(&self, interactions: &Interactions, seed: u64) -> Result<FittedPart, EmbeddingError> {
        Ok(match self {
            Self::Vectors(config) => FittedPart::Vectors(config.fit(interactions, seed, &mut |_| ())?),
            Self::Rows(config) => FittedPart::Rows(ItemToItemModel::fit(interactions, config)?),
        })
    }
}

impl FittedPart {
    /// The items that it scores, ascending.
    pub(crate) fn items(&self) -> &[ItemIdx] {
        match self {
            Self::Vectors(model) => model.table().items(),
            Self::Rows(model) => model.items(),
        }
    }

    /// The scores of all items for each case; zeros where it knows nothing of the user.
    ///
    /// **Shapes**: cases x items, row-major.
    /// **Cost**: cases * items * dimensions multiply-adds, or the rows of the cases' items.
    pub(crate) fn scores(&self, cases: &[Case]) -> Vec<f32> {
        let items = self.items().len();
        let mut scores = vec![0.0; cases.len() * items];
        match self {
            Self::Vectors(model) => vector_scores(&**model, cases, &mut scores),
            Self::Rows(model) => {
                let mut sums = RowSums::default();
                for (case, to) in cases.iter().zip(scores.chunks_exact_mut(items)) {
                    model.sum(case.events.iter().copied(), &mut sums);
                    to.iter_mut().enumerate().for_each(|(row, score)| *score = sums.score(row));
                }
            }
        }
        scores
    }
}

fn vector_scores(model: &dyn VectorModel, cases: &[Case], scores: &mut [f32]) {
    let (items, dimensions) = (model.table().len(), model.table().dimensions());
    let mut scratch = FoldInScratch::default();
    let mut queries = Vec::with_capacity(cases.len() * dimensions);
    for case in cases {
        match model.fold_in(&case.events, &mut scratch) {
            Some(user) => queries.extend_from_slice(user.as_slice()),
            None => queries.resize(queries.len() + dimensions, 0.0),
        }
    }
    let table = MatRef::from_column_major_slice(model.table().values(), dimensions, items);
    let queries = MatRef::from_column_major_slice(&queries, dimensions, cases.len());
    let to = MatMut::from_column_major_slice_mut(scores, items, cases.len());
    matmul(to, Accum::Replace, table.transpose(), queries, 1.0, Par::Seq);
}

/// The models with a weight above zero.
pub(crate) fn blend_of(configs: Vec<PartConfig>, weights: &[f32]) -> BlendConfig {
    let mut blend = BlendConfig::default();
    for (config, &weight) in configs.into_iter().zip(weights).filter(|(_, weight)| **weight > 0.0) {
        match config {
            PartConfig::Vectors(model) => blend.vectors.push(VectorPartConfig { weight, model }),
            PartConfig::Rows(model) => blend.item_to_item.push(RowPartConfig { weight, model }),
        }
    }
    blend
}
