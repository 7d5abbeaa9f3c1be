use axum::extract::{FromRequestParts, Query};
use http::request::Parts;
use shortlist_types::InvalidInput;

use crate::api_error::ApiError;

/// The pairs of a query string, percent-decoded.
pub(super) struct Pairs(Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Pairs {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let query = Query::<Vec<(String, String)>>::from_request_parts(parts, state).await;
        let Query(pairs) =
            query.map_err(|_| InvalidInput::new("query", "must be UTF-8, percent-encoded where needed"))?;
        Ok(Self(pairs))
    }
}

impl Pairs {
    /// The values called so, each given once at most; there may be no others.
    pub(super) fn named<const N: usize>(self, names: [&str; N]) -> Result<[Option<String>; N], InvalidInput> {
        let mut values = [const { None }; N];
        for (name, value) in self.0 {
            match names.iter().position(|known| *known == name) {
                Some(place) if values[place].is_none() => values[place] = Some(value),
                _ => {
                    let reason = format!("expected {}, once, got {name:?}", names.join(" and "));
                    return Err(InvalidInput::new("query", reason));
                }
            }
        }
        Ok(values)
    }
}

/// The number that a value of the query is.
pub(super) fn number(name: &'static str, value: Option<String>) -> Result<Option<serde_json::Number>, InvalidInput> {
    let parse =
        |value: String| value.parse().map_err(|_| InvalidInput::new(name, format!("must be a number, got {value:?}")));
    value.map(parse).transpose()
}
