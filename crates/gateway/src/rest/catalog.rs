use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use shortlist_types::InvalidInput;

use super::body::{Admitted, AdmittedJson, PathId};
use super::openapi::{NoItem, NoUser, Refusals, RefusalsOfErasure, RefusalsOfWrite};
use super::query::{self, Pairs};
use crate::Service;
use crate::api::{
    ChangeResponse, ItemBatch, ItemBody, ItemPage, ItemPatchBody, ItemView, ListRequest, UserBatch, UserBody, UserPage,
    UserView,
};
use crate::api_error::ApiError;
use crate::service::Rows;

/// Put an item into the catalogue, or replace the whole entry
#[utoipa::path(put, path = "/v1/items/{item_id}", tag = "catalogue", request_body = ItemBody,
    params(("item_id" = String, Path, min_length = 1, max_length = 128, description = "Which item")),
    responses((status = 200, description = "On disk and applied", body = ChangeResponse), RefusalsOfWrite))]
pub(super) async fn put_item(
    State(service): State<Arc<Service>>,
    PathId(item_id): PathId,
    AdmittedJson { call, body }: AdmittedJson<ItemBody>,
) -> Result<Json<ChangeResponse>, ApiError> {
    service.put_item(call, body.at(item_id)?).await.map(Json)
}

/// Put many items, all or none, unless the batch is `partial`
#[utoipa::path(post, path = "/v1/items", tag = "catalogue", request_body = ItemBatch,
    responses((status = 200, description = "On disk and applied", body = ChangeResponse), RefusalsOfWrite))]
pub(super) async fn put_items(
    State(service): State<Arc<Service>>,
    AdmittedJson { call, body }: AdmittedJson<ItemBatch>,
) -> Result<Json<ChangeResponse>, ApiError> {
    let rows = Rows::of("items", body.partial);
    service.put_items(call, rows, body.items.into_iter().map(Ok).collect()).await.map(Json)
}

/// Change some of an item, such as its price; the rest stays
#[utoipa::path(patch, path = "/v1/items/{item_id}", tag = "catalogue", request_body = ItemPatchBody,
    params(("item_id" = String, Path, min_length = 1, max_length = 128, description = "Which item")),
    responses((status = 200, description = "On disk and applied", body = ChangeResponse),
        NoItem,
        RefusalsOfWrite))]
pub(super) async fn patch_item(
    State(service): State<Arc<Service>>,
    PathId(item_id): PathId,
    AdmittedJson { call, body }: AdmittedJson<ItemPatchBody>,
) -> Result<Json<ChangeResponse>, ApiError> {
    service.patch_item(call, item_id, body).await.map(Json)
}

/// The catalogue, page by page
#[utoipa::path(get, path = "/v1/items", tag = "catalogue",
    params(("after" = Option<String>, Query, description = "`next` of the page before; from the first entry if absent"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 1_000, description = "Most entries; 100 if absent")),
    responses((status = 200, description = "A page", body = ItemPage), Refusals))]
pub(super) async fn list_items(
    State(service): State<Arc<Service>>,
    pairs: Pairs,
    Admitted(call): Admitted,
) -> Result<Json<ItemPage>, ApiError> {
    service.list_items(call, list(pairs)?).await.map(Json)
}

/// The users of whom something is known, page by page
#[utoipa::path(get, path = "/v1/users", tag = "catalogue",
    params(("after" = Option<String>, Query, description = "`next` of the page before; from the first user if absent"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 1_000, description = "Most entries; 100 if absent")),
    responses((status = 200, description = "A page", body = UserPage), Refusals))]
pub(super) async fn list_users(
    State(service): State<Arc<Service>>,
    pairs: Pairs,
    Admitted(call): Admitted,
) -> Result<Json<UserPage>, ApiError> {
    service.list_users(call, list(pairs)?).await.map(Json)
}

fn list(pairs: Pairs) -> Result<ListRequest, InvalidInput> {
    let [after, limit] = pairs.named(["after", "limit"])?;
    Ok(ListRequest { after, limit: query::number("limit", limit)? })
}

/// One item
#[utoipa::path(get, path = "/v1/items/{item_id}", tag = "catalogue",
    params(("item_id" = String, Path, min_length = 1, max_length = 128, description = "Which item")),
    responses((status = 200, description = "The item", body = ItemView),
        NoItem,
        Refusals))]
pub(super) async fn get_item(
    State(service): State<Arc<Service>>,
    PathId(item_id): PathId,
    Admitted(call): Admitted,
) -> Result<Json<ItemView>, ApiError> {
    service.get_item(call, item_id).await.map(Json)
}

/// Take an item out of the catalogue; doing it twice is no error
#[utoipa::path(delete, path = "/v1/items/{item_id}", tag = "catalogue",
    params(("item_id" = String, Path, min_length = 1, max_length = 128, description = "Which item")),
    responses((status = 200, description = "Not there any more", body = ChangeResponse), RefusalsOfWrite))]
pub(super) async fn delete_item(
    State(service): State<Arc<Service>>,
    PathId(item_id): PathId,
    Admitted(call): Admitted,
) -> Result<Json<ChangeResponse>, ApiError> {
    service.delete_item(call, item_id).await.map(Json)
}

/// Describe a user, or replace the whole description
#[utoipa::path(put, path = "/v1/users/{user_id}", tag = "catalogue", request_body = UserBody,
    params(("user_id" = String, Path, min_length = 1, max_length = 128, description = "Which user")),
    responses((status = 200, description = "On disk and applied", body = ChangeResponse), RefusalsOfWrite))]
pub(super) async fn put_user(
    State(service): State<Arc<Service>>,
    PathId(user_id): PathId,
    AdmittedJson { call, body }: AdmittedJson<UserBody>,
) -> Result<Json<ChangeResponse>, ApiError> {
    service.put_user(call, body.at(user_id)?).await.map(Json)
}

/// Describe many users, all or none, unless the batch is `partial`
#[utoipa::path(post, path = "/v1/users", tag = "catalogue", request_body = UserBatch,
    responses((status = 200, description = "On disk and applied", body = ChangeResponse), RefusalsOfWrite))]
pub(super) async fn put_users(
    State(service): State<Arc<Service>>,
    AdmittedJson { call, body }: AdmittedJson<UserBatch>,
) -> Result<Json<ChangeResponse>, ApiError> {
    let rows = Rows::of("users", body.partial);
    service.put_users(call, rows, body.users.into_iter().map(Ok).collect()).await.map(Json)
}

/// One user
#[utoipa::path(get, path = "/v1/users/{user_id}", tag = "catalogue",
    params(("user_id" = String, Path, min_length = 1, max_length = 128, description = "Which user")),
    responses((status = 200, description = "The user", body = UserView),
        NoUser,
        Refusals))]
pub(super) async fn get_user(
    State(service): State<Arc<Service>>,
    PathId(user_id): PathId,
    Admitted(call): Admitted,
) -> Result<Json<UserView>, ApiError> {
    service.get_user(call, user_id).await.map(Json)
}

/// Withdraw a user's description, or erase all that is known of him
///
/// Without `erase` his events stay. With it his records are removed from the log, the checkpoints and the
/// state, and `accepted` says how many there were; bundles forget him when they are replaced. Doing it
/// twice is no error.
#[utoipa::path(delete, path = "/v1/users/{user_id}", tag = "catalogue",
    params(("user_id" = String, Path, min_length = 1, max_length = 128, description = "Which user"),
        ("erase" = Option<bool>, Query, description = "Whether his events go, too; no if absent")),
    responses((status = 200, description = "Not described any more", body = ChangeResponse), RefusalsOfErasure))]
pub(super) async fn delete_user(
    State(service): State<Arc<Service>>,
    PathId(user_id): PathId,
    pairs: Pairs,
    Admitted(call): Admitted,
) -> Result<Json<ChangeResponse>, ApiError> {
    let [erase] = pairs.named(["erase"])?;
    let erase = erase.map_or(Ok(false), |text| {
        text.parse().map_err(|_| InvalidInput::new("erase", format!("must be true or false, got {text:?}")))
    });
    let deleted =
        if erase? { service.erase_user(call, user_id).await } else { service.delete_user(call, user_id).await };
    deleted.map(Json)
}
