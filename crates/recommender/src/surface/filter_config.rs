use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use shortlist_types::InvalidInput;
use shortlist_types::limits::ATTRIBUTE_NAME_BYTES_MAX;

use crate::Expression;

/// Most safety labels of a surface.
const SAFETY_MAX: usize = 32;

/// What a surface does not show, beside what its owner took out or does not offer, and what a request excludes or
/// filters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FilterConfig {
    /// Leaves out what the user consumed, for as long as its event type says.
    pub seen: bool,
    /// Numbers of items, such as `nsfw`, and the most that is shown of each. It fails closed: an item without the
    /// number is not shown.
    pub safety: BTreeMap<String, f64>,
    /// A filter expression that holds for every request.
    #[serde(rename = "where", skip_serializing_if = "Option::is_none")]
    pub standing: Option<String>,
}

impl Default for FilterConfig {
    fn default() -> Self {
        Self { seen: true, safety: BTreeMap::new(), standing: None }
    }
}

impl FilterConfig {
    /// The expression of `where`.
    ///
    /// # Errors
    /// The expression's.
    pub(crate) fn expression(&self) -> Result<Option<Expression>, InvalidInput> {
        let parse = |text: &String| Expression::parse(text).map_err(|error| InvalidInput::new("where", error.reason));
        self.standing.as_ref().map(parse).transpose()
    }

    pub(super) fn check(&self) -> Result<(), InvalidInput> {
        if self.safety.len() > SAFETY_MAX {
            let reason = format!("must name at most {SAFETY_MAX} labels, got {}", self.safety.len());
            return Err(InvalidInput::new("safety", reason));
        }
        for (label, most) in &self.safety {
            if label.is_empty() || label.len() > ATTRIBUTE_NAME_BYTES_MAX || !most.is_finite() {
                let reason = format!("must be 1 to {ATTRIBUTE_NAME_BYTES_MAX} bytes and a finite number, got {most}");
                return Err(InvalidInput::new(format!("safety.{label}"), reason));
            }
        }
        self.expression().map(drop)
    }
}
