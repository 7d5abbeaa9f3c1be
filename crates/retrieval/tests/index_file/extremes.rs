//! Numbers that no builder writes, finite, and as large or small as can be: refused, or searched like any.

use std::ops::Range;

use roaring::RoaringBitmap;
use shortlist_retrieval::{Allowed, FormatRule, FrozenIndex, Metric, RetrievalError, SearchParams, Simd};
use shortlist_types::ItemIdx;

use crate::sample::{COARSE_LIMIT, COARSE_SCALE, Crafted, assert_sound, file, queries, search, walked_file, walks};

const POSITIVE: [f32; 7] = [1e-45, f32::MIN_POSITIVE, 1e15, 1e20, 1e24, 1e38, f32::MAX];
const NOT_NEGATIVE: [f32; 8] = [-0.0, 1e-45, f32::MIN_POSITIVE, 1e15, 1e20, 1e24, 1e38, f32::MAX];
const SIGNED: [f32; 9] = [-0.0, 1e-45, -1e-45, 1e20, -1e20, 1e24, -1e24, 1e38, f32::MIN];
/// Builders write numbers up to here: squares of coarse values, added up.
const WRITTEN_MAX: f32 = 1e20;

/// Files whose searches scan and files whose searches walk.
fn files() -> impl Iterator<Item = Crafted> {
    Metric::ALL.into_iter().flat_map(|metric| [file(metric), walked_file(metric)]).map(Crafted::of)
}

/// Calls `check` with every file that has an extreme number in one place, or in all of a kind, and with
/// the number and what it is.
fn for_each_extreme(mut check: impl FnMut(Crafted, f32, &str)) {
    for file in files() {
        let parts = &file.parts;
        let leaf_numbers = |place: usize| parts.leaf_numbers.start + place..parts.leaf_numbers.end;
        let kinds: [(&str, Range<usize>, usize, &[f32]); 11] = [
            ("coarse scale", COARSE_SCALE..COARSE_SCALE + 4, 4, &POSITIVE),
            ("coarse limit", COARSE_LIMIT..COARSE_LIMIT + 4, 4, &POSITIVE),
            ("leaf width", leaf_numbers(0), 16, &POSITIVE),
            ("leaf reach", leaf_numbers(4), 16, &NOT_NEGATIVE),
            ("leaf bias", leaf_numbers(8), 16, &SIGNED),
            ("centre width", leaf_numbers(12), 16, &POSITIVE),
            ("width of a dimension", parts.widths.clone(), 4, &POSITIVE),
            ("centre step", parts.centre_steps.clone(), 4, &POSITIVE),
            ("origin", parts.origin.clone(), 4, &SIGNED),
            ("bias of a point", parts.biases.clone(), 4, &SIGNED),
            ("vector", parts.vectors.clone(), 4, &SIGNED),
        ];
        for (kind, places, step, values) in kinds.into_iter().filter(|kind| !kind.1.is_empty()) {
            for value in values {
                check(file.clone().f32(places.start, *value), *value, &format!("{kind} {value:e} once"));
                let all = places.clone().step_by(step).fold(file.clone(), |file, at| file.f32(at, *value));
                check(all, *value, &format!("{kind} {value:e} everywhere"));
            }
        }
    }
}

/// Searches with every kind of query, filter and instructions: finite scores, as many as are allowed.
fn assert_searched_in_full(fast: &FrozenIndex, plain: &FrozenIndex, what: &str) {
    let odd = |item: ItemIdx| !item.0.is_multiple_of(2);
    let odds: RoaringBitmap = fast.items().filter(|item| odd(*item)).map(|item| item.0).collect();
    let (all, some) = (fast.len(), odds.len() as usize);
    for query in queries() {
        for (allowed, count) in [(Allowed::All, all), (Allowed::Set(&odds), some), (Allowed::Predicate(&odd), some)] {
            for params in [SearchParams::new(10, 100), SearchParams::new(60, 1_600), SearchParams::exact(usize::MAX)] {
                let found = search(fast, &query, params, allowed);
                assert_sound(&found, fast, params.k, allowed);
                assert_eq!(search(plain, &query, params, allowed), found, "{what}, with plain instructions");
                let (got, wanted) = (found.neighbors.len(), params.k.min(count));
                assert!(
                    found.complete && got == wanted,
                    "{what}: {got} of {wanted} for {query:?}, {:?}",
                    fast.metric()
                );
            }
        }
    }
}

#[test]
fn the_files_of_these_tests_are_walked() {
    for metric in Metric::ALL {
        let index = FrozenIndex::from_bytes(&walked_file(metric)).unwrap();
        for query in queries().iter().filter(|query| metric == Metric::L2 || query.iter().any(|x| *x != 0.0)) {
            assert!(walks(&index, query, 10) && walks(&index, query, 60), "{metric:?} {query:?}");
        }
    }
}

#[test]
fn extreme_numbers_are_refused_or_searched_in_full() {
    let mut refused = 0;
    for_each_extreme(|crafted, value, what| {
        let bytes = crafted.sealed();
        match FrozenIndex::from_bytes(&bytes) {
            Ok(index) => {
                let plain = FrozenIndex::from_bytes(&bytes).unwrap().with_simd(Simd::SCALAR);
                assert_searched_in_full(&index, &plain, what);
            }
            Err(RetrievalError::InvalidContent { rule: FormatRule::Numbers, .. }) if value.abs() > WRITTEN_MAX => {
                refused += 1;
            }
            Err(other) => panic!("{what}: {other}"),
        }
    });
    assert!(refused > 0);
}
