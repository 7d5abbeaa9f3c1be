use shortlist_types::{InvalidInput, Timestamp};

/// When a rule holds: from one time, to before another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Active {
    /// None: always before `until`.
    pub(super) from: Option<Timestamp>,
    /// None: without end.
    pub(super) until: Option<Timestamp>,
}

impl Active {
    pub(super) fn at(self, now: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= now) && self.until.is_none_or(|until| now < until)
    }

    pub(super) fn check(self) -> Result<(), InvalidInput> {
        match self.from.zip(self.until) {
            Some((from, until)) if from >= until => {
                Err(InvalidInput::new("until", format!("must come after from, {from}, got {until}")))
            }
            _ => Ok(()),
        }
    }
}
