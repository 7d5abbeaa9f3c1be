use serde::{Deserialize, Serialize};
use shortlist_types::InvalidInput;

/// `[pipeline]`: how many candidates come from where.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Fields", into = "Fields")]
pub struct PipelineConfig {
    /// Most candidates that reach the ranker.
    pub candidates_max: usize,
    /// Most candidates as a share of the catalogue: beyond it the first stage decides nothing.
    pub candidates_share: f64,
    /// Share of the candidates that neighbours of the user's items may take.
    pub item_to_item_share: f64,
    /// Share of the candidates that popular items may take.
    pub popular_share: f64,
    /// Share of the candidates that new items may take.
    pub fresh_share: f64,
    /// Days for which an item counts as new.
    pub fresh_days: f64,
    /// Nodes that the neighbour search keeps in view; more finds more and takes longer.
    pub ef_search: usize,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Fields {
    candidates_max: usize,
    candidates_share: f64,
    item_to_item_share: f64,
    popular_share: f64,
    fresh_share: f64,
    fresh_days: f64,
    ef_search: usize,
}

impl Default for Fields {
    fn default() -> Self {
        Self {
            candidates_max: 500,
            candidates_share: 0.1,
            item_to_item_share: 0.35,
            popular_share: 0.1,
            fresh_share: 0.05,
            fresh_days: 14.0,
            ef_search: 3_200,
        }
    }
}

impl TryFrom<Fields> for PipelineConfig {
    type Error = InvalidInput;
    fn try_from(fields: Fields) -> Result<Self, InvalidInput> {
        let Fields {
            candidates_max,
            candidates_share,
            item_to_item_share,
            popular_share,
            fresh_share,
            fresh_days,
            ef_search,
        } = fields;
        let in_range = |name: &'static str, value: f64, low: f64, high: f64| {
            let fits = value >= low && value <= high;
            let error = || InvalidInput::new(name, format!("must be {low} to {high}, got {value}"));
            if fits { Ok(()) } else { Err(error()) }
        };
        in_range("candidates_max", candidates_max as f64, 10.0, 5_000.0)?;
        in_range("candidates_share", candidates_share, 0.000_001, 1.0)?;
        in_range("item_to_item_share", item_to_item_share, 0.0, 1.0)?;
        in_range("popular_share", popular_share, 0.0, 1.0)?;
        in_range("fresh_share", fresh_share, 0.0, 1.0)?;
        let shares = item_to_item_share + popular_share + fresh_share;
        in_range("item_to_item_share + popular_share + fresh_share", shares, 0.0, 1.0)?;
        in_range("fresh_days", fresh_days, 0.0, 3_650.0)?;
        in_range("ef_search", ef_search as f64, 8.0, 100_000.0)?;
        Ok(Self {
            candidates_max,
            candidates_share,
            item_to_item_share,
            popular_share,
            fresh_share,
            fresh_days,
            ef_search,
        })
    }
}

impl From<PipelineConfig> for Fields {
    fn from(config: PipelineConfig) -> Self {
        let PipelineConfig {
            candidates_max,
            candidates_share,
            item_to_item_share,
            popular_share,
            fresh_share,
            fresh_days,
            ef_search,
        } = config;
        Self { candidates_max, candidates_share, item_to_item_share, popular_share, fresh_share, fresh_days, ef_search }
    }
}

impl Default for PipelineConfig {
    fn default() -> Self {
        let Fields {
            candidates_max,
            candidates_share,
            item_to_item_share,
            popular_share,
            fresh_share,
            fresh_days,
            ef_search,
        } = Fields::default();
        Self { candidates_max, candidates_share, item_to_item_share, popular_share, fresh_share, fresh_days, ef_search }
    }
}

impl PipelineConfig {
    /// How many candidates a request for `k` items from `catalogue` items gets: the stated share of the
    /// catalogue, at most [`Self::candidates_max`], and never fewer than the answer needs.
    pub fn candidates(&self, catalogue: usize, k: usize) -> usize {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // 0..=1 of a length
        let share = (catalogue as f64 * self.candidates_share) as usize;
        share.min(self.candidates_max).max(k)
    }
}

/// `share` of `total`, rounded.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // 0..=1 of a length
pub(crate) fn portion(total: usize, share: f64) -> usize {
    (total as f64 * share).round() as usize
}
