//! Plain code: the meaning of the other files, and what runs where they cannot.

use super::Tile;

pub(super) fn multiply(tile: Tile<'_>) {
    let right_step = tile.right_step();
    for row in 0..tile.rows {
        let out = &mut tile.out[row * tile.out_row..][..tile.columns];
        if let Some(start) = tile.start {
            out.copy_from_slice(&start[..tile.columns]);
        }
        for step in 0..tile.steps {
            let left = tile.left[row * tile.left_row + step * tile.left_step];
            let right = &tile.right[step * right_step..];
            for (out, right) in out.iter_mut().zip(right) {
                *out = left.mul_add(*right, *out);
            }
        }
    }
}
