use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Number;
use shortlist_recommender::RANK_SURFACE;
use shortlist_types::InvalidInput;
use shortlist_types::limits::K_MAX;
use utoipa::ToSchema;

use super::{AttributeInput, RecentBody, RecommendRequest};

/// In which order should this user see these items?
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct RankRequest {
    /// The items. Unknown ones and those that may not be recommended are left out; what the user has seen is not.
    #[schema(min_items = 1, max_items = 500)]
    pub candidates: Vec<String>,
    /// Who asks; absent for a session that is known by `recent` alone. An unknown user is no error.
    #[schema(min_length = 1, max_length = 128)]
    pub user_id: Option<String>,
    /// How many items; all if absent.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 500)]
    pub k: Option<Number>,
    /// What the user did just now and was not sent as events, oldest first.
    #[serde(default)]
    #[schema(max_items = 500)]
    pub recent: Vec<RecentBody>,
    /// What the caller knows of the moment, such as the device; features may read it. At most 64 attributes.
    #[serde(default)]
    pub context: BTreeMap<String, AttributeInput>,
    /// What the items must be, by their attributes: `genre in ["Drama", "Crime"] and price < 20 and not adult`.
    #[schema(max_length = 16_384)]
    pub filter: Option<String>,
    /// How long the caller waits, in milliseconds. A stage that comes late costs quality, and
    /// `degraded` says so.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 10_000)]
    pub deadline_ms: Option<Number>,
    /// Whether each item comes with the reasons for its place.
    #[serde(default)]
    pub explain: bool,
    /// Items of which the answer tells why they are not in it, or where they are.
    #[serde(default)]
    #[schema(max_items = 100)]
    pub why_not: Vec<String>,
    /// A surface of the configuration whose ranker, filters and rules are used; `rank` if absent.
    pub surface: Option<String>,
}

impl RankRequest {
    /// The same question to a surface whose candidates are these.
    pub(crate) fn into_recommend(self) -> Result<RecommendRequest, InvalidInput> {
        let count = self.candidates.len();
        if !(1..=K_MAX).contains(&count) {
            return Err(InvalidInput::new("candidates", format!("must have 1 to {K_MAX} entries, got {count}")));
        }
        Ok(RecommendRequest {
            user_id: self.user_id,
            surface: Some(self.surface.unwrap_or_else(|| RANK_SURFACE.to_owned())),
            filter: self.filter,
            candidates: self.candidates,
            k: self.k.or_else(|| Some(count.into())),
            recent: self.recent,
            context: self.context,
            deadline_ms: self.deadline_ms,
            explain: self.explain,
            why_not: self.why_not,
            ..RecommendRequest::default()
        })
    }
}
