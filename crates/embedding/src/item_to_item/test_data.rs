//! Small data for the tests of this folder.

use faer::Mat;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use shortlist_types::{ItemIdx, UserIdx};

use crate::{Interactions, SparseRows};

pub(in crate::item_to_item) fn random(users: u32, items: u32, density: f64) -> Interactions {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let mut triples = Vec::new();
    for user in 0..users {
        for item in 0..items {
            if rng.random_bool(density) {
                triples.push((UserIdx(user), ItemIdx(2 * item), rng.random_range(0.5..3.0)));
            }
        }
    }
    Interactions::parse(triples).unwrap()
}

pub(in crate::item_to_item) fn dense(rows: &SparseRows, columns: usize) -> Mat<f64> {
    let mut matrix = Mat::zeros(rows.rows(), columns);
    for row in 0..rows.rows() {
        rows.row(row).for_each(|(column, weight)| matrix[(row, column)] = f64::from(weight));
    }
    matrix
}

pub(in crate::item_to_item) fn user_events(
    interactions: &Interactions,
    user: usize,
) -> impl Iterator<Item = (ItemIdx, f32)> {
    interactions.by_user().row(user).map(|(item, weight)| (interactions.items()[item], weight))
}
