use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Domain;

/// A setting of a model: its name, the values it may take, and the one it has without a search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    /// The field of the model's config.
    pub name: String,
    /// What it may be.
    pub domain: Domain,
    /// What the first trial takes.
    pub default: Value,
}

impl Parameter {
    /// A parameter, which [`super::SearchSpace::parse`] checks.
    pub fn new(name: impl Into<String>, domain: Domain, default: impl Into<Value>) -> Self {
        Self { name: name.into(), domain, default: default.into() }
    }
}
