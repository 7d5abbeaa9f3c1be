use shortlist_features::{CandidateList, CandidateSignals, FeatureSchema, RequestFeatures, SIMILAR_MAX};
use shortlist_types::{Budget, ItemIdx, Score, dot};

use crate::{Candidate, Models, Ranker, RequestContext, Scratch, StageError, StageName};

/// Fewest known candidates that make a scale.
const SCALE_MIN: usize = 2;
/// Candidates between two looks at the budget.
const CHUNK: usize = 64;

/// Orders candidates by what the bundle's fitted model says of the features of the fold.
#[derive(Debug)]
pub struct FeatureRanker;

impl Ranker for FeatureRanker {
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
        let scored = if complete { ranker.score(&rows, &mut scratch.scoring, &mut scratch.scores) } else { Ok(()) };
        scratch.rows = rows;
        match scored {
            // The bundle's loader checked the width: the runner sees the missing scores.
            Err(_) => Err(StageError::WrongLength { expected: candidates.len(), got: 0 }),
            Ok(()) if complete => Ok(()),
            Ok(()) => Err(StageError::Timeout),
        }
    }
}

/// Writes the feature rows of all candidates and of `others`, row-major, told relative to the candidates
/// that the first stage scored; `false` when the budget ended it. Without models there are no rows.
///
/// The same function makes training rows and serves, so the two cannot differ.
pub(crate) fn feature_rows(
    request: &RequestContext<'_>,
    candidates: &[Candidate],
    others: &[Candidate],
    budget: &dyn Budget,
    rows: &mut Vec<f32>,
) -> bool {
    rows.clear();
    let Some(models) = request.models else { return true };
    let similar = LatestItems::of(request, models, candidates);
    let mut signals = Vec::with_capacity(candidates.len() + others.len());
    for (place, candidate) in candidates.iter().chain(others).enumerate() {
        if place % CHUNK == 0 && budget.exhausted() {
            return false;
        }
        // Candidates come in retrieval order; an item that was not retrieved ranks where its score
        // would have put it.
        let rank = if place < candidates.len() { place } else { rank_of(candidate, candidates) };
        signals.push(similar.signals(candidate, u32::try_from(rank).unwrap_or(u32::MAX)));
    }
    // The scale is that of the items that the models know, which come first: one item that nobody has
    // met must not decide how far the others lie apart.
    let known = candidates.iter().take_while(|candidate| candidate.retrieval_score.is_some()).count();
    let scale = if known >= SCALE_MIN { known } else { candidates.len() };
    let list = CandidateList { all: &signals, scale, similar_to: similar.count };
    RequestFeatures::new(&models.features, request.state, &request.user, &request.context, request.now)
        .rows(list, budget, rows)
}

/// How many of `candidates`, best first, score above `other`.
fn rank_of(other: &Candidate, candidates: &[Candidate]) -> usize {
    candidates.partition_point(|candidate| candidate.retrieval_score > other.retrieval_score)
}

/// The features' names with what each adds to a row's score, largest first.
pub(crate) fn named_contributions(schema: &FeatureSchema, contributions: &[f32]) -> Vec<(String, f32)> {
    let mut named: Vec<_> = schema.names().map(str::to_owned).zip(contributions.iter().copied()).collect();
    named.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()).then_with(|| a.0.cmp(&b.0)));
    named
}

/// The directions of the items that the user wanted last, newest first.
struct LatestItems<'a> {
    models: &'a Models,
    /// The least retrieval score of the candidates: what an item that no model knows is taken to have, so
    /// that one such item does not stretch the scale on which the others differ.
    least_score: f32,
    /// How many there are.
    count: usize,
    /// Per dimension, their unit vectors side by side: one pass over a candidate's vector meets them all.
    lanes: Vec<[f32; SIMILAR_MAX]>,
}

impl<'a> LatestItems<'a> {
    fn of(request: &RequestContext<'a>, models: &'a Models, candidates: &[Candidate]) -> Self {
        let least = candidates.iter().filter_map(|candidate| candidate.retrieval_score).min();
        let least_score = least.map_or(0.0, Score::get);
        let latest = request.user.wanted();
        let vector = |item: ItemIdx| models.vector(item).and_then(|vector| unit(&vector));
        let (mut count, mut lanes) = (0, Vec::new());
        for vector in latest.iter().filter_map(|entry| vector(entry.item)).take(models.features.similar_to()) {
            lanes.resize(vector.len(), [0.0; SIMILAR_MAX]);
            lanes.iter_mut().zip(vector).for_each(|(lane, x)| lane[count] = x);
            count += 1;
        }
        Self { models, least_score, count, lanes }
    }

    fn signals(&self, candidate: &Candidate, rank: u32) -> CandidateSignals {
        let vector = self.models.vector(candidate.item);
        let score = candidate.retrieval_score.map_or(self.least_score, Score::get);
        let mut signals =
            CandidateSignals { score, rank, known: vector.is_some(), ..CandidateSignals::unknown(candidate.item) };
        if let Some(vector) = vector.filter(|_| self.count > 0) {
            let length = dot(&vector, &vector).sqrt();
            if length > f32::MIN_POSITIVE {
                signals.cosines = self.products(&vector).map(|product| product / length);
            }
        }
        signals
    }

    /// The inner product with each of them; every sum runs in order of dimensions, even ones and odd ones apart.
    fn products(&self, vector: &[f32]) -> [f32; SIMILAR_MAX] {
        let (mut even, mut odd) = ([0.0; SIMILAR_MAX], [0.0; SIMILAR_MAX]);
        let mut pairs = self.lanes.chunks_exact(2).zip(vector.chunks_exact(2));
        for (lanes, x) in &mut pairs {
            for lane in 0..SIMILAR_MAX {
                even[lane] += lanes[0][lane] * x[0];
                odd[lane] += lanes[1][lane] * x[1];
            }
        }
        if let (1, Some(last), Some(x)) = (self.lanes.len() % 2, self.lanes.last(), vector.last()) {
            (0..SIMILAR_MAX).for_each(|lane| even[lane] += last[lane] * x);
        }
        std::array::from_fn(|lane| even[lane] + odd[lane])
    }
}

fn unit(vector: &[f32]) -> Option<Vec<f32>> {
    let length = dot(vector, vector).sqrt();
    (length > f32::MIN_POSITIVE).then(|| vector.iter().map(|x| x / length).collect())
}
