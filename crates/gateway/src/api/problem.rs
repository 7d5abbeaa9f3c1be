use serde::Serialize;
use utoipa::ToSchema;

use crate::api_error::ApiError;

/// An error as RFC 9457 problem details, `application/problem+json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Problem {
    /// `urn:shortlist:problem:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// The same short text for every occurrence.
    #[schema(value_type = String)]
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// What was wrong this time, and the way out.
    pub detail: String,
    /// Stable, for programs: such as `invalid_input`.
    #[schema(value_type = String)]
    pub code: &'static str,
    /// The field at fault, as the caller wrote it: `events[3].item_id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

impl From<&ApiError> for Problem {
    fn from(error: &ApiError) -> Self {
        let told = error.told();
        Self {
            kind: format!("urn:shortlist:problem:{}", told.code),
            title: told.title,
            status: told.status.as_u16(),
            detail: error.to_string(),
            code: told.code,
            field: error.field().map(str::to_owned),
        }
    }
}
