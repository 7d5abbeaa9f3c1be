use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use super::body::{Admitted, AdmittedJson, PathId};
use super::openapi::{NoItem, NoItemOrPage, Refusals, RefusalsOfBody};
use super::query::{self, Pairs};
use crate::Service;
use crate::api::{RankRequest, RecommendRequest, RecommendResponse, SearchRequest, SimilarRequest, SimilarResponse};
use crate::api_error::ApiError;

/// The items for one user, best first
#[utoipa::path(post, path = "/v1/recommend", tag = "questions", request_body = RecommendRequest,
    params(("x-request-timeout" = Option<u32>, Header, minimum = 1, maximum = 10_000,
        description = "How long the caller waits, in milliseconds; the earlier of this and `deadline_ms` counts")),
    responses((status = 200, description = "The items", body = RecommendResponse), NoItemOrPage, RefusalsOfBody))]
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
    pairs: Pairs,
    Admitted(call): Admitted,
) -> Result<Json<RecommendResponse>, ApiError> {
    let [k] = pairs.named(["k"])?;
    let request = RecommendRequest { user_id: Some(user_id), k: query::number("k", k)?, ..RecommendRequest::default() };
    service.recommend(call, request).await.map(Json)
}

/// The items most like one item
#[utoipa::path(post, path = "/v1/similar", tag = "questions", request_body = SimilarRequest,
    params(("x-request-timeout" = Option<u32>, Header, minimum = 1, maximum = 10_000,
        description = "How long the caller waits, in milliseconds")),
    responses((status = 200, description = "The items", body = SimilarResponse),
        NoItem,
        RefusalsOfBody))]
pub(super) async fn similar(
    State(service): State<Arc<Service>>,
    AdmittedJson { call, body }: AdmittedJson<SimilarRequest>,
) -> Result<Json<SimilarResponse>, ApiError> {
    service.similar(call, body).await.map(Json)
}

/// The items whose own embeddings are nearest to a vector
///
/// By cosine, among the embeddings that were put with the items; vectors of models are not searched.
#[utoipa::path(post, path = "/v1/search", tag = "questions", request_body = SearchRequest,
    params(("x-request-timeout" = Option<u32>, Header, minimum = 1, maximum = 10_000,
        description = "How long the caller waits, in milliseconds")),
    responses((status = 200, description = "The items", body = SimilarResponse), RefusalsOfBody))]
pub(super) async fn search(
    State(service): State<Arc<Service>>,
    AdmittedJson { call, body }: AdmittedJson<SearchRequest>,
) -> Result<Json<SimilarResponse>, ApiError> {
    service.search(call, body).await.map(Json)
}

/// Items that the caller brings, in the order in which this user should see them
#[utoipa::path(post, path = "/v1/rank", tag = "questions", request_body = RankRequest,
    params(("x-request-timeout" = Option<u32>, Header, minimum = 1, maximum = 10_000,
        description = "How long the caller waits, in milliseconds; the earlier of this and `deadline_ms` counts")),
    responses((status = 200, description = "The items", body = RecommendResponse), RefusalsOfBody))]
pub(super) async fn rank(
    State(service): State<Arc<Service>>,
    AdmittedJson { call, body }: AdmittedJson<RankRequest>,
) -> Result<Json<RecommendResponse>, ApiError> {
    service.rank(call, body).await.map(Json)
}
