use std::sync::Arc;

use metrics::counter;
use shortlist_store::Appended;
use shortlist_types::limits::BATCH_MAX;
use shortlist_types::{InvalidInput, LogRecord};
use tokio::sync::oneshot;

use super::Service;
use crate::api::{EventBody, IngestResponse};
use crate::api_error::ApiError;
use crate::call::Call;
use crate::limits::WRITE_TIMEOUT;
use crate::metric::EVENTS;
use crate::received::Received;

impl Service {
    /// Appends events, all or none, and answers when they are on disk and applied.
    ///
    /// `batch` says whether the caller sent a list, so that an error can name `events[3].item_id`,
    /// and `before` how many he sent earlier in the same stream.
    pub(crate) async fn ingest(
        &self,
        call: Call,
        events: Vec<EventBody>,
        batch: bool,
        before: u64,
    ) -> Result<IngestResponse, ApiError> {
        let sent = events.len() as u64;
        let types = Arc::clone(&self.event_types);
        let outcome = self.append(call, move |received| {
            check_batch("events", events.len())?;
            let records = (before..).zip(events).map(|(i, event)| {
                let event = event.parse(received.now, &types);
                event
                    .map(LogRecord::Event)
                    .map_err(|error| if batch { error.within(format!("events[{i}]")) } else { error })
            });
            Ok(records.collect::<Result<_, _>>()?)
        });
        let outcome = outcome.await;
        match &outcome {
            Ok(response) => {
                counter!(EVENTS, "result" => "accepted").increment(response.accepted);
                counter!(EVENTS, "result" => "duplicate").increment(response.duplicates);
            }
            Err(_) => counter!(EVENTS, "result" => "refused").increment(sent),
        }
        outcome
    }

    /// Makes records on the workers, has them written, and waits until they are durable and applied.
    pub(super) async fn append(
        &self,
        call: Call,
        make: impl FnOnce(&Received) -> Result<Vec<LogRecord>, ApiError> + Send + 'static,
    ) -> Result<IngestResponse, ApiError> {
        let patience = call.patience(None, WRITE_TIMEOUT)?;
        let writer = Arc::clone(&self.parts.writer);
        let submit = move |call: Call| {
            let records = make(&call.received)?;
            let (sender, outcome) = oneshot::channel();
            let done = move |result| {
                // The place is taken until here: what waits for the log counts as being served.
                drop(call);
                // Nobody may wait any more; the records are written all the same.
                drop(sender.send(result));
            };
            writer.submit(records, Box::new(done))?;
            Ok(outcome)
        };
        let outcome = self.work(call, patience, submit).await?;
        let appended = patience.wait(outcome).await??;
        let mut response = IngestResponse::default();
        for one in appended {
            match one {
                Appended::New(log_seq) => {
                    response.accepted += 1;
                    response.log_seq = log_seq.0;
                }
                Appended::Duplicate => response.duplicates += 1,
            }
        }
        if response.accepted == 0 {
            response.log_seq = self.log_seq();
        }
        Ok(response)
    }
}

/// Refuses empty batches and those beyond [`BATCH_MAX`].
pub(super) fn check_batch(field: &'static str, length: usize) -> Result<(), InvalidInput> {
    if (1..=BATCH_MAX).contains(&length) {
        return Ok(());
    }
    Err(InvalidInput::new(field, format!("must have 1 to {BATCH_MAX} entries, got {length}")))
}
