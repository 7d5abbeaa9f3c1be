use std::mem::MaybeUninit;

use faer::dyn_stack::MemStack;
use faer::linalg::cholesky::llt::factor::{LltRegularization, cholesky_in_place, cholesky_in_place_scratch};
use faer::linalg::cholesky::llt::solve::{solve_in_place, solve_in_place_scratch};
use faer::linalg::matmul::triangular::{BlockStructure, matmul as triangular_matmul};
use faer::{Accum, MatMut, MatRef, Par, Spec};

/// Vectors that are gathered before their products are added: enough to keep the multiplication busy,
/// few enough to stay in the cache.
const GATHERED_MAX: usize = 512;
/// Least penalty relative to the greatest: what is smaller is lost in single precision anyway.
const PENALTY_RATIO_MIN: f32 = 1e-12;
/// Least penalty at all: its inverse and the squares of it stay finite.
const PENALTY_MIN: f32 = 1e-20;

/// Finds the vector that best explains one row's observed pairs.
///
/// With a diagonal penalty D and observed pairs `(y, weight w, target r)` it minimises over x
/// `sum w (r - x.y)^2 + x^T D x`. With `T = D^-1/2 [sqrt(w) y ...]` (k x n) the answer is
/// `D^-1/2 (I + T T^T)^-1 T b = D^-1/2 T (I + T^T T)^-1 b`, `b = sqrt(w) r`: a k x k or an n x n system,
/// whichever is smaller. Both are the identity and something positive: well conditioned however the
/// penalties lie.
///
/// **Cost**: n k min(n, k) + min(n, k)^3 / 3 multiply-adds; allocates nothing once its buffers have grown.
/// **Source**: the second form is the Woodbury identity.
#[derive(Debug, Default)]
pub(crate) struct RowSolver {
    /// One over the root of the penalties, k.
    inverse_roots: Vec<f32>,
    /// T, one column per pair.
    gathered: Vec<f32>,
    /// b.
    targets: Vec<f32>,
    /// The system and its factor, lower triangle, column by column.
    system: Vec<f32>,
    factor: Vec<f32>,
    right: Vec<f32>,
    /// What the factorisation works in.
    memory: Vec<MaybeUninit<u8>>,
}

/// One observed pair: row of the fixed side, weight, and what the product should be.
pub(crate) type Pair = (usize, f32, f32);

impl RowSolver {
    /// Writes the k components of the answer.
    ///
    /// **Shapes**: `factors` n x k, row-major; `penalties` k values; `answer` k values.
    pub(crate) fn solve(
        &mut self,
        factors: &[f32],
        penalties: impl Iterator<Item = f32> + Clone,
        pairs: impl ExactSizeIterator<Item = Pair>,
        answer: &mut [f32],
    ) {
        let dimensions = answer.len();
        let floor = penalty_floor(penalties.clone());
        self.inverse_roots.clear();
        self.inverse_roots.extend(penalties.map(|penalty| 1.0 / penalty.max(floor).sqrt()));
        if pairs.len() < dimensions {
            self.solve_among_pairs(factors, pairs, answer);
        } else {
            self.solve_among_components(factors, pairs, answer);
        }
        for (component, inverse_root) in answer.iter_mut().zip(&self.inverse_roots) {
            *component *= inverse_root;
        }
    }

    /// `T (I + T^T T)^-1 b`.
    fn solve_among_pairs(&mut self, factors: &[f32], pairs: impl ExactSizeIterator<Item = Pair>, answer: &mut [f32]) {
        let (dimensions, n) = (answer.len(), pairs.len());
        self.gathered.clear();
        self.targets.clear();
        pairs.for_each(|pair| self.gather(factors, dimensions, pair));
        self.begin_system(n);
        let vectors = MatRef::from_column_major_slice(&self.gathered, dimensions, n);
        add_products(&mut self.system, vectors.transpose());
        self.right.clone_from(&self.targets);
        self.solve_system(n);
        answer.fill(0.0);
        for (vector, factor) in self.gathered.chunks_exact(dimensions).zip(&self.right) {
            add_scaled(answer, vector, *factor);
        }
    }

    /// `(I + T T^T)^-1 T b`.
    fn solve_among_components(
        &mut self,
        factors: &[f32],
        mut pairs: impl ExactSizeIterator<Item = Pair>,
        answer: &mut [f32],
    ) {
        let dimensions = answer.len();
        self.begin_system(dimensions);
        self.right.clear();
        self.right.resize(dimensions, 0.0);
        while pairs.len() > 0 {
            self.gathered.clear();
            self.targets.clear();
            pairs.by_ref().take(GATHERED_MAX).for_each(|pair| self.gather(factors, dimensions, pair));
            for (vector, target) in self.gathered.chunks_exact(dimensions).zip(&self.targets) {
                add_scaled(&mut self.right, vector, *target);
            }
            let n = self.targets.len();
            add_products(&mut self.system, MatRef::from_column_major_slice(&self.gathered, dimensions, n));
        }
        self.solve_system(dimensions);
        answer.copy_from_slice(&self.right);
    }

    /// Appends one column of T and one value of b.
    fn gather(&mut self, factors: &[f32], dimensions: usize, (row, weight, target): Pair) {
        let root = weight.sqrt();
        let vector = &factors[row * dimensions..(row + 1) * dimensions];
        let scaled = vector.iter().zip(&self.inverse_roots).map(|(component, inverse)| component * root * inverse);
        self.gathered.extend(scaled);
        self.targets.push(root * target);
    }

    /// The identity of `size`.
    fn begin_system(&mut self, size: usize) {
        self.system.clear();
        self.system.resize(size * size, 0.0);
        self.system.iter_mut().step_by(size + 1).for_each(|value| *value = 1.0);
    }

    /// Replaces `right` by the solution. Where rounding has made the system indefinite, its diagonal is
    /// raised a little, ten times more with every try: a slightly stronger penalty instead of no answer.
    fn solve_system(&mut self, size: usize) {
        let mut raise =
            self.system.iter().step_by(size + 1).fold(1.0, |max: f32, value| max.max(*value)) * f32::EPSILON;
        let needed = cholesky_in_place_scratch::<f32>(size, Par::Seq, Spec::default())
            .or(solve_in_place_scratch::<f32>(size, 1, Par::Seq));
        let needed = needed.unaligned_bytes_required();
        if self.memory.len() < needed {
            self.memory.resize(needed, MaybeUninit::uninit());
        }
        loop {
            self.factor.clone_from(&self.system);
            let factor = MatMut::from_column_major_slice_mut(&mut self.factor, size, size);
            let stack = MemStack::new(&mut self.memory);
            let outcome = cholesky_in_place(factor, LltRegularization::default(), Par::Seq, stack, Spec::default());
            if outcome.is_ok() || !raise.is_finite() {
                break;
            }
            self.system.iter_mut().step_by(size + 1).for_each(|value| *value += raise);
            raise *= 10.0;
        }
        let factor = MatRef::from_column_major_slice(&self.factor, size, size);
        let right = MatMut::from_column_major_slice_mut(&mut self.right, size, 1);
        solve_in_place(factor, right, Par::Seq, MemStack::new(&mut self.memory));
    }
}

/// What penalties are held to from below, so that single precision can tell them apart.
pub(crate) fn penalty_floor(penalties: impl Iterator<Item = f32>) -> f32 {
    (penalties.fold(0.0, f32::max) * PENALTY_RATIO_MIN).max(PENALTY_MIN)
}

/// Adds `vectors vectors^T` to the lower triangle of the system.
fn add_products(system: &mut [f32], vectors: MatRef<'_, f32>) {
    let size = vectors.nrows();
    triangular_matmul(
        MatMut::from_column_major_slice_mut(system, size, size),
        BlockStructure::TriangularLower,
        Accum::Add,
        vectors,
        BlockStructure::Rectangular,
        vectors.transpose(),
        BlockStructure::Rectangular,
        1.0,
        Par::Seq,
    );
}

fn add_scaled(to: &mut [f32], vector: &[f32], factor: f32) {
    for (to, component) in to.iter_mut().zip(vector) {
        *to += component * factor;
    }
}
