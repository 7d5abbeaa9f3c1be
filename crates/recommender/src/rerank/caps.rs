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
    /// Per value: how often it was taken or is claimed, and the last place that it was taken for.
    taken: Vec<(usize, Option<usize>)>,
    /// Places that pins will take, each with its item.
    claims: Vec<(usize, usize)>,
}

impl Counted {
    pub(super) fn new(cap: Cap, values: AttributeValues) -> Self {
        Self { cap, taken: vec![(0, None); values.count], values, claims: Vec::new() }
    }

    /// What speaks against an item at `place` of the list.
    pub(super) fn against(&self, item: usize, place: usize) -> Option<Verdict> {
        let taken = || self.values.at(item).iter().map(|value| self.taken[*value as usize]);
        if self.cap.most.is_some_and(|most| taken().any(|(count, _)| count >= most)) {
            return Some(Verdict::Enough);
        }
        let is_near = |last: usize| place - last <= self.cap.apart;
        let claimed = |(claim, pin): &(usize, usize)| {
            let shares = || self.values.at(*pin).iter().any(|value| self.values.at(item).contains(value));
            *claim > place && claim - place <= self.cap.apart && shares()
        };
        let near = taken().any(|(_, last)| last.is_some_and(is_near)) || self.claims.iter().any(claimed);
        near.then_some(Verdict::Near)
    }

    /// Keeps room for an item that will stand at `place`.
    pub(super) fn claim(&mut self, item: usize, place: usize) {
        self.claims.push((place, item));
        for value in self.values.at(item) {
            self.taken[*value as usize].0 += 1;
        }
    }

    /// Counts an item that stands at `place`; what was claimed is counted already.
    pub(super) fn take(&mut self, item: usize, place: usize, was_claimed: bool) {
        for value in self.values.at(item) {
            let (count, last) = &mut self.taken[*value as usize];
            (*count, *last) = (*count + usize::from(!was_claimed), Some(place));
        }
    }
}
