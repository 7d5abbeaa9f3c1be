//! The features of one request: what is known of the user is gathered once, then each feature is computed for
//! all candidates in turn, a column at a time. So the fetches of 500 items' counters overlap, and what a text
//! says is computed once.

mod candidate_texts;
mod column;
mod history;
mod logarithms;
mod relative;

use std::collections::HashMap;

use foldhash::fast::FixedState;
use pulp::Arch;
use shortlist_types::{Attributes, Budget, ItemIdx, Timestamp};

use self::candidate_texts::CandidateTexts;
use self::history::{History, times_shown};
use self::logarithms::Logarithms;
use self::relative::{Relative, held};
use crate::schema::{About, FeatureKind, SIMILAR_MAX};
use crate::{CatalogItem, FeatureSchema, FeatureState, ItemStats, LabelIdx, UserState};

/// Columns between two looks at the budget: some 50 microseconds of 500 candidates.
const COLUMNS_PER_LOOK: usize = 8;
/// Rows that are written together: they stay in the nearest cache while all columns are read.
const ROWS_AT_ONCE: usize = 16;

/// A candidate, and what the first stage says about it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CandidateSignals {
    /// Which item.
    pub item: ItemIdx,
    /// What the first stage scores it by.
    pub score: f32,
    /// Rank by that score among the candidates, from 0.
    pub rank: u32,
    /// Whether a model of the first stage knows it.
    pub known: bool,
    /// Cosines with the items that the user wanted last, the newest first; 0 beyond them.
    pub cosines: [f32; SIMILAR_MAX],
}

impl CandidateSignals {
    /// A candidate of which the first stage says nothing.
    pub fn unknown(item: ItemIdx) -> Self {
        Self { item, score: 0.0, rank: 0, known: false, cosines: [0.0; SIMILAR_MAX] }
    }
}

/// The candidates whose features are asked for.
#[derive(Debug, Clone, Copy)]
pub struct CandidateList<'a> {
    /// In retrieval order; items that were not retrieved may follow.
    pub all: &'a [CandidateSignals],
    /// The first so many make the scale on which features are told.
    pub scale: usize,
    /// Items wanted last that the cosines are with.
    pub similar_to: usize,
}

/// All that the features of one request are computed from, but the candidates.
#[derive(Debug)]
pub struct RequestFeatures<'a> {
    schema: &'a FeatureSchema,
    state: &'a FeatureState,
    user: &'a UserState,
    context: &'a Attributes,
    now: Timestamp,
    history: History,
    times_shown: HashMap<ItemIdx, u32, FixedState>,
}

/// The rows that were made last, and the buffers that they were made in.
#[derive(Debug, Default)]
pub struct FeatureScratch {
    /// One row per candidate, row-major.
    pub rows: Vec<f32>,
    /// The same by feature.
    columns: Vec<f32>,
    /// One feature of all candidates, before it is told relative to them.
    column: Vec<f64>,
}

/// What one candidate is known by.
struct Known<'a> {
    item: &'a CatalogItem,
    stats: &'a ItemStats,
}

impl<'a> RequestFeatures<'a> {
    /// Prepares the features of `user` at `now`, in a request with this `context`.
    pub fn new(
        schema: &'a FeatureSchema,
        state: &'a FeatureState,
        user: &'a UserState,
        context: &'a Attributes,
        now: Timestamp,
    ) -> Self {
        let history = History::of(state, user, now);
        Self { schema, state, user, context, now, history, times_shown: times_shown(user) }
    }

    /// Makes the row of each candidate, as a ranker reads it; `false` when the budget ended it.
    ///
    /// What is about the item is told relative to the first `scale` candidates: minus their mean, by their
    /// standard deviation. A popular item among popular ones is nothing special, and what is the same for all
    /// candidates cannot order them. What is about the request stays as it is. All values are finite; an item
    /// that the state does not know is 0 in all but what the first stage says.
    ///
    /// **Shapes**: [`FeatureScratch::rows`] become candidates x [`FeatureSchema::width`], row-major.
    ///
    /// **Cost**: some 17 ns per candidate and feature (`cargo bench --bench ranking`).
    pub fn rows(&self, candidates: CandidateList<'_>, budget: &dyn Budget, scratch: &mut FeatureScratch) -> bool {
        self.rows_by(Arch::new(), candidates, budget, scratch)
    }

    /// The same by the instructions of `arch`: all give the same bits.
    fn rows_by(
        &self,
        arch: Arch,
        candidates: CandidateList<'_>,
        budget: &dyn Budget,
        scratch: &mut FeatureScratch,
    ) -> bool {
        let count = candidates.all.len();
        let FeatureScratch { rows, columns, column } = scratch;
        rows.clear();
        columns.clear();
        columns.resize(count * self.schema.width(), 0.0);
        if count == 0 {
            return true;
        }
        // First the addresses, then what stands there: so many fetches are under way at once.
        let known: Vec<Option<Known<'_>>> = candidates.all.iter().map(|candidate| self.known(candidate.item)).collect();
        let labels = known.iter().map(|known| known.as_ref().map_or(&[][..], |known| &known.item.labels));
        let texts = CandidateTexts::of(self.state, &self.history, labels);
        let audience = self.state.audience();
        let audiences = candidates.all.iter().map(|candidate| audience.of_item(candidate.item)).collect();
        let gathered = Gathered { known: &known, texts, audiences, candidates, logarithms: Logarithms(arch) };
        for (place, (out, (_, kind))) in columns.chunks_exact_mut(count).zip(self.schema.iter()).enumerate() {
            if place % COLUMNS_PER_LOOK == 0 && budget.exhausted() {
                return false;
            }
            match kind {
                FeatureKind::Cross { .. } => {}
                _ if kind.about() == About::Request => out.fill(narrow(self.of_request(kind))),
                _ => {
                    column.clear();
                    column.resize(count, 0.0);
                    self.fill(kind, &gathered, column);
                    Relative::to(&column[..candidates.scale.clamp(1, count)], arch).tell(column, out, arch);
                }
            }
        }
        self.cross(columns, count);
        transpose(columns, count, rows);
        true
    }

    /// Fills the columns of products, whose factors are there.
    fn cross(&self, columns: &mut [f32], count: usize) {
        for (place, (_, kind)) in self.schema.iter().enumerate() {
            let FeatureKind::Cross { of } = kind else { continue };
            let [Some(a), Some(b)] = of.each_ref().map(|name| self.schema.position(name)) else { continue };
            for row in 0..count {
                let product = f64::from(columns[a * count + row]) * f64::from(columns[b * count + row]);
                columns[place * count + row] = held(product);
            }
        }
    }

    fn known(&self, item: ItemIdx) -> Option<Known<'a>> {
        let (item, stats) = self.state.catalog().get(item).zip(self.state.item_stats(item))?;
        Some(Known { item, stats })
    }
}

/// What all columns are computed from.
struct Gathered<'a> {
    known: &'a [Option<Known<'a>>],
    texts: CandidateTexts<'a>,
    /// Per candidate, how many users of which kinds want it.
    audiences: Vec<&'a [(LabelIdx, u32)]>,
    candidates: CandidateList<'a>,
    logarithms: Logarithms,
}

/// Days from one time to another; 0 where it is the earlier one.
fn days_between(from: Timestamp, to: Timestamp) -> f64 {
    (to.seconds_since(from) / 86_400.0).max(0.0)
}

/// Turns columns of `count` numbers into rows.
fn transpose(columns: &[f32], count: usize, rows: &mut Vec<f32>) {
    let width = columns.len() / count;
    rows.resize(columns.len(), 0.0);
    for (block, rows) in rows.chunks_mut(ROWS_AT_ONCE * width).enumerate() {
        let first = block * ROWS_AT_ONCE;
        for (place, column) in columns.chunks_exact(count).enumerate() {
            for (row, value) in rows.chunks_exact_mut(width).zip(&column[first..]) {
                row[place] = *value;
            }
        }
    }
}

#[allow(clippy::cast_possible_truncation)] // bounded by its logarithms
fn narrow(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests;
