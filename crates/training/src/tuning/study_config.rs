use shortlist_types::InvalidInput;

/// Most trials of a study: the surrogate costs their cube.
pub(super) const TRIALS_MAX: usize = 100;
/// Longest metric name or data fingerprint in bytes.
const TEXT_BYTES_MAX: usize = 256;

/// How long a study goes on, and on what.
#[derive(Debug, Clone, PartialEq)]
pub struct StudyConfig {
    /// Trials in all, with those of the journal; 1 to 100. Raising it lengthens a study: its trials so far
    /// stay what they were.
    pub trials_max: usize,
    /// Seconds of all trials together, with those of the journal. Looked at between trials: the first
    /// is always made, and the last may end late.
    pub seconds_max: Option<f64>,
    /// Everything random follows from it.
    pub seed: u64,
    /// What is measured, such as `ndcg_at_20`.
    pub metric: String,
    /// Says on which data, and with which model: trials of others are not comparable.
    pub data_fingerprint: String,
}

impl StudyConfig {
    /// Checks every field.
    ///
    /// **Errors**: names the first field out of range.
    pub fn check(&self) -> Result<(), InvalidInput> {
        if !(1..=TRIALS_MAX).contains(&self.trials_max) {
            let reason = format!("must lie in 1 to {TRIALS_MAX}, got {}", self.trials_max);
            return Err(InvalidInput::new("trials_max", reason));
        }
        if let Some(seconds) = self.seconds_max.filter(|seconds| !(seconds.is_finite() && *seconds > 0.0)) {
            return Err(InvalidInput::new("seconds_max", format!("must be finite and above 0, got {seconds}")));
        }
        for (field, text) in [("metric", &self.metric), ("data_fingerprint", &self.data_fingerprint)] {
            if !(1..=TEXT_BYTES_MAX).contains(&text.len()) {
                let reason = format!("must have 1 to {TEXT_BYTES_MAX} bytes, got {}", text.len());
                return Err(InvalidInput::new(field, reason));
            }
        }
        Ok(())
    }
}
