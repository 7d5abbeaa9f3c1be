use shortlist_types::{AttributeValue, Attributes};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::content_tower::{EncoderScratch, NumberKnots};

/// Shortest word of a text that is a feature, in characters; shorter ones say little.
const TOKEN_CHARS_MIN: usize = 2;
/// Longest word of a text that is a feature, in characters; longer ones are numbers of goods, not words.
const TOKEN_CHARS_MAX: usize = 32;
/// Most features of one item; further ones are left out in the order of names, which bounds the time of
/// an embedding and the memory of a fit.
pub(crate) const ITEM_FEATURES_MAX: usize = 512;

/// What a feature is made from: the same bytes of two kinds are two features.
#[derive(Clone, Copy)]
enum Kind {
    Text = 0,
    Bool = 1,
    Number = 2,
    Knot = 3,
}

/// Turns attributes into sparse features: hashed into 2^32 buckets, no dictionary.
///
/// | attribute | features |
/// |---|---|
/// | text | the whole text in lower case, and each of its words (runs of letters and digits, 2 to 32 characters) |
/// | list | as a text, for each element |
/// | bool | its value |
/// | number | the exact value (numbers that repeat are categories), and the hats over its quantiles |
///
/// All under the name of the attribute: `brand` Apple and `title` Apple are two features. A text of one
/// word and that word in a longer text are the same feature.
#[derive(Debug, Clone, PartialEq)]
pub struct AttributeEncoder {
    seed: u64,
    numbers: NumberKnots,
}

impl AttributeEncoder {
    /// An encoder whose buckets depend on `seed`, with the numbers of training.
    pub(crate) fn new(seed: u64, numbers: NumberKnots) -> Self {
        Self { seed, numbers }
    }

    /// What buckets depend on.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The numbers of training.
    pub fn numbers(&self) -> &NumberKnots {
        &self.numbers
    }

    /// Fills `scratch.features` with `(bucket, value)`, buckets ascending, no bucket twice, values above 0
    /// and at most 1.
    ///
    /// **Cost**: one hash per feature, about 20 ns each; allocates nothing once the scratch has grown.
    pub(crate) fn encode(&self, attributes: &Attributes, scratch: &mut EncoderScratch) {
        scratch.features.clear();
        for (name, value) in attributes.iter() {
            match value {
                AttributeValue::Text(text) => self.encode_text(name, text, scratch),
                AttributeValue::List(texts) => texts.iter().for_each(|text| self.encode_text(name, text, scratch)),
                AttributeValue::Bool(value) => self.push((Kind::Bool, name, &[u8::from(*value)]), 1.0, scratch),
                AttributeValue::Number(value) => self.encode_number(name, *value, scratch),
            }
        }
        scratch.features.truncate(ITEM_FEATURES_MAX);
        // A word that comes twice counts once, with its greatest value.
        scratch.features.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(b.1.total_cmp(&a.1)));
        scratch.features.dedup_by_key(|feature| feature.0);
    }

    fn encode_text(&self, name: &str, text: &str, scratch: &mut EncoderScratch) {
        let mut lower = std::mem::take(&mut scratch.lower);
        lower.clear();
        lower.extend(text.trim().chars().flat_map(char::to_lowercase));
        if !lower.is_empty() {
            self.push((Kind::Text, name, lower.as_bytes()), 1.0, scratch);
        }
        for token in lower.split(|c: char| !c.is_alphanumeric()) {
            if token.len() < lower.len() && (TOKEN_CHARS_MIN..=TOKEN_CHARS_MAX).contains(&token.chars().count()) {
                self.push((Kind::Text, name, token.as_bytes()), 1.0, scratch);
            }
        }
        scratch.lower = lower;
    }

    fn encode_number(&self, name: &str, value: f64, scratch: &mut EncoderScratch) {
        // Plus zero turns -0.0 into 0.0, which is the same number.
        self.push((Kind::Number, name, &(value + 0.0).to_bits().to_le_bytes()), 1.0, scratch);
        for (knot, height) in self.numbers.hats(name, value) {
            self.push((Kind::Knot, name, &[knot as u8]), height, scratch);
        }
    }

    fn push(&self, (kind, name, value): (Kind, &str, &[u8]), height: f32, scratch: &mut EncoderScratch) {
        if scratch.features.len() >= ITEM_FEATURES_MAX {
            return;
        }
        scratch.key.clear();
        // The length of the name keeps name and value apart; names are at most 64 bytes.
        scratch.key.extend([kind as u8, name.len() as u8]);
        scratch.key.extend(name.as_bytes());
        scratch.key.extend(value);
        let bucket = xxh3_64_with_seed(&scratch.key, self.seed) as u32;
        scratch.features.push((bucket, height));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn features(json: &str) -> Vec<u32> {
        let attributes: Attributes = serde_json::from_str(json).unwrap();
        let mut scratch = EncoderScratch::default();
        let numbers = NumberKnots::fit(&[&attributes]);
        AttributeEncoder::new(5, numbers).encode(&attributes, &mut scratch);
        scratch.features.iter().map(|feature| feature.0).collect()
    }

    fn shared(a: &str, b: &str) -> usize {
        let b = features(b);
        features(a).iter().filter(|bucket| b.contains(bucket)).count()
    }

    #[test]
    fn a_text_gives_itself_and_its_words_in_lower_case() {
        assert_eq!(features(r#"{"title": "Toy Story (1995)"}"#).len(), 4);
        assert_eq!(features(r#"{"title": "Alien"}"#).len(), 1);
        assert_eq!(features(r#"{"title": " the The THE "}"#).len(), 2);
        assert_eq!(shared(r#"{"title": "Alien"}"#, r#"{"title": "ALIEN 3"}"#), 1);
        assert_eq!(shared(r#"{"title": "Crème brûlée"}"#, r#"{"title": "crème  BRÛLÉE"}"#), 2);
    }

    #[test]
    fn a_text_is_a_list_of_one() {
        assert_eq!(features(r#"{"genre": "Film-Noir"}"#), features(r#"{"genre": ["Film-Noir"]}"#));
        assert_eq!(features(r#"{"genre": ["Drama", "drama", "War"]}"#).len(), 2);
    }

    #[test]
    fn the_same_value_under_another_name_or_of_another_kind_is_another_feature() {
        assert_eq!(shared(r#"{"brand": "apple"}"#, r#"{"title": "apple"}"#), 0);
        assert_eq!(shared(r#"{"a": true}"#, r#"{"a": false}"#), 0);
        assert_eq!(shared(r#"{"a": "bc"}"#, r#"{"ab": "c"}"#), 0);
        assert_eq!(shared(r#"{"a": 1}"#, r#"{"a": "1"}"#), 0);
        assert_eq!(shared(r#"{"a": 0.0}"#, r#"{"a": -0.0}"#), 2);
    }

    #[test]
    fn empty_texts_and_punctuation_alone_give_no_words() {
        assert_eq!(features(r#"{"a": "", "b": "   ", "c": []}"#).len(), 0);
        assert_eq!(features(r#"{"a": "?!"}"#).len(), 1);
        assert_eq!(features("{}").len(), 0);
    }

    #[test]
    fn an_item_has_at_most_512_features() {
        let words: Vec<String> = (0..60).map(|i| (0..20).map(|j| format!("w{i}x{j} ")).collect()).collect();
        let json = serde_json::to_string(&serde_json::json!({ "words": words })).unwrap();
        assert_eq!(features(&json).len(), ITEM_FEATURES_MAX);
    }
}
