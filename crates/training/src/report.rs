use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use shortlist_evaluation::Interval;

use crate::ListReport;

/// How good a bundle is on the latest slice of time, asked as it serves.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The headline numbers, over all users asked.
    pub metrics: Metrics,
    /// All users of the slice, those with history before it, and those without.
    pub groups: Groups,
    /// How the slice was made.
    pub protocol: Protocol,
    /// Per calibrated outcome, whether probabilities came true on the slice's logged impressions; empty where scores
    /// are relative.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub calibration: BTreeMap<String, OutcomeCalibration>,
    /// Per feature of the ranker, the AUC that is lost when it is shuffled among the training rows; only where the
    /// rows were at hand.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub importance: BTreeMap<String, f64>,
    /// Lists as a whole, per diversity that was asked about.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lists: Vec<ListReport>,
}

/// The numbers that one looks at first.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Mean share of the later wanted items that the first stage proposes.
    pub candidate_recall: f64,
    /// Area under the ROC curve of the ranker's scores among the candidates of a request, mean over
    /// the requests with both outcomes.
    pub auc: f64,
    /// Mean log-loss of the ranker's probabilities over all candidates of all requests.
    pub log_loss: f64,
    /// Mean NDCG@10 of three orders of the same items.
    pub ndcg_at_10: NdcgAt10,
    /// The first stage alone, over the same candidates.
    pub retrieval_order: Baseline,
    /// Popularity alone.
    pub popularity: Baseline,
}

/// What one order reaches without the ranker. It has no log-loss: its scores are no probabilities.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// Mean share of the later wanted items in a list as long as the candidates.
    pub candidate_recall: f64,
    /// Area under the ROC curve of its scores among a request's candidates, mean over requests.
    pub auc: f64,
}

/// NDCG@10 of the whole service, of its first stage alone, and of popularity.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct NdcgAt10 {
    /// Retrieval, then ranking.
    pub two_stage: f64,
    /// Retrieval order.
    pub retrieval_order: f64,
    /// Popularity.
    pub popularity: f64,
}

/// The report by group of users.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Groups {
    /// Everybody.
    pub all: Option<GroupReport>,
    /// Users with history before the slice.
    pub warm: Option<GroupReport>,
    /// Users without.
    pub cold: Option<GroupReport>,
}

/// NDCG@10 in one group of users, with 95 % bootstrap intervals over users.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GroupReport {
    /// Users asked.
    pub users: usize,
    /// Mean share of the later wanted items that the first stage proposes.
    pub candidate_recall: Interval,
    /// Retrieval, then ranking.
    pub two_stage: Interval,
    /// Retrieval order.
    pub retrieval_order: Interval,
    /// Popularity.
    pub popularity: Interval,
    /// What the ranker adds.
    pub two_stage_over_retrieval: Comparison,
    /// What retrieval adds.
    pub retrieval_over_popularity: Comparison,
}

/// One order against another, user by user.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// Difference of the means relative to the second.
    pub relative: Option<f64>,
    /// Paired difference with its 95 % bootstrap interval.
    pub difference: Interval,
}

/// How the slice was made.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Protocol {
    /// Begin of the evaluated slice.
    pub evaluated_from: String,
    /// Its end.
    pub evaluated_until: String,
    /// Users with enough events in the slice, something wanted later, and something eligible.
    pub users: usize,
    /// Items in the catalogue at the end.
    pub catalogue: usize,
    /// Mean number of candidates per request.
    pub candidates: f64,
}

/// Whether probabilities of an outcome came true.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct OutcomeCalibration {
    /// How many impressions were looked at.
    pub impressions: usize,
    /// Mean probability.
    pub predicted: f64,
    /// Share of the impressions that the outcome came of.
    pub observed: f64,
    /// Expected calibration error: mean gap between both in 15 bins of as many impressions each.
    pub expected_error: f64,
    /// Mean log-loss.
    pub log_loss: f64,
}
