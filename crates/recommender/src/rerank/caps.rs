use super::Cap;
use super::attribute_values::AttributeValues;

/// Why an item may not stand on a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The list has enough of one of its values, for good.
    Enough,
    /// One of its values stands too near.
    Near,
}

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

    /// What speaks against an item at `place` of the list.
    pub(super) fn against(&self, item: usize, place: usize) -> Option<Verdict> {
        let taken = || self.values.at(item).iter().map(|value| self.taken[*value as usize]);
        if self.cap.most.is_some_and(|most| taken().any(|(count, _)| count >= most)) {
            return Some(Verdict::Enough);
        }
        let is_near = |last: usize| place - last <= self.cap.apart;
        taken().any(|(_, last)| last.is_some_and(is_near)).then_some(Verdict::Near)
    }

    /// Counts an item that stands at `place`.
    pub(super) fn take(&mut self, item: usize, place: usize) {
        for value in self.values.at(item) {
            let (count, last) = &mut self.taken[*value as usize];
            (*count, *last) = (*count + 1, Some(place));
        }
    }
}
