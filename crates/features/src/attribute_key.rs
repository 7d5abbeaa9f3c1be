use shortlist_types::AttributeValue;

/// A value by which items are looked up: a bool or one text.
///
/// A list has each of its texts, so `"Drama"` and `["Drama"]` are looked up alike; the bool `true` and
/// the text `"true"` are different. Numbers are left out: they are asked for by range, which a set per
/// value cannot answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AttributeKey<'a> {
    /// `true` or `false`.
    Bool(bool),
    /// One text, alone or in a list.
    Text(&'a str),
}

impl<'a> AttributeKey<'a> {
    /// Whether `value` is this value, or a list that holds it.
    pub fn is_in(self, value: &AttributeValue) -> bool {
        match (self, value) {
            (Self::Bool(key), AttributeValue::Bool(value)) => key == *value,
            (Self::Text(key), AttributeValue::Text(value)) => key == value,
            (Self::Text(key), AttributeValue::List(values)) => values.iter().any(|value| key == value),
            _ => false,
        }
    }

    /// Each value that `value` can be looked up by, once: a list may repeat itself.
    pub(crate) fn all_in(value: &'a AttributeValue) -> impl Iterator<Item = Self> {
        let (bool, texts) = match value {
            AttributeValue::Bool(bool) => (Some(*bool), &[][..]),
            AttributeValue::Text(text) => (None, std::slice::from_ref(text)),
            AttributeValue::List(texts) => (None, texts.as_slice()),
            AttributeValue::Number(_) => (None, &[][..]),
        };
        let distinct = texts.iter().enumerate().filter(|(n, text)| !texts[..*n].contains(text));
        bool.map(Self::Bool).into_iter().chain(distinct.map(|(_, text)| Self::Text(text)))
    }
}

impl From<bool> for AttributeKey<'_> {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl<'a> From<&'a str> for AttributeKey<'a> {
    fn from(value: &'a str) -> Self {
        Self::Text(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_each_of_its_texts_once_and_numbers_have_none() {
        let list = AttributeValue::List(["a", "b", "a"].map(str::to_owned).into());
        let keys: Vec<_> = AttributeKey::all_in(&list).collect();
        assert_eq!(keys, [AttributeKey::Text("a"), AttributeKey::Text("b")]);
        assert!(keys.iter().all(|key| key.is_in(&list)));
        assert_eq!(AttributeKey::all_in(&AttributeValue::Number(1.0)).count(), 0);
    }

    #[test]
    fn true_is_not_the_text_true() {
        let (bool, text) = (AttributeValue::Bool(true), AttributeValue::Text("true".to_owned()));
        assert!(AttributeKey::from(true).is_in(&bool) && !AttributeKey::from(true).is_in(&text));
        assert!(AttributeKey::from("true").is_in(&text) && !AttributeKey::from("true").is_in(&bool));
    }
}
