use serde::{Deserialize, Serialize};

/// What "near" means. Scores are greater for nearer items, whatever the metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Metric {
    /// Inner product with vectors of any lengths: the score is the product itself.
    #[default]
    Ip,
    /// Cosine of the angle; a zero vector scores 0. The index keeps its vectors normalised.
    Cosine,
    /// Euclidean distance: the score is the negative square of it.
    L2,
}

impl Metric {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Ip, Self::Cosine, Self::L2];

    /// The name on the command line and in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ip => "ip",
            Self::Cosine => "cosine",
            Self::L2 => "l2",
        }
    }

    /// The number in an index file.
    pub(crate) fn code(self) -> u32 {
        self as u32
    }

    pub(crate) fn from_code(code: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|metric| metric.code() == code)
    }
}
