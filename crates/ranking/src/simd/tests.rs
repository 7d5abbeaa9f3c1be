use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::elementwise::add_parts;
use super::{BYTE_GROUP, ByteTile, LANES, Simd, TILE_COLUMNS, TILE_ROWS, Tile};

proptest! {
    #[test]
    fn every_level_multiplies_to_the_same_bits(
        rows in 1..=TILE_ROWS, columns in 1..=TILE_COLUMNS, steps in 0_usize..20, transposed: bool, fresh: bool,
        relu: bool, seed: u64,
    ) {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut values = |n: usize| -> Vec<f32> { (0..n).map(|_| random.random_range(-2.0..2.0)).collect() };
        let left = values(rows * steps);
        let (left_row, left_step) = if transposed { (1, rows) } else { (steps, 1) };
        let right = values(steps * columns.next_multiple_of(LANES));
        let (start, before) = (values(columns), values((rows - 1) * 50 + columns));
        let product = |simd: Simd| {
            let mut out = before.clone();
            simd.multiply(Tile {
                rows, columns, steps, left: &left, left_row, left_step, right: &right, relu,
                start: fresh.then_some(&start[..]), out: &mut out, out_row: 50,
            });
            out
        };
        let expected = product(Simd::SCALAR);
        for simd in Simd::available() {
            let got = product(simd);
            prop_assert!(got.iter().zip(&expected).all(|(a, b)| a.to_bits() == b.to_bits()), "{simd:?}");
        }
        // What lies between the rows is left alone.
        for (i, (got, before)) in expected.iter().zip(&before).enumerate() {
            prop_assert!(i % 50 < columns || got.to_bits() == before.to_bits());
        }
    }

    #[test]
    fn every_level_multiplies_bytes_to_the_same_bits(
        rows in 1..=TILE_ROWS, columns in 1..=TILE_COLUMNS, groups in 0_usize..20, seed: u64,
    ) {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let left: Vec<u8> = (0..rows * groups * BYTE_GROUP).map(|_| random.random()).collect();
        let width = columns.next_multiple_of(LANES);
        let right: Vec<i8> = (0..groups * width * BYTE_GROUP).map(|_| random.random_range(-127..=127)).collect();
        let start: Vec<i32> = (0..columns).map(|_| random.random_range(-1000..1000)).collect();
        let mut floats = |n: usize| -> Vec<f32> { (0..n).map(|_| random.random_range(-2.0..2.0)).collect() };
        let (row_scales, scales, bias) = (floats(rows), floats(columns), floats(columns));
        let product = |simd: Simd| {
            let mut out = vec![0.5; (rows - 1) * 50 + columns];
            simd.multiply_bytes(ByteTile {
                rows, columns, groups, left: &left, right: &right, start: &start, row_scales: &row_scales,
                scales: &scales, bias: &bias, out: &mut out, out_row: 50,
            });
            out.into_iter().map(f32::to_bits).collect::<Vec<_>>()
        };
        for simd in Simd::available() {
            prop_assert_eq!(product(simd), product(Simd::SCALAR), "{:?}", simd);
        }
    }

    #[test]
    fn every_level_rounds_to_the_same_codes(
        rows in 1_usize..6, steps in 1_usize..70, spare in 0_usize..4, signed: bool, scale in 1e-3_f32..1e3, seed: u64,
    ) {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let least = if signed { -scale } else { 0.0 };
        let mut values: Vec<f32> = (0..rows * steps).map(|_| random.random_range(least..scale)).collect();
        values[..steps].fill(0.0);
        let (most, middle) = if signed { (127.0, 128.0) } else { (255.0, 0.0) };
        let codes = |simd: Simd| {
            let (mut codes, mut scales) = (vec![7; rows * (steps + spare)], vec![0.5; rows]);
            simd.to_codes(&mut codes, &values, &mut scales, most, middle);
            (codes, scales.into_iter().map(f32::to_bits).collect::<Vec<_>>())
        };
        for simd in Simd::available() {
            prop_assert_eq!(codes(simd), codes(Simd::SCALAR), "{:?}", simd);
        }
    }

    #[test]
    fn every_level_adds_parts_to_the_same_bits(width in 1_usize..200, count in 0_usize..6, seed: u64) {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut values = |n: usize| -> Vec<f32> { (0..n).map(|_| random.random_range(-2.0..2.0)).collect() };
        let (rows, weights, before) = (values(width * count), values(count), values(width));
        let parts: Vec<_> = weights.iter().copied().zip(rows.chunks_exact(width)).collect();
        let mut expected = before.clone();
        for (weight, row) in &parts {
            expected.iter_mut().zip(*row).for_each(|(sum, value)| *sum += weight * value);
        }
        for simd in Simd::available() {
            let mut got = before.clone();
            add_parts(simd, &mut got, &parts);
            prop_assert!(got.iter().zip(&expected).all(|(a, b)| a.to_bits() == b.to_bits()), "{simd:?}");
        }
    }
}
