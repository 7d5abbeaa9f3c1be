use pulp::Arch;
use shortlist_types::{ItemIdx, dot};

use super::attribute_values::AttributeValues;
use crate::RequestContext;

/// How much each item is like the one of those taken that it is most like, 0 to 1.
#[derive(Debug)]
pub(super) struct Likeness {
    by: By,
    most: Vec<f32>,
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
        let mut components = vec![0.0; dimensions * count];
        for (place, vector) in found.iter().enumerate() {
            let Some(vector) = vector else { continue };
            let length = dot(vector, vector).sqrt();
            if length > f32::MIN_POSITIVE {
                for (component, x) in vector.iter().enumerate() {
                    components[component * count + place] = x / length;
                }
            }
        }
        Self { by: By::Vectors { arch: Arch::new(), components }, most: vec![0.0; count] }
    }

    pub(super) fn by_values(values: AttributeValues, items: usize) -> Self {
        Self { by: By::Values(values), most: vec![0.0; items] }
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
                let mut cosines = vec![0.0; count];
                let most = &mut self.most;
                arch.dispatch(|| {
                    for column in components.chunks_exact(count) {
                        let x = column[item];
                        for (cosine, y) in cosines.iter_mut().zip(column) {
                            *cosine += x * y;
                        }
                    }
                    for (most, cosine) in most.iter_mut().zip(&cosines) {
                        *most = if *cosine > *most { *cosine } else { *most };
                    }
                });
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
