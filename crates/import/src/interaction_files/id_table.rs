use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;

/// Numbers below this are looked up by themselves, without hashing: at most 64 MB of places for users, and for items.
const PLAIN_NUMBERS: usize = 1 << 24;

/// Longest id in bytes that is hashed and compared within its table, without a visit to the text.
const SHORT_BYTES: usize = 23;

/// A short id, filled with zeros, and its length.
type ShortKey = [u8; SHORT_BYTES + 1];

/// Which id stands at which place. Looking ids up in memory that no cache holds is most of the time that reading takes,
/// so what ids usually are, numbers and short texts, takes one visit where a plain map takes three.
pub(super) struct IdTable<T> {
    /// By number; [`NO_PLACE`] where there is none.
    plain: Vec<u32>,
    short: HashMap<ShortKey, u32>,
    long: HashMap<T, u32>,
}

/// Stands for no place. There are fewer places than this.
const NO_PLACE: u32 = u32::MAX;

impl<T> Default for IdTable<T> {
    fn default() -> Self {
        Self { plain: Vec::new(), short: HashMap::new(), long: HashMap::new() }
    }
}

impl<T: Borrow<str> + Clone + Eq + Hash> IdTable<T> {
    /// The place of the id `text`.
    pub(super) fn get(&self, text: &str) -> Option<u32> {
        if let Some(number) = plain_number(text) {
            return self.plain.get(number).copied().filter(|&place| place != NO_PLACE);
        }
        let place = match short_key(text) {
            Some(key) => self.short.get(&key),
            None => self.long.get(text),
        };
        place.copied()
    }

    /// Puts an id that is not there at `place`.
    pub(super) fn insert(&mut self, id: &T, place: u32) {
        let text = id.borrow();
        if let Some(number) = plain_number(text) {
            if number >= self.plain.len() {
                self.plain.resize((number + 1).next_power_of_two(), NO_PLACE);
            }
            self.plain[number] = place;
        } else if let Some(key) = short_key(text) {
            self.short.insert(key, place);
        } else {
            self.long.insert(id.clone(), place);
        }
    }
}

/// The number that `text` is the one way to write, if it is below [`PLAIN_NUMBERS`]: `07` is another id than `7`.
fn plain_number(text: &str) -> Option<usize> {
    let is_plain = matches!(text.as_bytes(), [b'0'] | [b'1'..=b'9', ..]) && text.len() <= 8;
    if !is_plain || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number = text.bytes().fold(0, |number, digit| number * 10 + usize::from(digit - b'0'));
    (number < PLAIN_NUMBERS).then_some(number)
}

fn short_key(text: &str) -> Option<ShortKey> {
    if text.len() > SHORT_BYTES {
        return None;
    }
    let mut key = [0; SHORT_BYTES + 1];
    key[..text.len()].copy_from_slice(text.as_bytes());
    key[SHORT_BYTES] = text.len() as u8;
    Some(key)
}

#[cfg(test)]
mod tests {
    use shortlist_types::ItemId;

    use super::*;

    #[test]
    fn ids_that_look_alike_are_told_apart_and_found_again() {
        let mut texts: Vec<String> = (1..=40).flat_map(|n| ["x".repeat(n), "0".repeat(n), "7".repeat(n)]).collect();
        let odd = ["16777215", "16777216", "99999999", "07", "-1", "+1", "1a", "1.0", "é", "x\u{00a0}"];
        texts.extend(odd.map(str::to_owned));
        let mut table = IdTable::<ItemId>::default();
        for (place, text) in (0..).zip(&texts) {
            assert_eq!(table.get(text), None, "{text}");
            table.insert(&ItemId::parse(text).unwrap(), place);
        }
        for (place, text) in (0..).zip(&texts) {
            assert_eq!(table.get(text), Some(place), "{text}");
        }
        for absent in ["", "x\0", "1", "8", "16777214", "y"] {
            assert_eq!(table.get(absent), None, "{absent}");
        }
    }

    #[test]
    fn only_the_plain_way_to_write_a_small_number_is_one() {
        assert_eq!(["0", "7", "16777215"].map(plain_number), [Some(0), Some(7), Some(PLAIN_NUMBERS - 1)]);
        for text in ["", "00", "07", "16777216", "123456789", "1a", "a1", "-1", "+1", "1 "] {
            assert_eq!(plain_number(text), None, "{text:?}");
        }
    }
}
