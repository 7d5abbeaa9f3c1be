use shortlist_import::LabelledTable;
use shortlist_ranking::ModelKind;

use super::{RankingChoice, RankingQuestion, RankingTables, evaluate_ranking};
use crate::NoProgress;

/// Users like items that they liked before, and items of their own parity a little.
fn table(rows: u32, seed: u32) -> LabelledTable {
    let mut x = seed;
    let mut random = move |below: u32| {
        x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (x >> 16) % below
    };
    let (mut labels, mut cells) = (Vec::new(), Vec::new());
    for _ in 0..rows {
        let (user, item, day) = (random(40), random(60), random(7));
        let likes = (user * 31 + item * 17) % 11 < 3;
        labels.push(if likes { random(10) > 0 } else { random(20) < 1 + 2 * u32::from(user % 2 == item % 2) });
        cells.extend([user, item, day]);
    }
    let texts = [40, 60, 7].map(|n| (0..n).map(|i: u32| i.to_string()).collect());
    LabelledTable { columns: ["user", "item", "day"].map(str::to_owned).to_vec(), labels, texts: texts.to_vec(), cells }
}

#[test]
fn the_history_of_a_pair_is_found_and_what_was_planted_is_learned() {
    let (train, valid, test) = (table(12_000, 1), table(3_000, 2), table(3_000, 3));
    let tables = RankingTables { train: &train, valid: &valid, test: &test };
    let ask = |choice, histories| {
        let question = RankingQuestion { tables, choice, histories, seed: 1 };
        evaluate_ranking(&question, &|| 0.0, &mut NoProgress).unwrap()
    };
    let logistic = RankingChoice::One(ModelKind::LogisticRegression);
    let (plain, with_history) = (ask(logistic, false), ask(logistic, true));
    assert_eq!(with_history.chosen.history, Some(["user".to_owned(), "item".to_owned()]));
    assert_eq!(plain.chosen.history, None);
    assert!(plain.metrics.auc < 0.7 && with_history.metrics.auc > 0.85, "{:?}", (plain.metrics, with_history.metrics));
    assert_eq!(with_history.slices.len(), 7, "the days are told one by one");
    assert_eq!(with_history.slices.iter().map(|slice| slice.rows).sum::<usize>(), 3_000);
    let again = ask(logistic, true);
    assert_eq!(again.scores, with_history.scores);
}
