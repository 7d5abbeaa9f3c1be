use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use shortlist_types::InvalidInput;
use shortlist_types::limits::ATTRIBUTE_NAME_BYTES_MAX;

/// The kinds of candidate sources, in the order in which they fill a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    /// What the caller proposes with the request.
    Given,
    /// Neighbours of the taste's vector.
    Ann,
    /// What goes along with single items.
    ItemToItem,
    /// What many wanted this week.
    Trending,
    /// The same among what is filed as the user's latest items are.
    TrendingAlike,
    /// What many wanted this quarter, then all the rest of the catalogue.
    Popular,
    /// What appeared lately.
    Fresh,
}

impl SourceKind {
    /// The stable name in answers, metrics and configurations.
    pub fn name(self) -> &'static str {
        match self {
            Self::Given => "given",
            Self::Ann => "ann",
            Self::ItemToItem => "item_to_item",
            Self::Trending => "trending",
            Self::TrendingAlike => "trending_alike",
            Self::Popular => "popular",
            Self::Fresh => "fresh",
        }
    }
}

/// One source of a surface.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceConfig {
    /// Share of the candidates that it may take before others had theirs; what is left over goes to the sources in
    /// order.
    pub share: f64,
    /// `ann`: how hard the search tries; more finds more and takes longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effort: Option<usize>,
    /// `fresh`: days for which an item counts as new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<f64>,
    /// `trending_alike`: the attribute of items that says how they are filed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attribute: Option<String>,
}

/// How hard a neighbour search tries unless a surface says otherwise: about 99 in 100 of a hundred are found.
const EFFORT: usize = 3_200;
const FRESH_DAYS: f64 = 14.0;
const ATTRIBUTE: &str = "category";

impl SourceConfig {
    /// A source with this share, otherwise as usual.
    pub fn of(share: f64) -> Self {
        Self { share, effort: None, days: None, attribute: None }
    }

    pub(crate) fn effort(&self) -> usize {
        self.effort.unwrap_or(EFFORT)
    }

    pub(crate) fn days(&self) -> f64 {
        self.days.unwrap_or(FRESH_DAYS)
    }

    pub(crate) fn attribute(&self) -> &str {
        self.attribute.as_deref().unwrap_or(ATTRIBUTE)
    }

    fn check(&self, kind: SourceKind) -> Result<(), InvalidInput> {
        let refuse = |field: &'static str, reason: String| Err(InvalidInput::new(field, reason));
        if !(0.0..=1.0).contains(&self.share) {
            return refuse("share", format!("must be 0 to 1, got {}", self.share));
        }
        let foreign = [
            ("effort", self.effort.is_some() && kind != SourceKind::Ann),
            ("days", self.days.is_some() && kind != SourceKind::Fresh),
            ("attribute", self.attribute.is_some() && kind != SourceKind::TrendingAlike),
        ];
        if let Some((field, _)) = foreign.into_iter().find(|(_, is_foreign)| *is_foreign) {
            return refuse(field, format!("says nothing to the source {}", kind.name()));
        }
        if !(8..=100_000).contains(&self.effort()) {
            return refuse("effort", format!("must be 8 to 100000, got {}", self.effort()));
        }
        if !(0.0..=3_650.0).contains(&self.days()) {
            return refuse("days", format!("must be 0 to 3650, got {}", self.days()));
        }
        if !(1..=ATTRIBUTE_NAME_BYTES_MAX).contains(&self.attribute().len()) {
            return refuse("attribute", format!("must be 1 to {ATTRIBUTE_NAME_BYTES_MAX} bytes"));
        }
        Ok(())
    }
}

/// Checks the sources of one surface.
pub(super) fn check_sources(sources: &BTreeMap<SourceKind, SourceConfig>) -> Result<(), InvalidInput> {
    for (kind, source) in sources {
        source.check(*kind).map_err(|error| error.within(kind.name()))?;
    }
    let shares: f64 = sources.values().map(|source| source.share).sum();
    if shares > 1.0 + 1e-9 {
        return Err(InvalidInput::new("share", format!("shares must sum to 1 at most, got {shares}")));
    }
    if sources.is_empty() {
        return Err(InvalidInput::new("", "must name a source"));
    }
    Ok(())
}
