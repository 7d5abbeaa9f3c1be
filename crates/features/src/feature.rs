use serde::{Deserialize, Serialize};

/// Names of the features, in the order in which a ranker reads them, each with what its number is
/// before it is standardised within the request.
pub const FEATURES: [(&str, &str); 20] = [
    ("retrieval_score", "inner product of the user's vector with the item's; 0 without vectors"),
    ("retrieval_log_rank", "ln(1 + rank by that score among the candidates)"),
    ("retrieval_known", "1 if the model has a vector for the item"),
    ("similarity_latest", "cosine with the item wanted last"),
    ("similarity_mean", "mean cosine with the 10 items wanted last"),
    ("similarity_max", "greatest cosine with the 10 items wanted last"),
    ("popularity_7d", "ln(0.1 + users who wanted it, half-life 7 days)"),
    ("popularity_30d", "ln(0.1 + users who wanted it, half-life 30 days)"),
    ("popularity_90d", "ln(0.1 + users who wanted it, half-life 90 days)"),
    ("popularity", "ln(1 + users who ever wanted it)"),
    ("trend", "ln((1 + popularity_30d's count) / (5 + users who ever wanted it))"),
    (
        "positive_rate",
        "share of users who wanted it among those who said something, smoothed, as log-odds over the mean",
    ),
    ("take_rate", "users who wanted it per impression, smoothed, as log over the mean"),
    ("item_age", "ln(1 + days since it appeared)"),
    ("item_idle", "ln(1 + days since somebody wanted it)"),
    ("affinity", "mean over its attribute texts of ln(user's share / everybody's share), smoothed"),
    ("number_distance", "mean distance of its numeric attributes from those the user wants, in standard deviations"),
    ("audience", "mean over the user's attribute texts of ln(wanted by such users / expected), smoothed"),
    ("day_part_affinity", "mean over its attribute texts of ln(share at this part of the day / share overall)"),
    ("times_shown", "ln(1 + times among the user's latest impressions)"),
];

/// The features' names in order.
pub fn feature_names() -> impl ExactSizeIterator<Item = &'static str> {
    FEATURES.iter().map(|(name, _)| *name)
}

/// The features that a ranker was trained on, kept in its bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeatureSchema {
    /// Names in order.
    pub features: Vec<String>,
}

impl FeatureSchema {
    /// The features that this build computes.
    pub fn current() -> Self {
        Self { features: feature_names().map(str::to_owned).collect() }
    }

    /// The first feature in which `self` differs from what this build computes.
    pub fn first_difference(&self) -> Option<String> {
        let current = Self::current();
        let longest = self.features.len().max(current.features.len());
        (0..longest).find_map(|i| match (self.features.get(i), current.features.get(i)) {
            (a, b) if a == b => None,
            (Some(name), _) | (None, Some(name)) => Some(name.clone()),
            (None, None) => None,
        })
    }
}
