use serde::{Deserialize, Serialize};

/// What a trial is worth on validation; greater is better.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measurement {
    /// Mean of the metric over users.
    pub mean: f64,
    /// How many users.
    pub users: usize,
    /// Ends of the mean's 95 % interval, if the value of each user was given.
    pub interval: Option<[f64; 2]>,
}
