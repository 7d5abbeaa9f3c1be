//! Arbitrary bytes, and arbitrary changes under a fitting checksum: refused, or an index that can be
//! searched.

use std::cell::Cell;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use roaring::RoaringBitmap;
use shortlist_retrieval::{Allowed, FrozenIndex, Metric, SearchParams};
use shortlist_types::{EmbeddingTable, ItemIdx};

use crate::sample::{
    Crafted, HEADER, VERSION, assert_sound, build, bytes_of, file, queries, seal, search, walked_file,
};

const CASES: u32 = 3_000;

/// A change of one byte or of a whole number.
#[derive(Debug, Clone)]
struct Edit {
    /// Which part, the header being one, and where in it.
    part: usize,
    place: prop::sample::Index,
    value: u32,
    whole: bool,
}

/// Numbers that may mean something: counts, leaves, items, and floating point at its ends.
fn value() -> impl Strategy<Value = u32> {
    let number = prop_oneof![
        Just(0.0),
        Just(-0.0),
        Just(1e-45),
        Just(1e38),
        Just(-1e38),
        Just(f32::MAX),
        Just(f32::NAN),
        Just(f32::INFINITY),
        -2.0_f32..2.0,
    ];
    prop_oneof![any::<u32>(), 0..40_u32, 0..1_200_u32, Just(u32::MAX), number.prop_map(f32::to_bits)]
}

fn edit() -> impl Strategy<Value = Edit> {
    (0..16_usize, any::<prop::sample::Index>(), value(), any::<bool>()).prop_map(|(part, place, value, whole)| Edit {
        part,
        place,
        value,
        whole,
    })
}

fn apply(file: &Crafted, edits: &[Edit]) -> Vec<u8> {
    let mut edited = file.clone();
    for Edit { part, place, value, whole } in edits {
        let header = VERSION..HEADER;
        let parts = file.parts.all();
        let part = parts.get(*part).copied().filter(|part| !part.is_empty()).unwrap_or(&header);
        let at = part.start + place.index(part.len());
        edited = if *whole { edited.u32(at / 4 * 4, *value) } else { edited.byte(at, *value as u8) };
    }
    edited.sealed()
}

/// Searches with every kind of parameters and filters: finite scores, and as many as are allowed in every
/// answer that says it is complete.
fn assert_searched_in_full(index: &FrozenIndex) {
    let third = |item: ItemIdx| item.0.is_multiple_of(3);
    let few: RoaringBitmap = index.items().step_by(20).map(|item| item.0).chain([u32::MAX]).collect();
    let many: RoaringBitmap = index.items().step_by(2).map(|item| item.0).collect();
    let cases = [
        (Allowed::All, index.len()),
        (Allowed::Set(&few), few.len() as usize - 1),
        (Allowed::Set(&many), many.len() as usize),
        (Allowed::Predicate(&third), index.items().filter(|item| third(*item)).count()),
    ];
    for query in queries() {
        for (allowed, count) in cases {
            for k in [0, 1, 50, usize::MAX] {
                let params = [SearchParams::new(k, 1), SearchParams::new(k, 1_600), SearchParams::exact(k)];
                for params in params.into_iter().chain([SearchParams::new(k, 400).with_points_max(20)]) {
                    let found = search(index, &query, params, allowed);
                    assert_sound(&found, index, k, allowed);
                    let (got, wanted) = (found.neighbors.len(), k.min(count));
                    assert!(!found.complete || got == wanted, "{got} of {wanted} for {query:?}, {params:?}");
                    assert!(found.complete || params.points_max == 20);
                }
            }
        }
    }
}

#[test]
fn a_changed_and_sealed_file_is_refused_or_searched_in_full() {
    let files: Vec<Crafted> =
        Metric::ALL.into_iter().flat_map(|metric| [file(metric), walked_file(metric)]).map(Crafted::of).collect();
    let strategy = (0..files.len(), prop::collection::vec(edit(), 1..6));
    let taken = Cell::new(0);
    let config = ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() };
    let run = TestRunner::new(config).run(&strategy, |(file, edits)| {
        if let Ok(index) = FrozenIndex::from_bytes(&apply(&files[file], &edits)) {
            taken.set(taken.get() + 1);
            assert_searched_in_full(&index);
        }
        Ok(())
    });
    run.unwrap_or_else(|failure| panic!("{failure}"));
    assert!(taken.get() > CASES / 10 && taken.get() < CASES / 2, "{} of {CASES} were taken", taken.get());
}

/// Finite numbers of every size.
fn finite() -> impl Strategy<Value = f32> {
    prop_oneof![4 => -2.0_f32..2.0, 1 => Just(0.0), 3 => any::<u32>().prop_map(f32::from_bits)]
        .prop_filter("finite", |x| x.is_finite())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn arbitrary_bytes_are_refused(
        noise in prop::collection::vec(any::<u8>(), 0..2_000),
        keep in prop_oneof![Just(0_usize), Just(8), Just(12), Just(HEADER), 0..1_000_usize],
        metric in 0..3_usize,
        sealed in any::<bool>(),
    ) {
        thread_local! {
            static FILES: Vec<Vec<u8>> = Metric::ALL.map(file).to_vec();
        }
        let mut bytes = FILES.with(|files| files[metric][..keep].to_vec());
        bytes.extend(noise);
        if sealed && bytes.len() >= 8 {
            seal(&mut bytes);
        }
        prop_assert!(FrozenIndex::from_bytes(&bytes).is_err());
    }

    #[test]
    fn an_arbitrary_tail_of_the_right_length_is_refused(
        from in any::<prop::sample::Index>(),
        noise in prop::collection::vec(any::<u8>(), 1..64),
        metric in 0..3_usize,
    ) {
        thread_local! {
            static FILES: Vec<Vec<u8>> = Metric::ALL.map(file).to_vec();
        }
        let mut bytes = FILES.with(|files| files[metric].clone());
        let from = from.index(bytes.len() - 8);
        let original = bytes.clone();
        bytes[from..].iter_mut().zip(noise.iter().cycle()).for_each(|(byte, noise)| *byte = *noise);
        prop_assert!(bytes == original || FrozenIndex::from_bytes(&bytes).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn what_is_built_is_taken(
        dimensions in 1..20_usize,
        values in prop::collection::vec(finite(), 0..600),
        scale in prop_oneof![Just(1.0_f32), Just(1e-30), Just(1e-42), Just(1e18)],
    ) {
        let values: Vec<f32> = values.chunks_exact(dimensions).flatten().map(|x| (x * scale).clamp(f32::MIN, f32::MAX)).collect();
        let items = (0..(values.len() / dimensions) as u32).map(ItemIdx).collect();
        let table = EmbeddingTable::parse(dimensions, items, values).unwrap();
        for metric in Metric::ALL {
            let bytes = bytes_of(&build(&table, metric));
            let read = FrozenIndex::from_bytes(&bytes);
            prop_assert!(read.is_ok(), "{:?}: {}", metric, read.unwrap_err());
        }
    }
}
