use shortlist_types::InvalidInput;

use crate::{INTERACTIONS_MAX, WEIGHT_MAX, WEIGHT_MIN};

/// Why a model could not be fitted or loaded. Nothing was changed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum EmbeddingError {
    /// The configuration is at fault.
    #[error(transparent)]
    Config(InvalidInput),
    /// The training data is empty.
    #[error("there are no interactions to learn from: import events, or count more event types as positive")]
    NoInteractions,
    /// The training data is larger than memory is planned for.
    #[error("expected at most {INTERACTIONS_MAX} interactions, got {got}: train on a later slice of time")]
    TooManyInteractions {
        /// How many were given.
        got: usize,
    },
    /// A weight that would break the arithmetic.
    #[error("the weight of user {user} and item {item} must lie in {WEIGHT_MIN} to {WEIGHT_MAX}, got {weight}")]
    WeightOutOfRange {
        /// The user's number.
        user: u32,
        /// The item's number.
        item: u32,
        /// What was given.
        weight: f32,
    },
    /// The table belongs to another model than the configuration.
    #[error("expected item vectors of {expected} dimensions as configured, got {got}: the bundle mixes two models")]
    DimensionsDiffer {
        /// What the configuration says.
        expected: usize,
        /// What the table holds.
        got: usize,
    },
    /// The item vectors are so long that their products overflow.
    #[error("the products of the item vectors are not finite: raise regularization, or train the bundle anew")]
    GramNotFinite,
    /// The item vectors are not those of a fit.
    #[error("the item vectors do not lie along their principal axes: another program wrote them; train again")]
    NotPrincipalAxes,
    /// What was stored for a model does not fit together.
    #[error("the parts of the model do not fit together ({0}): train the bundle anew")]
    Parts(InvalidInput),
    /// No example of a content tower says anything.
    #[error("there are no vectors with attributes to learn from: put items with attributes, or leave the tower out")]
    NoExamples,
    /// An example of a content tower that would break the arithmetic.
    #[error("a content tower cannot learn from this: {0}")]
    Example(InvalidInput),
    /// The stored or fitted numbers are not a valid content tower.
    #[error("the content tower is not valid ({0}): raise its ridge, or train the bundle anew")]
    TowerParts(InvalidInput),
    /// The parts of a blend were not fitted on the same data.
    #[error("the models of the blend know different items: train the bundle anew")]
    PartsDiffer,
    /// The fitted vectors are not a valid table.
    #[error("the fit gave no valid item vectors ({0}): raise regularization, or lower the weights")]
    Diverged(InvalidInput),
}
