use shortlist_store::{ServedRecent, ServedRequest};
use shortlist_types::{RequestId, Timestamp};

use crate::{Answer, Degraded, RecentEvent, Request};

/// What the served log keeps of a request, beside what its answer says.
#[derive(Debug, Clone, Copy)]
pub struct Served<'a> {
    /// Its name.
    pub request_id: &'a RequestId,
    /// The time that it was decided for.
    pub now: Timestamp,
    /// Users that had been erased when the state was folded that served.
    pub erasures: u64,
}

impl Served<'_> {
    /// The row of the served log; none if the answer did not keep what it was decided by.
    pub fn row(self, request: Request, state_schema: &str, answer: &mut Answer) -> Option<ServedRequest> {
        let decided = answer.decided.take()?;
        let recent = request.recent.into_iter().map(|event| {
            let RecentEvent { item_id, event_type, value, timestamp } = event;
            ServedRecent { item_id, event_type, value, timestamp }
        });
        Some(ServedRequest {
            request_id: self.request_id.clone(),
            now: self.now,
            log_seq: answer.log_seq,
            erasures: self.erasures,
            state_schema: state_schema.to_owned(),
            bundle: answer.bundle.clone(),
            assignment: answer.assignment.clone(),
            surface: request.surface,
            user_id: request.user_id,
            k: u32::try_from(request.k).unwrap_or(u32::MAX),
            exclude: request.exclude,
            recent: recent.collect(),
            context: request.context,
            degraded: answer.degraded.iter().map(|reason| Degraded::as_str(*reason).to_owned()).collect(),
            candidates: decided.candidates,
            feature_schema: decided.feature_schema,
            features: decided.features,
        })
    }
}

/// The question that a row of the served log answered.
pub(crate) fn question_of(served: &ServedRequest) -> Request {
    let recent = served.recent.iter().cloned().map(|event| {
        let ServedRecent { item_id, event_type, value, timestamp } = event;
        RecentEvent { item_id, event_type, value, timestamp }
    });
    Request {
        exclude: served.exclude.clone(),
        recent: recent.collect(),
        context: served.context.clone(),
        ..Request::of(served.user_id.clone(), served.k as usize)
    }
}
