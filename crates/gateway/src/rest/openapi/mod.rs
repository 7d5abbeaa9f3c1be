//! The description of the REST API, made from the handlers and the types of [`crate::api`].

mod examples;
mod problems;
mod refine;

use std::borrow::Cow;

use serde_json::Value;
use utoipa::openapi::schema::{OneOfBuilder, Schema};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{OpenApi, PartialSchema, ToSchema};

pub(super) use self::problems::{
    NoItem, NoItemOrPage, NoUser, Refusals, RefusalsOfBody, RefusalsOfErasure, RefusalsOfWrite,
};
use super::{catalog, events, operations, questions};
use crate::api::{EventBatch, EventBody, Problem};

/// Describes the body of `/v1/events`: one event, or a batch of them.
pub(super) struct EventsBody;

impl PartialSchema for EventsBody {
    fn schema() -> RefOr<Schema> {
        let reference = |name| Ref::from_schema_name(name);
        let forms = OneOfBuilder::new().item(reference(EventBody::name())).item(reference(EventBatch::name()));
        Schema::OneOf(forms.build()).into()
    }
}

impl ToSchema for EventsBody {
    fn name() -> Cow<'static, str> {
        "Events".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        for (name, schema) in [(EventBody::name(), EventBody::schema()), (EventBatch::name(), EventBatch::schema())] {
            schemas.push((name.into_owned(), schema));
        }
        EventBody::schemas(schemas);
    }
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "shortlist",
        description = "Which k of these items should this user see now?\n\nIds are strings of 1 to 128 bytes of \
            UTF-8 without control or format characters. Times are RFC 3339. Every response carries `x-request-id`; \
            every error is a problem with a stable `code`. The same service speaks gRPC on the same port.",
    ),
    paths(
        questions::recommend,
        questions::recommendations_of_user,
        questions::similar,
        questions::search,
        questions::rank,
        events::ingest,
        catalog::list_items,
        catalog::put_items,
        catalog::patch_item,
        catalog::put_item,
        catalog::get_item,
        catalog::delete_item,
        catalog::list_users,
        catalog::put_users,
        catalog::put_user,
        catalog::get_user,
        catalog::delete_user,
        operations::healthz,
        operations::readyz,
        operations::metrics,
        operations::openapi,
    ),
    components(schemas(Problem)),
    tags(
        (name = "questions", description = "Which items?"),
        (name = "events", description = "What users did"),
        (name = "catalogue", description = "Items and users"),
        (name = "operations", description = "Health, metrics, this description"),
    ),
)]
struct Description;

/// The description as it is served: indented, with a final newline.
pub(super) fn to_json() -> Result<Vec<u8>, serde_json::Error> {
    // Through a value: its maps are sorted, so that the file in the repository only changes when the API does.
    let mut value: Value = serde_json::to_value(Description::openapi())?;
    refine::refine(&mut value);
    let mut bytes = serde_json::to_vec_pretty(&value)?;
    bytes.push(b'\n');
    Ok(bytes)
}
