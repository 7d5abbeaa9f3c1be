use sha2::{Digest, Sha256};
use shortlist_types::EventId;

/// By what a client's name for an event is known again: the first 128 bits of its sha256, so that
/// nobody can make two names that are taken for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct EventHash(pub(crate) [u8; 16]);

impl EventHash {
    pub(crate) fn of(id: &EventId) -> Self {
        Self::of_text(id.as_str())
    }

    pub(crate) fn of_text(id: &str) -> Self {
        let whole: [u8; 32] = Sha256::digest(id.as_bytes()).into();
        let mut first = [0; 16];
        first.copy_from_slice(&whole[..16]);
        Self(first)
    }
}
