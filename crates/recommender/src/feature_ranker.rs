use shortlist_features::{RequestFeatures, RetrievalSignals, feature_names};
use shortlist_types::{Budget, ItemIdx, Score, dot};

use crate::{Candidate, Models, Ranker, RequestContext, Scratch, StageError, StageName};

/// The user's latest wanted items that similarities look at.
const SIMILAR_TO: usize = 10;
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

/// The directions of the items that the user wanted last, newest first.
struct LatestItems<'a> {
    models: Option<&'a Models>,
    /// The least retrieval score of the candidates: what an item that no model knows is taken to have, so
    /// that one such item does not stretch the scale on which the others differ.
    least_score: f32,
    /// How many there are.
    count: usize,
    /// Per dimension, their unit vectors side by side: one pass over a candidate's vector meets them all.
    lanes: Vec<[f32; LANES]>,
}

/// Places for the latest items' vectors: a whole number of registers.
const LANES: usize = 16;
const _: () = assert!(SIMILAR_TO <= LANES);

impl<'a> LatestItems<'a> {
    fn of(request: &RequestContext<'a>, candidates: &[Candidate]) -> Self {
        let least = candidates.iter().filter_map(|candidate| candidate.retrieval_score).min();
        let least_score = least.map_or(0.0, Score::get);
        let models = request.models;
        let latest = request.user.wanted();
        let vector = |item: ItemIdx| models.and_then(|models| models.vector(item)).and_then(|vector| unit(&vector));
        let (mut count, mut lanes) = (0, Vec::new());
        for vector in latest.iter().filter_map(|entry| vector(entry.item)).take(SIMILAR_TO) {
            lanes.resize(vector.len(), [0.0; LANES]);
            lanes.iter_mut().zip(vector).for_each(|(lane, x)| lane[count] = x);
            count += 1;
        }
        Self { models, least_score, count, lanes }
    }

    fn signals(&self, candidate: &Candidate, rank: u32) -> RetrievalSignals {
        let vector = self.models.and_then(|models| models.vector(candidate.item));
        let score = candidate.retrieval_score.map_or(self.least_score, Score::get);
        let known = RetrievalSignals { score, rank, known: vector.is_some(), ..RetrievalSignals::default() };
        let Some(vector) = vector.filter(|_| self.count > 0) else { return known };
        let length = dot(&vector, &vector).sqrt();
        if length <= f32::MIN_POSITIVE {
            return known;
        }
        let cosines = self.products(&vector).map(|product| product / length);
        let cosines = &cosines[..self.count];
        RetrievalSignals {
            similarity_latest: cosines[0],
            similarity_mean: cosines.iter().sum::<f32>() / self.count as f32,
            similarity_max: cosines.iter().copied().fold(f32::MIN, f32::max),
            ..known
        }
    }

    /// The inner product with each of them; every sum runs in order of dimensions, even ones and odd ones apart.
    fn products(&self, vector: &[f32]) -> [f32; LANES] {
        let (mut even, mut odd) = ([0.0; LANES], [0.0; LANES]);
        let mut pairs = self.lanes.chunks_exact(2).zip(vector.chunks_exact(2));
        for (lanes, x) in &mut pairs {
            for lane in 0..LANES {
                even[lane] += lanes[0][lane] * x[0];
                odd[lane] += lanes[1][lane] * x[1];
            }
        }
        if let (1, Some(last), Some(x)) = (self.lanes.len() % 2, self.lanes.last(), vector.last()) {
            (0..LANES).for_each(|lane| even[lane] += last[lane] * x);
        }
        std::array::from_fn(|lane| even[lane] + odd[lane])
    }
}

fn unit(vector: &[f32]) -> Option<Vec<f32>> {
    let length = dot(vector, vector).sqrt();
    (length > f32::MIN_POSITIVE).then(|| vector.iter().map(|x| x / length).collect())
}
