use shortlist_types::{ItemId, Score};

use crate::StageName;

/// What became of an item that the caller asked about.
#[derive(Debug, Clone, PartialEq)]
pub struct WhyNot {
    /// Which item.
    pub item_id: ItemId,
    /// What became of it.
    pub fate: Fate,
}

/// How far an item came.
#[derive(Debug, Clone, PartialEq)]
pub enum Fate {
    /// The catalogue does not know it.
    Unknown,
    /// A filter kept it out.
    Filtered(StageName),
    /// No source proposed it.
    NotProposed,
    /// Sources proposed it, and their shares of the candidates were full.
    NotChosen,
    /// It was ranked, and stands behind the list.
    Behind {
        /// Place in the order, from 0.
        rank: usize,
        /// What it was ranked by.
        score: Score,
        /// Its place by the ranker alone, from 0.
        order_rank: usize,
        /// The surface's rules that kept it from the list, in words; empty if its rank did.
        moved_by: Vec<String>,
    },
    /// It is in the list.
    Shown {
        /// Its place, from 0.
        rank: usize,
    },
}

impl Fate {
    /// The stable name in answers.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Unknown => "unknown_item",
            Self::Filtered(_) => "filtered",
            Self::NotProposed => "not_proposed",
            Self::NotChosen => "not_chosen",
            Self::Behind { .. } => "ranked_behind",
            Self::Shown { .. } => "shown",
        }
    }
}
