use shortlist_types::dot;

/// Least length that a vector is divided by: what is shorter stays short instead of overflowing.
const LENGTH_MIN: f32 = 1e-12;

/// Adds `weight * from` to `to`.
pub(crate) fn add_scaled(to: &mut [f32], weight: f32, from: &[f32]) {
    for (sum, component) in to.iter_mut().zip(from) {
        *sum += weight * component;
    }
}

/// Gives a vector the length `length` and returns what it was multiplied by.
pub(crate) fn rescale(vector: &mut [f32], length: f32) -> f32 {
    let factor = length / dot(vector, vector).sqrt().max(LENGTH_MIN);
    for component in vector {
        *component *= factor;
    }
    factor
}

/// Turns the gradient by a vector that [`rescale`] made into the gradient by what it was made of.
///
/// The part along the vector falls away: it would only lengthen it.
pub(crate) fn back_through_rescale(gradient: &mut [f32], vector: &[f32], factor: f32) {
    let square = dot(vector, vector).max(f32::MIN_POSITIVE);
    let along = dot(gradient, vector) / square;
    for (slope, component) in gradient.iter_mut().zip(vector) {
        *slope = (*slope - along * component) * factor;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gradient_agrees_with_finite_differences() {
        let (from, slopes) = ([3.0_f32, -1.0, 0.5], [0.2_f32, 0.7, -0.4]);
        let value = |from: [f32; 3]| -> f64 {
            let length = from.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
            from.iter().zip(&slopes).map(|(x, s)| f64::from(*x) * f64::from(*s) * 2.5 / length).sum()
        };
        let mut vector = from;
        let factor = rescale(&mut vector, 2.5);
        let mut gradient = slopes;
        back_through_rescale(&mut gradient, &vector, factor);
        for d in 0..3 {
            let (mut less, mut more) = (from, from);
            less[d] -= 1e-2;
            more[d] += 1e-2;
            let expected = (value(more) - value(less)) / f64::from(more[d] - less[d]);
            assert!((f64::from(gradient[d]) - expected).abs() < 1e-4, "{d}: {} beside {expected}", gradient[d]);
        }
    }

    #[test]
    fn zero_stays_finite_in_both_directions() {
        let mut vector = [0.0_f32; 3];
        let factor = rescale(&mut vector, 1.0);
        let mut gradient = [1e-3_f32; 3];
        back_through_rescale(&mut gradient, &vector, factor);
        assert!(vector.iter().chain(&gradient).all(|x| x.is_finite()));
    }
}
