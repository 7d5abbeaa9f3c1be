//! The words every other crate speaks: ids, events, items, users, embeddings, scores, limits.
//!
//! Floor 0. No I/O, no clock, no async: values are parsed here once, at the doors, and are
//! valid from then on. An [`Embedding`] or a [`Score`] cannot hold NaN or infinity, an id cannot
//! hold a control character, and every size has a name in [`limits`](mod@limits).

mod attributes;
mod budget;
mod embedding;
mod embedding_table;
mod error;
mod event;
mod event_types;
mod external_id;
mod index;
mod item;
mod limit;
pub mod limits;
mod record;
mod score;
mod timestamp;
mod user;

pub use attributes::{AttributeValue, Attributes};
pub use budget::{Budget, Unlimited};
pub use embedding::{Embedding, dot};
pub use embedding_table::EmbeddingTable;
pub use error::InvalidInput;
pub use event::Event;
pub use event_types::{EventType, EventTypeIdx, EventTypes, Outcome, Signal};
pub use external_id::{EventId, ItemId, RequestId, UserId};
pub use index::{ItemIdx, LogSeq, UserIdx};
pub use item::{Item, ItemPatch};
pub use limit::Limit;
pub use record::LogRecord;
pub use score::Score;
pub use timestamp::Timestamp;
pub use user::User;
