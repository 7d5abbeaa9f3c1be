use std::collections::HashMap;
use std::collections::hash_map::Entry;

use foldhash::fast::FixedState;

use super::history::{History, TextHistory};
use super::logarithms::Logarithms;
use crate::text_stats::TextStats;
use crate::{FeatureState, LabelIdx};

/// The attribute texts of all candidates, each text once: what a text says is computed once per request, not
/// once per candidate that carries it.
#[derive(Debug, Default)]
pub(super) struct CandidateTexts<'a> {
    distinct: Vec<CandidateText<'a>>,
    /// Positions in `distinct`, candidate by candidate.
    positions: Vec<u32>,
    /// Per candidate, where its positions end.
    ends: Vec<u32>,
}

/// One text, and what is known of it.
#[derive(Debug)]
pub(super) struct CandidateText<'a> {
    pub(super) label: LabelIdx,
    /// Of which attribute.
    attribute: u16,
    pub(super) stats: &'a TextStats,
    /// Its share of everybody's wishes.
    pub(super) share: f64,
    pub(super) history: TextHistory,
}

impl<'a> CandidateTexts<'a> {
    pub(super) fn of<'b>(
        state: &'a FeatureState,
        history: &History,
        candidates: impl Iterator<Item = &'b [LabelIdx]>,
    ) -> Self {
        let mut texts = Self::default();
        // Addresses first, then copies, so that the fetches from all over the catalogue overlap.
        let labels: Vec<&[LabelIdx]> = candidates.collect();
        let mut all: Vec<LabelIdx> = Vec::with_capacity(labels.len() * 8);
        for labels in labels {
            all.extend_from_slice(labels);
            texts.ends.push(u32::try_from(all.len()).unwrap_or(u32::MAX));
        }
        let mut numbers: HashMap<LabelIdx, u32, FixedState> =
            HashMap::with_capacity_and_hasher(all.len(), FixedState::default());
        texts.positions.reserve(all.len());
        for label in all {
            let position = match numbers.entry(label) {
                Entry::Occupied(known) => *known.get(),
                Entry::Vacant(new) => {
                    // The state has the counts of every text that an item carries.
                    let Some(stats) = state.text(label) else { continue };
                    let attribute = state.catalog().attribute_of(label);
                    let share = state.totals().all.share_of(stats);
                    texts.distinct.push(CandidateText { label, attribute, stats, share, history: history.text(label) });
                    *new.insert(u32::try_from(texts.distinct.len() - 1).unwrap_or(u32::MAX))
                }
            };
            texts.positions.push(position);
        }
        texts
    }

    /// Writes to `column`, for each candidate, the mean of the logarithms of `value` over its texts of
    /// `attribute`, or of all; 0 where it has none.
    pub(super) fn mean_ln(
        &self,
        attribute: Option<u16>,
        logarithms: Logarithms,
        column: &mut [f64],
        value: impl Fn(&CandidateText<'a>) -> f64,
    ) {
        let fits = |text: &CandidateText<'_>| attribute.is_none_or(|attribute| attribute == text.attribute);
        let mut values: Vec<f64> =
            self.distinct.iter().map(|text| if fits(text) { value(text) } else { 1.0 }).collect();
        logarithms.take(&mut values);
        let mut start = 0;
        for (slot, end) in column.iter_mut().zip(&self.ends) {
            let end = *end as usize;
            let of_candidate = &self.positions[start..end];
            let sum: f64 = of_candidate.iter().map(|position| values[*position as usize]).sum();
            let count = match attribute {
                None => of_candidate.len(),
                Some(_) => of_candidate.iter().filter(|position| fits(&self.distinct[**position as usize])).count(),
            };
            *slot = sum / f64::max(count as f64, 1.0);
            start = end;
        }
    }
}
