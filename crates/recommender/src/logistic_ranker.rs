use shortlist_features::{RequestFeatures, RetrievalSignals, feature_names};
use shortlist_types::{Budget, ItemIdx, Score, dot};

use crate::{Candidate, Models, Ranker, RequestContext, Scratch, StageError, StageName};

/// The user's latest wanted items that similarities look at.
const SIMILAR_TO: usize = 10;
/// Fewest known candidates that make a scale.
const SCALE_MIN: usize = 2;
/// Candidates between two looks at the budget.
const CHUNK: usize = 64;

/// Orders candidates by the log-odds of logistic regression over the features of the fold.
#[derive(Debug)]
pub struct LogisticRanker;

impl Ranker for LogisticRanker {
    fn name(&self) -> StageName {
        StageName("ranker")
    }

    fn score(
        &self,
        request: &RequestContext<'_>,
        candidates: &[Candidate],
        budget: &dyn Budget,
        scratch: &mut Scratch,
    ) -> Result<(), StageError> {
        let Some(ranker) = request.models.and_then(|models| models.ranker.as_ref()) else {
            return Err(StageError::WrongLength { expected: candidates.len(), got: 0 });
        };
        let mut rows = std::mem::take(&mut scratch.rows);
        let complete = feature_rows(request, candidates, &[], budget, &mut rows);
        let scored = if complete { ranker.score(&rows, &mut scratch.scores) } else { Ok(()) };
        scratch.rows = rows;
        match scored {
            // The bundle's loader checked the width: the runner sees the missing scores.
            Err(_) => Err(StageError::WrongLength { expected: candidates.len(), got: 0 }),
            Ok(()) if complete => Ok(()),
            Ok(()) => Err(StageError::Timeout),
        }
    }
}

/// Writes the feature rows of all candidates and of `others`, row-major, standardised within the
/// candidates that the first stage scored; `false` when the budget ended it.
///
/// The same function makes training rows and serves, so the two cannot differ.
pub(crate) fn feature_rows(
    request: &RequestContext<'_>,
    candidates: &[Candidate],
    others: &[Candidate],
    budget: &dyn Budget,
    rows: &mut Vec<f32>,
) -> bool {
    let features = RequestFeatures::new(request.state, &request.user, request.now);
    let similar = LatestItems::of(request, candidates);
    let width = RequestFeatures::width();
    rows.clear();
    rows.resize((candidates.len() + others.len()) * width, 0.0);
    let mut unwritten = rows.chunks_exact_mut(width);
    for (place, candidate) in candidates.iter().chain(others).enumerate() {
        if place % CHUNK == 0 && budget.exhausted() {
            return false;
        }
        // Candidates come in retrieval order; an item that was not retrieved ranks where its score
        // would have put it.
        let rank = if place < candidates.len() { place } else { rank_of(candidate, candidates) };
        let signals = similar.signals(candidate, u32::try_from(rank).unwrap_or(u32::MAX));
        if let Some(row) = unwritten.next() {
            features.write(candidate.item, &signals, row);
        }
    }
    // The scale is that of the items that the models know, which come first: one item that nobody has
    // met must not decide how far the others lie apart.
    let known = candidates.iter().take_while(|candidate| candidate.retrieval_score.is_some()).count();
    RequestFeatures::standardise(rows, if known >= SCALE_MIN { known } else { candidates.len() });
    true
}

/// How many of `candidates`, best first, score above `other`.
fn rank_of(other: &Candidate, candidates: &[Candidate]) -> usize {
    candidates.partition_point(|candidate| candidate.retrieval_score > other.retrieval_score)
}

/// The features' names with what each adds to a row's score, largest first.
pub(crate) fn named_contributions(contributions: &[f32]) -> Vec<(&'static str, f32)> {
    let mut named: Vec<_> = feature_names().zip(contributions.iter().copied()).collect();
    named.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()).then(a.0.cmp(b.0)));
    named
}

/// Unit vectors of the items that the user wanted last, newest first.
struct LatestItems<'a> {
    models: Option<&'a Models>,
    /// The least retrieval score of the candidates: what an item that no model knows is taken to have, so
    /// that one such item does not stretch the scale on which the others differ.
    least_score: f32,
    vectors: Vec<Vec<f32>>,
}

impl<'a> LatestItems<'a> {
    fn of(request: &RequestContext<'a>, candidates: &[Candidate]) -> Self {
        let least = candidates.iter().filter_map(|candidate| candidate.retrieval_score).min();
        let least_score = least.map_or(0.0, Score::get);
        let models = request.models;
        let latest = request.user.wanted();
        let vector = |item: ItemIdx| models.and_then(|models| models.vector(item)).and_then(|vector| unit(&vector));
        let vectors = latest.iter().filter_map(|entry| vector(entry.item)).take(SIMILAR_TO).collect();
        Self { models, least_score, vectors }
    }

    fn signals(&self, candidate: &Candidate, rank: u32) -> RetrievalSignals {
        let vector = self.models.and_then(|models| models.vector(candidate.item));
        let score = candidate.retrieval_score.map_or(self.least_score, Score::get);
        let known = RetrievalSignals { score, rank, known: vector.is_some(), ..RetrievalSignals::default() };
        let (Some(vector), Some(latest)) = (vector, self.vectors.first()) else { return known };
        let length = dot(&vector, &vector).sqrt();
        if length <= f32::MIN_POSITIVE {
            return known;
        }
        let cosine = |other: &Vec<f32>| dot(&vector, other) / length;
        let cosines = self.vectors.iter().map(cosine);
        RetrievalSignals {
            similarity_latest: cosine(latest),
            similarity_mean: cosines.clone().sum::<f32>() / self.vectors.len() as f32,
            similarity_max: cosines.fold(f32::MIN, f32::max),
            ..known
        }
    }
}

fn unit(vector: &[f32]) -> Option<Vec<f32>> {
    let length = dot(vector, vector).sqrt();
    (length > f32::MIN_POSITIVE).then(|| vector.iter().map(|x| x / length).collect())
}
