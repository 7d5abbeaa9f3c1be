use crate::{RankingError, RowSchema};

/// The candidates of one request, as a model reads them.
///
/// What is the same for all of them, the user's and the context's part, is given once: its share of
/// the first layer is computed once.
#[derive(Debug, Clone, Copy)]
pub struct Candidates<'a> {
    /// How many.
    pub count: usize,
    /// The first numbers of the schema, if they are the same for all candidates; else empty.
    pub shared_numbers: &'a [f32],
    /// The other numbers, candidates x rest, row-major.
    pub numbers: &'a [f32],
    /// The ids of each category of the schema.
    pub ids: &'a [Ids<'a>],
}

/// The ids of one category.
#[derive(Debug, Clone, Copy)]
pub enum Ids<'a> {
    /// The same for all candidates: none, one or several.
    Shared(&'a [u32]),
    /// One per candidate.
    Each(&'a [u32]),
    /// Any number per candidate: `ends` says where each candidate's end.
    Lists {
        /// One candidate's after the other's.
        ids: &'a [u32],
        /// One per candidate.
        ends: &'a [u32],
    },
}

impl<'a> Ids<'a> {
    /// The ids of one candidate.
    #[inline]
    pub(crate) fn of(self, candidate: usize) -> &'a [u32] {
        match self {
            Self::Shared(ids) => ids,
            Self::Each(ids) => &ids[candidate..=candidate],
            Self::Lists { ids, ends } => {
                let start = candidate.checked_sub(1).map_or(0, |before| ends[before]);
                &ids[start as usize..ends[candidate] as usize]
            }
        }
    }

    fn all(self) -> &'a [u32] {
        match self {
            Self::Shared(ids) | Self::Each(ids) | Self::Lists { ids, .. } => ids,
        }
    }

    fn fits(self, candidates: usize) -> bool {
        match self {
            Self::Shared(_) => true,
            Self::Each(ids) => ids.len() == candidates,
            Self::Lists { ids, ends } => {
                let last = ends.last().map_or(0, |end| *end as usize);
                ends.len() == candidates && ends.is_sorted() && last == ids.len()
            }
        }
    }
}

impl Candidates<'_> {
    /// Numbers that each candidate has of its own.
    pub(crate) fn own_numbers(&self, schema: &RowSchema) -> usize {
        schema.numbers.len() - self.shared_numbers.len()
    }

    /// # Errors
    /// What is not as the schema says, by the name of the feature.
    pub(crate) fn check(&self, schema: &RowSchema) -> Result<(), RankingError> {
        let (shared, all) = (self.shared_numbers.len(), schema.numbers.len());
        let own = all.checked_sub(shared);
        if own.is_none_or(|own| own * self.count != self.numbers.len()) {
            let got = shared + self.numbers.len() / self.count.max(1);
            return Err(RankingError::RowWidth { expected: all, got });
        }
        if self.ids.len() != schema.categories.len() {
            let (expected, got) = ((all, schema.categories.len()), (all, self.ids.len()));
            return Err(RankingError::RowShape { expected, got });
        }
        let not_finite = |values: &[f32]| values.iter().position(|value| !value.is_finite());
        if let Some(place) = not_finite(self.shared_numbers) {
            let (feature, value) = (schema.feature(place).to_owned(), self.shared_numbers[place]);
            return Err(RankingError::FeatureNotFinite { feature, value });
        }
        // All at once first, without a way out of the loop: vectors look at several.
        let is_bad = self.numbers.iter().fold(false, |is_bad, value| is_bad | !value.is_finite());
        if is_bad && let Some(place) = not_finite(self.numbers) {
            let feature = schema.feature(shared + place % (all - shared)).to_owned();
            return Err(RankingError::FeatureNotFinite { feature, value: self.numbers[place] });
        }
        for (category, ids) in schema.categories.iter().zip(self.ids) {
            let feature = || category.name.clone();
            if let Some(&id) = ids.all().iter().find(|id| **id as usize >= category.ids) {
                return Err(RankingError::UnknownId { feature: feature(), id, ids: category.ids });
            }
            if !ids.fits(self.count) {
                return Err(RankingError::IdsMissing { feature: feature(), candidates: self.count });
            }
        }
        Ok(())
    }
}
