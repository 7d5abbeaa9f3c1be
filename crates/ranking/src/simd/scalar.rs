//! Plain code: the meaning of the other files, and what runs where they cannot.

use super::{BYTE_GROUP, ByteTile, Tile};

pub(super) fn multiply(tile: &mut Tile<'_>) {
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
        if tile.relu {
            out.iter_mut().for_each(|out| *out = if *out > 0.0 { *out } else { 0.0 });
        }
    }
}

pub(super) fn multiply_bytes(tile: &mut ByteTile<'_>) {
    let (groups, right_group) = (tile.groups, tile.right_group());
    for row in 0..tile.rows {
        let left = &tile.left[row * groups * BYTE_GROUP..][..groups * BYTE_GROUP];
        for column in 0..tile.columns {
            let mut sum = tile.start[column];
            for (group, left) in left.chunks_exact(BYTE_GROUP).enumerate() {
                let right = &tile.right[group * right_group + column * BYTE_GROUP..][..BYTE_GROUP];
                for (left, right) in left.iter().zip(right) {
                    sum += i32::from(*left) * i32::from(*right);
                }
            }
            let scale = tile.row_scales[row] * tile.scales[column];
            let value = (sum as f32).mul_add(scale, tile.bias[column]);
            tile.out[row * tile.out_row + column] = if value > 0.0 { value } else { 0.0 };
        }
    }
}

pub(super) fn to_codes(codes: &mut [u8], rows: &[f32], scales: &mut [f32], most: f32, middle: f32) {
    let (width, steps) = (codes.len() / scales.len(), rows.len() / scales.len());
    for ((codes, row), scale) in codes.chunks_exact_mut(width).zip(rows.chunks_exact(steps)).zip(scales) {
        let top = row.iter().fold(0.0_f32, |top, value| if value.abs() > top { value.abs() } else { top });
        *scale = top / most;
        let factor = code_factor(top, most);
        for (code, value) in codes.iter_mut().zip(row) {
            // Adding half before cutting off rounds what is not negative.
            let raised = value * factor + (middle + 0.5);
            *code = raised as i32 as u8;
        }
    }
}

/// What a row is multiplied with so that its greatest value becomes the greatest code.
pub(super) fn code_factor(top: f32, most: f32) -> f32 {
    if top > f32::MIN_POSITIVE { most / top } else { 0.0 }
}
