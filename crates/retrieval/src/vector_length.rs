/// Euclidean length in `f64`, where the square of no `f32` overflows or vanishes.
pub(crate) fn length(vector: &[f32]) -> f64 {
    vector.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt()
}

/// The vector at length 1; zero stays.
pub(crate) fn normalised(vector: &[f32]) -> Vec<f32> {
    match length(vector) {
        length if length > 0.0 => vector.iter().map(|x| (f64::from(*x) / length) as f32).collect(),
        _ => vector.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_length_becomes_one_and_zero_stays() {
        for vector in [[3.0, 4.0], [3e38, 3e38], [1e-45, 0.0], [-1e-30, 1e30]] {
            assert!((length(&normalised(&vector)) - 1.0).abs() < 1e-6, "{vector:?}");
        }
        assert_eq!(normalised(&[0.0, -0.0]), [0.0, 0.0]);
    }
}
