use serde::{Deserialize, Serialize};
use shortlist_types::InvalidInput;

use super::{CoOccurrenceConfig, EaseConfig, LinearFilterConfig};

/// Which item-to-item model is fitted, and with what. In a file `kind` names the model:
/// `co_occurrence`, `linear_filter` or `ease`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ItemToItemConfig {
    /// Shrunk cosine of the users of two items.
    CoOccurrence(CoOccurrenceConfig),
    /// The linear part of the graph filter GF-CF.
    LinearFilter(LinearFilterConfig),
    /// Ridge regression of every item on all others.
    Ease(EaseConfig),
}

impl Default for ItemToItemConfig {
    fn default() -> Self {
        Self::Ease(EaseConfig::default())
    }
}

impl ItemToItemConfig {
    /// The name in reports.
    pub fn name(&self) -> &'static str {
        match self {
            Self::CoOccurrence(_) => "co-occurrence",
            Self::LinearFilter(_) => "linear-filter",
            Self::Ease(_) => "ease",
        }
    }

    /// Checks every field.
    ///
    /// # Errors
    /// Names the first field out of range.
    pub fn check(&self) -> Result<(), InvalidInput> {
        match self {
            Self::CoOccurrence(config) => config.check(),
            Self::LinearFilter(config) => config.check(),
            Self::Ease(config) => config.check(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(json: &str) -> String {
        serde_json::from_str::<ItemToItemConfig>(json).unwrap_err().to_string()
    }

    #[test]
    fn the_kind_decides_and_absent_fields_take_their_defaults() {
        let read = |json| serde_json::from_str::<ItemToItemConfig>(json).unwrap();
        let ease = EaseConfig { l2: 7.0, ..EaseConfig::default() };
        assert_eq!(read(r#"{"kind": "ease", "l2": 7}"#), ItemToItemConfig::Ease(ease));
        let filter = ItemToItemConfig::LinearFilter(LinearFilterConfig::default());
        assert_eq!(read(r#"{"kind": "linear_filter"}"#), filter);
        let written = serde_json::to_string(&filter).unwrap();
        assert_eq!(
            written,
            r#"{"kind":"linear_filter","user_exponent":0.8,"source_exponent":0.5,"target_exponent":0.3,"row_length":200}"#
        );
        assert_eq!(read(&written), filter);
    }

    #[test]
    fn refusals_name_the_field_what_was_expected_and_what_came() {
        let range = refusal(r#"{"kind": "co_occurrence", "row_length": 2001}"#);
        assert!(range.contains("row_length: must lie in 1 to 2000, got 2001"), "{range}");
        assert!(refusal(r#"{"kind": "co_occurrence", "shrinkage": -1.0}"#).contains("shrinkage: must lie in 0 to"));
        assert!(refusal(r#"{"kind": "ease", "l2": 0.0}"#).contains("l2: must be above 0"));
        assert!(refusal(r#"{"kind": "ease", "neighbors": 0}"#).contains("neighbors: must lie in 1 to 1000, got 0"));
        assert!(refusal(r#"{"kind": "ease", "neighbours": 5}"#).contains("unknown field `neighbours`"));
        assert!(refusal(r#"{"kind": "slim"}"#).contains("unknown variant `slim`"));
    }

    #[test]
    fn nan_is_refused_in_every_real_field() {
        let (nan, ease) = (f64::NAN, EaseConfig::default());
        for config in [
            ItemToItemConfig::CoOccurrence(CoOccurrenceConfig { shrinkage: nan, row_length: 1 }),
            ItemToItemConfig::Ease(EaseConfig { l2: nan, ..ease }),
            ItemToItemConfig::Ease(EaseConfig { user_degree_exponent: nan, ..ease }),
            ItemToItemConfig::Ease(EaseConfig { item_ridge_exponent: nan, ..ease }),
        ] {
            assert!(config.check().is_err(), "{config:?}");
        }
    }
}
