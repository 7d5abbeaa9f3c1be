use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;

/// A smooth metric of three parameters, two of them entangled, seen as its distance from the optimum.
fn smooth(places: &[f64]) -> f64 {
    let (a, b, c) = (places[0] - 0.3, places[1] - 0.6, places[2] - 0.45);
    a * a + 0.5 * b * b + 0.2 * c * c + 0.4 * a * b
}

/// The same with a dent every half unit, deep enough to hold a descent.
fn bumpy(places: &[f64]) -> f64 {
    let optimum = [0.7, 0.2, 0.45];
    let away = places.iter().zip(optimum).map(|(place, best)| place - best);
    away.map(|away| away * away + 0.05 * (1.0 - libm::cos(12.0 * away))).sum()
}

/// Median regret over 50 seeds after `trials`: of a study, and of points drawn at random.
fn median_regrets(trials: usize, regret: fn(&[f64]) -> f64) -> (f64, f64) {
    let space = three_reals();
    let regret_of = |trial: &Trial| regret(&space.places(trial).unwrap());
    let of_study = |seed| {
        let mut study = Study::new(space.clone(), config(trials, seed)).unwrap();
        let mut evaluate = |trial: &Trial| Ok(Objective::of_mean(-regret_of(trial), 1).unwrap());
        regret_of(&run(&mut study, &mut evaluate, &mut NoJournal).unwrap().trial)
    };
    let of_chance = |seed| {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut draw = || regret_of(&space.trial(&random.random::<[f64; 3]>()));
        (0..trials).map(|_| draw()).fold(f64::INFINITY, f64::min)
    };
    let median = |regrets: &mut Vec<f64>| {
        regrets.sort_unstable_by(f64::total_cmp);
        regrets[regrets.len() / 2]
    };
    (median(&mut (0..50).map(of_study).collect()), median(&mut (0..50).map(of_chance).collect()))
}

#[test]
fn thirty_trials_find_the_optimum_of_a_smooth_metric_a_hundred_times_closer_than_chance() {
    // Seen: 5e-6 against 1.5e-2.
    let (study, chance) = median_regrets(30, smooth);
    assert!(study < 1e-4 && study < 0.01 * chance, "{study} against {chance}");
}

#[test]
fn twenty_trials_are_not_held_by_dents() {
    // Seen: 2e-3 against 1.4e-1, with dents of 0.1.
    let (study, chance) = median_regrets(20, bumpy);
    assert!(study < 0.02 && study < 0.2 * chance, "{study} against {chance}");
}

#[test]
fn names_steps_and_failures_do_not_hide_the_optimum() {
    let mut reached = 0;
    for seed in 0..10 {
        let mut study = Study::new(one_of_each(), config(30, seed)).unwrap();
        let best = run(&mut study, &mut mixed, &mut NoJournal).unwrap();
        // 0.32 is the greatest; the wrong loss costs 0.02.
        reached += usize::from(best.measurement.mean > 0.3175);
    }
    assert!(reached >= 9, "{reached} of 10");
}
