//! Filters: what may be shown. Pure, cannot fail, and asked before and during retrieval, so that a
//! strict filter still leaves a full list.

mod asked;
mod excluded;
mod expression;
mod safety;
mod seen;
mod unavailable;

use shortlist_types::ItemIdx;

use crate::{RequestContext, StageName};

pub(crate) use asked::{Asked, Standing};
pub(crate) use excluded::Excluded;
pub(crate) use expression::AllowSet;
pub use expression::Expression;
pub(crate) use safety::Safety;
pub(crate) use seen::Seen;
pub(crate) use unavailable::Unavailable;

/// Decides whether an item may be shown to this user now.
pub trait Filter: Send + Sync {
    /// Its name in logs and metrics.
    fn name(&self) -> StageName;
    /// Whether `item` may be shown.
    fn keep(&self, request: &RequestContext<'_>, item: ItemIdx) -> bool;
}
