use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::InvalidInput;

/// A finite score with a total order; greater is better.
///
/// ```
/// use shortlist_types::Score;
/// assert!(Score::parse(f32::NAN).is_err());
/// assert!(Score::parse(2.0).unwrap() > Score::parse(-0.5).unwrap());
/// ```
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(try_from = "f32", into = "f32")]
pub struct Score(f32);

impl Score {
    /// Zero.
    pub const ZERO: Self = Self(0.0);

    /// Takes a finite number.
    ///
    /// # Errors
    /// NaN or infinite.
    #[inline]
    pub fn parse(value: f32) -> Result<Self, InvalidInput> {
        if value.is_finite() {
            Ok(Self(value))
        } else {
            Err(InvalidInput::new("score", format!("must be finite, got {value}")))
        }
    }

    /// The number.
    #[inline]
    pub fn get(self) -> f32 {
        self.0
    }
}

impl PartialEq for Score {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}
impl Eq for Score {}
impl PartialOrd for Score {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Score {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl TryFrom<f32> for Score {
    type Error = InvalidInput;
    fn try_from(value: f32) -> Result<Self, InvalidInput> {
        Self::parse(value)
    }
}
impl From<Score> for f32 {
    fn from(score: Score) -> f32 {
        score.0
    }
}
