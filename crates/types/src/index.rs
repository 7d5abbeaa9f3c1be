use serde::{Deserialize, Serialize};

/// An item's number: given at its first appearance in the log, never reused. State, bundle and
/// index share it, so that no string is hashed per candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ItemIdx(pub u32);

/// A user's number: given at the first appearance in the log, never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct UserIdx(pub u32);

/// Position of a record in the log: contiguous from 1. Zero means "before the first record".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct LogSeq(pub u64);

impl ItemIdx {
    /// The number as an offset into a table with one row per item.
    pub fn as_usize(self) -> usize {
        self.0 as usize
    }
}

impl UserIdx {
    /// The number as an offset into a table with one row per user.
    pub fn as_usize(self) -> usize {
        self.0 as usize
    }
}

impl LogSeq {
    /// The position after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}
