mod budget;
mod quality;
mod resuming;

use serde_json::json;

use super::*;
use crate::NoProgress;

/// Three reals, as a factorisation has them.
fn three_reals() -> SearchSpace {
    SearchSpace::parse(vec![
        Parameter::new("regularization", Domain::LogUniform { low: 1e-4, high: 10.0 }, 1.0),
        Parameter::new("unobserved_weight", Domain::LogUniform { low: 1e-3, high: 10.0 }, 1.0),
        Parameter::new("frequency_exponent", Domain::Uniform { low: 0.0, high: 1.5 }, 1.0),
    ])
    .unwrap()
}

/// One of each kind of domain.
fn one_of_each() -> SearchSpace {
    SearchSpace::parse(vec![
        Parameter::new("regularization", Domain::LogUniform { low: 1e-4, high: 10.0 }, 1.0),
        Parameter::new("dropout", Domain::Uniform { low: 0.0, high: 0.9 }, 0.5),
        Parameter::new("epochs", Domain::Integer { low: 2, high: 20, step: 2 }, 8),
        Parameter::new("loss", Domain::Choices(vec![json!("softmax"), json!("bpr"), json!("hinge")]), "bpr"),
    ])
    .unwrap()
}

fn config(trials_max: usize, seed: u64) -> StudyConfig {
    let (metric, data_fingerprint) = ("ndcg_at_20".to_owned(), "movielens, ials".to_owned());
    StudyConfig { trials_max, seconds_max: None, seed, metric, data_fingerprint }
}

/// A smooth metric over [`one_of_each`]; large regularisation diverges.
fn mixed(trial: &Trial) -> Result<Objective, String> {
    let regularization = trial.real("regularization").unwrap();
    if regularization > 5.0 {
        return Err(format!("diverged at {regularization}"));
    }
    let away = libm::log10(regularization) + 1.5;
    let epochs = trial.integer("epochs").unwrap() as f64 - 14.0;
    let loss = if trial.text("loss") == Some("softmax") { 0.02 } else { 0.0 };
    let mean = 0.3 + loss - 0.01 * away * away - 0.0005 * epochs * epochs - 0.05 * trial.real("dropout").unwrap();
    Objective::of_users((0..20).map(|user| mean + 0.01 * f64::from(user % 5) - 0.02).collect())
        .map_err(|error| error.to_string())
}

/// Runs with a clock that says one second per look.
fn run(
    study: &mut Study,
    evaluate: &mut dyn FnMut(&Trial) -> Result<Objective, String>,
    journal: &mut dyn Journal,
) -> Result<Best, TuningError> {
    let mut now = 0.0;
    let mut clock = || {
        now += 1.0;
        now
    };
    study.run(evaluate, Surroundings { clock: &mut clock, journal, progress: &mut NoProgress })
}
