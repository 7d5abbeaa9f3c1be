use pulp::{Arch, Simd, WithSimd};

use super::row_solver::{Pair, penalty_floor};

/// Steps of conjugate gradients for one row in one half-step. Every epoch goes on where the one before
/// ended, so two are enough: after eight epochs NDCG on held-out data is that of exact solves; with one
/// it is less.
pub(crate) const STEPS: usize = 2;
/// Vectors are padded with zeros to a multiple of this, the lanes of the widest registers, so that no
/// kernel has a remainder.
const LANES: usize = 16;
/// Vectors that a sweep reads together, so that a component of the sum is loaded once for all of them.
const TOGETHER: usize = 4;

/// Moves one row's vector towards the minimum that [`super::RowSolver`] finds exactly, at a cost in
/// proportion to the row's pairs times the components.
///
/// Conjugate gradients on `(D + Y^T W Y) x = Y^T W r`. In the principal axes of the fixed side D holds all
/// that does not depend on the row, so what is left to the steps is what this row's own pairs couple. The
/// preconditioner is the system's diagonal as it would be if the row's pairs were drawn from all rows of
/// the fixed side, which the spectrum tells for nothing.
///
/// **Cost**: 2 n k (steps + 1) multiply-adds over vectors that are gathered once; allocates nothing once
/// its buffers have grown.
/// **Source**: Takács, Pilászy, Tikk 2011, "Applications of the conjugate gradient method for implicit
/// feedback collaborative filtering"; differs in the axes and the preconditioner.
pub(crate) struct RowDescent {
    arch: Arch,
    /// n x stride: the pairs' vectors, padded.
    vectors: Vec<f32>,
    weights: Vec<f32>,
    targets: Vec<f32>,
    /// D, padded.
    penalties: Vec<f32>,
    /// The preconditioner: one over the diagonal to be expected.
    inverse_diagonal: Vec<f32>,
    at: Vec<f32>,
    residual: Vec<f32>,
    direction: Vec<f32>,
    product: Vec<f32>,
}

/// What a row is fitted to.
pub(crate) struct FixedSide<'a> {
    /// n x k, row-major, along the principal axes.
    pub(crate) factors: &'a [f32],
    /// Diagonal of the Gram matrix of `factors`, k.
    pub(crate) spectrum: &'a [f32],
}

impl Default for RowDescent {
    fn default() -> Self {
        let none = Vec::new;
        Self {
            arch: Arch::new(),
            vectors: none(),
            weights: none(),
            targets: none(),
            penalties: none(),
            inverse_diagonal: none(),
            at: none(),
            residual: none(),
            direction: none(),
            product: none(),
        }
    }
}

impl RowDescent {
    /// Moves `vector` [`STEPS`] steps; `false`, with `vector` as it was, if that overflows.
    ///
    /// **Shapes**: `penalties` k values; `vector` k values.
    pub(crate) fn improve(
        &mut self,
        fixed: &FixedSide<'_>,
        penalties: impl Iterator<Item = f32> + Clone,
        pairs: impl ExactSizeIterator<Item = Pair>,
        vector: &mut [f32],
    ) -> bool {
        self.gather(fixed, penalties, pairs, vector);
        let went_well = self.arch.dispatch(Descent(self));
        let moved = &self.at[..vector.len()];
        let is_finite = went_well && moved.iter().all(|value| value.is_finite());
        if is_finite {
            vector.copy_from_slice(moved);
        }
        is_finite
    }

    fn gather(
        &mut self,
        fixed: &FixedSide<'_>,
        penalties: impl Iterator<Item = f32> + Clone,
        pairs: impl ExactSizeIterator<Item = Pair>,
        vector: &[f32],
    ) {
        let FixedSide { factors, spectrum } = *fixed;
        let dimensions = vector.len();
        let stride = dimensions.next_multiple_of(LANES);
        let rows = pairs.len().next_multiple_of(TOGETHER);
        self.vectors.clear();
        self.weights.clear();
        self.targets.clear();
        for (row, weight, target) in pairs {
            self.vectors.extend_from_slice(&factors[row * dimensions..(row + 1) * dimensions]);
            self.vectors.resize(self.vectors.len() + stride - dimensions, 0.0);
            self.weights.push(weight);
            self.targets.push(target);
        }
        // Vectors of zeros fill the last few; they add nothing.
        self.vectors.resize(rows * stride, 0.0);
        self.weights.resize(rows, 0.0);
        self.targets.resize(rows, 0.0);
        let floor = penalty_floor(penalties.clone());
        let Self { at, residual, direction, product, inverse_diagonal, .. } = self;
        for to in [at, residual, direction, product, inverse_diagonal, &mut self.penalties] {
            to.clear();
            to.resize(stride, 0.0);
        }
        self.at[..dimensions].copy_from_slice(vector);
        self.penalties.fill(1.0);
        self.penalties.iter_mut().zip(penalties).for_each(|(to, penalty)| *to = penalty.max(floor));
        let share = self.weights.iter().sum::<f32>() * dimensions as f32 / factors.len() as f32;
        let diagonal = self.penalties.iter().zip(spectrum).map(|(penalty, squares)| penalty + share * squares);
        self.inverse_diagonal.iter_mut().zip(diagonal).for_each(|(to, diagonal)| *to = 1.0 / diagonal);
    }
}

/// The steps, compiled for each instruction set; `false` if something was not finite.
struct Descent<'a>(&'a mut RowDescent);

impl WithSimd for Descent<'_> {
    type Output = bool;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> bool {
        let RowDescent {
            vectors, weights, targets, penalties, inverse_diagonal, at, residual, direction, product, ..
        } = self.0;
        let rows = Rows { vectors, weights, targets };
        // The residual `Y^T W (r - Y x) - D x`.
        rows.sweep::<S, true>(simd, at, residual);
        for ((residual, at), penalty) in residual.iter_mut().zip(&*at).zip(&*penalties) {
            *residual -= penalty * at;
        }
        let mut reduction = 0.0;
        for step in 0..STEPS {
            let next = product_of_three(simd, residual, residual, inverse_diagonal);
            let kept = if step == 0 { 0.0 } else { next / reduction };
            reduction = next;
            for ((direction, residual), inverse) in direction.iter_mut().zip(&*residual).zip(&*inverse_diagonal) {
                *direction = *direction * kept + residual * inverse;
            }
            product.fill(0.0);
            rows.sweep::<S, false>(simd, direction, product);
            for ((product, direction), penalty) in product.iter_mut().zip(&*direction).zip(&*penalties) {
                *product += penalty * direction;
            }
            let length = reduction / inner(simd, direction, product);
            // Zero over zero: the vector is the answer.
            if reduction <= 0.0 {
                return true;
            }
            if !length.is_finite() {
                return false;
            }
            for ((at, residual), (direction, product)) in
                at.iter_mut().zip(&mut *residual).zip(direction.iter().zip(&*product))
            {
                *at += length * direction;
                *residual -= length * product;
            }
        }
        true
    }
}

/// The pairs of one row.
struct Rows<'a> {
    vectors: &'a [f32],
    weights: &'a [f32],
    targets: &'a [f32],
}

impl Rows<'_> {
    /// Adds `Y^T W (r - Y x)` to `sum` if `RESIDUAL`, else `Y^T W Y x`.
    #[inline(always)]
    fn sweep<S: Simd, const RESIDUAL: bool>(&self, simd: S, x: &[f32], sum: &mut [f32]) {
        let stride = x.len();
        let (x, _) = S::as_simd_f32s(x);
        let (sum, _) = S::as_mut_simd_f32s(sum);
        let blocks = self.vectors.chunks_exact(stride * TOGETHER);
        let scales = self.weights.chunks_exact(TOGETHER).zip(self.targets.chunks_exact(TOGETHER));
        for (block, (weights, targets)) in blocks.zip(scales) {
            // Without closures, which would not be compiled for the instruction set.
            let (first, second) = block.split_at(2 * stride);
            let ((a, b), (c, d)) = (first.split_at(stride), second.split_at(stride));
            let (a, b) = (S::as_simd_f32s(a).0, S::as_simd_f32s(b).0);
            let (c, d) = (S::as_simd_f32s(c).0, S::as_simd_f32s(d).0);
            let mut dots = [simd.splat_f32s(0.0); TOGETHER];
            for ((((x, a), b), c), d) in x.iter().zip(a).zip(b).zip(c).zip(d) {
                dots[0] = simd.mul_add_e_f32s(*a, *x, dots[0]);
                dots[1] = simd.mul_add_e_f32s(*b, *x, dots[1]);
                dots[2] = simd.mul_add_e_f32s(*c, *x, dots[2]);
                dots[3] = simd.mul_add_e_f32s(*d, *x, dots[3]);
            }
            let mut scales = [simd.splat_f32s(0.0); TOGETHER];
            for row in 0..TOGETHER {
                let dot = simd.reduce_sum_f32s(dots[row]);
                let left = if RESIDUAL { targets[row] - dot } else { dot };
                scales[row] = simd.splat_f32s(weights[row] * left);
            }
            for ((((sum, a), b), c), d) in sum.iter_mut().zip(a).zip(b).zip(c).zip(d) {
                let ab = simd.mul_add_e_f32s(*b, scales[1], simd.mul_add_e_f32s(*a, scales[0], *sum));
                *sum = simd.mul_add_e_f32s(*d, scales[3], simd.mul_add_e_f32s(*c, scales[2], ab));
            }
        }
    }
}

#[inline(always)]
fn inner<S: Simd>(simd: S, a: &[f32], b: &[f32]) -> f32 {
    let mut sum = simd.splat_f32s(0.0);
    for (a, b) in S::as_simd_f32s(a).0.iter().zip(S::as_simd_f32s(b).0) {
        sum = simd.mul_add_e_f32s(*a, *b, sum);
    }
    simd.reduce_sum_f32s(sum)
}

#[inline(always)]
fn product_of_three<S: Simd>(simd: S, a: &[f32], b: &[f32], c: &[f32]) -> f32 {
    let mut sum = simd.splat_f32s(0.0);
    for ((a, b), c) in S::as_simd_f32s(a).0.iter().zip(S::as_simd_f32s(b).0).zip(S::as_simd_f32s(c).0) {
        sum = simd.mul_add_e_f32s(simd.mul_f32s(*a, *b), *c, sum);
    }
    simd.reduce_sum_f32s(sum)
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::ials::RowSolver;
    use crate::principal_axes::turn_to_principal_axes;

    /// A fixed side of 60 rows along its axes, penalties, and 37 pairs of different weights.
    fn system(dimensions: usize) -> (Vec<f32>, Vec<f32>, Vec<f32>, Vec<Pair>) {
        let mut random = ChaCha8Rng::seed_from_u64(11);
        let mut factors: Vec<f32> = (0..60 * dimensions).map(|_| random.random_range(-1.0..1.0)).collect();
        let spectrum = turn_to_principal_axes(&mut factors, dimensions).unwrap().spectrum;
        let penalties = spectrum.iter().map(|squares| 0.3 * squares + 0.5).collect();
        let pairs = (0..37).map(|row| (row, random.random_range(0.2..4.0), random.random_range(0.5..1.0))).collect();
        (factors, spectrum, penalties, pairs)
    }

    fn improved(descent: &mut RowDescent, dimensions: usize, times: usize) -> Vec<f32> {
        let (factors, spectrum, penalties, pairs) = system(dimensions);
        let fixed = FixedSide { factors: &factors, spectrum: &spectrum };
        let mut vector = vec![0.0; dimensions];
        for _ in 0..times {
            assert!(descent.improve(&fixed, penalties.iter().copied(), pairs.iter().copied(), &mut vector));
        }
        vector
    }

    #[test]
    fn repeated_it_reaches_the_exact_answer_at_any_width() {
        for dimensions in [1, 3, 16, 24] {
            let (factors, _, penalties, pairs) = system(dimensions);
            let mut exact = vec![0.0; dimensions];
            RowSolver::default().solve(&factors, penalties.iter().copied(), pairs.iter().copied(), &mut exact);
            let reached = improved(&mut RowDescent::default(), dimensions, 40);
            for (reached, exact) in reached.iter().zip(&exact) {
                assert!((reached - exact).abs() < 1e-5, "{dimensions}: {reached} {exact}");
            }
            let once = improved(&mut RowDescent::default(), dimensions, 1);
            let far = |vector: &[f32]| vector.iter().zip(&exact).map(|(a, b)| (a - b).powi(2)).sum::<f32>();
            assert!(far(&once) < 0.05 * far(&vec![0.0; dimensions]), "{dimensions}: one call must come near");
        }
    }

    #[test]
    fn every_instruction_set_moves_alike() {
        for dimensions in [5, 64] {
            let mut scalar = RowDescent { arch: Arch::Scalar, ..RowDescent::default() };
            let (by_scalar, by_widest) =
                (improved(&mut scalar, dimensions, 1), improved(&mut RowDescent::default(), dimensions, 1));
            for (scalar, widest) in by_scalar.iter().zip(&by_widest) {
                assert!((scalar - widest).abs() < 1e-5, "{dimensions}: {scalar} {widest}");
            }
        }
    }

    #[test]
    fn an_overflow_is_said_and_leaves_the_vector_as_it_was() {
        let (factors, spectrum) = (vec![1e30_f32; 8], vec![1.0_f32; 4]);
        let fixed = FixedSide { factors: &factors, spectrum: &spectrum };
        let mut vector = vec![1e10; 4];
        let pairs = [(0, 1.0, 1.0), (1, 1.0, 1.0)];
        assert!(!RowDescent::default().improve(&fixed, [1.0; 4].into_iter(), pairs.into_iter(), &mut vector));
        assert_eq!(vector, [1e10; 4]);
    }
}
