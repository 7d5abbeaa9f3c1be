use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::{Batch, Parameter, Visitor};
use crate::RowSchema;
use crate::dense::{BLOCK_ROWS, Matrix};

/// One table of vectors per category; a row's vector is the mean over its ids, zero without any.
#[derive(Debug)]
pub(crate) struct Embeddings {
    pub(crate) name: String,
    pub(crate) tables: Vec<Parameter>,
    names: Vec<String>,
    pub(crate) dimensions: usize,
}

impl Embeddings {
    pub(crate) fn new(
        name: &str,
        schema: &RowSchema,
        dimensions: usize,
        deviation: f32,
        random: &mut ChaCha8Rng,
    ) -> Self {
        let table = |ids| Parameter::table(ids, dimensions, deviation, random);
        Self {
            name: name.to_owned(),
            tables: schema.categories.iter().map(|category| category.ids).map(table).collect(),
            names: schema.categories.iter().map(|category| category.name.clone()).collect(),
            dimensions,
        }
    }

    /// Columns that the vectors of all categories take.
    pub(crate) fn width(&self) -> usize {
        self.tables.len() * self.dimensions
    }

    /// Writes the vectors into the first columns of `out`, category by category.
    pub(crate) fn forward(&self, batch: &Batch, out: &mut Matrix) {
        let (stride, dimensions) = (out.columns, self.dimensions);
        out.values.par_chunks_mut(BLOCK_ROWS * stride).enumerate().for_each(|(block, out)| {
            for (row, out) in out.chunks_exact_mut(stride).enumerate() {
                let row = block * BLOCK_ROWS + row;
                for ((table, column), out) in self.tables.iter().zip(&batch.columns).zip(out.chunks_mut(dimensions)) {
                    mean_of(table, column.of_row(row), out);
                }
            }
        });
    }

    /// Adds the derivatives in the first columns of `gradient` to the tables' gradients, table by table
    /// on all threads, each in order of rows.
    pub(crate) fn backward(&mut self, batch: &Batch, gradient: &Matrix) {
        let dimensions = self.dimensions;
        self.tables.par_iter_mut().zip(&batch.columns).enumerate().for_each(|(at, (table, column))| {
            for row in 0..batch.rows() {
                let ids = column.of_row(row);
                let from = &gradient.row(row)[at * dimensions..][..dimensions];
                let share = 1.0 / ids.len().max(1) as f32;
                for id in ids {
                    if let Some(touched) = &mut table.touched {
                        touched.touch(*id);
                    }
                    let to = &mut table.gradient[*id as usize * dimensions..][..dimensions];
                    to.iter_mut().zip(from).for_each(|(to, from)| *to += from * share);
                }
            }
        });
    }

    pub(crate) fn visit(&mut self, visitor: &mut Visitor<'_>) {
        for (table, name) in self.tables.iter_mut().zip(&self.names) {
            visitor(&format!("{}.{name}", self.name), table);
        }
    }
}

/// Writes the mean of the rows of `ids`.
#[inline]
pub(crate) fn mean_of(table: &Parameter, ids: &[u32], out: &mut [f32]) {
    match ids {
        [id] => out.copy_from_slice(table.row(*id as usize)),
        _ => {
            out.fill(0.0);
            let share = 1.0 / ids.len().max(1) as f32;
            for id in ids {
                out.iter_mut().zip(table.row(*id as usize)).for_each(|(to, from)| *to += from * share);
            }
        }
    }
}
