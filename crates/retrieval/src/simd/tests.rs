//! Every instruction set against the scalar code, bit for bit.

use proptest::prelude::*;

use super::*;
use crate::leaf_codes::block_bytes;

/// Numbers of every size and sign, the extremes among them.
fn number() -> impl Strategy<Value = f32> {
    let extreme = prop_oneof![
        Just(0.0),
        Just(-0.0),
        Just(f32::MAX),
        Just(f32::MIN),
        Just(f32::MIN_POSITIVE),
        Just(1e-45),
        Just(1e30),
    ];
    prop_oneof![4 => -10.0_f32..10.0, 1 => extreme]
}

proptest! {
    #[test]
    fn dot_and_distance_have_the_same_bits(pairs in prop::collection::vec((number(), number()), 0..150)) {
        let (a, b): (Vec<f32>, Vec<f32>) = pairs.into_iter().unzip();
        for simd in Simd::available() {
            prop_assert_eq!(simd.dot(&a, &b).to_bits(), Simd::SCALAR.dot(&a, &b).to_bits());
            let squared = |simd: Simd| simd.squared_distance(&a, &b).to_bits();
            prop_assert_eq!(squared(simd), squared(Simd::SCALAR));
        }
    }

    #[test]
    fn products_are_the_same_integers(
        lines in 1..4_usize,
        seed in prop::collection::vec(any::<u8>(), 64 * 3 * 9),
        rows in prop::collection::vec(0..8_u32, 0..40),
        extreme in any::<bool>(),
    ) {
        let stride = lines * LINE;
        let codes: Vec<u8> = if extreme { vec![255; 8 * stride] } else { seed[..8 * stride].to_vec() };
        let query: Vec<i8> =
            seed[8 * stride..9 * stride].iter().map(|x| if extreme { -127 } else { (*x as i8).max(-127) }).collect();
        let mut expected = Vec::new();
        Simd::SCALAR.products(&codes, &rows, &query, &mut expected);
        for simd in Simd::available() {
            let mut products = Vec::new();
            simd.products(&codes, &rows, &query, &mut products);
            prop_assert_eq!(&products, &expected);
        }
    }

    #[test]
    fn leaves_give_the_same_points_and_scores(
        dimensions in 1..70_usize,
        points in 1..50_usize,
        bytes in prop::collection::vec(any::<u8>(), 9 * 64 * 4),
        query in prop::collection::vec(-1.0_f32..1.0, 70),
        threshold in prop_oneof![Just(f32::NAN), -100.0_f32..100.0],
        biased in any::<bool>(),
        extreme in any::<bool>(),
    ) {
        let length = points.div_ceil(LANES) * block_bytes(dimensions);
        let codes = if extreme { vec![255; length] } else { bytes[..length].to_vec() };
        let bias: Vec<f32> = (0..points).map(|i| i as f32 * 0.25 - 3.0).collect();
        let mut encoded = CodeQuery::default();
        let sign = |x: &f32| if extreme { 1.0 } else { *x };
        encoded.encode(query[..dimensions].iter().map(sign));
        let leaf = LeafCodes {
            codes: &codes,
            points,
            base: -7.5,
            unit: 0.013,
            bias: if biased { &bias } else { &[] },
        };
        let scan = |simd: Simd| {
            let mut found = vec![(0.0, 0)];
            simd.scan(leaf, &encoded, threshold, 1_000, &mut found);
            found.into_iter().map(|(score, point)| (score.to_bits(), point)).collect::<Vec<_>>()
        };
        let expected = scan(Simd::SCALAR);
        if threshold.is_nan() {
            prop_assert_eq!(expected.len(), points + 1);
        }
        for simd in Simd::available() {
            prop_assert_eq!(&scan(simd), &expected);
        }
    }
}

#[test]
fn the_widest_vectors_do_not_overflow() {
    let dimensions = shortlist_types::limits::DIMENSIONS_MAX;
    let codes = vec![255; block_bytes(dimensions)];
    let mut query = CodeQuery::default();
    query.encode(std::iter::repeat_n(1.0, dimensions));
    for simd in Simd::available() {
        let leaf = LeafCodes { codes: &codes, points: 1, base: 0.0, unit: 1.0, bias: &[] };
        let mut found = Vec::new();
        simd.scan(leaf, &query, f32::NEG_INFINITY, 0, &mut found);
        assert_eq!(found, [(15.0 * 127.0 * dimensions as f32, 0)]);
        let mut products = Vec::new();
        simd.products(&vec![255; dimensions], &[0], &vec![127; dimensions], &mut products);
        assert_eq!(products, [255 * 127 * dimensions as i32]);
    }
}
