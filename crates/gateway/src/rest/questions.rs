use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use shortlist_types::InvalidInput;

use super::body::{Admitted, AdmittedJson, PathId};
use super::openapi::{Refusals, RefusalsOfBody};
use crate::Service;
use crate::api::{Problem, RecommendRequest, RecommendResponse, SimilarRequest, SimilarResponse};
use crate::api_error::ApiError;

/// The items for one user, best first
#[utoipa::path(post, path = "/v1/recommend", tag = "questions", request_body = RecommendRequest,
    params(("x-request-timeout" = Option<u32>, Header, minimum = 1, maximum = 10_000,
        description = "How long the caller waits, in milliseconds; the earlier of this and `deadline_ms` counts")),
    responses((status = 200, description = "The items", body = RecommendResponse), RefusalsOfBody))]
pub(super) async fn recommend(
    State(service): State<Arc<Service>>,
    AdmittedJson { call, body }: AdmittedJson<RecommendRequest>,
) -> Result<Json<RecommendResponse>, ApiError> {
    service.recommend(call, body).await.map(Json)
}

/// The items for one user, best first, for a browser
#[utoipa::path(get, path = "/v1/users/{user_id}/recommendations", tag = "questions",
    params(("user_id" = String, Path, min_length = 1, max_length = 128, description = "Who asks"),
        ("k" = Option<u32>, Query, minimum = 1, maximum = 500, description = "How many items; 10 if absent")),
    responses((status = 200, description = "The items", body = RecommendResponse), Refusals))]
pub(super) async fn recommendations_of_user(
    State(service): State<Arc<Service>>,
    PathId(user_id): PathId,
    query: Result<Query<Vec<(String, String)>>, axum::extract::rejection::QueryRejection>,
    Admitted(call): Admitted,
) -> Result<Json<RecommendResponse>, ApiError> {
    let Query(pairs) = query.map_err(|_| InvalidInput::new("query", "must be UTF-8, percent-encoded where needed"))?;
    let mut request = RecommendRequest { user_id: Some(user_id), ..RecommendRequest::default() };
    for (name, value) in pairs {
        if name != "k" || request.k.is_some() {
            return Err(InvalidInput::new("query", format!("expected k, once, got {name:?}")).into());
        }
        let number = value.parse();
        request.k = Some(number.map_err(|_| InvalidInput::new("k", format!("must be a number, got {value:?}")))?);
    }
    service.recommend(call, request).await.map(Json)
}

/// The items most like one item
#[utoipa::path(post, path = "/v1/similar", tag = "questions", request_body = SimilarRequest,
    params(("x-request-timeout" = Option<u32>, Header, minimum = 1, maximum = 10_000,
        description = "How long the caller waits, in milliseconds")),
    responses((status = 200, description = "The items", body = SimilarResponse),
        (status = 404, description = "No such item", body = Problem, content_type = "application/problem+json"),
        RefusalsOfBody))]
pub(super) async fn similar(
    State(service): State<Arc<Service>>,
    AdmittedJson { call, body }: AdmittedJson<SimilarRequest>,
) -> Result<Json<SimilarResponse>, ApiError> {
    service.similar(call, body).await.map(Json)
}
