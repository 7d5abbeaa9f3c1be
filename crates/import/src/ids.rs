use std::collections::HashSet;

use shortlist_types::{InvalidInput, ItemId, UserId};

/// Ids seen so far. Records of the same user or item share one text, which saves some 40 bytes in each.
#[derive(Debug, Default)]
pub(crate) struct Ids {
    users: HashSet<UserId>,
    items: HashSet<ItemId>,
}

impl Ids {
    /// The user called `text`.
    ///
    /// # Errors
    /// Not a valid id.
    pub(crate) fn user(&mut self, text: &str) -> Result<UserId, InvalidInput> {
        if let Some(known) = self.users.get(text) {
            return Ok(known.clone());
        }
        let id = UserId::parse(text)?;
        self.users.insert(id.clone());
        Ok(id)
    }

    /// The item called `text`.
    ///
    /// # Errors
    /// Not a valid id.
    pub(crate) fn item(&mut self, text: &str) -> Result<ItemId, InvalidInput> {
        if let Some(known) = self.items.get(text) {
            return Ok(known.clone());
        }
        let id = ItemId::parse(text)?;
        self.items.insert(id.clone());
        Ok(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_text_is_held_once() {
        let mut ids = Ids::default();
        let (a, b) = (ids.item("a").unwrap(), ids.item("a").unwrap());
        assert!(std::ptr::eq(a.as_str(), b.as_str()));
        let (a, b) = (ids.user("a").unwrap(), ids.user("a").unwrap());
        assert!(std::ptr::eq(a.as_str(), b.as_str()));
        assert!(ids.user("").is_err());
    }
}
