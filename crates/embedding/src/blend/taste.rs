use shortlist_types::Embedding;

use crate::{FoldInScratch, RowSums};

/// One user's taste as a blend reads it from his events.
#[derive(Debug)]
pub struct Taste {
    /// His joined vector: what the index is asked with. None if the blend has no vector model.
    pub query: Option<Embedding>,
    /// What his items say of their neighbours, if the blend has an item-to-item model.
    pub(crate) sums: Option<RowSums>,
}

/// The buffers of [`crate::Blend::taste`], kept by the caller from one user to the next.
#[derive(Debug, Default)]
pub struct TasteScratch {
    pub(crate) fold_in: FoldInScratch,
    sums: Option<RowSums>,
}

impl Taste {
    /// A taste of which nothing but the joined vector is known.
    pub fn of_query(query: Embedding) -> Self {
        Self { query: Some(query), sums: None }
    }
}

impl TasteScratch {
    /// Takes the buffers of a taste that is no longer needed.
    pub fn reuse(&mut self, taste: Taste) {
        if taste.sums.is_some() {
            self.sums = taste.sums;
        }
    }

    pub(crate) fn take_sums(&mut self) -> RowSums {
        self.sums.take().unwrap_or_default()
    }
}
