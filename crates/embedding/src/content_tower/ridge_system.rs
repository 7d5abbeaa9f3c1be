use rayon::prelude::*;

use crate::SparseRows;

/// Most steps of one solve; about twenty reach the tolerance, and what is missing after sixty no ranking
/// sees.
const STEPS_MAX: usize = 60;
/// A solve ends when every residual has fallen to this part of the first one.
const TOLERANCE: f64 = 1e-3;
/// Rows of a block whose sums are taken on one thread: borders depend on the data alone.
const BLOCK_ROWS: usize = 4_096;
/// Entries summed before they join the total, so that a feature of every item loses no digits.
const RUN: usize = 256;

/// The normal equations of a ridge regression with many outputs:
/// `(X^T diag(w) X + ridge I) B = X^T diag(w) Y`.
///
/// **Shapes**: X is n x f and sparse, w has n entries, Y is n x k, B is f x k.
pub(crate) struct RidgeSystem<'a> {
    /// X by example.
    pub(crate) rows: &'a SparseRows,
    /// X by feature.
    pub(crate) columns: &'a SparseRows,
    /// w, above 0.
    pub(crate) weights: &'a [f32],
    /// k.
    pub(crate) dimensions: usize,
}

impl RidgeSystem<'_> {
    /// Improves `solution` from where it stands, by conjugate gradients on all outputs side by side,
    /// preconditioned by the diagonal.
    ///
    /// **Shapes**: `target` is `X^T diag(w) Y`, f x k as `solution`.
    /// **Cost**: 4 entries * k operations per step and two passes over the entries; n k + 4 f k floats.
    /// **Source**: Hestenes, Stiefel 1952; preconditioned as in Saad 2003, algorithm 9.1. Differs in that
    /// an output whose direction is exhausted stands still while the others go on.
    pub(crate) fn solve(&self, ridge: f32, target: &[f32], solution: &mut [f32]) {
        let k = self.dimensions;
        let diagonal: Vec<f32> = self.diagonal(ridge);
        let mut buffer = vec![0.0; self.rows.rows() * k];
        let mut image = vec![0.0; target.len()];
        self.apply(ridge, solution, &mut buffer, &mut image);
        let mut residual: Vec<f32> = target.par_iter().zip(&image).map(|(b, a)| b - a).collect();
        let mut direction = precondition(&residual, &diagonal, k);
        let mut energy = self.column_dots(&residual, &direction);
        // Measured against a start at zero, so that a good start ends early.
        let goal: Vec<f64> = self
            .column_dots(target, &precondition(target, &diagonal, k))
            .iter()
            .map(|first| first * TOLERANCE * TOLERANCE)
            .collect();
        for _ in 0..STEPS_MAX {
            if energy.iter().zip(&goal).all(|(now, goal)| now <= goal) {
                break;
            }
            self.apply(ridge, &direction, &mut buffer, &mut image);
            let curvature = self.column_dots(&direction, &image);
            let step = quotients(&energy, &curvature);
            add_scaled(solution, &step, &direction);
            let back: Vec<f32> = step.iter().map(|step| -step).collect();
            add_scaled(&mut residual, &back, &image);
            let next = precondition(&residual, &diagonal, k);
            let energy_next = self.column_dots(&residual, &next);
            let keep = quotients(&energy_next, &energy);
            direction
                .par_chunks_mut(k)
                .zip(next.par_chunks(k))
                .for_each(|(to, next)| to.iter_mut().zip(next).zip(&keep).for_each(|((to, z), b)| *to = z + b * *to));
            energy = energy_next;
        }
    }

    /// The right side, `X^T diag(w) Y`, for the Y whose rows `fill` writes.
    pub(crate) fn target(&self, fill: impl Fn(usize, &mut [f32]) + Sync) -> Vec<f32> {
        let k = self.dimensions;
        let mut buffer = vec![0.0; self.rows.rows() * k];
        buffer.par_chunks_mut(k).enumerate().for_each(|(row, to)| {
            fill(row, to);
            to.iter_mut().for_each(|x| *x *= self.weights[row]);
        });
        let mut target = vec![0.0; self.columns.rows() * k];
        self.gather(&buffer, &mut target);
        target
    }

    /// `image = (X^T diag(w) X + ridge I) from`.
    fn apply(&self, ridge: f32, from: &[f32], buffer: &mut [f32], image: &mut [f32]) {
        let k = self.dimensions;
        buffer.par_chunks_mut(k).enumerate().for_each(|(row, to)| {
            to.fill(0.0);
            for (column, value) in self.rows.row(row) {
                add(to, value, &from[column * k..(column + 1) * k]);
            }
            to.iter_mut().for_each(|x| *x *= self.weights[row]);
        });
        self.gather(buffer, image);
        image.par_iter_mut().zip(from).for_each(|(to, from)| *to += ridge * from);
    }

    /// `image = X^T buffer`.
    fn gather(&self, buffer: &[f32], image: &mut [f32]) {
        let k = self.dimensions;
        image.par_chunks_mut(k).enumerate().for_each_init(
            || vec![0.0; k],
            |run, (column, to)| {
                to.fill(0.0);
                let mut entries = self.columns.row(column);
                while entries.len() > 0 {
                    run.fill(0.0);
                    for (row, value) in entries.by_ref().take(RUN) {
                        add(run, value, &buffer[row * k..(row + 1) * k]);
                    }
                    add(to, 1.0, run);
                }
            },
        );
    }

    /// The diagonal of the system, one value per feature.
    fn diagonal(&self, ridge: f32) -> Vec<f32> {
        let square = |(row, value): (usize, f32)| f64::from(self.weights[row] * value * value);
        (0..self.columns.rows())
            .into_par_iter()
            .map(|column| self.columns.row(column).map(square).sum::<f64>() as f32 + ridge)
            .collect()
    }

    /// The inner product of each output's column in `a` and `b`.
    fn column_dots(&self, a: &[f32], b: &[f32]) -> Vec<f64> {
        let k = self.dimensions;
        let parts: Vec<Vec<f64>> = a
            .par_chunks(BLOCK_ROWS * k)
            .zip(b.par_chunks(BLOCK_ROWS * k))
            .map(|(a, b)| {
                let mut sums = vec![0.0; k];
                for (a, b) in a.chunks_exact(k).zip(b.chunks_exact(k)) {
                    for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
                        *sum += f64::from(*a) * f64::from(*b);
                    }
                }
                sums
            })
            .collect();
        let mut total = vec![0.0; k];
        for part in &parts {
            total.iter_mut().zip(part).for_each(|(total, part)| *total += part);
        }
        total
    }
}

/// `to += factor * from`.
#[inline]
fn add(to: &mut [f32], factor: f32, from: &[f32]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to += factor * from;
    }
}

/// `to += from` with a factor per column.
fn add_scaled(to: &mut [f32], factors: &[f32], from: &[f32]) {
    let k = factors.len();
    to.par_chunks_mut(k)
        .zip(from.par_chunks(k))
        .for_each(|(to, from)| to.iter_mut().zip(from).zip(factors).for_each(|((to, x), f)| *to += f * x));
}

/// The residual over the diagonal.
fn precondition(residual: &[f32], diagonal: &[f32], k: usize) -> Vec<f32> {
    let mut to = residual.to_vec();
    to.par_chunks_mut(k).zip(diagonal).for_each(|(row, diagonal)| row.iter_mut().for_each(|x| *x /= diagonal));
    to
}

/// `a / b` per column; 0 where nothing is left to divide by, which lets an exhausted output stand still.
fn quotients(a: &[f64], b: &[f64]) -> Vec<f32> {
    let quotient = |(a, b): (&f64, &f64)| {
        let quotient = (a / b) as f32;
        if *b > 0.0 && quotient.is_finite() { quotient } else { 0.0 }
    };
    a.iter().zip(b).map(quotient).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_solution_fulfils_the_normal_equations() {
        let (n, f, k) = (700, 40, 3);
        let value = |r: usize, c: usize| ((r * 7 + c * 11) % 13) as f32 / 13.0 + 0.1;
        let has = |r: usize, c: usize| c == f - 1 || (r * 31 + c * 17) % 10 < 2;
        let entries =
            (0..n).flat_map(|r| (0..f).filter(move |&c| has(r, c)).map(move |c| (r as u32, c as u32, value(r, c))));
        let rows = SparseRows::from_sorted(n, f, entries);
        let columns = rows.transposed();
        let weights: Vec<f32> = (0..n).map(|r| 0.5 + (r % 5) as f32).collect();
        let y = |r: usize, d: usize| ((r * (d + 3)) % 19) as f32 / 9.0 - 1.0;
        let system = RidgeSystem { rows: &rows, columns: &columns, weights: &weights, dimensions: k };
        let target = system.target(|r, to| (0..k).for_each(|d| to[d] = y(r, d)));
        for ridge in [0.1, 3.0, 1e6] {
            let mut solution = vec![0.0; f * k];
            system.solve(ridge, &target, &mut solution);
            for d in 0..k {
                let predicted =
                    |r: usize| -> f64 { rows.row(r).map(|(c, x)| f64::from(x) * f64::from(solution[c * k + d])).sum() };
                for c in 0..f {
                    let pull: f64 = columns
                        .row(c)
                        .map(|(r, x)| f64::from(weights[r] * x) * (f64::from(y(r, d)) - predicted(r)))
                        .sum();
                    let gap = pull - f64::from(ridge) * f64::from(solution[c * k + d]);
                    assert!(gap.abs() < 0.3, "{ridge}: feature {c}, output {d}: {gap}");
                }
            }
        }
    }

    #[test]
    fn a_target_of_zero_keeps_the_solution_at_zero() {
        let rows = SparseRows::from_sorted(2, 2, [(0, 0, 1.0), (1, 1, 1.0)].into_iter());
        let columns = rows.transposed();
        let system = RidgeSystem { rows: &rows, columns: &columns, weights: &[1.0, 1.0], dimensions: 2 };
        let mut solution = vec![0.0; 4];
        system.solve(1.0, &[0.0; 4], &mut solution);
        assert_eq!(solution, [0.0; 4]);
    }
}
