use serde::Serialize;
use shortlist_types::InvalidInput;
use utoipa::ToSchema;

use crate::api_error::ApiError;

/// One entry of a batch that was left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct RefusedRow {
    /// Its place in the batch, from 0.
    pub row: u64,
    /// Stable, for programs: `invalid_input`.
    #[schema(value_type = String)]
    pub code: &'static str,
    /// The field at fault: `items[3].attributes.price`.
    pub field: String,
    /// What was wrong with it.
    pub detail: String,
}

impl RefusedRow {
    pub(crate) fn new(row: u64, error: InvalidInput) -> Self {
        let (field, detail) = (error.field.to_string(), error.to_string());
        Self { row, code: ApiError::Invalid(error).told().code, field, detail }
    }
}
