use shortlist_ranking::{
    Candidates, LogisticRegression, ModelKind, Platt, Precision, RankingError, RankingModel, ScoringScratch,
    Standardization, probability,
};

use crate::{CategoryEncoders, CategoryIds};

/// The outcome that every ranker tells: the user showed interest. Lists are ordered by it.
pub const WANTED: &str = "wanted";

/// The fitted second stage: from what is known of each candidate to a score per outcome.
#[derive(Debug)]
pub struct FittedRanker {
    /// What it tells apart: first [`WANTED`], then event types.
    pub outcomes: Vec<Outcome>,
    /// How it scores.
    pub model: RankerModel,
}

/// One outcome that a ranker tells.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// [`WANTED`], or the name of an event type.
    pub name: String,
    /// From log-odds among candidates to those of an item that is shown, fitted on logged impressions; without it
    /// scores are relative: they order the items of one answer and mean nothing else.
    pub calibration: Option<Platt>,
}

/// The models that rank.
#[derive(Debug)]
pub enum RankerModel {
    /// A weight per feature, fitted exactly; one regression per outcome.
    Logistic(Vec<LogisticRegression>),
    /// A network over features and categories, its outcomes learned together.
    Network(Box<NetworkRanker>),
}

/// What each input of a row does for its score.
#[derive(Debug, Clone, PartialEq)]
pub enum Contributions {
    /// What each adds to the score of a row that has every feature at its average: together they are the score.
    Exact {
        /// The score of that row.
        base: f32,
        /// One per feature.
        parts: Vec<f32>,
    },
    /// An approximation, for models that let inputs act together: what the score would lose if this input alone were
    /// at its average, or this category absent. They do not add up to the score.
    Ablation(Vec<f32>),
}

/// A network, and what its scores mean.
#[derive(Debug)]
pub struct NetworkRanker {
    /// Its weights, as they serve.
    pub model: RankingModel,
    /// In what they are kept.
    pub precision: Precision,
    /// How each feature's number is told to it: fitted on the training rows.
    pub numbers: Standardization,
    /// How the categories become ids.
    pub categories: CategoryEncoders,
    /// Per outcome, from its scores to log-odds, where it was fitted to order and not to tell log-odds.
    pub log_odds: Option<Vec<Platt>>,
}

impl FittedRanker {
    /// A regression of the one outcome [`WANTED`], not calibrated.
    pub fn logistic(model: LogisticRegression) -> Self {
        let outcomes = vec![Outcome { name: WANTED.to_owned(), calibration: None }];
        Self { outcomes, model: RankerModel::Logistic(vec![model]) }
    }

    /// Which kind of model it is.
    pub fn kind(&self) -> ModelKind {
        match &self.model {
            RankerModel::Logistic(_) => ModelKind::LogisticRegression,
            RankerModel::Network(network) => network.model.kind(),
        }
    }

    /// Features of a row.
    pub fn features(&self) -> usize {
        match &self.model {
            RankerModel::Logistic(models) => models.first().map_or(0, LogisticRegression::features),
            RankerModel::Network(network) => network.model.schema().numbers.len(),
        }
    }

    /// How its categories are encoded; none where it reads numbers alone.
    pub fn categories(&self) -> Option<&CategoryEncoders> {
        match &self.model {
            RankerModel::Logistic(_) => None,
            RankerModel::Network(network) => Some(&network.categories).filter(|encoders| !encoders.is_empty()),
        }
    }

    /// Writes the score of every row for every outcome to `scores`, which is emptied before. A row's bits do not
    /// depend on the others.
    ///
    /// **Shapes**: `rows` n x [`Self::features`], row-major; `ids` of the same rows; `scores` n x outcomes.
    ///
    /// # Errors
    /// Rows of another width, numbers that are not finite, ids of other rows.
    pub fn score(
        &self,
        rows: &[f32],
        ids: &CategoryIds,
        scratch: &mut ScoringScratch,
        scores: &mut Vec<f32>,
    ) -> Result<(), RankingError> {
        match &self.model {
            RankerModel::Logistic(models) => match models.as_slice() {
                [model] => model.score(rows, scores),
                models => score_each(models, rows, scores),
            },
            RankerModel::Network(network) => {
                let width = self.features().max(1);
                let mut told = vec![0.0; rows.len()];
                for (row, told) in rows.chunks_exact(width).zip(told.chunks_exact_mut(width)) {
                    network.numbers.apply(row, told);
                }
                let count = rows.len() / width;
                let candidates = Candidates { count, shared_numbers: &[], numbers: &told, ids: &ids.columns() };
                network.model.score(&candidates, scratch, scores)
            }
        }
    }

    /// What each input of a row, its features and then its categories, does for its score of the first outcome.
    ///
    /// **Cost**: of a regression, a product per feature; of a network, scoring a row per input.
    ///
    /// # Errors
    /// A row of another width, or ids of other categories.
    pub fn contributions(&self, row: &[f32], ids: &[&[u32]]) -> Result<Contributions, RankingError> {
        match &self.model {
            RankerModel::Logistic(models) => {
                let Some(model) = models.first() else { return Ok(Contributions::Ablation(Vec::new())) };
                #[allow(clippy::cast_possible_truncation)] // scores are single
                let base = model.intercept() as f32;
                Ok(Contributions::Exact { base, parts: model.contributions(row)? })
            }
            RankerModel::Network(network) => network.ablation(row, ids).map(Contributions::Ablation),
        }
    }

    /// Per outcome, the weight of each feature in log-odds per standard deviation; none where there is no such
    /// thing.
    pub fn coefficients(&self) -> Option<Vec<&[f64]>> {
        match &self.model {
            RankerModel::Logistic(models) => Some(models.iter().map(LogisticRegression::coefficients).collect()),
            RankerModel::Network(_) => None,
        }
    }

    /// The log-odds of outcome `outcome` among candidates that a score stands for.
    pub fn log_odds(&self, outcome: usize, score: f32) -> f32 {
        match &self.model {
            RankerModel::Network(network) => {
                network.log_odds.as_ref().map_or(score, |platt| platt[outcome].log_odds(score))
            }
            RankerModel::Logistic(_) => score,
        }
    }

    /// How likely outcome `outcome` is of an item that is shown; none if that was never calibrated.
    pub fn probability(&self, outcome: usize, score: f32) -> Option<f32> {
        let calibration = self.outcomes[outcome].calibration?;
        Some(calibration.probability(self.log_odds(outcome, score)))
    }

    /// How likely a candidate is to be wanted, as training saw candidates: calibrated on no impressions.
    pub fn wanted_among_candidates(&self, score: f32) -> f32 {
        probability(self.log_odds(0, score))
    }
}

impl NetworkRanker {
    /// What the score of the first outcome loses without each input: see [`Contributions::Ablation`].
    fn ablation(&self, row: &[f32], ids: &[&[u32]]) -> Result<Vec<f32>, RankingError> {
        let width = self.numbers.features();
        if row.len() != width {
            return Err(RankingError::RowWidth { expected: width, got: row.len() });
        }
        let mut told = vec![0.0; width];
        self.numbers.apply(row, &mut told);
        // The row as it is, then one for each input without that.
        let count = 1 + width + ids.len();
        let mut numbers = told.repeat(count);
        for feature in 0..width {
            numbers[(1 + feature) * width + feature] = 0.0;
        }
        let mut without = CategoryIds::default();
        without.clear(ids.len());
        for (place, ids) in ids.iter().enumerate() {
            for row in 0..count {
                if row != 1 + width + place {
                    ids.iter().for_each(|id| without.push(place, *id));
                }
                without.end_candidate(place);
            }
        }
        let candidates = Candidates { count, shared_numbers: &[], numbers: &numbers, ids: &without.columns() };
        let mut scores = Vec::new();
        self.model.score(&candidates, &mut ScoringScratch::default(), &mut scores)?;
        let first: Vec<f32> = scores.iter().step_by(scores.len() / count).copied().collect();
        Ok(first[1..].iter().map(|score| first[0] - score).collect())
    }
}

fn score_each(models: &[LogisticRegression], rows: &[f32], scores: &mut Vec<f32>) -> Result<(), RankingError> {
    scores.clear();
    let mut of_model = Vec::new();
    for (outcome, model) in models.iter().enumerate() {
        model.score(rows, &mut of_model)?;
        scores.resize(of_model.len() * models.len(), 0.0);
        for (to, score) in scores.chunks_exact_mut(models.len()).zip(&of_model) {
            to[outcome] = *score;
        }
    }
    Ok(())
}
