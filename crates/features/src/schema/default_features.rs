use super::feature_kind::{FeatureKind, Take};
use crate::HalfLife::{self, Day, Month, Quarter, Week};

/// The features of a store that names none, whatever attributes its items and users have. docs/features.md says
/// how they were chosen, and what was left out.
pub(super) fn default_features() -> Vec<(&'static str, FeatureKind)> {
    use FeatureKind as Kind;
    let similarity = |last, take| Kind::Similarity { last, take };
    let wanted = |half_life: HalfLife| Kind::Wanted { half_life_days: Some(half_life) };
    let affinity = |half_life_days| Kind::Affinity { attribute: None, half_life_days };
    vec![
        ("retrieval_score", Kind::RetrievalScore {}),
        ("retrieval_rank", Kind::RetrievalRank {}),
        ("retrieval_known", Kind::RetrievalKnown {}),
        ("similarity_latest", similarity(1, Take::Max)),
        ("similarity_3_mean", similarity(3, Take::Mean)),
        ("similarity_10_mean", similarity(10, Take::Mean)),
        ("similarity_10_max", similarity(10, Take::Max)),
        ("wanted_30d", wanted(Month)),
        ("wanted_90d", wanted(Quarter)),
        ("wanted_ever", Kind::Wanted { half_life_days: None }),
        ("trend_30d", Kind::Trend { half_life_days: Month }),
        ("take_rate", Kind::TakeRate { half_life_days: None }),
        ("take_rate_7d", Kind::TakeRate { half_life_days: Some(Week) }),
        ("item_age", Kind::ItemAge {}),
        ("item_idle", Kind::ItemIdle {}),
        ("affinity", affinity(None)),
        ("affinity_1d", affinity(Some(Day))),
        ("affinity_30d", affinity(Some(Month))),
        ("liking", Kind::Liking { attribute: None }),
        ("number_distance", Kind::NumberDistance { attribute: None }),
        ("audience", Kind::Audience { attribute: None }),
        ("text_audience", Kind::TextAudience { attribute: None, half_life_days: None }),
        ("times_shown", Kind::TimesShown {}),
        ("wanted_gap", Kind::WantedGap {}),
        ("age_gap", Kind::AgeGap {}),
        ("user_wanted", Kind::UserWanted { half_life_days: None }),
        ("user_wanted_7d", Kind::UserWanted { half_life_days: Some(Week) }),
        ("user_unwanted", Kind::UserUnwanted { half_life_days: None }),
        ("user_idle", Kind::UserIdle {}),
    ]
}
