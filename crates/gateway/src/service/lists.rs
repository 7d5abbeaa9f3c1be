use std::sync::Arc;

use shortlist_types::{AttributeValue, Attributes, ItemIdx, UserIdx};

use super::Service;
use crate::api::{ItemPage, ItemView, ListRequest, UserPage, UserView};
use crate::api_error::ApiError;
use crate::call::Call;
use crate::limits::{PAGE_BYTES_MAX, PAGE_SCAN_MAX};

impl Service {
    /// A page of the catalogue.
    pub(crate) async fn list_items(&self, call: Call, list: ListRequest) -> Result<ItemPage, ApiError> {
        let patience = call.patience(None, self.default_timeout)?;
        let recommender = Arc::clone(&self.parts.recommender);
        let work = move |_: Call| {
            let (first, limit) = list.parse()?;
            let (items, next) = recommender.read(|state| {
                let catalog = state.catalog();
                page(first, limit, catalog.len(), |number| {
                    let entry = catalog.get(ItemIdx(number)).filter(|entry| !entry.deleted)?;
                    let embedding = entry.embedding.as_ref().map_or(0, |embedding| embedding.as_slice().len());
                    let bytes = entry.id.as_str().len() + bytes(&entry.attributes) + embedding * size_of::<f32>();
                    Some((ItemView::of(entry), bytes))
                })
            });
            Ok(ItemPage { items, next })
        };
        self.work(call, patience, work).await
    }

    /// A page of the users of whom something is known.
    pub(crate) async fn list_users(&self, call: Call, list: ListRequest) -> Result<UserPage, ApiError> {
        let patience = call.patience(None, self.default_timeout)?;
        let recommender = Arc::clone(&self.parts.recommender);
        let work = move |_: Call| {
            let (first, limit) = list.parse()?;
            let (users, next) = recommender.read(|state| {
                page(first, limit, state.users().len(), |number| {
                    let user_id = state.user_id(UserIdx(number))?.clone();
                    let user = state.user(user_id.as_str()).filter(|user| user.is_described() || !user.is_empty())?;
                    let bytes = user_id.as_str().len() + bytes(user.attributes());
                    Some((UserView { user_id, attributes: user.attributes().clone() }, bytes))
                })
            });
            Ok(UserPage { users, next })
        };
        self.work(call, patience, work).await
    }
}

/// Entries from number `first` on, each with its bytes, and where the next page begins: the state is read under its
/// guard, so a page ends by what it looked at, too.
fn page<T>(
    first: u32,
    limit: usize,
    count: usize,
    entry: impl Fn(u32) -> Option<(T, usize)>,
) -> (Vec<T>, Option<String>) {
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    let end = first.saturating_add(PAGE_SCAN_MAX).min(count);
    let (mut entries, mut bytes, mut number) = (Vec::new(), 0, first);
    while number < end && entries.len() < limit && bytes < PAGE_BYTES_MAX {
        if let Some((entry, size)) = entry(number) {
            entries.push(entry);
            bytes += size;
        }
        number += 1;
    }
    (entries, (number < count).then(|| number.to_string()))
}

/// About what attributes take on the wire.
fn bytes(attributes: &Attributes) -> usize {
    let value = |value: &AttributeValue| match value {
        AttributeValue::Text(text) => text.len(),
        AttributeValue::List(texts) => texts.iter().map(|text| text.len() + 4).sum(),
        AttributeValue::Number(_) | AttributeValue::Bool(_) => size_of::<f64>(),
    };
    attributes.iter().map(|(name, one)| name.len() + value(one) + 8).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_together_are_the_list_and_end() {
        let even = |number: u32| number.is_multiple_of(2).then_some((number, 1));
        let (mut all, mut pages, mut first) = (Vec::new(), 0, Some(0));
        while let Some(number) = first {
            let (entries, next) = page(number, 7, 100, even);
            assert!(entries.len() <= 7);
            all.extend(entries);
            first = next.map(|next| next.parse().unwrap());
            pages += 1;
        }
        assert_eq!((all, pages), ((0..100).step_by(2).collect(), 8));
    }

    #[test]
    fn a_page_ends_by_its_bytes_and_by_what_it_looked_at() {
        let (entries, next) = page(0, 1_000, 100, |number| Some((number, PAGE_BYTES_MAX / 2)));
        assert_eq!((entries.len(), next.as_deref()), (2, Some("2")));
        let (entries, next) = page(0, 1_000, 1_000_000, |_| None::<((), usize)>);
        assert_eq!((entries.len(), next.as_deref()), (0, Some("100000")));
        assert_eq!(page(7, 10, 3, |number| Some((number, 1))), (Vec::new(), None));
    }
}
