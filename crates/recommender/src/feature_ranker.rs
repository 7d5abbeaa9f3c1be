use std::time::Instant;

use pulp::Arch;
use shortlist_features::{CandidateList, CandidateSignals, FeatureScratch, RequestFeatures, SIMILAR_MAX};
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
        let started = Instant::now();
        let complete = feature_rows(request, candidates, &[], budget, &mut scratch.features);
        scratch.features_made = Some((started, Instant::now()));
        if !complete {
            return Err(StageError::Timeout);
        }
        let Scratch { features, categories, scoring, outcomes, scores, .. } = scratch;
        if let Some(encoders) = ranker.categories() {
            encoders.encode(request, candidates.iter().map(|candidate| candidate.item), categories);
        }
        // The bundle's loader checked the widths: the runner sees the missing scores.
        ranker
            .score(&features.rows, categories, scoring, outcomes)
            .map_err(|_| StageError::WrongLength { expected: candidates.len(), got: 0 })?;
        scores.clear();
        scores.extend(outcomes.iter().step_by(ranker.outcomes.len()));
        Ok(())
    }
}

/// Makes the feature rows of all candidates and of `others`, row-major, told relative to the candidates
/// that the first stage scored; `false` when the budget ended it. Without models there are no rows.
///
/// The same function makes training rows and serves, so the two cannot differ.
pub(crate) fn feature_rows(
    request: &RequestContext<'_>,
    candidates: &[Candidate],
    others: &[Candidate],
    budget: &dyn Budget,
    scratch: &mut FeatureScratch,
) -> bool {
    scratch.rows.clear();
    let Some(models) = request.models else { return true };
    let similar = LatestItems::of(request, models, candidates);
    // In two steps: the fetches of all vectors overlap while their lengths are taken.
    let all = candidates.iter().chain(others);
    let vectors: Vec<_> = all.clone().map(|candidate| models.vector(candidate.item)).collect();
    let lengths: Vec<f32> = vectors.iter().map(|vector| vector.as_ref().map_or(0.0, |v| dot(v, v).sqrt())).collect();
    let mut signals = Vec::with_capacity(vectors.len());
    for (place, ((candidate, vector), length)) in all.zip(&vectors).zip(lengths).enumerate() {
        if place % CHUNK == 0 && budget.exhausted() {
            return false;
        }
        // Candidates come in retrieval order; an item that was not retrieved ranks where its score
        // would have put it.
        let rank = if place < candidates.len() { place } else { rank_of(candidate, candidates) };
        signals.push(CandidateSignals {
            item: candidate.item,
            score: candidate.retrieval_score.map_or(similar.least_score, Score::get),
            rank: u32::try_from(rank).unwrap_or(u32::MAX),
            known: vector.is_some(),
            cosines: vector.as_ref().map_or([0.0; SIMILAR_MAX], |vector| similar.cosines(vector, length)),
        });
    }
    // The scale is that of the items that the models know, which come first: one item that nobody has
    // met must not decide how far the others lie apart.
    let known = candidates.iter().take_while(|candidate| candidate.retrieval_score.is_some()).count();
    let scale = if known >= SCALE_MIN { known } else { candidates.len() };
    let list = CandidateList { all: &signals, scale, similar_to: similar.count };
    RequestFeatures::new(&models.features, request.state, &request.user, &request.context, request.now)
        .rows(list, budget, scratch)
}

/// How many of `candidates`, best first, score above `other`.
fn rank_of(other: &Candidate, candidates: &[Candidate]) -> usize {
    candidates.partition_point(|candidate| candidate.retrieval_score > other.retrieval_score)
}

/// The directions of the items that the user wanted last, newest first.
struct LatestItems {
    arch: Arch,
    /// The least retrieval score of the candidates: what an item that no model knows is taken to have, so
    /// that one such item does not stretch the scale on which the others differ.
    least_score: f32,
    /// How many there are.
    count: usize,
    /// Per dimension, their unit vectors side by side: one pass over a candidate's vector meets them all.
    lanes: Vec<[f32; SIMILAR_MAX]>,
}

impl LatestItems {
    fn of(request: &RequestContext<'_>, models: &Models, candidates: &[Candidate]) -> Self {
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
        Self { arch: Arch::new(), least_score, count, lanes }
    }

    /// The cosine with each of them of a vector of this length; every sum runs in order of dimensions, even ones
    /// and odd ones apart.
    fn cosines(&self, vector: &[f32], length: f32) -> [f32; SIMILAR_MAX] {
        if length <= f32::MIN_POSITIVE {
            return [0.0; SIMILAR_MAX];
        }
        self.arch.dispatch(|| {
            let (mut even, mut odd) = ([0.0; SIMILAR_MAX], [0.0; SIMILAR_MAX]);
            let (lane_pairs, lanes_left) = self.lanes.as_chunks::<2>();
            let (pairs, left) = vector.as_chunks::<2>();
            for (lanes, x) in lane_pairs.iter().zip(pairs) {
                for lane in 0..SIMILAR_MAX {
                    even[lane] += lanes[0][lane] * x[0];
                    odd[lane] += lanes[1][lane] * x[1];
                }
            }
            for (lanes, x) in lanes_left.iter().zip(left) {
                for lane in 0..SIMILAR_MAX {
                    even[lane] += lanes[lane] * x;
                }
            }
            std::array::from_fn(|lane| (even[lane] + odd[lane]) / length)
        })
    }
}

fn unit(vector: &[f32]) -> Option<Vec<f32>> {
    let length = dot(vector, vector).sqrt();
    (length > f32::MIN_POSITIVE).then(|| vector.iter().map(|x| x / length).collect())
}
