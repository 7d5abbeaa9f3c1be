use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use shortlist_types::InvalidInput;

use super::UNKNOWN;
use crate::CATEGORY_IDS_MAX;

/// Texts by id: 0 is any text that training did not meet often enough.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct Vocabulary {
    ids: HashMap<String, u32>,
    texts: Vec<String>,
}

impl Vocabulary {
    /// The texts that occur at least `count_min` times, in order of first occurrence.
    pub fn fit<'a>(texts: impl IntoIterator<Item = &'a str>, count_min: usize) -> Self {
        let mut counts: HashMap<&str, usize> = HashMap::new();
        let mut order = Vec::new();
        for text in texts {
            let count = counts.entry(text).or_default();
            *count += 1;
            if *count == count_min.max(1) {
                order.push(text);
            }
        }
        order.truncate(CATEGORY_IDS_MAX - 1);
        Self::of(order.into_iter().map(str::to_owned).collect())
    }

    fn of(texts: Vec<String>) -> Self {
        let ids = (UNKNOWN + 1..).zip(&texts).map(|(id, text)| (text.clone(), id)).collect();
        Self { ids, texts }
    }

    /// The id of a text.
    ///
    /// ```
    /// use shortlist_ranking::Vocabulary;
    /// let vocabulary = Vocabulary::fit(["red", "blue", "red"], 1);
    /// assert_eq!((vocabulary.id("red"), vocabulary.id("blue"), vocabulary.id("green")), (1, 2, 0));
    /// ```
    pub fn id(&self, text: &str) -> u32 {
        self.ids.get(text).copied().unwrap_or(UNKNOWN)
    }

    /// Ids are below this.
    pub fn ids(&self) -> usize {
        self.texts.len() + 1
    }
}

impl From<Vocabulary> for Vec<String> {
    fn from(vocabulary: Vocabulary) -> Self {
        vocabulary.texts
    }
}

impl TryFrom<Vec<String>> for Vocabulary {
    type Error = InvalidInput;
    fn try_from(texts: Vec<String>) -> Result<Self, InvalidInput> {
        let vocabulary = Self::of(texts);
        if vocabulary.ids.len() != vocabulary.texts.len() {
            return Err(InvalidInput::new("vocabulary", "must hold every text once"));
        }
        Ok(vocabulary)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rare_and_unseen_texts_share_the_first_id() {
        let vocabulary = Vocabulary::fit(["a", "b", "a", "c", "c", "c"], 2);
        assert_eq!(["a", "b", "c", "d"].map(|text| vocabulary.id(text)), [1, 0, 2, 0]);
        assert_eq!(vocabulary.ids(), 3);
    }

    #[test]
    fn the_file_gives_the_same_ids_and_a_repeated_text_is_refused() {
        let vocabulary = Vocabulary::fit(["x", "y"], 1);
        let json = serde_json::to_string(&vocabulary).unwrap();
        assert_eq!(serde_json::from_str::<Vocabulary>(&json).unwrap(), vocabulary);
        assert!(serde_json::from_str::<Vocabulary>(r#"["x", "x"]"#).is_err());
    }
}
