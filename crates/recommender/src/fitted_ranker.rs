use shortlist_ranking::{
    Candidates, LogisticRegression, ModelKind, Platt, RankingError, RankingModel, ScoringScratch, Standardization,
    probability,
};

/// The fitted second stage: from the features of each candidate to the score that orders it.
#[derive(Debug)]
pub enum FittedRanker {
    /// A weight per feature, fitted exactly.
    Logistic(LogisticRegression),
    /// A network over the features.
    Network(Box<NetworkRanker>),
}

/// A network, and what its scores mean.
#[derive(Debug)]
pub struct NetworkRanker {
    /// Its weights, as they serve.
    pub model: RankingModel,
    /// How each feature's number is told to it: fitted on the training rows.
    pub numbers: Standardization,
    /// From its scores to probabilities, where it was fitted to order and not to tell log-odds.
    pub calibration: Option<Platt>,
}

impl FittedRanker {
    /// Which kind of model it is.
    pub fn kind(&self) -> ModelKind {
        match self {
            Self::Logistic(_) => ModelKind::LogisticRegression,
            Self::Network(network) => network.model.kind(),
        }
    }

    /// Features of a row.
    pub fn features(&self) -> usize {
        match self {
            Self::Logistic(model) => model.features(),
            Self::Network(network) => network.model.schema().numbers.len(),
        }
    }

    /// Writes the score of every row to `scores`, which is emptied before. A row's bits do not depend on the
    /// others.
    ///
    /// **Shapes**: `rows` n x [`Self::features`], row-major.
    ///
    /// # Errors
    /// Rows of another width, or numbers that are not finite.
    pub fn score(&self, rows: &[f32], scratch: &mut ScoringScratch, scores: &mut Vec<f32>) -> Result<(), RankingError> {
        match self {
            Self::Logistic(model) => model.score(rows, scores),
            Self::Network(network) => {
                let width = self.features().max(1);
                let mut told = vec![0.0; rows.len()];
                for (row, told) in rows.chunks_exact(width).zip(told.chunks_exact_mut(width)) {
                    network.numbers.apply(row, told);
                }
                let count = rows.len() / width;
                let candidates = Candidates { count, shared_numbers: &[], numbers: &told, ids: &[] };
                network.model.score(&candidates, scratch, scores)
            }
        }
    }

    /// What each feature adds to a row's score, compared with the average training row; none where the score
    /// is no sum of features.
    pub fn contributions(&self, row: &[f32]) -> Option<Vec<f32>> {
        match self {
            Self::Logistic(model) => model.contributions(row).ok(),
            Self::Network(_) => None,
        }
    }

    /// The weight of each feature, in log-odds per standard deviation; none where there is no such thing.
    pub fn coefficients(&self) -> Option<Vec<f64>> {
        match self {
            Self::Logistic(model) => Some(model.coefficients().to_vec()),
            Self::Network(_) => None,
        }
    }

    /// How likely the outcome is that a score stands for.
    pub fn probability(&self, score: f32) -> f32 {
        match self {
            Self::Network(network) => network.calibration.map_or(probability(score), |platt| platt.probability(score)),
            Self::Logistic(_) => probability(score),
        }
    }
}
