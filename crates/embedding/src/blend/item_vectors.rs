use std::sync::Arc;

use rayon::prelude::*;
use shortlist_types::EmbeddingTable;

use super::VectorPart;
use crate::EmbeddingError;

/// The vectors of the parts side by side, each times its part's scale: what the index is built from.
///
/// **Shapes**: one row per item, the sum of the parts' dimensions.
///
/// # Errors
/// Parts over other items than the first, or a product that overflows.
pub(crate) fn joined(parts: &[VectorPart]) -> Result<Option<Arc<EmbeddingTable>>, EmbeddingError> {
    let Some(first) = parts.first() else { return Ok(None) };
    let items = first.model().table().items();
    if parts.iter().any(|part| part.model().table().items() != items) {
        return Err(EmbeddingError::PartsDiffer);
    }
    if parts.len() == 1 && first.scale().to_bits() == 1.0_f32.to_bits() {
        return Ok(Some(Arc::clone(first.model().table())));
    }
    let dimensions = parts.iter().map(|part| part.model().table().dimensions()).sum();
    let mut values = vec![0.0; items.len() * dimensions];
    values.par_chunks_exact_mut(dimensions).enumerate().for_each(|(row, mut to)| {
        for part in parts {
            let from = part.model().table().row(row);
            let (own, rest) = to.split_at_mut(from.len());
            own.iter_mut().zip(from).for_each(|(to, from)| *to = from * part.scale());
            to = rest;
        }
    });
    let table = EmbeddingTable::parse(dimensions, items.to_vec(), values).map_err(EmbeddingError::Diverged)?;
    Ok(Some(Arc::new(table)))
}

/// One part's own vectors out of the joined ones, bit for bit.
///
/// # Errors
/// More dimensions asked for than there are, or a quotient that overflows.
pub(crate) fn part_of(
    joined: &EmbeddingTable,
    first: usize,
    dimensions: usize,
    scale: f32,
) -> Result<Arc<EmbeddingTable>, EmbeddingError> {
    let end = first + dimensions;
    if end > joined.dimensions() {
        return Err(EmbeddingError::DimensionsDiffer { expected: end, got: joined.dimensions() });
    }
    let rows = joined.values().chunks_exact(joined.dimensions());
    let values = rows.flat_map(|row| row[first..end].iter().map(|value| value / scale)).collect();
    let table = EmbeddingTable::parse(dimensions, joined.items().to_vec(), values).map_err(EmbeddingError::Diverged)?;
    Ok(Arc::new(table))
}
