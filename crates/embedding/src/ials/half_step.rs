use rayon::prelude::*;

use super::row_descent::{FixedSide, RowDescent, STEPS};
use super::row_solver::{Pair, RowSolver};
use crate::principal_axes::PrincipalAxes;
use crate::{IalsConfig, SparseRows};

/// Multiply-adds of an exact solve that take as long as one of the descent: those run in blocks that stay
/// in registers, these wait for memory.
const EXACT_PER_DESCENT: usize = 2;

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
        let penalties = self.penalties(entries.clone());
        let pairs = entries.map(|(entry, weight)| -> Pair { (entry, weight, 1.0) });
        solver.solve(self.factors, penalties, pairs, row);
    }

    /// Solves for all rows, in parallel; every row is independent of the threads. Where an exact solve is
    /// dear, the row moves towards the answer from where it is, in the axes before `turned`.
    pub(crate) fn improve_all(&self, rows: &SparseRows, turned: &PrincipalAxes, to: &mut [f32]) {
        let fixed = FixedSide { factors: self.factors, spectrum: self.spectrum };
        let buffers = || (RowSolver::default(), RowDescent::default(), Vec::new());
        to.par_chunks_mut(self.config.dimensions).enumerate().for_each_init(
            buffers,
            |(solver, descent, scratch), (r, row)| {
                let entries = rows.row(r);
                if descent_is_cheaper(entries.len(), row.len()) {
                    turned.turn(row, scratch);
                    let penalties = self.penalties(entries.clone());
                    let pairs = entries.clone().map(|(entry, weight)| -> Pair { (entry, weight, 1.0) });
                    if descent.improve(&fixed, penalties, pairs, row) {
                        return;
                    }
                }
                self.solve_row(entries, solver, row);
            },
        );
    }

    /// The diagonal of the system that does not come from the row's own pairs.
    fn penalties(&self, entries: impl Iterator<Item = (usize, f32)>) -> impl Iterator<Item = f32> + Clone {
        let ridge = self.ridge(entries.map(|(_, weight)| f64::from(weight)).sum());
        let alpha = self.config.unobserved_weight as f32;
        self.spectrum.iter().map(move |squares| alpha * squares + ridge)
    }

    /// The regularisation of a row whose weights sum to `frequency`.
    pub(crate) fn ridge(&self, frequency: f64) -> f32 {
        let fixed_rows = (self.factors.len() / self.config.dimensions) as f64;
        let effective = frequency + self.config.unobserved_weight * fixed_rows;
        (self.config.regularization * effective.powf(self.config.frequency_exponent)) as f32
    }
}

/// Whether the steps of a descent over n pairs cost less than an exact solve.
fn descent_is_cheaper(pairs: usize, dimensions: usize) -> bool {
    let (few, many) = (pairs.min(dimensions), pairs.max(dimensions));
    let exact = few * few * many / 2 + few * few * few / 6;
    let descent = 2 * pairs * dimensions * (STEPS + 1) + dimensions * dimensions;
    exact > EXACT_PER_DESCENT * descent
}
