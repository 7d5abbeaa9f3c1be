use std::borrow::Cow;

use shortlist_types::Score;

use crate::simd::Simd;
use crate::vector_length::normalised;
use crate::{Metric, RetrievalError};

/// A query that fits its index: right dimension, finite, of length 1 for cosine.
pub(crate) struct Query<'a> {
    components: Cow<'a, [f32]>,
    metric: Metric,
    simd: Simd,
}

impl<'a> Query<'a> {
    /// Checks a caller's vector.
    pub(crate) fn parse(
        components: &'a [f32],
        dimensions: usize,
        metric: Metric,
        simd: Simd,
    ) -> Result<Self, RetrievalError> {
        if components.len() != dimensions {
            return Err(RetrievalError::QueryDimensions { expected: dimensions, got: components.len() });
        }
        if let Some(position) = components.iter().position(|x| !x.is_finite()) {
            return Err(RetrievalError::QueryNotFinite { position });
        }
        let components = match metric {
            Metric::Cosine => Cow::Owned(normalised(components)),
            Metric::Ip | Metric::L2 => Cow::Borrowed(components),
        };
        Ok(Self { components, metric, simd })
    }

    pub(crate) fn components(&self) -> &[f32] {
        &self.components
    }

    /// Whether every item scores zero.
    pub(crate) fn is_indifferent(&self) -> bool {
        self.metric != Metric::L2 && self.components.iter().all(|x| *x == 0.0)
    }

    /// Score of `vector`, as the index has it.
    #[inline]
    pub(crate) fn score(&self, vector: &[f32]) -> Score {
        let score = match self.metric {
            Metric::Ip | Metric::Cosine => self.simd.dot(&self.components, vector),
            Metric::L2 => -self.simd.squared_distance(&self.components, vector),
        };
        Score::parse(score).unwrap_or_else(|_| self.score_held_in_range(vector))
    }

    /// Score of a vector of any length, as it will be when an index has it.
    pub(crate) fn score_of_any(&self, vector: &[f32]) -> Score {
        if self.metric != Metric::Cosine {
            return self.score(vector);
        }
        self.score(&normalised(vector))
    }

    /// Finite vectors of 1e30 have an inner product beyond `f32`, and one added in `f32` can even be
    /// NaN. In `f64` it is finite; held inside the range it still ranks first or last.
    #[cold]
    fn score_held_in_range(&self, vector: &[f32]) -> Score {
        let pairs = self.components.iter().zip(vector).map(|(x, y)| (f64::from(*x), f64::from(*y)));
        let score: f64 = match self.metric {
            Metric::Ip | Metric::Cosine => pairs.map(|(x, y)| x * y).sum(),
            Metric::L2 => -pairs.map(|(x, y)| (x - y).powi(2)).sum::<f64>(),
        };
        let held = score.clamp(f64::from(f32::MIN), f64::from(f32::MAX)) as f32;
        Score::parse(held).unwrap_or(Score::ZERO)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_beyond_the_range_are_held_at_its_ends() {
        for (metric, query, row, expected) in [
            (Metric::Ip, [1e30, 1e30], [1e30, 1e30], f32::MAX),
            (Metric::Ip, [1e30, 1e30], [-1e30, 0.0], f32::MIN),
            (Metric::Ip, [1e30, 1e30], [1e30, -1e30], 0.0),
            (Metric::L2, [1e30, 1e30], [-1e30, 0.0], f32::MIN),
            (Metric::L2, [1e30, 1e30], [1e30, 1e30], -0.0),
        ] {
            let score = Query::parse(&query, 2, metric, Simd::SCALAR).unwrap().score(&row);
            assert_eq!(score, Score::parse(expected).unwrap(), "{metric:?} {query:?} {row:?}");
        }
    }

    #[test]
    fn cosine_looks_at_directions_only() {
        for query in [[3.0, 4.0], [3e30, 4e30], [3e-30, 4e-30]] {
            let query = Query::parse(&query, 2, Metric::Cosine, Simd::SCALAR).unwrap();
            assert!((query.score(&[1.0, 0.0]).get() - 0.6).abs() < 1e-6);
        }
        assert!(Query::parse(&[0.0, -0.0], 2, Metric::Cosine, Simd::SCALAR).unwrap().is_indifferent());
        assert!(!Query::parse(&[0.0, 0.0], 2, Metric::L2, Simd::SCALAR).unwrap().is_indifferent());
    }

    #[test]
    fn a_query_that_does_not_fit_is_refused() {
        let refusal = |query: &[f32]| Query::parse(query, 2, Metric::Ip, Simd::SCALAR).err().unwrap();
        assert_eq!(refusal(&[1.0]), RetrievalError::QueryDimensions { expected: 2, got: 1 });
        assert_eq!(refusal(&[]), RetrievalError::QueryDimensions { expected: 2, got: 0 });
        assert_eq!(refusal(&[0.0, f32::NAN]), RetrievalError::QueryNotFinite { position: 1 });
        assert_eq!(refusal(&[f32::INFINITY, 0.0]), RetrievalError::QueryNotFinite { position: 0 });
    }
}
