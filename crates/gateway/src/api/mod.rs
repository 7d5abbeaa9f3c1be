//! What goes over the wire, in the words of REST: the gRPC messages are turned into these, so that
//! both protocols share one set of checks and texts.
//!
//! A request type holds what was written; its `parse` makes a checked value of `shortlist_types` of
//! it, or says which field is wrong. Numbers stay as written until then: `-1`, `1e30` and `1.5` are
//! refused with their range, not with the name of a machine type.

mod attribute;
mod catalog;
mod event;
mod list;
mod moment;
mod number;
mod operations;
mod problem;
mod rank;
mod recommend;
mod refused_row;
mod search;
mod similar;

pub use attribute::AttributeInput;
pub use catalog::{ChangeResponse, ItemBatch, ItemBody, ItemPatchBody, ItemView, UserBatch, UserBody, UserView};
pub use event::{EventBatch, EventBody, IngestResponse};
pub use list::{ItemPage, ListRequest, UserPage};
pub use moment::Moment;
pub use operations::{Alive, Readiness};
pub use problem::Problem;
pub use rank::RankRequest;
pub use recommend::{
    Contribution, ExperimentView, ExplanationView, RecentBody, RecommendRequest, RecommendResponse,
    RecommendedItemView, SourceView, WhyNotView,
};
pub use refused_row::RefusedRow;
pub use search::SearchRequest;
pub use similar::{SimilarItemView, SimilarRequest, SimilarResponse};

pub(crate) use number::{direction, finite_f32, k_of, whole_number};
pub(crate) use operations::NO_BUNDLE;
