use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use shortlist_types::InvalidInput;
use shortlist_types::limits::{DEADLINE_MS_MAX, DEADLINE_MS_MIN, GIVEN_MAX};

use super::source_config::check_sources;
use super::{FilterConfig, SourceConfig, SourceKind, ValueModel};
use crate::RerankConfig;
use crate::rerank::Reranker;

/// `[surfaces.NAME]`: one place where items are shown.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SurfaceConfig {
    /// Whose taste candidates are looked for by.
    pub about: About,
    /// Most candidates that reach the ranker.
    pub candidates_max: usize,
    /// Most candidates as a share of the catalogue: beyond it the first stage decides nothing.
    pub candidates_share: f64,
    /// Where candidates come from.
    pub sources: BTreeMap<SourceKind, SourceConfig>,
    /// What is not shown.
    pub filters: FilterConfig,
    /// What orders the candidates.
    pub rank_by: RankBy,
    /// Outcomes of the ranker, such as `purchase`, each with what it is worth; negative for what nobody wants to
    /// happen. Empty: the list is ordered by how much is wanted.
    pub value: BTreeMap<String, f64>,
    /// What moves items of that order before they are shown.
    pub rerank: RerankConfig,
    /// Deadline of a request that names none, in milliseconds; none: the gateway's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline_ms: Option<u64>,
    /// Share of the deadline after which sources stop, so that what they found can still be ranked.
    pub retrieval_share: f64,
}

/// Whose taste candidates are looked for by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum About {
    /// That of the user who asks.
    User,
    /// That of somebody who just took up the item that the request names.
    Item,
}

/// What orders the candidates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RankBy {
    /// The bundle's fitted ranker.
    Model,
    /// The first stage's score.
    Retrieval,
}

/// The form in a file: what it leaves out is as in the surface that it changes.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Changes {
    about: Option<About>,
    candidates_max: Option<usize>,
    candidates_share: Option<f64>,
    sources: Option<BTreeMap<SourceKind, SourceConfig>>,
    filters: Option<FilterConfig>,
    rank_by: Option<RankBy>,
    value: Option<BTreeMap<String, f64>>,
    rerank: Option<RerankConfig>,
    deadline_ms: Option<u64>,
    retrieval_share: Option<f64>,
}

impl Changes {
    /// The surface as a variant of an experiment has it.
    ///
    /// # Errors
    /// A field out of range, or a deadline: that is the same for all who ask.
    pub(crate) fn of_variant(self, base: &SurfaceConfig) -> Result<SurfaceConfig, InvalidInput> {
        if self.deadline_ms.is_some() {
            return Err(InvalidInput::new("deadline_ms", "is the surface's own and cannot differ between variants"));
        }
        base.clone().changed(self)
    }
}

impl Default for SurfaceConfig {
    fn default() -> Self {
        Self::home()
    }
}

impl SurfaceConfig {
    /// What a user should see now: the surface of a request that names none.
    pub fn home() -> Self {
        let sources = [
            (SourceKind::Given, 0.0),
            (SourceKind::Ann, 0.5),
            (SourceKind::ItemToItem, 0.35),
            (SourceKind::Popular, 0.1),
            (SourceKind::Fresh, 0.05),
        ];
        Self {
            about: About::User,
            candidates_max: 500,
            candidates_share: 0.1,
            sources: sources.map(|(kind, share)| (kind, SourceConfig::of(share))).into(),
            filters: FilterConfig::default(),
            rank_by: RankBy::Model,
            value: BTreeMap::new(),
            rerank: RerankConfig::default(),
            deadline_ms: None,
            retrieval_share: 0.6,
        }
    }

    /// What goes with an item, for the user who looks at it.
    pub fn similar_items() -> Self {
        let sources = [
            (SourceKind::Given, 0.0),
            (SourceKind::Ann, 0.5),
            (SourceKind::ItemToItem, 0.5),
            (SourceKind::Popular, 0.0),
        ];
        Self {
            about: About::Item,
            candidates_max: 200,
            sources: sources.map(|(kind, share)| (kind, SourceConfig::of(share))).into(),
            rank_by: RankBy::Retrieval,
            ..Self::home()
        }
    }

    /// Candidates that the caller brings, in order: whatever of them may be recommended, seen or not.
    pub fn rank() -> Self {
        Self {
            candidates_max: GIVEN_MAX,
            candidates_share: 1.0,
            sources: [(SourceKind::Given, SourceConfig::of(1.0))].into(),
            filters: FilterConfig { seen: false, ..FilterConfig::default() },
            ..Self::home()
        }
    }

    /// How many candidates a request for `k` items from `catalogue` items gets: the stated share of the
    /// catalogue, at most [`Self::candidates_max`], and never fewer than the answer needs.
    pub fn candidates(&self, catalogue: usize, k: usize) -> usize {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // 0..=1 of a length
        let share = (catalogue as f64 * self.candidates_share) as usize;
        share.min(self.candidates_max).max(k)
    }

    /// The surface with these changes.
    ///
    /// # Errors
    /// Names the first field out of range.
    pub(super) fn changed(self, changes: Changes) -> Result<Self, InvalidInput> {
        let Changes {
            about,
            candidates_max,
            candidates_share,
            sources,
            filters,
            rank_by,
            value,
            rerank,
            deadline_ms,
            retrieval_share,
        } = changes;
        let config = Self {
            about: about.unwrap_or(self.about),
            candidates_max: candidates_max.unwrap_or(self.candidates_max),
            candidates_share: candidates_share.unwrap_or(self.candidates_share),
            sources: sources.unwrap_or(self.sources),
            filters: filters.unwrap_or(self.filters),
            rank_by: rank_by.unwrap_or(self.rank_by),
            value: value.unwrap_or(self.value),
            rerank: rerank.unwrap_or(self.rerank),
            deadline_ms: deadline_ms.or(self.deadline_ms),
            retrieval_share: retrieval_share.unwrap_or(self.retrieval_share),
        };
        config.check()?;
        Ok(config)
    }

    pub(crate) fn check(&self) -> Result<(), InvalidInput> {
        let in_range = |name: &'static str, value: f64, low: f64, high: f64| {
            let error = || InvalidInput::new(name, format!("must be {low} to {high}, got {value}"));
            if (low..=high).contains(&value) { Ok(()) } else { Err(error()) }
        };
        in_range("candidates_max", self.candidates_max as f64, 10.0, 5_000.0)?;
        in_range("candidates_share", self.candidates_share, 0.000_001, 1.0)?;
        in_range("retrieval_share", self.retrieval_share, 0.05, 0.95)?;
        if let Some(ms) = self.deadline_ms {
            in_range("deadline_ms", ms as f64, DEADLINE_MS_MIN as f64, DEADLINE_MS_MAX as f64)?;
        }
        check_sources(&self.sources).map_err(|error| error.within("sources"))?;
        self.filters.check().map_err(|error| error.within("filters"))?;
        ValueModel::parse(&self.value).map_err(|error| error.within("value"))?;
        Reranker::parse(&self.rerank).map_err(|error| error.within("rerank"))?;
        if self.rank_by == RankBy::Retrieval && !self.value.is_empty() {
            let reason = "is told by the ranker: set rank_by = \"model\", or leave the value out";
            return Err(InvalidInput::new("value", reason));
        }
        Ok(())
    }
}

/// `share` of `total`, rounded.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // 0..=1 of a length
pub(crate) fn portion(total: usize, share: f64) -> usize {
    (total as f64 * share).round() as usize
}
