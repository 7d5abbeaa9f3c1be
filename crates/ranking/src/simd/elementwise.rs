//! What happens to single values between products. Plain code, compiled once per instruction set: the
//! compiler's own vectors neither fuse nor reorder, so the bits are the same.

use super::{Level, Simd};

/// Compiles a function for every instruction set, and calls the one that was detected.
macro_rules! vectorised {
    ($(#[$doc:meta])* fn $name:ident($($argument:ident: $type:ty),* $(,)?) $body:block) => {
        $(#[$doc])*
        #[allow(unsafe_code, reason = "calls code for instructions that were detected")]
        #[allow(clippy::too_many_arguments, reason = "columns that are walked together")]
        pub(crate) fn $name(simd: Simd, $($argument: $type),*) {
            #[inline(always)]
            #[allow(clippy::too_many_arguments, reason = "as above")]
            fn plain($($argument: $type),*) $body
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            #[allow(clippy::too_many_arguments, reason = "as above")]
            fn avx2($($argument: $type),*) {
                plain($($argument),*);
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
            #[allow(clippy::too_many_arguments, reason = "as above")]
            fn avx512($($argument: $type),*) {
                plain($($argument),*);
            }
            match simd.0 {
                Level::Scalar => plain($($argument),*),
                // SAFETY: `Simd::available` detected the instructions.
                #[cfg(target_arch = "x86_64")]
                Level::Avx2 => unsafe { avx2($($argument),*) },
                // SAFETY: as above.
                #[cfg(target_arch = "x86_64")]
                Level::Avx512 => unsafe { avx512($($argument),*) },
            }
        }
    };
}

/// What normalises each column.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Norm<'a> {
    pub(crate) mean: &'a [f32],
    pub(crate) inverse_deviation: &'a [f32],
    pub(crate) scale: &'a [f32],
    pub(crate) shift: &'a [f32],
}

vectorised! {
    /// `out = relu(scale * (input - mean) / deviation + shift)`, row by row.
    fn normalise_relu(out: &mut [f32], input: &[f32], norm: Norm<'_>) {
        let width = norm.mean.len();
        let (inverse, scale, shift) = (&norm.inverse_deviation[..width], &norm.scale[..width], &norm.shift[..width]);
        for (out, input) in out.chunks_exact_mut(width).zip(input.chunks_exact(width)) {
            for column in 0..width {
                let centred = (input[column] - norm.mean[column]) * inverse[column];
                let value = centred * scale[column] + shift[column];
                out[column] = if value > 0.0 { value } else { 0.0 };
            }
        }
    }
}

/// Columns that stay in registers while rows are added up.
const COLUMNS_AT_ONCE: usize = 64;

vectorised! {
    /// Adds `parts`, each a weight and a row as wide as `out`, to what `out` holds, in their order.
    fn add_parts(out: &mut [f32], parts: &[(f32, &[f32])]) {
        let whole = out.len() - out.len() % COLUMNS_AT_ONCE;
        let (blocks, left) = out.as_chunks_mut::<COLUMNS_AT_ONCE>();
        for (block, out) in blocks.iter_mut().enumerate() {
            let mut sums = *out;
            for (weight, row) in parts {
                let row = &row[block * COLUMNS_AT_ONCE..][..COLUMNS_AT_ONCE];
                for column in 0..COLUMNS_AT_ONCE {
                    sums[column] += weight * row[column];
                }
            }
            *out = sums;
        }
        for (weight, row) in parts {
            for (sum, value) in left.iter_mut().zip(&row[whole..]) {
                *sum += weight * value;
            }
        }
    }
}

vectorised! {
    /// `out = relu(input)`.
    fn relu(out: &mut [f32], input: &[f32]) {
        for (to, from) in out.iter_mut().zip(input) {
            *to = if *from > 0.0 { *from } else { 0.0 };
        }
    }
}

vectorised! {
    /// Sets the values whose hash of place and seed lies below a bound to zero, raises the others by
    /// `factor`.
    fn drop_out(values: &mut [f32], first: u32, seed: u32, below: u32, factor: f32) {
        for (place, value) in values.iter_mut().enumerate() {
            // The mixer of Wellons, "lowbias32".
            let mut x = first.wrapping_add(place as u32) ^ seed;
            x = (x ^ (x >> 16)).wrapping_mul(0x7FEB_352D);
            x = (x ^ (x >> 15)).wrapping_mul(0x846C_A68B);
            x ^= x >> 16;
            *value = if x < below { 0.0 } else { *value * factor };
        }
    }
}

vectorised! {
    /// Adds each column's distances from `about`, and their squares.
    fn add_moments(rows: &[f32], about: &[f32], sums: &mut [f32], squares: &mut [f32]) {
        let width = about.len();
        let (sums, squares) = (&mut sums[..width], &mut squares[..width]);
        for row in rows.chunks_exact(width) {
            for column in 0..width {
                let distance = row[column] - about[column];
                sums[column] += distance;
                squares[column] += distance * distance;
            }
        }
    }
}

vectorised! {
    /// Takes the derivative by an output back through dropout and ReLU.
    fn relu_back(gradient: &mut [f32], output: &[f32], kept: f32) {
        for (gradient, output) in gradient.iter_mut().zip(output) {
            *gradient = if *output > 0.0 { *gradient * kept } else { 0.0 };
        }
    }
}

vectorised! {
    /// The same, and adds each column's derivatives, alone and times the centred input.
    fn relu_back_sums(
        gradient: &mut [f32], input: &[f32], output: &[f32], norm: Norm<'_>, kept: f32,
        sums: &mut [f32], centred: &mut [f32],
    ) {
        let width = norm.mean.len();
        let inverse = &norm.inverse_deviation[..width];
        let (sums, centred) = (&mut sums[..width], &mut centred[..width]);
        let rows = gradient.chunks_exact_mut(width).zip(input.chunks_exact(width)).zip(output.chunks_exact(width));
        for ((gradient, input), output) in rows {
            for column in 0..width {
                let passed = if output[column] > 0.0 { gradient[column] * kept } else { 0.0 };
                gradient[column] = passed;
                sums[column] += passed;
                centred[column] += passed * ((input[column] - norm.mean[column]) * inverse[column]);
            }
        }
    }
}

vectorised! {
    /// Takes a derivative back through the normalisation, given the means over the batch.
    fn normalise_back(
        gradient: &mut [f32], input: &[f32], norm: Norm<'_>, factor: &[f32], means: &[f32], centred_means: &[f32],
    ) {
        let width = norm.mean.len();
        let inverse = &norm.inverse_deviation[..width];
        let (factor, means, centred_means) = (&factor[..width], &means[..width], &centred_means[..width]);
        for (gradient, input) in gradient.chunks_exact_mut(width).zip(input.chunks_exact(width)) {
            for column in 0..width {
                let place = (input[column] - norm.mean[column]) * inverse[column];
                gradient[column] = factor[column] * (gradient[column] - means[column] - place * centred_means[column]);
            }
        }
    }
}

vectorised! {
    /// `to += from`.
    fn add(to: &mut [f32], from: &[f32]) {
        for (to, from) in to.iter_mut().zip(from) {
            *to += from;
        }
    }
}

vectorised! {
    /// `to += a * b`, place by place.
    fn add_product(to: &mut [f32], a: &[f32], b: &[f32]) {
        for ((to, a), b) in to.iter_mut().zip(a).zip(b) {
            *to += a * b;
        }
    }
}

vectorised! {
    /// `to = a * b`, place by place.
    fn product(to: &mut [f32], a: &[f32], b: &[f32]) {
        for ((to, a), b) in to.iter_mut().zip(a).zip(b) {
            *to = a * b;
        }
    }
}

vectorised! {
    /// `to = a * b + c`, place by place, with two roundings.
    fn product_plus(to: &mut [f32], a: &[f32], b: &[f32], c: &[f32]) {
        for (((to, a), b), c) in to.iter_mut().zip(a).zip(b).zip(c) {
            *to = a * b + c;
        }
    }
}

/// The constants of one step of Adam.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AdamStep {
    pub(crate) size: f32,
    pub(crate) first_decay: f32,
    pub(crate) second_decay: f32,
    pub(crate) epsilon: f32,
    pub(crate) l2: f32,
}

vectorised! {
    /// Moves values against their gradient, which becomes zero.
    fn adam(values: &mut [f32], gradient: &mut [f32], first: &mut [f32], second: &mut [f32], step: AdamStep) {
        let n = values.len();
        let (gradient, first, second) = (&mut gradient[..n], &mut first[..n], &mut second[..n]);
        for at in 0..n {
            let slope = gradient[at] + step.l2 * values[at];
            first[at] = step.first_decay * first[at] + (1.0 - step.first_decay) * slope;
            second[at] = step.second_decay * second[at] + (1.0 - step.second_decay) * slope * slope;
            values[at] -= step.size * first[at] / (second[at].sqrt() + step.epsilon);
            gradient[at] = 0.0;
        }
    }
}
