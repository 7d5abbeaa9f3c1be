//! Dense linear algebra of the networks: matrices, and products in tiles.

mod matrix;
mod packed;
mod product;

pub(crate) use matrix::{Columns, Matrix};
pub(crate) use packed::Packed;
pub(crate) use product::{Around, BLOCK_ROWS, Output, multiply, multiply_transposed, product_rows};
