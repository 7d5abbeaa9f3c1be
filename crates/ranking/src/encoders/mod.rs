//! From raw values to what a row holds. Fitted in training, kept with the model, used unchanged in
//! serving.

mod hashing;
mod pair_history;
mod quantiles;
mod standard_scale;
mod vocabulary;

pub use hashing::Hashing;
pub use pair_history::{HISTORY_IDS, PairHistory};
pub use quantiles::Quantiles;
pub use standard_scale::StandardScale;
pub use vocabulary::Vocabulary;

/// The id of what an encoder does not know: an unseen text, a missing number.
pub const UNKNOWN: u32 = 0;
