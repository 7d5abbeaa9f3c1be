use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{LANES, Simd, TILE_COLUMNS, TILE_ROWS, Tile};

proptest! {
    #[test]
    fn every_level_multiplies_to_the_same_bits(
        rows in 1..=TILE_ROWS, columns in 1..=TILE_COLUMNS, steps in 0_usize..20, transposed: bool, fresh: bool, seed: u64,
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
                rows, columns, steps, left: &left, left_row, left_step, right: &right,
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
}
