use rayon::prelude::*;

use super::row_solver::{Pair, RowSolver};
use crate::{IalsConfig, SparseRows};

/// One half of an alternating step: one side is held fixed, each row of the other is solved for.
///
/// For a row with observed pairs S it minimises over x
/// `sum_S w (1 - x.y)^2 + alpha sum_all (x.y)^2 + reg (sum_S w + alpha n)^nu |x|^2`.
/// The fixed side lies along its principal axes, so the second term is a diagonal penalty too.
///
/// **Source**: Hu, Koren, Volinsky 2008, equation 4; loss and frequency scaling after Rendle et al.
/// 2021, equations 4 to 6, where the frequency counts pairs and here sums their weights, so that a
/// weight of 2 is the same as a pair seen twice.
#[derive(Clone, Copy)]
pub(crate) struct HalfStep<'a> {
    /// The fixed side, n x k.
    pub(crate) factors: &'a [f32],
    /// Diagonal of `Y^T Y` of the fixed side, k.
    pub(crate) spectrum: &'a [f32],
    pub(crate) config: &'a IalsConfig,
}

impl HalfStep<'_> {
    /// Solves for one row and writes its k components.
    ///
    /// **Cost**: entries * k * min(entries, k) + min(entries, k)^3 / 3 multiply-adds.
    pub(crate) fn solve_row(
        &self,
        entries: impl ExactSizeIterator<Item = (usize, f32)> + Clone,
        solver: &mut RowSolver,
        row: &mut [f32],
    ) {
        let ridge = self.ridge(entries.clone().map(|(_, weight)| f64::from(weight)).sum());
        let alpha = self.config.unobserved_weight as f32;
        let penalties = self.spectrum.iter().map(|squares| alpha * squares + ridge);
        let pairs = entries.map(|(entry, weight)| -> Pair { (entry, weight, 1.0) });
        solver.solve(self.factors, penalties, pairs, row);
    }

    /// Solves for all rows, in parallel; every row is independent of the threads.
    pub(crate) fn solve_all(&self, rows: &SparseRows, to: &mut [f32]) {
        to.par_chunks_mut(self.config.dimensions)
            .enumerate()
            .for_each_init(RowSolver::default, |solver, (r, row)| self.solve_row(rows.row(r), solver, row));
    }

    /// The regularisation of a row whose weights sum to `frequency`.
    pub(crate) fn ridge(&self, frequency: f64) -> f32 {
        let fixed_rows = (self.factors.len() / self.config.dimensions) as f64;
        let effective = frequency + self.config.unobserved_weight * fixed_rows;
        (self.config.regularization * effective.powf(self.config.frequency_exponent)) as f32
    }
}
