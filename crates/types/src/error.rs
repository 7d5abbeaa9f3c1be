use std::borrow::Cow;

/// A value that a caller gave and that cannot be taken. The caller is at fault; nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {reason}")]
pub struct InvalidInput {
    /// Path of the field, as the caller wrote it: `events[3].item_id`.
    pub field: Cow<'static, str>,
    /// What was expected and what was got: lower case, no final dot.
    pub reason: String,
}

impl InvalidInput {
    /// An error at `field` that says `reason`.
    pub fn new(field: impl Into<Cow<'static, str>>, reason: impl Into<String>) -> Self {
        Self { field: field.into(), reason: reason.into() }
    }

    /// The same error seen from one level up: `item_id` in `events[3]` becomes `events[3].item_id`.
    #[must_use]
    pub fn within(self, parent: impl std::fmt::Display) -> Self {
        let field = match self.field.as_ref() {
            "" => parent.to_string(),
            inner => format!("{parent}.{inner}"),
        };
        Self { field: field.into(), reason: self.reason }
    }
}
