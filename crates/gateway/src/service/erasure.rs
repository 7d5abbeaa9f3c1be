use std::sync::Arc;

use shortlist_recommender::RestoreError;
use shortlist_types::UserId;

use super::Service;
use crate::api::ChangeResponse;
use crate::api_error::ApiError;
use crate::call::Call;
use crate::limits::ERASE_TIMEOUT;
use crate::priority::Priority;

impl Service {
    /// Removes all that is known of a user from the log, the checkpoints and the state. Bundles forget
    /// him when they are replaced.
    ///
    /// It reads the whole log, so it has a thread of its own: nobody who asks for items waits for it.
    pub(crate) async fn erase_user(&self, call: Call, user_id: String) -> Result<ChangeResponse, ApiError> {
        let patience = call.patience(None, ERASE_TIMEOUT)?;
        let user_id = UserId::parse(&user_id)?;
        let turn = Arc::clone(&self.erasures).try_acquire_owned().map_err(|_| ApiError::Overloaded)?;
        let parts = self.parts.clone();
        let work = move || {
            let (_call, _turn) = (call, turn);
            let (theirs, id) = (Arc::clone(&parts.recommender), user_id.clone());
            let held = parts.state.hold_checkpoints();
            let accepted = held.erase(&mut parts.writer.as_ref(), &user_id, move || theirs.forget(&id))? as u64;
            if let Some(served) = &parts.served {
                // What he was shown just now may still be on its way there.
                served.flush();
            }
            parts.state.store().erase_served(&user_id)?;
            tracing::info!(records = accepted, "erased a user");
            let log_seq = parts.recommender.read(|state| state.log_seq().0);
            Ok(ChangeResponse { accepted, log_seq, refused: Vec::new() })
        };
        patience.wait(self.eraser.run(Priority::High, work).answer()).await?
    }
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
