use std::sync::atomic::{AtomicUsize, Ordering};

use shortlist_retrieval::{Allowed, Metric, SearchParams, SearchScratch};
use shortlist_types::Budget;

use crate::data::{Clusters, DIMENSIONS, build, search, table};

/// Ends after a number of questions.
struct Ends(AtomicUsize);

impl Budget for Ends {
    fn exhausted(&self) -> bool {
        self.0.fetch_sub(1, Ordering::Relaxed) <= 1
    }
}

#[test]
fn a_budget_ends_every_kind_of_search_and_the_answer_says_so() {
    let mut clusters = Clusters::new(21);
    let table = table(DIMENSIONS, &clusters.rows(20_000));
    let query = clusters.vector();
    let index = build(&table, Metric::Ip);
    let rare = |item: shortlist_types::ItemIdx| item.0 == 1;
    let set = (0..10_000_u32).map(|i| 6 * i + 1).collect();
    let cases = [
        (SearchParams::new(100, 100_000), Allowed::All),
        (SearchParams::exact(100), Allowed::All),
        (SearchParams::new(100, 1_600), Allowed::Predicate(&rare)),
        (SearchParams::new(100, 1_600), Allowed::Set(&set)),
    ];
    for (case, (params, allowed)) in cases.into_iter().enumerate() {
        let mut scratch = SearchScratch::new();
        let mut run = |questions| {
            index.search(&query, params, allowed, &Ends(AtomicUsize::new(questions)), &mut scratch).unwrap()
        };
        assert!(!run(1).complete, "case {case}");
        let whole = run(usize::MAX);
        assert!(whole.complete && whole.neighbors == search(&index, &query, params, allowed).neighbors, "case {case}");
    }
    // What was found until then is there, best first.
    let mut scratch = SearchScratch::new();
    let some = index.search(&query, cases[1].0, Allowed::All, &Ends(AtomicUsize::new(2)), &mut scratch).unwrap();
    assert!(!some.complete && some.neighbors.len() == 100);
}

#[test]
fn a_limit_on_the_work_ends_a_walk() {
    let mut clusters = Clusters::new(22);
    let table = table(DIMENSIONS, &clusters.rows(20_000));
    let index = build(&table, Metric::Ip);
    let query = clusters.vector();
    let params = SearchParams::new(10, 100_000);
    let short = search(&index, &query, params.with_points_max(64), Allowed::All);
    assert!(!short.complete && short.neighbors.len() == 10);
    assert!(search(&index, &query, params.with_points_max(1_000_000), Allowed::All).complete);
}
