use serde::{Deserialize, Serialize};
use shortlist_types::{Timestamp, UserId};

/// Which variant of an experiment somebody is in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// Name of the experiment.
    pub experiment: String,
    /// Name of the variant.
    pub variant: String,
}

/// That somebody was shown a list by a variant of an experiment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exposure {
    /// By which.
    pub assignment: Assignment,
    /// Who.
    pub user_id: UserId,
    /// The time that the list was decided for.
    pub time: Timestamp,
}

/// All exposures of one user to one variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exposed {
    /// Name of the variant.
    pub variant: String,
    /// Who.
    pub user_id: UserId,
    /// The earliest list.
    pub first: Timestamp,
    /// Lists that were shown.
    pub requests: u64,
}
