//! The problems that operations may meet, from the one table of errors: each with an example as it would be told.

use std::collections::BTreeMap;

use shortlist_types::InvalidInput;
use utoipa::IntoResponses;
use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{Ref, RefOr};

use crate::access::Role;
use crate::api::Problem;
use crate::api_error::ApiError;

type Responses = BTreeMap<String, RefOr<Response>>;

/// Problems that any question may meet.
pub(in crate::rest) struct Refusals;
/// Problems that a question with a body may meet.
pub(in crate::rest) struct RefusalsOfBody;
/// Problems that a write may meet.
pub(in crate::rest) struct RefusalsOfWrite;
/// Problems that a write about a whole user may meet.
pub(in crate::rest) struct RefusalsOfErasure;
/// That there is no such item.
pub(in crate::rest) struct NoItem;
/// That nothing is known of such a user.
pub(in crate::rest) struct NoUser;
/// That there is no such item, or no such page.
pub(in crate::rest) struct NoItemOrPage;

impl IntoResponses for Refusals {
    fn responses() -> Responses {
        told(any())
    }
}

impl IntoResponses for RefusalsOfBody {
    fn responses() -> Responses {
        told(any().into_iter().chain(of_body()))
    }
}

impl IntoResponses for RefusalsOfWrite {
    fn responses() -> Responses {
        told(any().into_iter().chain(of_body()).chain(of_write()))
    }
}

impl IntoResponses for RefusalsOfErasure {
    fn responses() -> Responses {
        told(any().into_iter().chain(of_write()).chain([ApiError::EraseUnfinished]))
    }
}

impl IntoResponses for NoItem {
    fn responses() -> Responses {
        told([no_item()])
    }
}

impl IntoResponses for NoUser {
    fn responses() -> Responses {
        told([ApiError::UserNotFound { user_id: "user-0".to_owned() }])
    }
}

impl IntoResponses for NoItemOrPage {
    fn responses() -> Responses {
        let request_id = "019a0000-0000-7000-8000-000000000000".to_owned();
        told([no_item(), ApiError::PageNotFound { request_id }])
    }
}

fn any() -> Vec<ApiError> {
    vec![
        ApiError::Invalid(InvalidInput::new("k", "must be a whole number from 1 to 500, got 501")),
        ApiError::Unauthenticated,
        ApiError::PermissionDenied { needs: Role::Write },
        ApiError::RateLimited,
        ApiError::Overloaded,
        ApiError::Internal,
        ApiError::DeadlineExceeded { timeout_ms: 100 },
    ]
}

fn of_body() -> Vec<ApiError> {
    vec![
        ApiError::InvalidJson { reason: "expected value at line 1 column 1".to_owned() },
        ApiError::BodyTimeout,
        ApiError::BodyTooLarge,
        ApiError::UnsupportedMediaType,
    ]
}

fn of_write() -> Vec<ApiError> {
    vec![ApiError::IngestBusy, ApiError::IngestOff, ApiError::DiskFull]
}

fn no_item() -> ApiError {
    ApiError::ItemNotFound { item_id: "item-0".to_owned() }
}

/// A response per status, with an example per error.
fn told(errors: impl IntoIterator<Item = ApiError>) -> Responses {
    let mut by_status: BTreeMap<u16, Vec<ApiError>> = BTreeMap::new();
    for error in errors {
        by_status.entry(error.told().status.as_u16()).or_default().push(error);
    }
    by_status.into_iter().map(|(status, errors)| (status.to_string(), response(&errors).into())).collect()
}

fn response(errors: &[ApiError]) -> Response {
    let examples = errors.iter().map(|error| {
        let example = ExampleBuilder::new().summary(error.told().title);
        (error.told().code, example.value(serde_json::to_value(Problem::from(error)).ok()).build())
    });
    let problem = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).examples_from_iter(examples);
    let mut titles: Vec<_> = errors.iter().map(|error| error.told().title).collect();
    titles.dedup();
    let response = ResponseBuilder::new().description(titles.join("; "));
    let response = response.content("application/problem+json", problem.build());
    if errors.iter().all(|error| error.told().retry_after.is_none()) {
        return response.build();
    }
    let seconds = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)).build();
    let header = HeaderBuilder::new().schema(Some(seconds)).description(Some("Seconds until another try may succeed"));
    response.header("retry-after", header.build()).build()
}
