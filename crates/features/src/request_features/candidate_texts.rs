use std::collections::HashMap;

use foldhash::fast::FixedState;

use crate::{Catalog, LabelIdx};

/// The attribute texts of all candidates, each text once: what a text says is computed once per request, not
/// once per candidate that carries it.
#[derive(Debug, Default)]
pub(super) struct CandidateTexts {
    /// Each text once, with its attribute.
    distinct: Vec<(LabelIdx, u16)>,
    /// Positions in `distinct`, candidate by candidate.
    positions: Vec<u32>,
    /// Per candidate, where its positions end.
    ends: Vec<u32>,
    numbers: HashMap<LabelIdx, u32, FixedState>,
}

impl CandidateTexts {
    pub(super) fn of<'a>(catalog: &Catalog, candidates: impl Iterator<Item = &'a [LabelIdx]>) -> Self {
        let mut texts = Self::default();
        for labels in candidates {
            for label in labels {
                let next = u32::try_from(texts.distinct.len()).unwrap_or(u32::MAX);
                let position = *texts.numbers.entry(*label).or_insert(next);
                if position == next {
                    texts.distinct.push((*label, catalog.attribute_of(*label)));
                }
                texts.positions.push(position);
            }
            texts.ends.push(u32::try_from(texts.positions.len()).unwrap_or(u32::MAX));
        }
        texts
    }

    /// Writes to `column`, for each candidate, the mean of `value` over its texts of `attribute`, or of all;
    /// 0 where it has none.
    pub(super) fn mean(&self, attribute: Option<u16>, column: &mut [f64], value: impl Fn(LabelIdx) -> f64) {
        let fits = |(_, of): &(LabelIdx, u16)| attribute.is_none_or(|attribute| attribute == *of);
        // With it, how much the text counts: 0 where it is of another attribute.
        let values: Vec<(f64, f64)> =
            self.distinct.iter().map(|text| if fits(text) { (value(text.0), 1.0) } else { (0.0, 0.0) }).collect();
        let mut start = 0;
        for (slot, end) in column.iter_mut().zip(&self.ends) {
            let end = *end as usize;
            let of_candidate = &self.positions[start..end];
            let sum = of_candidate.iter().map(|position| values[*position as usize]);
            let (sum, count) = sum.fold((0.0, 0.0), |(sum, count), (value, one)| (sum + value, count + one));
            *slot = sum / f64::max(count, 1.0);
            start = end;
        }
    }
}
