use prost::Message;
use shortlist_proto::v1::Event;
use shortlist_types::limits::{BATCH_MAX, BODY_BYTES_MAX};
use tokio::sync::watch;
use tokio::time::sleep;
use tonic::{Status, Streaming};

use crate::api_error::ApiError;
use crate::limits::STREAM_GROUP_WAIT;

/// Events of a stream that are written together.
#[derive(Default)]
pub(super) struct StreamGroup {
    pub(super) events: Vec<Event>,
    /// Whether the stream ended behind them.
    pub(super) last: bool,
}

impl StreamGroup {
    /// Waits for an event, then takes what follows within a moment, as much as one batch may hold. When the service
    /// leaves, the stream ends behind the groups that were written.
    pub(super) async fn collect(
        stream: &mut Streaming<Event>,
        leaving: &mut watch::Receiver<bool>,
    ) -> Result<Self, Status> {
        let first = tokio::select! {
            biased;
            // Even a busy stream ends.
            _ = leaving.wait_for(|leaving| *leaving) => return Err(ApiError::ShuttingDown.into()),
            first = stream.message() => first?,
        };
        let Some(first) = first else {
            return Ok(Self { events: Vec::new(), last: true });
        };
        let mut bytes = first.encoded_len();
        let mut group = Self { events: vec![first], last: false };
        let mut moment = std::pin::pin!(sleep(STREAM_GROUP_WAIT));
        while group.events.len() < BATCH_MAX && bytes < BODY_BYTES_MAX {
            let next = tokio::select! {
                biased;
                next = stream.message() => next?,
                () = &mut moment => break,
            };
            let Some(event) = next else {
                group.last = true;
                break;
            };
            bytes += event.encoded_len();
            group.events.push(event);
        }
        Ok(group)
    }
}
