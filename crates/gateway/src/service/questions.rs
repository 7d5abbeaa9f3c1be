use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use metrics::counter;
use shortlist_recommender::{Answer, DEFAULT_SURFACE, Request, Served, Watch};
use shortlist_store::{Exposure, ServedLog};
use shortlist_types::{ItemId, RequestId, Timestamp, UserId};

use super::Service;
use super::observed::{SurfaceName, count_degraded};
use crate::api::{
    RankRequest, RecommendRequest, RecommendResponse, SearchRequest, SimilarRequest, SimilarResponse, k_of,
};
use crate::api_error::ApiError;
use crate::call::{Call, Patience};
use crate::metric::{HUNG_UP, LEFT_BEHIND};
use crate::priority::Priority;
use crate::trace;
use crate::workers::Place;

impl Service {
    /// Which k items should this user see now?
    ///
    /// What a stage that does not come back leaves is answered at the deadline.
    pub(crate) async fn recommend(&self, call: Call, request: RecommendRequest) -> Result<RecommendResponse, ApiError> {
        let name = request.surface.as_deref().unwrap_or(DEFAULT_SURFACE);
        let config = self.parts.recommender.surface(name)?;
        let default = config.deadline_ms.map_or(self.default_timeout, Duration::from_millis);
        let surface = self.surfaces.find(name);
        let received = call.received;
        let outcome = self.recommend_on(surface.clone(), call, request, default).await;
        surface.count(&outcome, received.at.elapsed());
        if let Some(trace) = trace::current() {
            surface.tell(&trace, &outcome);
        }
        outcome
    }

    async fn recommend_on(
        &self,
        surface: SurfaceName,
        call: Call,
        request: RecommendRequest,
        default: Duration,
    ) -> Result<RecommendResponse, ApiError> {
        let recommender = Arc::clone(&self.parts.recommender);
        let patience = call.patience(request.deadline_ms.as_ref(), default)?;
        let served = self.parts.served.clone();
        let is_kept = served.as_ref().is_some_and(|served| served.wants(call.received.random()));
        let probe = self.probe.clone().filter(|probe| probe.wants(call.received.random()));
        let state_schema = Arc::clone(&self.state_schema);
        let (received, user_id) = (call.received, request.user_id.clone());
        let (trace, handed_over) = (trace::current(), Instant::now());
        let watched: Arc<OnceLock<Watch>> = Arc::default();
        let watching = Arc::clone(&watched);
        let priority = call.priority;
        let pending = self.workers.run(priority, move || {
            // The call's place is taken for as long as this runs.
            let received = call.received;
            let queue = received.at.elapsed();
            if let Some(trace) = &trace {
                trace.part("queue", handed_over, handed_over.elapsed(), Vec::new());
            }
            let request_id = RequestId::parse(&received.request_id.to_string())?;
            let request = request.parse(received.now)?;
            let request = Request { keep: is_kept, request_id: Some(request_id.clone()), ..request };
            let watch = watching.get_or_init(|| recommender.watch(queue, priority == Priority::Low));
            let mut answer = recommender.recommend_watched(&request, received.now, patience.budget(), watch)?;
            if let Some(probe) = probe {
                probe.repeat(request.clone(), received.now);
            }
            // Of a list that came too late nothing is kept: another one was shown, or none.
            if let Some(served) = served.filter(|_| !watch.was_left()) {
                expose(&served, &answer, request.user_id.as_ref(), received.now);
                let kept = Served { request_id: &request_id, now: received.now, erasures: served.erasures() };
                kept.row(request, &state_schema, &mut answer).into_iter().for_each(|row| served.keep(row));
            }
            surface.count_stages(queue, &answer);
            if let Some(trace) = &trace {
                trace.stages(&answer.timings);
            }
            Ok(RecommendResponse::new(request_id.to_string(), &answer, queue, received.at.elapsed()))
        });
        let (mut answer, place) = pending.parts();
        // Dropped before its end, because the caller hung up, it stops the stages, too.
        let mut leaving = Leaving { watched: &watched, answered: false };
        let waited = patience.wait_until_deadline(&mut answer).await;
        leaving.answered = true;
        let response = match waited? {
            Some(response) => response?,
            None => {
                let answer = self.answer_without(&watched, &place, &patience)?;
                if let Some(served) = &self.parts.served {
                    let user_id = user_id.as_deref().and_then(|id| UserId::parse(id).ok());
                    expose(served, &answer, user_id.as_ref(), received.now);
                }
                let (name, total) = (received.request_id.to_string(), received.at.elapsed());
                RecommendResponse::new(name, &answer, Duration::ZERO, total)
            }
        };
        Ok(response)
    }

    /// What could be answered before the stage that did not come back.
    fn answer_without(
        &self,
        watched: &OnceLock<Watch>,
        place: &Place,
        patience: &Patience,
    ) -> Result<Answer, ApiError> {
        let (stage, so_far) = watched.get().map(Watch::leave).unwrap_or_default();
        place.leave();
        if let Some(stage) = stage {
            counter!(LEFT_BEHIND, "stage" => stage.0).increment(1);
            self.parts.recommender.left_behind(stage);
        }
        if let Some(trace) = trace::current() {
            trace.left_behind(stage, so_far.as_ref());
        }
        so_far.ok_or_else(|| patience.too_late())
    }

    /// In which order should this user see these items?
    pub(crate) async fn rank(&self, call: Call, request: RankRequest) -> Result<RecommendResponse, ApiError> {
        self.recommend(call, request.into_recommend()?).await
    }

    /// Which items' own embeddings are nearest to a vector?
    pub(crate) async fn search(&self, call: Call, request: SearchRequest) -> Result<SimilarResponse, ApiError> {
        let patience = call.patience(None, self.default_timeout)?;
        let recommender = Arc::clone(&self.parts.recommender);
        let work = move |call: Call| {
            let received = call.received;
            let queue = received.at.elapsed();
            let found = recommender.search(&request.parse()?, &patience.budget())?;
            let request_id = received.request_id.to_string();
            Ok(SimilarResponse::new(request_id, &found, queue, received.at.elapsed()))
        };
        let response = self.work(call, patience, work).await?;
        count_degraded(&response.degraded, None);
        Ok(response)
    }

    /// Which items are most like this one?
    pub(crate) async fn similar(&self, call: Call, request: SimilarRequest) -> Result<SimilarResponse, ApiError> {
        let patience = call.patience(None, self.default_timeout)?;
        let recommender = Arc::clone(&self.parts.recommender);
        let work = move |call: Call| {
            let received = call.received;
            let queue = received.at.elapsed();
            let item_id = ItemId::parse(&request.item_id)?;
            let k = k_of(request.k.as_ref())?;
            let similar = recommender.similar(item_id.as_str(), k, &patience.budget())?;
            let request_id = received.request_id.to_string();
            Ok(SimilarResponse::new(request_id, &similar, queue, received.at.elapsed()))
        };
        let response = self.work(call, patience, work).await?;
        count_degraded(&response.degraded, None);
        Ok(response)
    }
}

/// Keeps that a user is shown a list by a variant of an experiment, if one made it.
fn expose(served: &ServedLog, answer: &Answer, user_id: Option<&UserId>, time: Timestamp) {
    if let Some((assignment, user_id)) = answer.assignment.clone().zip(user_id.cloned()) {
        served.expose(Exposure { assignment, user_id, time });
    }
}

/// Stops the stages of a request when nobody waits for it any more.
struct Leaving<'a> {
    watched: &'a OnceLock<Watch>,
    answered: bool,
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        if self.answered {
            return;
        }
        counter!(HUNG_UP).increment(1);
        let Some(watch) = self.watched.get() else { return };
        let (stage, so_far) = watch.leave();
        if let Some(trace) = trace::current() {
            trace.left_behind(stage, so_far.as_ref());
        }
    }
}
