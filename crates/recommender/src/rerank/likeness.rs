use shortlist_types::{ItemIdx, dot};

use super::attribute_values::AttributeValues;
use crate::{ItemVector, Models};

/// How much each item is like the one of those taken that it is most like, 0 to 1. An item is compared when it is
/// looked at, with those alone that were taken since.
pub(super) struct Likeness<'a> {
    by: By<'a>,
    taken: Vec<usize>,
    /// Per item: what it was when last looked at, and how many had been taken by then.
    most: Vec<(f32, usize)>,
}

enum By<'a> {
    /// Cosine of the vectors, 0 for those that point apart.
    Vectors { models: Option<&'a Models>, items: Vec<ItemIdx>, directions: Vec<Option<Direction<'a>>> },
    /// Shared values, as a part of all that either has (Jaccard).
    Values(AttributeValues),
}

/// A vector, fetched when it was needed first.
struct Direction<'a> {
    vector: Option<ItemVector<'a>>,
    /// One through its length.
    scale: f32,
}

impl<'a> Likeness<'a> {
    pub(super) fn by_vectors(models: Option<&'a Models>, items: &[ItemIdx]) -> Self {
        let directions = items.iter().map(|_| None).collect();
        Self::of_items(By::Vectors { models, items: items.to_owned(), directions }, items.len())
    }

    pub(super) fn by_values(values: AttributeValues) -> Self {
        let items = values.items();
        Self::of_items(By::Values(values), items)
    }

    fn of_items(by: By<'a>, items: usize) -> Self {
        Self { by, taken: Vec::new(), most: vec![(0.0, 0); items] }
    }

    /// To the most alike of those taken. **Cost**: one product of vectors per item taken since the last look.
    pub(super) fn of(&mut self, item: usize) -> f32 {
        let (mut most, met) = self.most[item];
        if met < self.taken.len() {
            for other in &self.taken[met..] {
                most = most.max(self.by.between(item, *other));
            }
            self.most[item] = (most, self.taken.len());
        }
        most
    }

    /// Counts an item that was taken.
    pub(super) fn take(&mut self, item: usize) {
        self.taken.push(item);
    }
}

impl By<'_> {
    fn between(&mut self, a: usize, b: usize) -> f32 {
        match self {
            Self::Vectors { models, items, directions } => {
                for item in [a, b] {
                    directions[item].get_or_insert_with(|| Direction::of(*models, items[item]));
                }
                let (Some(a), Some(b)) = (&directions[a], &directions[b]) else { return 0.0 };
                let (Some(x), Some(y)) = (&a.vector, &b.vector) else { return 0.0 };
                (dot(x, y) * a.scale * b.scale).clamp(0.0, 1.0)
            }
            Self::Values(values) => {
                let (own, other) = (values.at(a), values.at(b));
                let shared = own.iter().filter(|value| other.contains(value)).count();
                let all = own.len() + other.len() - shared;
                if all > 0 { shared as f32 / all as f32 } else { 0.0 }
            }
        }
    }
}

impl<'a> Direction<'a> {
    fn of(models: Option<&'a Models>, item: ItemIdx) -> Self {
        let vector = models.and_then(|models| models.vector(item));
        let length = vector.as_deref().map_or(0.0, |vector| dot(vector, vector).sqrt());
        Self { vector, scale: if length > f32::MIN_POSITIVE { 1.0 / length } else { 0.0 } }
    }
}
