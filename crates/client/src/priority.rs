use tonic::metadata::{Ascii, MetadataValue};

/// Whether somebody waits for the answer of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Priority {
    /// Somebody does.
    #[default]
    High,
    /// Nobody does, as of prefetches and batches: the service gives it what is left over, and refuses it first.
    Low,
}

impl Priority {
    /// The header that says it, over REST too.
    pub const HEADER: &str = "x-shortlist-priority";

    /// What stands in the header.
    pub fn name(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Low => "low",
        }
    }

    pub(crate) fn metadata(self) -> MetadataValue<Ascii> {
        MetadataValue::from_static(self.name())
    }
}
