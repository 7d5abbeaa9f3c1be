use std::cell::Cell;
use std::collections::HashSet;

use super::*;
use crate::Progress;

fn trials(study: &Study) -> Vec<String> {
    study.records().iter().map(|record| record.trial.canonical()).collect()
}

#[test]
fn the_same_seed_makes_the_same_trials_and_another_seed_others() {
    let made = |seed| {
        let mut study = Study::new(one_of_each(), config(14, seed)).unwrap();
        run(&mut study, &mut mixed, &mut NoJournal).unwrap();
        trials(&study)
    };
    assert_eq!(made(1), made(1));
    assert_ne!(made(1)[1..], made(2)[1..]);
}

#[test]
fn the_defaults_come_first_and_no_trial_comes_twice() {
    let mut study = Study::new(one_of_each(), config(25, 3)).unwrap();
    let best = run(&mut study, &mut mixed, &mut NoJournal).unwrap();
    let made = trials(&study);
    assert_eq!(study.records()[0].trial, one_of_each().defaults());
    assert_eq!(made.iter().collect::<HashSet<_>>().len(), 25);
    assert_eq!((best.trials, best.ended), (25, Ended::Trials));
}

#[test]
fn a_longer_budget_begins_with_the_trials_of_a_shorter_one() {
    let mut study = Study::new(one_of_each(), config(18, 3)).unwrap();
    run(&mut study, &mut mixed, &mut NoJournal).unwrap();
    let mut short = Study::new(one_of_each(), config(11, 3)).unwrap();
    run(&mut short, &mut mixed, &mut NoJournal).unwrap();
    assert_eq!(trials(&study)[..11], trials(&short));
}

#[test]
fn no_trial_begins_once_the_seconds_are_spent() {
    for (seconds_max, expected) in [(4.5, 5), (4.0, 4), (1e-9, 1)] {
        let config = StudyConfig { seconds_max: Some(seconds_max), ..config(20, 1) };
        let mut study = Study::new(one_of_each(), config).unwrap();
        let best = run(&mut study, &mut mixed, &mut NoJournal).unwrap();
        assert_eq!((best.trials, best.ended), (expected, Ended::Seconds), "{seconds_max}");
        // What an earlier run spent counts.
        assert_eq!(run(&mut study, &mut mixed, &mut NoJournal).unwrap().trials, expected);
    }
}

#[test]
fn a_broken_clock_costs_no_trial() {
    let config = StudyConfig { seconds_max: Some(1.0), ..config(4, 1) };
    let mut study = Study::new(one_of_each(), config).unwrap();
    let times = Cell::new(0.0);
    let mut clock = || {
        times.set(times.get() - 1.0);
        if times.get() < -4.0 { f64::NAN } else { times.get() }
    };
    let surroundings = Surroundings { clock: &mut clock, journal: &mut NoJournal, progress: &mut NoProgress };
    assert_eq!(study.run(&mut mixed, surroundings).unwrap().trials, 4);
    assert!(study.records().iter().all(|record| record.seconds.to_bits() == 0));
}

#[test]
fn a_small_space_ends_when_every_trial_was_made() {
    let choices = |values: [&str; 2]| Domain::Choices(values.map(serde_json::Value::from).to_vec());
    let space = SearchSpace::parse(vec![
        Parameter::new("a", choices(["x", "y"]), "y"),
        Parameter::new("b", choices(["x", "y"]), "x"),
    ]);
    let mut study = Study::new(space.unwrap(), config(20, 1)).unwrap();
    let best = run(&mut study, &mut |_| Ok(Objective::of_mean(0.5, 1).unwrap()), &mut NoJournal).unwrap();
    assert_eq!((best.trials, best.ended), (4, Ended::Space));
    assert_eq!(best.number, 0, "of equals, the earlier one");
}

#[test]
fn failed_trials_are_kept_with_their_reason_and_never_chosen() {
    let mut study = Study::new(three_reals(), config(12, 5)).unwrap();
    let mut made = 0;
    let mut evaluate = |_: &Trial| {
        made += 1;
        if made == 4 {
            return Ok(Objective::of_mean(-7.0, 3).unwrap());
        }
        Objective::of_mean(f64::NAN, 3).map_err(|error| error.to_string())
    };
    let best = run(&mut study, &mut evaluate, &mut NoJournal).unwrap();
    assert_eq!((best.number, best.trials), (3, 12));
    let table = study.table();
    assert_eq!((table[0].name.as_str(), table[0].status.as_str()), ("trial 3", "best"));
    assert_eq!((table[1].name.as_str(), table[1].measurement), ("defaults", None));
    assert_eq!(table[1].status, "failed: row 0: expected a finite value, got NaN");
    assert_eq!(table.len(), 12);
}

#[test]
fn a_study_without_any_measured_trial_says_why() {
    let mut study = Study::new(three_reals(), config(5, 5)).unwrap();
    let error = run(&mut study, &mut |_| Err("diverged".to_owned()), &mut NoJournal).unwrap_err();
    assert_eq!(error.to_string(), "all 5 trials failed, the first one with: diverged");
}

#[test]
fn the_table_has_the_best_first_with_its_interval() {
    let mut study = Study::new(one_of_each(), config(12, 2)).unwrap();
    let best = run(&mut study, &mut mixed, &mut NoJournal).unwrap();
    let means: Vec<f64> = study.table().iter().filter_map(|row| Some(row.measurement?.mean)).collect();
    assert!(means.is_sorted_by(|a, b| a >= b));
    assert_eq!(study.table()[0].trial, best.trial);
    let [low, high] = best.measurement.interval.unwrap();
    assert!(low < best.measurement.mean && best.measurement.mean < high && best.measurement.users == 20);
}

#[test]
fn progress_counts_the_trials() {
    #[derive(Default)]
    struct Heard(Vec<String>);
    impl Progress for Heard {
        fn begin(&mut self, stage: &'static str, total: Option<u64>) {
            self.0.push(format!("{stage} {total:?}"));
        }
        fn at(&mut self, done: u64) {
            self.0.push(done.to_string());
        }
        fn end(&mut self, outcome: &str) {
            self.0.push(outcome.to_owned());
        }
    }
    let mut heard = Heard::default();
    let mut study = Study::new(three_reals(), config(2, 5)).unwrap();
    let surroundings = Surroundings { clock: &mut || 0.0, journal: &mut NoJournal, progress: &mut heard };
    let constant = study.run(&mut |_| Objective::of_mean(0.25, 1), surroundings);
    assert_eq!(constant.unwrap().number, 0);
    let end = "frequency_exponent 1.0, regularization 1.0, unobserved_weight 1.0: ndcg_at_20 0.2500";
    assert_eq!(heard.0, ["searching hyper-parameters Some(2)", "0", "1", "2", end]);
}

#[test]
fn a_config_out_of_range_is_refused() {
    let refusal = |config: StudyConfig| Study::new(three_reals(), config).unwrap_err().to_string();
    assert_eq!(refusal(config(0, 1)), "trials_max: must lie in 1 to 100, got 0");
    let seconds = |seconds| StudyConfig { seconds_max: Some(seconds), ..config(1, 1) };
    assert_eq!(refusal(seconds(0.0)), "seconds_max: must be finite and above 0, got 0");
    assert_eq!(refusal(seconds(f64::NAN)), "seconds_max: must be finite and above 0, got NaN");
    let unnamed = StudyConfig { metric: String::new(), ..config(1, 1) };
    assert_eq!(refusal(unnamed), "metric: must have 1 to 256 bytes, got 0");
}
