use std::collections::HashSet;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::study_config::TRIALS_MAX;
use super::surrogate::Surrogate;
use super::{SearchSpace, Trial, TrialRecord};

/// One trial in so many looks where nobody would, in case the surrogate is wrong about the space.
const EXPLORED_EVERY: usize = 6;
/// Points all over the space that are weighed per trial.
const SPREAD_POINTS: usize = 400;
/// Points around the best that are weighed besides.
const NEAR_POINTS: usize = 400;
/// Least and greatest reach around the best, in widths of the range.
const REACH: [f64; 2] = [0.01, 0.4];
/// Attempts at a trial that was not made yet, before the space is taken as exhausted.
const ATTEMPTS: usize = 1_000;

/// The trial that follows `records`; none once nothing new is found. A pure function, the same on
/// every machine.
///
/// First the defaults, then points of a quasi-random sequence, two per parameter, then the point with
/// the greatest expected improvement under a Gaussian process fitted to the results so far. No step
/// depends on the budget, so that a study can be lengthened.
///
/// **Cost**: a surrogate, see there, and 800 points of n² / 2 multiplications: about 10 ms at 40 trials.
/// **Source**: Snoek, Larochelle, Adams 2012; that it beats random search at such budgets: Turner et al.
/// 2021, "Bayesian Optimization is Superior to Random Search for Machine Learning Hyperparameter Tuning:
/// Analysis of the Black-Box Optimization Challenge 2020"; exploration in between after Hutter, Hoos,
/// Leyton-Brown 2011 (SMAC). Unlike them: length scales from a coarse grid, and expected improvement
/// maximised over drawn points.
pub(super) fn next_trial(space: &SearchSpace, seed: u64, records: &[TrialRecord]) -> Option<Trial> {
    if records.is_empty() {
        return Some(space.defaults());
    }
    let tried: HashSet<&Trial> = records.iter().map(|record| &record.trial).collect();
    let spreads = records.len() <= 2 * space.parameters().len() || records.len().is_multiple_of(EXPLORED_EVERY);
    let promising = if spreads { None } else { promising(space, seed, records, &tried) };
    promising.or_else(|| spread(space, seed, records.len(), &tried))
}

/// The next point of a sequence that leaves no gaps, shifted by the seed.
///
/// **Source**: the Kronecker sequence R_d of Roberts 2018, "The Unreasonable Effectiveness of
/// Quasirandom Sequences", with the shift of Cranley and Patterson 1976; that such sequences beat random
/// points for hyper-parameters: Bousquet et al. 2017, "Critical Hyper-Parameters: No Random, No Cry".
fn spread(space: &SearchSpace, seed: u64, number: usize, tried: &HashSet<&Trial>) -> Option<Trial> {
    let parameters = space.parameters().len();
    // The root above 1 of x^(d+1) = x + 1, by a contraction.
    let root = (0..64).fold(2.0, |root, _| libm::pow(1.0 + root, 1.0 / (parameters as f64 + 1.0)));
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let steps: Vec<(f64, f64)> =
        (0..parameters).map(|i| (random.random::<f64>(), libm::pow(root, -(i as f64 + 1.0)))).collect();
    let points = (0..ATTEMPTS).map(|attempt| (number + attempt * TRIALS_MAX) as f64);
    let mut trials = points.map(|index| {
        let places: Vec<f64> = steps.iter().map(|(shift, step)| (shift + index * step).fract()).collect();
        space.trial(&places)
    });
    trials.find(|trial| !tried.contains(trial))
}

/// The trial from which most improvement is expected; none if the results say nothing yet.
fn promising(space: &SearchSpace, seed: u64, records: &[TrialRecord], tried: &HashSet<&Trial>) -> Option<Trial> {
    let points: Vec<Vec<f64>> = records.iter().map(|record| space.places(&record.trial)).collect::<Option<_>>()?;
    let values: Vec<Option<f64>> = records.iter().map(|record| Some(record.measurement()?.mean)).collect();
    let best = super::best::best_first(records).first()?.0;
    let best = space.places(&best.trial)?;
    let surrogate = Surrogate::fit(space, points, &values)?;
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    // Each trial has draws of its own, whatever those before it took.
    random.set_stream(records.len() as u64);
    let mut chosen: Option<(f64, Trial)> = None;
    for row in 0..SPREAD_POINTS + NEAR_POINTS {
        let places = if row < SPREAD_POINTS { anywhere(&mut random, best.len()) } else { near(&mut random, &best) };
        let trial = space.trial(&places);
        // Weighed where it would be made: steps and choices have moved it.
        let Some(places) = space.places(&trial).filter(|_| !tried.contains(&trial)) else { continue };
        let improvement = surrogate.expected_improvement(&places);
        if chosen.as_ref().is_none_or(|(most, _)| improvement > *most) {
            chosen = Some((improvement, trial));
        }
    }
    chosen.map(|(_, trial)| trial)
}

fn anywhere(random: &mut ChaCha8Rng, parameters: usize) -> Vec<f64> {
    (0..parameters).map(|_| random.random()).collect()
}

/// A point around `best`, moved in about half of the parameters, near or far.
fn near(random: &mut ChaCha8Rng, best: &[f64]) -> Vec<f64> {
    let [least, most] = REACH;
    let reach = least * libm::pow(most / least, random.random());
    let moved = |place: &f64| {
        let (moves, step): (bool, f64) = (random.random(), random.random_range(-1.0..=1.0));
        if moves { (place + reach * step).clamp(0.0, 1.0) } else { *place }
    };
    best.iter().map(moved).collect()
}
