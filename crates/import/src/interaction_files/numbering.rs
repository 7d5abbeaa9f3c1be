use std::borrow::Borrow;
use std::hash::Hash;

use shortlist_types::{InvalidInput, ItemId, UserId};

use super::id_table::IdTable;
use crate::limits::BENCHMARK_ENTITIES_MAX;

/// Ids of one kind, numbered as they first appear until all are known.
pub(super) struct Numbering<T> {
    field: &'static str,
    parse: fn(&str) -> Result<T, InvalidInput>,
    /// By first appearance.
    ids: Vec<T>,
    places: IdTable<T>,
    limit: usize,
}

/// Ids in their final order.
pub(super) struct Numbered<T> {
    /// By number.
    pub(super) ids: Vec<T>,
    /// The number of each, by the place of its first appearance.
    pub(super) number_of: Vec<u32>,
}

impl Numbering<UserId> {
    pub(super) fn of_users() -> Self {
        Self::new("user_id", UserId::parse)
    }
}

impl Numbering<ItemId> {
    pub(super) fn of_items() -> Self {
        Self::new("item_id", ItemId::parse)
    }
}

impl<T: Borrow<str> + Clone + Eq + Hash> Numbering<T> {
    fn new(field: &'static str, parse: fn(&str) -> Result<T, InvalidInput>) -> Self {
        Self { field, parse, ids: Vec::new(), places: IdTable::default(), limit: BENCHMARK_ENTITIES_MAX }
    }

    /// How many are known.
    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    /// The id that first appeared at `place`.
    pub(super) fn id_at(&self, place: u32) -> Option<&T> {
        self.ids.get(place as usize)
    }

    /// The place at which `text` first appeared, if it has.
    pub(super) fn get(&self, text: &str) -> Option<u32> {
        self.places.get(text)
    }

    /// The place at which `text` first appeared; the next one if it is new.
    ///
    /// # Errors
    /// Not a valid id, or one too many.
    pub(super) fn place(&mut self, text: &str) -> Result<u32, InvalidInput> {
        if let Some(place) = self.get(text) {
            return Ok(place);
        }
        let id = (self.parse)(text)?;
        if self.ids.len() >= self.limit {
            let reason = format!("must be one of at most {} in all files together; take a sample", self.limit);
            return Err(InvalidInput::new(self.field, reason));
        }
        let place = self.ids.len() as u32;
        self.places.insert(&id, place);
        self.ids.push(id);
        Ok(place)
    }

    /// Numbers all ids: by value if all are digits, else by the bytes of their texts.
    pub(super) fn finish(self) -> Numbered<T> {
        // The table is as large as all the rest, and no longer needed.
        drop(self.places);
        let mut ids: Vec<(T, u32)> = self.ids.into_iter().zip(0..).collect();
        if ids.iter().all(|(id, _)| is_digits(id.borrow())) {
            ids.sort_unstable_by(|a, b| value(a.0.borrow()).cmp(&value(b.0.borrow())));
        } else {
            ids.sort_unstable_by(|a, b| a.0.borrow().cmp(b.0.borrow()));
        }
        let mut number_of = vec![0; ids.len()];
        for (number, (_, place)) in ids.iter().enumerate() {
            number_of[*place as usize] = number as u32;
        }
        Numbered { ids: ids.into_iter().map(|(id, _)| id).collect(), number_of }
    }
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// What orders digits by value, however many there are; of equal values (`7`, `07`) the shorter text comes first.
fn value(digits: &str) -> (usize, &[u8], usize) {
    let zeros = digits.bytes().take_while(|&byte| byte == b'0').count();
    let significant = &digits.as_bytes()[zeros..];
    (significant.len(), significant, digits.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn order(texts: &[&str]) -> Vec<String> {
        let mut items = Numbering::of_items();
        for text in texts {
            items.place(text).unwrap();
        }
        let numbered = items.finish();
        numbered.ids.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn digits_are_ordered_by_value_and_anything_else_by_text() {
        assert_eq!(order(&["10", "9", "100", "0", "9"]), ["0", "9", "10", "100"]);
        assert_eq!(order(&["07", "7", "6", "0007"]), ["6", "7", "07", "0007"]);
        let large = "123456789012345678901234567890";
        assert_eq!(order(&[large, "2", "18446744073709551616"]), ["2", "18446744073709551616", large]);
        assert_eq!(order(&["10", "9", "a"]), ["10", "9", "a"]);
        assert_eq!(order(&["10", "9", "-1"]), ["-1", "10", "9"]);
    }

    #[test]
    fn one_too_many_is_refused_and_known_ones_are_not() {
        let mut users = Numbering::of_users();
        users.limit = 2;
        assert_eq!((users.place("a"), users.place("b"), users.place("a")), (Ok(0), Ok(1), Ok(0)));
        let error = users.place("c").unwrap_err();
        let expected = "user_id: must be one of at most 2 in all files together; take a sample";
        assert_eq!(error.to_string(), expected);
    }

    proptest! {
        #[test]
        fn numbers_are_dense_and_do_not_depend_on_the_order_of_appearance(
            texts in prop::collection::vec("[0-9]{1,4}|[a-z]{1,2}|[a-z0]{14,17}", 1..40),
        ) {
            let number = |texts: &[String]| {
                let mut items = Numbering::of_items();
                let places: Vec<u32> = texts.iter().map(|text| items.place(text).unwrap()).collect();
                (places, items.finish())
            };
            let (places, there) = number(&texts);
            for (text, place) in texts.iter().zip(places) {
                let number = there.number_of[place as usize];
                prop_assert_eq!(there.ids[number as usize].as_str(), text);
            }
            let backwards: Vec<String> = texts.iter().rev().cloned().collect();
            prop_assert_eq!(number(&backwards).1.ids, there.ids);
        }
    }
}
