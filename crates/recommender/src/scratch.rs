use shortlist_embedding::FoldInScratch;
use shortlist_retrieval::SearchScratch;

/// Buffers that one request uses and the next one reuses.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(crate) fold_in: FoldInScratch,
    pub(crate) search: SearchScratch,
    /// Feature rows of the candidates, row-major.
    pub(crate) rows: Vec<f32>,
    /// One raw score per candidate.
    pub(crate) scores: Vec<f32>,
}

impl Scratch {
    /// Where a ranker leaves its scores, one per candidate, in order.
    pub fn scores_mut(&mut self) -> &mut Vec<f32> {
        &mut self.scores
    }
}
