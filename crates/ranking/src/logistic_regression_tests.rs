use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::probability;

fn fit(rows: &TrainingRows) -> LogisticRegression {
    LogisticRegression::fit(rows, &LogisticConfig::default(), &mut |_| ()).unwrap()
}

/// Rows of which the outcome has the log-odds `0.5 + 2 a - b`, where a and b have spread 1; the second
/// feature is b on another scale, the third says nothing, the fourth is constant.
fn planted(count: usize) -> TrainingRows {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let mut rows = TrainingRows::of_numbers(4).unwrap();
    // Uniform with standard deviation 1.
    let reach = 3.0_f32.sqrt();
    for _ in 0..count {
        let [a, b, c] = std::array::from_fn(|_| rng.random_range(-reach..reach));
        let label = rng.random::<f32>() < probability(0.5 + 2.0 * a - b);
        rows.push_numbers(&[a, 1_000.0 + 30.0 * b, c, 7.0], label, 1.0).unwrap();
    }
    rows
}

fn scores(model: &LogisticRegression, rows: &[f32]) -> Vec<f32> {
    let mut out = Vec::new();
    model.score(rows, &mut out).unwrap();
    out
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

#[test]
fn planted_coefficients_are_found() {
    let mut last = None;
    let rows = planted(100_000);
    let model =
        LogisticRegression::fit(&rows, &LogisticConfig::default(), &mut |iteration| last = Some(iteration)).unwrap();
    let last = last.unwrap();
    assert!(last.gradient_max < 1e-9 && last.number < 12, "{last:?}");
    assert!((model.intercept() - 0.5).abs() < 0.05, "{}", model.intercept());
    for (found, planted) in model.coefficients().iter().zip([2.0, -1.0, 0.0, 0.0]) {
        assert!((found - planted).abs() < 0.05, "{found} {planted}");
    }
    assert!(model.coefficients()[3].abs() <= 0.0, "a constant has no weight");
}

#[test]
fn a_weight_counts_like_repeated_rows() {
    let (mut weighted, mut repeated) = (TrainingRows::of_numbers(2).unwrap(), TrainingRows::of_numbers(2).unwrap());
    for i in 0..40_u8 {
        let row = [f32::from(i).sin(), f32::from(i % 9)];
        let times = 1 + i % 3;
        weighted.push_numbers(&row, i % 4 == 0, f32::from(times)).unwrap();
        (0..times).for_each(|_| repeated.push_numbers(&row, i % 4 == 0, 1.0).unwrap());
    }
    let (weighted, repeated) = (fit(&weighted), fit(&repeated));
    for (a, b) in weighted.coefficients().iter().zip(repeated.coefficients()) {
        assert!((a - b).abs() < 1e-6, "{a} {b}");
    }
}

#[test]
fn threads_do_not_change_a_bit() {
    let rows = planted(20_000);
    let with_threads = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| fit(&rows))
    };
    let one = with_threads(1);
    assert_eq!(one, with_threads(2));
    assert_eq!(one, with_threads(5));
}

#[test]
fn one_label_is_an_error_that_says_what_to_do() {
    for label in [false, true] {
        let mut rows = TrainingRows::of_numbers(1).unwrap();
        (0..3_u8).for_each(|i| rows.push_numbers(&[f32::from(i)], label, 1.0).unwrap());
        let error = LogisticRegression::fit(&rows, &LogisticConfig::default(), &mut |_| ()).unwrap_err();
        assert_eq!(error, RankingError::OneClass { positives: if label { 3 } else { 0 }, rows: 3 });
        assert!(error.to_string().contains("expected positive and negative rows"), "{error}");
    }
    let none = TrainingRows::of_numbers(1).unwrap();
    assert!(LogisticRegression::fit(&none, &LogisticConfig::default(), &mut |_| ()).is_err());
}

#[test]
fn separable_rows_give_finite_weights_in_the_right_order() {
    for l2 in [1e-9, 1e-3, 1.0, 1e12] {
        let mut rows = TrainingRows::of_numbers(1).unwrap();
        (0..20_u8).for_each(|i| rows.push_numbers(&[f32::from(i)], i >= 10, 1.0).unwrap());
        let config = LogisticConfig { l2, ..LogisticConfig::default() };
        let model = LogisticRegression::fit(&rows, &config, &mut |_| ()).unwrap();
        let scores = scores(&model, rows.numbers());
        assert!(scores.iter().all(|score| score.is_finite()), "{l2}: {scores:?}");
        assert!(scores[0] <= scores[19], "{l2}: {scores:?}");
    }
}

#[test]
fn a_step_that_overshoots_is_shortened_until_the_loss_descends() {
    // A rare outcome that a rare feature makes even odds: at the base rate the curvature is small, so
    // the first full step promises far more than the loss gives.
    let mut rows = TrainingRows::of_numbers(1).unwrap();
    for i in 0..2_000_u16 {
        let rare = i % 50 == 0;
        rows.push_numbers(&[if rare { 1.0 } else { 0.0 }], rare && i % 100 == 0 || i % 999 == 1, 1.0).unwrap();
    }
    let config = LogisticConfig { l2: 1e-3, ..LogisticConfig::default() };
    let mut heard = Vec::new();
    LogisticRegression::fit(&rows, &config, &mut |iteration| heard.push(iteration)).unwrap();
    assert!(heard.is_sorted_by(|a, b| a.loss >= b.loss - 1e-12), "{heard:?}");
    assert!(heard.last().unwrap().gradient_max < 1e-9, "{heard:?}");
}

#[test]
fn a_candidate_gets_the_same_bits_in_any_batch_and_order() {
    let rows = planted(5_000);
    let model = fit(&rows);
    let all = scores(&model, rows.numbers());
    let single: Vec<f32> = rows.numbers().chunks_exact(4).flat_map(|row| scores(&model, row)).collect();
    assert_eq!(bits(&all), bits(&single));
    let reversed: Vec<f32> = rows.numbers().chunks_exact(4).rev().flatten().copied().collect();
    let mut backwards = scores(&model, &reversed);
    backwards.reverse();
    assert_eq!(bits(&all), bits(&backwards));
}

#[test]
fn contributions_add_up_to_the_score() {
    let rows = planted(5_000);
    let model = fit(&rows);
    for row in rows.numbers().chunks_exact(4).take(100) {
        let sum: f64 = model.contributions(row).unwrap().iter().map(|&part| f64::from(part)).sum();
        assert!((model.intercept() + sum - f64::from(scores(&model, row)[0])).abs() < 1e-4);
    }
}

#[test]
fn rows_of_another_width_are_refused() {
    let model = fit(&planted(100));
    let mut out = vec![1.0];
    assert_eq!(model.score(&[0.0; 6], &mut out), Err(RankingError::RowWidth { expected: 4, got: 6 }));
    assert!(out.is_empty(), "no stale score is left behind");
    assert!(model.contributions(&[0.0; 8]).is_err());
    assert_eq!(scores(&model, &[]), Vec::<f32>::new());
}

#[test]
fn the_file_gives_the_same_model_bit_for_bit() {
    let model = fit(&planted(3_000));
    let json = serde_json::to_string(&model).unwrap();
    assert_eq!(serde_json::from_str::<LogisticRegression>(&json).unwrap(), model);
}

#[test]
fn a_damaged_file_is_refused_by_the_name_of_the_field() {
    let file = |from: &str, to: &str| {
        let json = r#"{"features":2,"intercept":0.5,"weights":[1.0,2.0],"means":[0.0,0.0],"deviations":[1.0,3.0]}"#;
        serde_json::from_str::<LogisticRegression>(&json.replace(from, to)).map_err(|error| error.to_string())
    };
    assert!(file("", "").is_ok());
    for (from, to, expected) in [
        ("[1.0,2.0]", "[1.0]", "weights: must have one entry per feature, 2, got 1"),
        (":2,", ":3,", "weights: must have one entry per feature, 3, got 2"),
        ("\"features\":2", "\"features\":0", "features: must lie in 1 to 4096, got 0"),
        ("[0.0,0.0]", "[]", "means: must have one entry"),
        ("3.0]", "-3.0]", "deviations[1]: must be 0 or more, got -3"),
        ("[1.0,3.0]", "[1e-300,3.0]", ""),
        ("[1.0,2.0]", "[null,2.0]", "invalid type"),
        ("\"means\"", "\"mean\"", "unknown field `mean`"),
    ] {
        match file(from, to) {
            Err(error) => assert!(error.contains(expected), "{error}"),
            Ok(model) => assert!(expected.is_empty(), "{to} was taken: {model:?}"),
        }
    }
    let not_finite =
        File { features: 1, intercept: 0.0, weights: vec![f64::NAN], means: vec![0.0], deviations: vec![1.0] };
    let error = LogisticRegression::try_from(not_finite).unwrap_err();
    assert_eq!(error.to_string(), "weights[0]: must be finite, got NaN");
    let overflow =
        File { features: 1, intercept: 0.0, weights: vec![1e300], means: vec![0.0], deviations: vec![1e-300] };
    assert_eq!(LogisticRegression::try_from(overflow).unwrap_err().field, "weights[0]");
    let overflow =
        File { features: 1, intercept: 0.0, weights: vec![1e200], means: vec![1e200], deviations: vec![1.0] };
    assert_eq!(LogisticRegression::try_from(overflow).unwrap_err().field, "intercept");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn degenerate_rows_give_finite_models(
        values in prop::collection::vec(prop::sample::select(
            vec![0.0, 1.0, -1.0, 1e-40, 1e-6, 1e9, 1e9 + 64.0, f32::MAX, f32::MIN, f32::MIN_POSITIVE],
        ), 36),
        labels in prop::collection::vec(any::<bool>(), 10),
        weights in prop::collection::vec(prop::sample::select(vec![1e-6_f32, 1.0, 1e6]), 12),
        l2 in prop::sample::select(vec![1e-9, 1.0, 1e12]),
    ) {
        let mut rows = TrainingRows::of_numbers(3).unwrap();
        // The first two labels differ, so that there is something to learn.
        let labels = [true, false].into_iter().chain(labels);
        for ((row, label), weight) in values.chunks_exact(3).zip(labels).zip(weights) {
            rows.push_numbers(row, label, weight).unwrap();
        }
        let config = LogisticConfig { l2, ..LogisticConfig::default() };
        let model = LogisticRegression::fit(&rows, &config, &mut |_| ()).unwrap();
        // The file refuses what is not finite.
        let file = serde_json::to_string(&model).unwrap();
        prop_assert!(serde_json::from_str::<LogisticRegression>(&file).is_ok(), "{}", file);
        prop_assert!(scores(&model, rows.numbers()).iter().all(|score| score.is_finite()));
    }
}
