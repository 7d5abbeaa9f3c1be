use serde::{Deserialize, Serialize};
use shortlist_retrieval::IndexConfig;
use shortlist_types::InvalidInput;

use crate::ranker_config::RankerConfig;
use crate::retrieval::RetrievalConfig;

/// `[training]`: how a bundle is made from the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct TrainingConfig {
    /// Share of the log's time, at its end, that is kept for evaluation.
    pub evaluation_share: f64,
    /// Share of the events before it, at their end, from which the ranker learns.
    pub ranker_share: f64,
    /// Decisions per user from which the ranker learns.
    pub decisions_per_user: usize,
    /// Most decisions in all.
    pub decisions_max: usize,
    /// Retrieved candidates without a positive outcome that are kept per decision.
    pub negatives_per_decision: usize,
    /// Eligible items drawn at random per decision, besides.
    pub random_per_decision: usize,
    /// Days after a decision within which a wish counts as its outcome; none: to the end of the slice.
    pub label_days: Option<u32>,
    /// Where the ranker's rows come from.
    pub rows: RowSource,
    /// First stage.
    pub retrieval: RetrievalConfig,
    /// Neighbour index.
    pub index: IndexConfig,
    /// Second stage.
    pub ranker: RankerConfig,
}

/// Where the ranker's rows come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowSource {
    /// Decisions of the log, asked again over the state of their moment: every candidate that retrieval returns.
    #[default]
    Replayed,
    /// The served log: what was really shown, by the features that were really read.
    Served,
}

/// The form in a file.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Unchecked {
    evaluation_share: f64,
    ranker_share: f64,
    decisions_per_user: usize,
    decisions_max: usize,
    negatives_per_decision: usize,
    random_per_decision: usize,
    label_days: Option<u32>,
    rows: RowSource,
    retrieval: RetrievalConfig,
    index: IndexConfig,
    ranker: RankerConfig,
}

impl Default for Unchecked {
    fn default() -> Self {
        Self {
            evaluation_share: 0.2,
            ranker_share: 0.1,
            decisions_per_user: 3,
            decisions_max: 5_000,
            negatives_per_decision: 100,
            random_per_decision: 10,
            label_days: None,
            rows: RowSource::default(),
            retrieval: RetrievalConfig::default(),
            index: IndexConfig::default(),
            ranker: RankerConfig::default(),
        }
    }
}

impl Default for TrainingConfig {
    fn default() -> Self {
        Unchecked::default().into_config()
    }
}

impl Unchecked {
    fn into_config(self) -> TrainingConfig {
        TrainingConfig {
            evaluation_share: self.evaluation_share,
            ranker_share: self.ranker_share,
            decisions_per_user: self.decisions_per_user,
            decisions_max: self.decisions_max,
            negatives_per_decision: self.negatives_per_decision,
            random_per_decision: self.random_per_decision,
            label_days: self.label_days,
            rows: self.rows,
            retrieval: self.retrieval,
            index: self.index,
            ranker: self.ranker,
        }
    }
}

impl TryFrom<Unchecked> for TrainingConfig {
    type Error = InvalidInput;
    fn try_from(unchecked: Unchecked) -> Result<Self, InvalidInput> {
        let config = unchecked.into_config();
        let share = |name: &'static str, value: f64| {
            let fits = (0.01..=0.9).contains(&value);
            if fits { Ok(()) } else { Err(InvalidInput::new(name, format!("must be 0.01 to 0.9, got {value}"))) }
        };
        share("evaluation_share", config.evaluation_share)?;
        share("ranker_share", config.ranker_share)?;
        let count = |name: &'static str, value: usize, most: usize| {
            let fits = (1..=most).contains(&value);
            if fits { Ok(()) } else { Err(InvalidInput::new(name, format!("must be 1 to {most}, got {value}"))) }
        };
        count("decisions_per_user", config.decisions_per_user, 100)?;
        count("decisions_max", config.decisions_max, 1_000_000)?;
        count("negatives_per_decision", config.negatives_per_decision, 5_000)?;
        count("random_per_decision", config.random_per_decision, 5_000)?;
        if config.label_days == Some(0) {
            return Err(InvalidInput::new("label_days", "must be at least 1, or absent"));
        }
        config.retrieval.check().map_err(|error| error.within("retrieval"))?;
        Ok(config)
    }
}
