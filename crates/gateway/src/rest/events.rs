use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use super::body::AdmittedJson;
use super::json::Events;
use super::openapi::RefusalsOfWrite;
use crate::Service;
use crate::api::IngestResponse;
use crate::api_error::ApiError;

/// Append one event or a batch; answered when it is on disk and the next request sees it
///
/// One bad event refuses the batch, and the error names it, `events[3].item_id`, unless the batch is `partial`.
#[utoipa::path(post, path = "/v1/events", tag = "events", request_body = super::openapi::EventsBody,
    responses((status = 200, description = "On disk and applied", body = IngestResponse), RefusalsOfWrite))]
pub(super) async fn ingest(
    State(service): State<Arc<Service>>,
    AdmittedJson { call, body: Events { events, rows } }: AdmittedJson<Events>,
) -> Result<Json<IngestResponse>, ApiError> {
    service.ingest(call, rows, events.into_iter().map(Ok).collect()).await.map(Json)
}
