use super::Cap;
use super::attribute_values::AttributeValues;

/// How often each value of an attribute stands in the list so far, and where last.
#[derive(Debug)]
pub(super) struct Counted {
    cap: Cap,
    values: AttributeValues,
    /// Per value: how often it was taken, and the place after the last one.
    taken: Vec<(usize, Option<usize>)>,
}

impl Counted {
    pub(super) fn new(cap: Cap, values: AttributeValues) -> Self {
        Self { cap, taken: vec![(0, None); values.count], values }
    }

    /// Whether an item may stand at `place` of the list.
    pub(super) fn allows(&self, item: usize, place: usize) -> bool {
        self.values.at(item).iter().all(|value| {
            let (count, last) = self.taken[*value as usize];
            self.cap.most.is_none_or(|most| count < most) && last.is_none_or(|last| place - last > self.cap.apart)
        })
    }

    /// Counts an item that stands at `place`.
    pub(super) fn take(&mut self, item: usize, place: usize) {
        for value in self.values.at(item) {
            let (count, last) = &mut self.taken[*value as usize];
            (*count, *last) = (*count + 1, Some(place));
        }
    }
}
