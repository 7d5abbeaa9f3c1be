use std::sync::Arc;

use shortlist_proto::v1::shortlist_service_server::ShortlistService;
use shortlist_proto::v1::{self, Event};
use shortlist_types::InvalidInput;
use tonic::{Request, Response, Status, Streaming};

use super::stream_group::StreamGroup;
use super::{from_wire, to_wire};
use crate::Service;
use crate::api::IngestResponse;
use crate::api_error::ApiError;
use crate::call::{Call, grpc_timeout};
use crate::priority::{PRIORITY_HEADER, Priority};
use crate::received::Received;
use crate::service::{Row, Rows};

/// Turns messages into calls of the [`Service`] and its answers into messages.
pub(super) struct Handler {
    pub(super) service: Arc<Service>,
}

type Answer<T> = Result<Response<T>, Status>;

impl Handler {
    /// Takes the message out of an admitted request.
    fn admit<T>(&self, request: Request<T>) -> Result<(Call, T), ApiError> {
        let received = request.extensions().get::<Received>().copied().unwrap_or_else(Received::new);
        let header = request.metadata().get("grpc-timeout").and_then(|value| value.to_str().ok());
        let call = self.service.admit(received, header.and_then(grpc_timeout), priority(&request)?)?;
        Ok((call, request.into_inner()))
    }
}

#[tonic::async_trait]
impl ShortlistService for Handler {
    async fn recommend(&self, request: Request<v1::RecommendRequest>) -> Answer<v1::RecommendResponse> {
        let (call, message) = self.admit(request)?;
        let request = from_wire::recommend(message).map_err(ApiError::from)?;
        let response = self.service.recommend(call, request).await?;
        Ok(Response::new(to_wire::recommend(response)))
    }

    async fn similar(&self, request: Request<v1::SimilarRequest>) -> Answer<v1::SimilarResponse> {
        let (call, message) = self.admit(request)?;
        let response = self.service.similar(call, from_wire::similar(message)).await?;
        Ok(Response::new(to_wire::similar(response)))
    }

    async fn search(&self, request: Request<v1::SearchRequest>) -> Answer<v1::SimilarResponse> {
        let (call, message) = self.admit(request)?;
        let request = from_wire::search(message).map_err(ApiError::from)?;
        Ok(Response::new(to_wire::similar(self.service.search(call, request).await?)))
    }

    async fn rank(&self, request: Request<v1::RankRequest>) -> Answer<v1::RecommendResponse> {
        let (call, message) = self.admit(request)?;
        let request = from_wire::rank(message).map_err(ApiError::from)?;
        Ok(Response::new(to_wire::recommend(self.service.rank(call, request).await?)))
    }

    async fn ingest_events(&self, request: Request<v1::IngestEventsRequest>) -> Answer<v1::IngestEventsResponse> {
        let (call, message) = self.admit(request)?;
        let rows = Rows::of("events", message.partial);
        let response = self.service.ingest(call, rows, each(message.events, from_wire::event)).await?;
        Ok(Response::new(to_wire::ingest(response)))
    }

    async fn stream_events(&self, request: Request<Streaming<Event>>) -> Answer<v1::IngestEventsResponse> {
        let received = request.extensions().get::<Received>().copied().unwrap_or_else(Received::new);
        let priority = priority(&request)?;
        let (mut stream, mut leaving) = (request.into_inner(), self.service.leaving());
        let mut sum: Option<IngestResponse> = None;
        let mut sent = 0;
        loop {
            let group = StreamGroup::collect(&mut stream, &mut leaving).await?;
            if !group.events.is_empty() || (group.last && sum.is_none()) {
                let count = group.events.len() as u64;
                let call = self.service.admit(received.again(), None, priority)?;
                let rows = Rows { before: sent, ..Rows::of("events", false) };
                let response = self.service.ingest(call, rows, each(group.events, from_wire::event)).await?;
                sum = Some(added(sum.unwrap_or_default(), response));
                sent += count;
            }
            if group.last {
                return Ok(Response::new(to_wire::ingest(sum.unwrap_or_default())));
            }
        }
    }

    async fn put_item(&self, request: Request<v1::PutItemRequest>) -> Answer<v1::ChangeResponse> {
        let (call, message) = self.admit(request)?;
        let item = given("item", message.item)?;
        let item = from_wire::item(item).map_err(|error| ApiError::from(error.within("item")))?;
        Ok(Response::new(to_wire::change(self.service.put_item(call, item).await?)))
    }

    async fn put_items(&self, request: Request<v1::PutItemsRequest>) -> Answer<v1::ChangeResponse> {
        let (call, message) = self.admit(request)?;
        let (rows, items) = (Rows::of("items", message.partial), each(message.items, from_wire::item));
        Ok(Response::new(to_wire::change(self.service.put_items(call, rows, items).await?)))
    }

    async fn patch_item(&self, request: Request<v1::PatchItemRequest>) -> Answer<v1::ChangeResponse> {
        let (call, message) = self.admit(request)?;
        let (item_id, patch) = from_wire::patch(message).map_err(ApiError::from)?;
        Ok(Response::new(to_wire::change(self.service.patch_item(call, item_id, patch).await?)))
    }

    async fn list_items(&self, request: Request<v1::ListItemsRequest>) -> Answer<v1::ListItemsResponse> {
        let (call, v1::ListItemsRequest { after, limit }) = self.admit(request)?;
        let page = self.service.list_items(call, from_wire::list(after, limit)).await?;
        Ok(Response::new(to_wire::items(page)))
    }

    async fn list_users(&self, request: Request<v1::ListUsersRequest>) -> Answer<v1::ListUsersResponse> {
        let (call, v1::ListUsersRequest { after, limit }) = self.admit(request)?;
        let page = self.service.list_users(call, from_wire::list(after, limit)).await?;
        Ok(Response::new(to_wire::users(page)))
    }

    async fn get_item(&self, request: Request<v1::GetItemRequest>) -> Answer<v1::Item> {
        let (call, message) = self.admit(request)?;
        Ok(Response::new(to_wire::item(self.service.get_item(call, message.item_id).await?)))
    }

    async fn delete_item(&self, request: Request<v1::DeleteItemRequest>) -> Answer<v1::ChangeResponse> {
        let (call, message) = self.admit(request)?;
        Ok(Response::new(to_wire::change(self.service.delete_item(call, message.item_id).await?)))
    }

    async fn put_user(&self, request: Request<v1::PutUserRequest>) -> Answer<v1::ChangeResponse> {
        let (call, message) = self.admit(request)?;
        let user = given("user", message.user)?;
        let user = from_wire::user(user).map_err(|error| ApiError::from(error.within("user")))?;
        Ok(Response::new(to_wire::change(self.service.put_user(call, user).await?)))
    }

    async fn put_users(&self, request: Request<v1::PutUsersRequest>) -> Answer<v1::ChangeResponse> {
        let (call, message) = self.admit(request)?;
        let (rows, users) = (Rows::of("users", message.partial), each(message.users, from_wire::user));
        Ok(Response::new(to_wire::change(self.service.put_users(call, rows, users).await?)))
    }

    async fn get_user(&self, request: Request<v1::GetUserRequest>) -> Answer<v1::User> {
        let (call, message) = self.admit(request)?;
        Ok(Response::new(to_wire::user(self.service.get_user(call, message.user_id).await?)))
    }

    async fn delete_user(&self, request: Request<v1::DeleteUserRequest>) -> Answer<v1::ChangeResponse> {
        let (call, message) = self.admit(request)?;
        let v1::DeleteUserRequest { user_id, erase } = message;
        let deleted = if erase {
            self.service.erase_user(call, user_id).await
        } else {
            self.service.delete_user(call, user_id).await
        };
        Ok(Response::new(to_wire::change(deleted?)))
    }
}

fn priority<T>(request: &Request<T>) -> Result<Priority, ApiError> {
    let header = request.metadata().get(PRIORITY_HEADER).map(|value| value.to_str().unwrap_or_default());
    Ok(Priority::of(header, request.extensions().get().copied())?)
}

fn each<M, T>(messages: Vec<M>, read: impl Fn(M) -> Row<T>) -> Vec<Row<T>> {
    messages.into_iter().map(read).collect()
}

fn given<T>(field: &'static str, message: Option<T>) -> Result<T, ApiError> {
    Ok(message.ok_or_else(|| InvalidInput::new(field, "is missing"))?)
}

fn added(sum: IngestResponse, next: IngestResponse) -> IngestResponse {
    IngestResponse {
        accepted: sum.accepted + next.accepted,
        duplicates: sum.duplicates + next.duplicates,
        log_seq: next.log_seq,
        refused: Vec::new(),
    }
}
