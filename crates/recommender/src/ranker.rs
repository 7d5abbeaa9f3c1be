use shortlist_types::Budget;

use crate::{Candidate, RequestContext, Scratch, StageName};

/// Why a stage gave nothing. The pipeline takes the stage's fallback and says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StageError {
    /// The budget ended it.
    #[error("the stage missed its deadline")]
    Timeout,
    /// It did not give one score per candidate.
    #[error("expected {expected} scores, got {got}")]
    WrongLength {
        /// Candidates asked about.
        expected: usize,
        /// Scores that came.
        got: usize,
    },
}

/// Scores candidates: the second stage.
pub trait Ranker: Send + Sync {
    /// Its name in answers, logs and metrics.
    fn name(&self) -> StageName;

    /// Leaves one raw score per candidate in [`Scratch::scores_mut`], in order; greater is better. The
    /// runner parses each and puts what is not finite last.
    ///
    /// # Errors
    /// The budget ended it; the pipeline then keeps retrieval order.
    fn score(
        &self,
        request: &RequestContext<'_>,
        candidates: &[Candidate],
        budget: &dyn Budget,
        scratch: &mut Scratch,
    ) -> Result<(), StageError>;
}
