//! What a request of the served log was decided by, computed once more from the state that served: for the audit and for
//! training on served rows.

use shortlist_embedding::TasteScratch;
use shortlist_features::{FeatureScratch, FeatureState};
use shortlist_store::ServedRequest;
use shortlist_types::{ItemIdx, Score, Unlimited};

use super::Pipeline;
use crate::feature_ranker::feature_rows;
use crate::served::question_of;
use crate::{About, Candidate, Models, RawCategories, RawRow, RecommendError, RequestContext, Scratch};

impl Pipeline {
    /// What the ranker would read of `candidates` at `now`, from the scores that the first stage gave them
    /// then: bit for bit what [`crate::Answer::decided`] kept, if state, models, request and time are the same.
    ///
    /// # Errors
    /// As [`Self::recommend`].
    pub fn features_of(
        &self,
        state: &FeatureState,
        models: &Models,
        served: &ServedRequest,
        scratch: &mut Scratch,
    ) -> Result<Vec<f32>, RecommendError> {
        let (models, request) = (Some(models), question_of(served));
        let context = RequestContext::gather(
            state,
            models,
            About::User,
            &self.filters,
            &request,
            served.now,
            &mut scratch.taste,
        )?;
        let candidates = served.candidates.iter().map(|candidate| {
            let score = candidate.retrieval_score.map(Score::parse).transpose();
            score.map(|retrieval_score| Candidate { item: candidate.item, retrieval_score })
        });
        let candidates = candidates.collect::<Result<Vec<_>, _>>()?;
        let mut features = FeatureScratch::default();
        feature_rows(&context, &candidates, &[], &Unlimited, &mut features);
        Ok(features.rows)
    }

    /// What the shown items of a served request have of each category, read from the state that served; none of an
    /// item that the state does not know.
    ///
    /// # Errors
    /// As [`Self::recommend`].
    pub fn raw_categories_of(
        &self,
        state: &FeatureState,
        served: &ServedRequest,
        items: &[ItemIdx],
        raw: &mut RawCategories,
    ) -> Result<Vec<Option<RawRow>>, RecommendError> {
        let request = question_of(served);
        let scratch = &mut TasteScratch::default();
        let context = RequestContext::gather(state, None, About::User, &self.filters, &request, served.now, scratch)?;
        Ok(items.iter().map(|item| raw.read(&context, *item)).collect())
    }
}
