//! Sums in eight fixed lanes of doubles: compilers vectorise them, and every machine adds in the same
//! order.

pub(crate) const LANES: usize = 8;

/// Inner product of single-precision values with double-precision weights of the same length.
///
/// **Cost**: about a third of a nanosecond per feature with 128-bit registers.
#[inline]
pub(crate) fn dot(values: &[f32], weights: &[f64]) -> f64 {
    let (value_blocks, value_rest) = values.as_chunks::<LANES>();
    let (weight_blocks, weight_rest) = weights.as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for (values, weights) in value_blocks.iter().zip(weight_blocks) {
        for lane in 0..LANES {
            sums[lane] += f64::from(values[lane]) * weights[lane];
        }
    }
    for (lane, (value, weight)) in value_rest.iter().zip(weight_rest).enumerate() {
        sums[lane] += f64::from(*value) * weight;
    }
    ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7]))
}

/// `to += factor * values`, over whole blocks of eight.
#[inline]
pub(crate) fn add_scaled(to: &mut [f64], factor: f64, values: &[f32]) {
    let (to, _) = to.as_chunks_mut::<LANES>();
    let (values, _) = values.as_chunks::<LANES>();
    for (to, values) in to.iter_mut().zip(values) {
        for lane in 0..LANES {
            to[lane] += factor * f64::from(values[lane]);
        }
    }
}
