use std::time::{Duration, Instant};

use shortlist_store::{Assignment, BundleId, ServedCandidate};
use shortlist_types::{ItemId, ItemIdx, LogSeq, Score};

use crate::{SourceHit, StageName, WhyNot};

/// The answer to a [`crate::Request`].
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Answer {
    /// The items, best first; fewer than k only when the catalogue has no more to offer.
    pub items: Vec<RecommendedItem>,
    /// What the items' scores are.
    pub score_kind: ScoreKind,
    /// The bundle that served, if there was one.
    pub bundle: Option<BundleId>,
    /// The variant of an experiment that the user is in.
    pub assignment: Option<Assignment>,
    /// The state that served: all records up to this one.
    pub log_seq: LogSeq,
    /// What was less than asked, and why; empty when all went well.
    pub degraded: Vec<Degraded>,
    /// How long each stage took, in order.
    pub timings: Vec<StageTiming>,
    /// What became of the items that the request asked about, in its order.
    pub why_not: Vec<WhyNot>,
    /// All items in order, the shown ones first: what later pages continue. Empty for a page.
    pub(crate) order: Vec<(ItemIdx, Score)>,
    /// What it was decided by, if that was to be kept.
    pub decided: Option<Decided>,
}

/// What the scores of an answer are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ScoreKind {
    /// They order the items of this answer and mean nothing else.
    #[default]
    Relative,
    /// They order the items, and beside each is how likely the item is to be wanted.
    Calibrated,
    /// What each item is worth to show: the surface's weights times the probabilities beside it.
    Value,
}

impl ScoreKind {
    /// The stable name in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Relative => "relative",
            Self::Calibrated => "calibrated",
            Self::Value => "value",
        }
    }
}

/// What an answer was decided by.
#[derive(Debug, Clone, PartialEq)]
pub struct Decided {
    /// All candidates, in retrieval order.
    pub candidates: Vec<ServedCandidate>,
    /// [`shortlist_features::FeatureSchema::fingerprint`] of the ranker's features.
    pub feature_schema: u64,
    /// What the ranker read, row by row in the order of the candidates; empty where it was not asked.
    pub features: Vec<f32>,
}

/// One item of an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct RecommendedItem {
    /// Which item.
    pub item_id: ItemId,
    /// The ranker's score, or the first stage's where that was the last word. Scores order the items
    /// of one answer; no score is a probability.
    pub score: Score,
    /// Place in the list, from 0.
    pub rank: usize,
    /// How likely each outcome is if the item is shown, by name: those that were calibrated on logged impressions, if
    /// the ranker scored the item.
    pub probabilities: Vec<(String, f32)>,
    /// Which sources proposed it, and where it stood there.
    pub sources: Vec<SourceHit>,
    /// Why it stands here, if asked.
    pub explanation: Option<Explanation>,
}

/// Why an item stands where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// Inner product with the user's vector, if both have one.
    pub retrieval_score: Option<Score>,
    /// Rank by that score among the candidates, from 0.
    pub retrieval_rank: usize,
    /// Place in the ranker's order, from 0, before rules moved items.
    pub order_rank: usize,
    /// The score of a row with every feature at its average, to which `contributions` add up to the ranker's score;
    /// none if they do not.
    pub base_score: Option<f32>,
    /// What each of the ranker's inputs does for the score, largest first: with a `base_score` what it adds to that,
    /// exactly; without one an approximation, what the score would lose without this input alone.
    pub contributions: Vec<(String, f32)>,
    /// The surface's rules that moved it, in words.
    pub moved_by: Vec<String>,
    /// The probability that it stands there, given the items above it: below 1 where items are drawn at random.
    pub propensity: f32,
}

/// Features that a sentence names on either side.
const NAMED_MAX: usize = 3;

impl RecommendedItem {
    /// Why it stands where it stands, for a person; none if that was not asked.
    pub fn sentence(&self) -> Option<String> {
        let explanation = self.explanation.as_ref()?;
        let from: Vec<_> = self.sources.iter().map(|hit| format!("{} (#{})", hit.source, hit.rank + 1)).collect();
        let mut parts = vec![match from.as_slice() {
            [] => "No source proposed it".to_owned(),
            from => format!("Proposed by {}", from.join(" and ")),
        }];
        parts.push(match explanation.order_rank == explanation.retrieval_rank {
            true => format!("#{} by retrieval and by rank", explanation.order_rank + 1),
            false => {
                format!("#{} by retrieval, ranked #{}", explanation.retrieval_rank + 1, explanation.order_rank + 1)
            }
        });
        let named = |sign: f32| {
            let on_side = explanation.contributions.iter().filter(|(_, value)| value * sign > 0.0).take(NAMED_MAX);
            on_side.map(|(name, value)| format!("{name} {value:+.2}")).collect::<Vec<_>>().join(", ")
        };
        for (what, names) in [("for it", named(1.0)), ("against it", named(-1.0))] {
            if !names.is_empty() {
                parts.push(format!("{what}: {names}"));
            }
        }
        parts.extend(explanation.moved_by.iter().cloned());
        if explanation.propensity < 1.0 {
            parts.push(format!("it had a chance of {:.3} to stand here", explanation.propensity));
        }
        Some(parts.join("; ") + ".")
    }
}

/// One neighbour in the answer to "what is similar to this item?".
#[derive(Debug, Clone, PartialEq)]
pub struct SimilarItem {
    /// Which item.
    pub item_id: ItemId,
    /// Cosine of the two embeddings.
    pub score: Score,
}

/// Why an answer is less than it could be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Degraded {
    /// No bundle is loaded: popular and fresh items.
    NoBundle,
    /// The bundle has no vector for the item asked about: it is newer than the bundle.
    ItemNotInBundle,
    /// A source ended early, or did not come back: the others fill its place.
    SourceTimeout,
    /// A source did not come back for the requests before, and was left out.
    SourceSkipped,
    /// The neighbour search failed: the other sources fill its place.
    AnnFailed,
    /// The surface's value needs probabilities that the ranker does not tell: ordered by how much is wanted.
    ValueUncalibrated,
    /// The ranker ended early, or did not come back: retrieval order.
    RankerTimeout,
    /// The ranker did not come back for the requests before, and was left out: retrieval order.
    RankerSkipped,
    /// The ranker failed: retrieval order.
    RankerFailed,
    /// The service is busy: fewer candidates, looked for less hard.
    Brownout,
    /// The ranker gave scores that are not finite; those items stand last.
    RankerNotFinite,
}

impl Degraded {
    /// The stable name in answers and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoBundle => "no_bundle",
            Self::ItemNotInBundle => "item_not_in_bundle",
            Self::SourceTimeout => "source_timeout",
            Self::SourceSkipped => "source_skipped",
            Self::AnnFailed => "ann_failed",
            Self::ValueUncalibrated => "value_uncalibrated",
            Self::RankerTimeout => "ranker_timeout",
            Self::RankerSkipped => "ranker_skipped",
            Self::RankerFailed => "ranker_failed",
            Self::Brownout => "brownout",
            Self::RankerNotFinite => "ranker_not_finite",
        }
    }
}

/// How long one stage took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StageTiming {
    /// Which stage.
    pub stage: StageName,
    /// When it began.
    pub started: Instant,
    /// Time spent in it.
    pub elapsed: Duration,
    /// Items that it proposed, if it is a source.
    pub proposed: Option<usize>,
}
