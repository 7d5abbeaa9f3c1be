use pulp::Arch;
use shortlist_types::{ItemIdx, dot};

use super::attribute_values::AttributeValues;
use crate::{ItemVector, Models};

/// Sums that a product of vectors is added up in, side by side.
const LANES: usize = 16;

/// How much each item is like the one of those taken that it is most like, 0 to 1. An item is compared when it is
/// looked at, with those alone that were taken since.
pub(super) struct Likeness<'a> {
    by: By<'a>,
    taken: usize,
    /// Per item: what it was when last looked at, and how many had been taken by then.
    most: Vec<(f32, usize)>,
}

enum By<'a> {
    /// Cosine of the vectors, 0 for those that point apart.
    Vectors(Vectors<'a>),
    /// Shared values, as a part of all that either has (Jaccard), and the items that were taken.
    Values(AttributeValues, Vec<usize>),
}

struct Vectors<'a> {
    arch: Arch,
    models: Option<&'a Models>,
    items: Vec<ItemIdx>,
    /// Fetched when they are needed first.
    directions: Vec<Option<Direction<'a>>>,
    /// Unit vectors of the items that were taken; empty of one that no model knows.
    taken: Vec<Vec<f32>>,
}

struct Direction<'a> {
    vector: Option<ItemVector<'a>>,
    /// One through its length.
    scale: f32,
}

impl<'a> Likeness<'a> {
    pub(super) fn by_vectors(models: Option<&'a Models>, items: &[ItemIdx]) -> Self {
        let directions = items.iter().map(|_| None).collect();
        let vectors = Vectors { arch: Arch::new(), models, items: items.to_owned(), directions, taken: Vec::new() };
        Self::of_items(By::Vectors(vectors), items.len())
    }

    pub(super) fn by_values(values: AttributeValues) -> Self {
        let items = values.items();
        Self::of_items(By::Values(values, Vec::new()), items)
    }

    fn of_items(by: By<'a>, items: usize) -> Self {
        Self { by, taken: 0, most: vec![(0.0, 0); items] }
    }

    /// To the most alike of those taken. **Cost**: one product of vectors per item taken since the last look.
    pub(super) fn of(&mut self, item: usize) -> f32 {
        let (mut most, met) = self.most[item];
        if met < self.taken {
            let greatest = match &mut self.by {
                By::Vectors(vectors) => vectors.greatest(item, met),
                By::Values(values, taken) => {
                    taken[met..].iter().map(|other| shared(values, item, *other)).fold(0.0, f32::max)
                }
            };
            most = most.max(greatest);
            self.most[item] = (most, self.taken);
        }
        most
    }

    /// Counts an item that was taken.
    pub(super) fn take(&mut self, item: usize) {
        self.taken += 1;
        match &mut self.by {
            By::Vectors(vectors) => vectors.take(item),
            By::Values(_, taken) => taken.push(item),
        }
    }
}

impl<'a> Vectors<'a> {
    fn direction(&mut self, item: usize) -> &Direction<'a> {
        self.directions[item].get_or_insert_with(|| Direction::of(self.models, self.items[item]))
    }

    /// The greatest cosine with one of those taken from the `from`th on; at least 0.
    fn greatest(&mut self, item: usize, from: usize) -> f32 {
        self.direction(item);
        let Some(Direction { vector: Some(vector), scale }) = &self.directions[item] else { return 0.0 };
        let (vector, taken): (&[f32], _) = (vector, &self.taken[from..]);
        let greatest = self.arch.dispatch(
            #[inline(always)]
            || taken.iter().map(|unit| product(vector, unit)).fold(0.0, f32::max),
        );
        (greatest * scale).min(1.0)
    }

    fn take(&mut self, item: usize) {
        let Direction { vector, scale } = self.direction(item);
        let unit = vector.as_deref().unwrap_or_default().iter().map(|x| x * scale).collect();
        self.taken.push(unit);
    }
}

/// The inner product; 0 with an empty vector. Every sum runs in order, whatever instructions there are.
#[inline(always)]
fn product(a: &[f32], b: &[f32]) -> f32 {
    let length = a.len().min(b.len());
    let (a_blocks, a_rest) = a[..length].as_chunks::<LANES>();
    let (b_blocks, b_rest) = b[..length].as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for (x, y) in a_blocks.iter().zip(b_blocks) {
        for lane in 0..LANES {
            sums[lane] += x[lane] * y[lane];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(x, y)| x * y).sum();
    sums.iter().sum::<f32>() + rest
}

/// Values that two items share, as a part of all that either has.
fn shared(values: &AttributeValues, a: usize, b: usize) -> f32 {
    let (own, other) = (values.at(a), values.at(b));
    let shared = own.iter().filter(|value| other.contains(value)).count();
    let all = own.len() + other.len() - shared;
    if all > 0 { shared as f32 / all as f32 } else { 0.0 }
}

impl<'a> Direction<'a> {
    fn of(models: Option<&'a Models>, item: ItemIdx) -> Self {
        let vector = models.and_then(|models| models.vector(item));
        let length = vector.as_deref().map_or(0.0, |vector| dot(vector, vector).sqrt());
        Self { vector, scale: if length > f32::MIN_POSITIVE { 1.0 / length } else { 0.0 } }
    }
}
