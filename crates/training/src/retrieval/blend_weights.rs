use super::candidate_scores::CandidateScores;

/// The weights that are tried for one model while the others stay.
const GRID: [f32; 9] = [0.0, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.0];
/// Rounds over all models; the weights have settled long before.
const ROUNDS_MAX: usize = 6;
/// How much a weight must add to the metric to be preferred: less is noise.
const GAIN_MIN: f64 = 1e-5;

/// The weights with the greatest mean NDCG at `k`, by one model after the other: an ascent along the
/// axes of a coarse grid from the usual weights. The metric is flat near its best, so finer weights would fit
/// noise.
///
/// **Cost**: at most rounds * models * 9 times an ordering of all candidates.
pub(crate) fn blend_weights(scores: &CandidateScores<'_>, usual: &[f32], k: usize) -> (Vec<f32>, f64) {
    let mean = |weights: &[f32]| {
        let values = scores.ndcg(weights, k);
        values.iter().sum::<f64>() / values.len().max(1) as f64
    };
    let mut weights = usual.to_vec();
    let mut best = mean(&weights);
    for _ in 0..ROUNDS_MAX {
        let before = best;
        for model in 0..usual.len() {
            for weight in GRID {
                let mut tried = weights.clone();
                tried[model] = weight;
                // Only ratios matter, and something must be left.
                let reached = if tried.iter().any(|weight| *weight > 0.0) { mean(&tried) } else { f64::MIN };
                if reached > best + GAIN_MIN {
                    (weights, best) = (tried, reached);
                }
            }
        }
        if best <= before {
            break;
        }
    }
    (weights, best)
}

/// Half-way from the weights that were found to the usual ones, both brought to a sum of 1; what was left
/// out stays out. For a slice that was cut from training, and resembles the test less than a validation
/// file does: near its best the metric is flat, so that little is lost if the slice was right.
pub(crate) fn half_way(found: &[f32], usual: &[f32]) -> Vec<f32> {
    let kept = |weights: &[f32]| -> Vec<f32> {
        weights.iter().zip(found).map(|(weight, found)| if *found > 0.0 { *weight } else { 0.0 }).collect()
    };
    let shares = |weights: Vec<f32>| -> Vec<f32> {
        let sum: f32 = weights.iter().sum();
        weights.into_iter().map(|weight| weight / sum).collect()
    };
    shares(kept(found)).into_iter().zip(shares(kept(usual))).map(|(a, b)| (a + b) / 2.0).collect()
}
