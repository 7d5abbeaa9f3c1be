use super::SearchSpace;

/// How alike two points of a search space are expected to do: the Matérn kernel with ν = 5/2 and one
/// length scale per parameter.
///
/// Twice differentiable, where the smoother Gaussian kernel trusts its extrapolation too much. A long
/// scale says that the parameter hardly matters. Names are at distance 1 from each other.
///
/// **Source**: Snoek, Larochelle, Adams 2012, "Practical Bayesian Optimization of Machine Learning
/// Algorithms", section 3.1; names as one-hot vectors after Garrido-Merchán and Hernández-Lobato 2020.
#[derive(Debug, Clone)]
pub(super) struct Kernel {
    pub(super) lengths: Vec<f64>,
    names: Vec<bool>,
}

impl Kernel {
    /// The kernel of a space with every length scale at `length`.
    pub(super) fn new(space: &SearchSpace, length: f64) -> Self {
        let names: Vec<bool> = space.parameters().iter().map(|parameter| parameter.domain.is_names()).collect();
        Self { lengths: vec![length; names.len()], names }
    }

    /// 1 for equal points, towards 0 with distance.
    ///
    /// **Shapes**: one place, 0 to 1, per parameter.
    pub(super) fn at(&self, a: &[f64], b: &[f64]) -> f64 {
        let mut square = 0.0;
        for (((a, b), length), is_name) in a.iter().zip(b).zip(&self.lengths).zip(&self.names) {
            let apart = if *is_name { f64::from(u8::from((a - b).abs() > f64::EPSILON)) } else { a - b };
            square += (apart / length) * (apart / length);
        }
        let distance = (5.0 * square).sqrt();
        (1.0 + distance + distance * distance / 3.0) * libm::exp(-distance)
    }
}
