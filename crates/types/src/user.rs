use serde::{Deserialize, Serialize};

use crate::{Attributes, UserId};

/// One user as the owner of the catalogue describes him.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// The owner's name for him.
    pub user_id: UserId,
    /// What is known of him: age group, country.
    #[serde(default)]
    pub attributes: Attributes,
}
