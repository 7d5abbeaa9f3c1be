use std::sync::Arc;

use shortlist_recommender::RestoreError;
use shortlist_types::{LogSeq, UserId};

use super::{Parts, Service};
use crate::api::ChangeResponse;
use crate::api_error::ApiError;
use crate::call::Call;
use crate::limits::{ERASE_TIMEOUT, ERASED_TOGETHER_MAX};

impl Service {
    /// Removes all that is known of a user from the log, the checkpoints and the state. Bundles forget
    /// him when they are replaced.
    pub(crate) async fn erase_user(&self, call: Call, user_id: String) -> Result<ChangeResponse, ApiError> {
        let patience = call.patience(None, ERASE_TIMEOUT)?;
        let parts = self.parts.clone();
        let work = move |_: Call| {
            let user_id = UserId::parse(&user_id)?;
            let accepted = erase(&parts, &user_id)? as u64;
            tracing::info!(records = accepted, "erased a user");
            Ok(ChangeResponse { accepted, log_seq: parts.recommender.read(|state| state.log_seq().0) })
        };
        self.work(call, patience, work).await
    }
}

/// Erases what is found beside the writer, then the rest on its thread, where nothing comes in between.
fn erase(parts: &Parts, user_id: &UserId) -> Result<usize, RestoreError> {
    let Parts { recommender, writer, state } = parts;
    // No checkpoint is made of what is being erased.
    let _no_checkpoint = state.hold_checkpoints();
    let is_new = state.is_new(user_id)?;
    let seen = recommender.read(|state| state.log_seq());
    let found = state.records_of(user_id, LogSeq::default(), is_new)?;
    for some in found.chunks(ERASED_TOGETHER_MAX) {
        let some = some.to_vec();
        writer.run(move |appender| appender.erase(&some))?;
    }
    let (theirs, known, id) = (Arc::clone(recommender), state.clone(), user_id.clone());
    let is_new = is_new && found.is_empty();
    let late = writer.run(move |appender| {
        let late = known.records_of(&id, seen, is_new);
        if let Ok(late) = &late {
            appender.erase(late)?;
            theirs.forget(&id);
        }
        Ok(late)
    })??;
    state.forget_in_checkpoints(user_id)?;
    if !writer.run(|appender| appender.empty_wal())? {
        tracing::warn!("a reader keeps the WAL from being emptied; it holds what was erased until its next checkpoint");
    }
    Ok(found.len() + late.len())
}

impl From<RestoreError> for ApiError {
    fn from(error: RestoreError) -> Self {
        match error {
            RestoreError::Store(error) => error.into(),
            other => {
                tracing::error!(error = %other, "the state's checkpoints failed");
                Self::Internal
            }
        }
    }
}
