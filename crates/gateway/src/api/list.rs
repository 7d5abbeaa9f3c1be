use serde::Serialize;
use shortlist_types::InvalidInput;
use shortlist_types::limits::PAGE_MAX;
use utoipa::ToSchema;

use super::{ItemView, UserView, whole_number};
use crate::limits::PAGE_DEFAULT;

/// Which page of a list.
#[derive(Debug, Clone, Default)]
pub struct ListRequest {
    /// `next` of the page before; from the first entry if absent.
    pub after: Option<String>,
    /// Most entries of the page.
    pub limit: Option<serde_json::Number>,
}

/// A page of the catalogue, in the order in which items were first named.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ItemPage {
    /// The entries; fewer than `limit` where they are large.
    pub items: Vec<ItemView>,
    /// Where the next page begins, to be given as `after`; absent behind the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A page of the users of whom something is known, in the order in which they were first named.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct UserPage {
    /// The descriptions; fewer than `limit` where they are large.
    pub users: Vec<UserView>,
    /// Where the next page begins, to be given as `after`; absent behind the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl ListRequest {
    /// Number of the first entry to look at, and most entries of the page.
    pub(crate) fn parse(&self) -> Result<(u32, usize), InvalidInput> {
        let refuse = || InvalidInput::new("after", "must be the `next` of the page before");
        let first = self.after.as_deref().map(|after| after.parse::<u32>().map_err(|_| refuse())).transpose()?;
        let limit = self.limit.as_ref().map(|limit| whole_number("limit", limit, 1, PAGE_MAX as u64)).transpose()?;
        let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(PAGE_DEFAULT);
        Ok((first.unwrap_or(0), limit))
    }
}
