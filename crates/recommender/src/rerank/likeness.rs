use pulp::Arch;
use shortlist_types::{ItemIdx, dot};

use super::attribute_values::AttributeValues;
use crate::RequestContext;

/// Items whose components are written together.
const ITEMS_AT_ONCE: usize = 16;

/// How much each item is like the one of those taken that it is most like, 0 to 1.
#[derive(Debug)]
pub(super) struct Likeness {
    by: By,
    most: Vec<f32>,
    /// With the one taken last.
    cosines: Vec<f32>,
}

#[derive(Debug)]
enum By {
    /// Cosine of the vectors, 0 for those that point apart: unit vectors of all items, a component of all after the
    /// other, so that one pass meets them all.
    Vectors { arch: Arch, components: Vec<f32> },
    /// Shared values, as a part of all that either has (Jaccard).
    Values(AttributeValues),
}

impl Likeness {
    pub(super) fn by_vectors(request: &RequestContext<'_>, items: &[ItemIdx]) -> Self {
        let count = items.len();
        let found: Vec<_> = items.iter().map(|item| request.models.and_then(|models| models.vector(*item))).collect();
        let dimensions = found.iter().flatten().map(|vector| vector.len()).next().unwrap_or(0);
        let scale = |vector: &[f32]| {
            let length = dot(vector, vector).sqrt();
            if length > f32::MIN_POSITIVE { 1.0 / length } else { 0.0 }
        };
        let units: Vec<Option<(&[f32], f32)>> =
            found.iter().map(|vector| vector.as_deref().map(|vector| (vector, scale(vector)))).collect();
        let mut components = vec![0.0; dimensions * count];
        // A cache line of items at a time: they are written side by side.
        for (block, units) in units.chunks(ITEMS_AT_ONCE).enumerate() {
            for (component, column) in components.chunks_exact_mut(count).enumerate() {
                let column = &mut column[block * ITEMS_AT_ONCE..][..units.len()];
                for (to, unit) in column.iter_mut().zip(units) {
                    *to = unit.map_or(0.0, |(vector, scale)| vector[component] * scale);
                }
            }
        }
        Self { by: By::Vectors { arch: Arch::new(), components }, most: vec![0.0; count], cosines: Vec::new() }
    }

    pub(super) fn by_values(values: AttributeValues, items: usize) -> Self {
        Self { by: By::Values(values), most: vec![0.0; items], cosines: Vec::new() }
    }

    /// To the most alike of those taken.
    pub(super) fn of(&self, item: usize) -> f32 {
        self.most[item]
    }

    /// Counts an item that was taken. **Cost**: one product per component and item.
    pub(super) fn take(&mut self, item: usize) {
        let count = self.most.len();
        match &self.by {
            By::Vectors { arch, components } => {
                let cosines = &mut self.cosines;
                cosines.clear();
                cosines.resize(count, 0.0);
                arch.dispatch(
                    #[inline(always)]
                    || add_likeness(components, item, cosines, &mut self.most),
                );
            }
            By::Values(values) => {
                let own = values.at(item);
                for (place, most) in self.most.iter_mut().enumerate() {
                    let other = values.at(place);
                    let shared = own.iter().filter(|value| other.contains(value)).count();
                    let all = own.len() + other.len() - shared;
                    if all > 0 {
                        *most = most.max(shared as f32 / all as f32);
                    }
                }
            }
        }
    }
}

/// Takes the cosines of all items with one of them, and keeps the greatest so far.
#[inline(always)]
fn add_likeness(components: &[f32], item: usize, cosines: &mut [f32], most: &mut [f32]) {
    for column in components.chunks_exact(cosines.len()) {
        let x = column[item];
        for (cosine, y) in cosines.iter_mut().zip(column) {
            *cosine += x * y;
        }
    }
    for (most, cosine) in most.iter_mut().zip(cosines) {
        *most = if *cosine > *most { *cosine } else { *most };
    }
}
