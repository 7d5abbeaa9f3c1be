use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use proptest::prelude::*;
use shortlist_retrieval::{
    Allowed, Found, Freeze, LiveIndex, Metric, RetrievalError, SearchParams, SearchScratch, exact,
};
use shortlist_types::{EmbeddingTable, ItemIdx, Score, Unlimited};

use crate::data::{Clusters, DIMENSIONS, build, table};

fn find(index: &LiveIndex, query: &[f32], k: usize, allowed: Allowed<'_>) -> Found {
    index.search(query, SearchParams::new(k, 3_200), allowed, &Unlimited, &mut SearchScratch::new()).unwrap()
}

/// What happens to a live index.
#[derive(Debug, Clone)]
enum Step {
    Insert(u32, Vec<f32>),
    Remove(u32),
    Freeze(Freeze),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    // Small numbers: equal vectors, zero vectors and equal scores are frequent.
    let vector = prop::collection::vec((-2_i8..3).prop_map(f32::from), 3);
    let step = prop_oneof![
        6 => (0..30_u32, vector).prop_map(|(item, vector)| Step::Insert(item, vector)),
        2 => (0..30_u32).prop_map(Step::Remove),
        1 => Just(Step::Freeze(Freeze::Tail)),
        1 => Just(Step::Freeze(Freeze::All)),
    ];
    prop::collection::vec(step, 0..60)
}

proptest! {
    #[test]
    fn it_always_answers_like_a_table_of_what_is_there(steps in steps(), metric in prop::sample::select(Metric::ALL.to_vec())) {
        let start = EmbeddingTable::parse(3, vec![ItemIdx(4), ItemIdx(9)], vec![1.0, 0.0, 2.0, 0.0, 0.0, 0.0]).unwrap();
        let index = LiveIndex::new(Arc::new(build(&start, metric)));
        let mut there: BTreeMap<u32, Vec<f32>> = BTreeMap::from([(4, vec![1.0, 0.0, 2.0]), (9, vec![0.0; 3])]);
        for step in steps {
            match step {
                Step::Insert(item, vector) => {
                    index.insert(ItemIdx(item), &vector).unwrap();
                    there.insert(item, vector);
                }
                Step::Remove(item) => prop_assert_eq!(index.remove(ItemIdx(item)), there.remove(&item).is_some()),
                Step::Freeze(freeze) => index.freeze(freeze, 1).unwrap(),
            }
            prop_assert_eq!(index.len(), there.len());
            let items = there.keys().map(|item| ItemIdx(*item)).collect();
            let table = EmbeddingTable::parse(3, items, there.values().flatten().copied().collect()).unwrap();
            let odd = |item: ItemIdx| item.0 % 2 == 1;
            for allowed in [Allowed::All, Allowed::Predicate(&odd), Allowed::Set(&(0..7).collect())] {
                let truth = exact(&table, metric, &[1.0, -2.0, 0.5], 5, allowed, &Unlimited).unwrap();
                let found = find(&index, &[1.0, -2.0, 0.5], 5, allowed);
                let scores = |found: &Found| found.neighbors.iter().map(|neighbor| neighbor.score.get()).collect::<Vec<_>>();
                prop_assert!(scores(&found).iter().zip(scores(&truth)).all(|(a, b)| (a - b).abs() < 1e-5));
                if metric != Metric::Cosine {
                    prop_assert_eq!(found, truth);
                }
            }
        }
    }
}

#[test]
fn a_vector_that_does_not_fit_is_refused_and_the_old_one_stays() {
    let table = table(2, &[vec![1.0, 0.0]]);
    let index = LiveIndex::new(Arc::new(build(&table, Metric::Ip)));
    let refused = |vector: &[f32]| index.insert(ItemIdx(1), vector).unwrap_err();
    assert!(matches!(refused(&[1.0]), RetrievalError::VectorDimensions { item: 1, expected: 2, got: 1 }));
    assert!(matches!(refused(&[1.0, f32::NAN]), RetrievalError::VectorNotFinite { item: 1, position: 1 }));
    assert!(matches!(refused(&[f32::INFINITY, 0.0]), RetrievalError::VectorNotFinite { item: 1, position: 0 }));
    let score = find(&index, &[2.0, 0.0], 1, Allowed::All).neighbors[0].score;
    assert_eq!(score, Score::parse(2.0).unwrap());
}

#[test]
fn it_says_when_a_freeze_is_due_and_takes_no_more_than_its_limit() {
    let table = table(1, &[vec![1.0]]);
    let index = LiveIndex::new(Arc::new(build(&table, Metric::Ip)));
    let insert = |items: std::ops::Range<u32>| {
        items.map(|i| index.insert(ItemIdx(i), &[i as f32])).collect::<Result<Vec<_>, _>>()
    };
    insert(0..4_095).unwrap();
    assert_eq!(index.due(), None);
    insert(4_095..4_096).unwrap();
    assert_eq!(index.due(), Some(Freeze::Tail));
    index.freeze(Freeze::Tail, 2).unwrap();
    assert_eq!(index.due(), None);
    insert(5_000..60_000).unwrap();
    assert_eq!(index.due(), Some(Freeze::All));
    assert!(matches!(insert(60_000..80_000), Err(RetrievalError::TailFull { max: 65_536 })));
    index.freeze(Freeze::All, 2).unwrap();
    assert_eq!((index.due(), index.len()), (None, 4_096 + 65_536));
    assert_eq!(find(&index, &[1.0], 1, Allowed::All).neighbors[0].item, ItemIdx(70_535));
}

/// Inserts, removals, freezes and searches at once: every search finds what was inserted before it
/// began, does not find what was removed before, and finds nothing twice.
#[test]
fn nothing_is_lost_or_doubled_while_all_goes_on_at_once() {
    let mut clusters = Clusters::new(41);
    let table = table(DIMENSIONS, &clusters.rows(5_000));
    let index = LiveIndex::new(Arc::new(build(&table, Metric::L2)));
    let vectors = clusters.rows(3_000);
    let done = AtomicBool::new(false);
    // Item 100,000 + i has vector i. Those below `inserted` are in; of these, those below `removed` with an
    // odd number are out.
    let (inserted, removed, searches) = (AtomicU32::new(0), AtomicU32::new(0), AtomicU32::new(0));
    let item = |i: u32| ItemIdx(100_000 + i);
    std::thread::scope(|scope| {
        for seed in 0..2_u32 {
            let (index, vectors, done, inserted, removed, searches) =
                (&index, &vectors, &done, &inserted, &removed, &searches);
            scope.spawn(move || {
                let mut scratch = SearchScratch::new();
                let mut i = seed * 977;
                while !done.load(Ordering::Acquire) {
                    i = i.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    let out = removed.load(Ordering::Acquire);
                    let until = inserted.load(Ordering::Acquire);
                    if until == 0 {
                        continue;
                    }
                    let wanted = i % until;
                    let params = SearchParams::new(20, 3_200);
                    let found = index
                        .search(&vectors[wanted as usize], params, Allowed::All, &Unlimited, &mut scratch)
                        .unwrap();
                    let mut items: Vec<u32> = found.neighbors.iter().map(|neighbor| neighbor.item.0).collect();
                    let is_first = items[0] == item(wanted).0;
                    if wanted % 2 == 0 {
                        assert!(is_first, "{wanted} of {until} was inserted");
                    } else if wanted < out {
                        assert!(!items.contains(&item(wanted).0), "{wanted} was removed");
                    }
                    items.sort_unstable();
                    items.dedup();
                    assert_eq!(items.len(), 20);
                    searches.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let (freezing, stop) = (&index, &done);
        scope.spawn(move || {
            for round in 0.. {
                if stop.load(Ordering::Acquire) {
                    break;
                }
                freezing.freeze(if round % 3 == 2 { Freeze::All } else { Freeze::Tail }, 1).unwrap();
            }
        });
        for (i, vector) in (0..).zip(&vectors) {
            index.insert(item(i), vector).unwrap();
            inserted.store(i + 1, Ordering::Release);
            if i >= 100 && i % 2 == 1 {
                assert!(index.remove(item(i - 100)));
                removed.store(i - 99, Ordering::Release);
            }
            if i % 16 == 0 {
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
        }
        done.store(true, Ordering::Release);
    });
    assert!(searches.load(Ordering::Relaxed) > 100);
    assert_eq!(index.len(), 5_000 + 3_000 - 1_450);
}
