use std::sync::Arc;
use std::time::Instant;

use metrics::counter;
use shortlist_store::{Appended, StoreError};
use shortlist_types::LogRecord;
use tokio::sync::oneshot;

use super::Service;
use super::rows::{Batch, Row, Rows};
use crate::api::{EventBody, IngestResponse};
use crate::api_error::ApiError;
use crate::call::Call;
use crate::limits::{LOW_RECORDS_SHARE_MAX, WRITE_TIMEOUT};
use crate::metric::{EVENTS, SHED};
use crate::priority::Priority;
use crate::received::Received;
use crate::trace;

impl Service {
    /// Appends events, all or none unless the rows say otherwise, and answers when they are on disk and applied.
    pub(crate) async fn ingest(
        &self,
        call: Call,
        rows: Rows,
        events: Vec<Row<EventBody>>,
    ) -> Result<IngestResponse, ApiError> {
        let sent = events.len() as u64;
        let types = Arc::clone(&self.event_types);
        let outcome = self.append(call, move |received| {
            rows.records(events, |event| event.parse(received.now, &types).map(LogRecord::Event))
        });
        let outcome = outcome.await;
        match &outcome {
            Ok(response) => {
                counter!(EVENTS, "result" => "accepted").increment(response.accepted);
                counter!(EVENTS, "result" => "duplicate").increment(response.duplicates);
                counter!(EVENTS, "result" => "refused").increment(response.refused.len() as u64);
            }
            Err(_) => counter!(EVENTS, "result" => "refused").increment(sent),
        }
        outcome
    }

    /// Makes records on the workers, has them written, and waits until they are durable and applied.
    pub(super) async fn append(
        &self,
        call: Call,
        make: impl FnOnce(&Received) -> Result<Batch, ApiError> + Send + 'static,
    ) -> Result<IngestResponse, ApiError> {
        let patience = call.patience(None, WRITE_TIMEOUT)?;
        let writer = Arc::clone(&self.parts.writer);
        let submit = move |call: Call| {
            let priority = call.priority;
            let shed = || {
                counter!(SHED, "priority" => priority.name()).increment(1);
                ApiError::IngestBusy
            };
            if priority == Priority::Low && writer.fullness() > LOW_RECORDS_SHARE_MAX {
                return Err(shed());
            }
            let Batch { records, refused } = make(&call.received)?;
            let (sender, outcome) = oneshot::channel();
            let done = move |result| {
                // The place is taken until here: what waits for the log counts as being served.
                drop(call);
                // Nobody may wait any more; the records are written all the same.
                drop(sender.send(result));
            };
            writer.submit(records, Box::new(done)).map_err(|error| match error {
                StoreError::Busy { .. } => shed(),
                other => other.into(),
            })?;
            Ok((outcome, refused))
        };
        let (outcome, refused) = self.work(call, patience, submit).await?;
        let submitted = Instant::now();
        let appended = patience.wait(outcome).await;
        if let Some(trace) = trace::current() {
            trace.part("log_commit", submitted, submitted.elapsed(), Vec::new());
        }
        let appended = appended??;
        let mut response = IngestResponse { refused, ..IngestResponse::default() };
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
