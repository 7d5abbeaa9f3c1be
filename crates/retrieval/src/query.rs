use shortlist_types::{EmbeddingTable, Score, dot};

use crate::RetrievalError;

/// A query that fits its table: right dimension, finite.
#[derive(Clone, Copy)]
pub(crate) struct Query<'a>(&'a [f32]);

impl<'a> Query<'a> {
    /// Checks a caller's vector against the table that it shall search.
    pub(crate) fn parse(components: &'a [f32], table: &EmbeddingTable) -> Result<Self, RetrievalError> {
        if components.len() != table.dimensions() {
            return Err(RetrievalError::QueryDimensions { expected: table.dimensions(), got: components.len() });
        }
        match components.iter().position(|x| !x.is_finite()) {
            Some(position) => Err(RetrievalError::QueryNotFinite { position }),
            None => Ok(Self(components)),
        }
    }

    /// Whether all components are zero, so that every item scores zero.
    pub(crate) fn is_zero(self) -> bool {
        self.0.iter().all(|x| *x == 0.0)
    }

    /// Inner product with `row`.
    #[inline]
    pub(crate) fn score(self, row: &[f32]) -> Score {
        Score::parse(dot(self.0, row)).unwrap_or_else(|_| self.score_held_in_range(row))
    }

    /// Finite vectors of 1e30 have an inner product beyond `f32`, and one added in `f32` can even be
    /// NaN. In `f64` it is finite; held inside the range it still ranks first or last.
    #[cold]
    fn score_held_in_range(self, row: &[f32]) -> Score {
        let product: f64 = self.0.iter().zip(row).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum();
        let held = product.clamp(f64::from(f32::MIN), f64::from(f32::MAX)) as f32;
        Score::parse(held).unwrap_or(Score::ZERO)
    }
}

#[cfg(test)]
mod tests {
    use shortlist_types::ItemIdx;

    use super::*;

    fn table(row: &[f32]) -> EmbeddingTable {
        EmbeddingTable::parse(row.len(), vec![ItemIdx(0)], row.to_vec()).unwrap()
    }

    #[test]
    fn products_beyond_the_range_are_held_at_its_ends() {
        for (query, row, expected) in [
            ([1e30, 1e30], [1e30, 1e30], f32::MAX),
            ([1e30, 1e30], [-1e30, 0.0], f32::MIN),
            ([1e30, 1e30], [1e30, -1e30], 0.0),
        ] {
            let table = table(&row);
            let score = Query::parse(&query, &table).unwrap().score(table.row(0));
            assert_eq!(score, Score::parse(expected).unwrap(), "{query:?} {row:?}");
        }
    }

    #[test]
    fn a_query_that_does_not_fit_is_refused() {
        let table = table(&[1.0, 2.0]);
        let refusal = |query: &[f32]| Query::parse(query, &table).err().unwrap();
        assert_eq!(refusal(&[1.0]), RetrievalError::QueryDimensions { expected: 2, got: 1 });
        assert_eq!(refusal(&[]), RetrievalError::QueryDimensions { expected: 2, got: 0 });
        assert_eq!(refusal(&[0.0, f32::NAN]), RetrievalError::QueryNotFinite { position: 1 });
        assert_eq!(refusal(&[f32::INFINITY, 0.0]), RetrievalError::QueryNotFinite { position: 0 });
    }
}
