use std::sync::Arc;

use shortlist_types::{InvalidInput, ItemId, LogRecord, UserId};

use super::Service;
use super::writes::check_batch;
use crate::api::{ChangeResponse, IngestResponse, ItemBody, ItemView, UserBody, UserView};
use crate::api_error::ApiError;
use crate::call::Call;

impl Service {
    /// Puts one entry of the catalogue.
    pub(crate) async fn put_item(&self, call: Call, item: ItemBody) -> Result<ChangeResponse, ApiError> {
        let change = self.append(call, move |received| {
            Ok(vec![LogRecord::ItemPut { timestamp: received.now, item: item.parse()? }])
        });
        Ok(change.await?.into())
    }

    /// Puts many entries, all or none.
    pub(crate) async fn put_items(&self, call: Call, items: Vec<ItemBody>) -> Result<ChangeResponse, ApiError> {
        let change = self.append(call, move |received| {
            check_batch("items", items.len())?;
            let put = |item| LogRecord::ItemPut { timestamp: received.now, item };
            each("items", items, |item| item.parse().map(put))
        });
        Ok(change.await?.into())
    }

    /// One entry of the catalogue.
    pub(crate) async fn get_item(&self, call: Call, item_id: String) -> Result<ItemView, ApiError> {
        let patience = call.patience(None, self.default_timeout)?;
        let recommender = Arc::clone(&self.parts.recommender);
        let work = move |_: Call| {
            let item_id = ItemId::parse(&item_id)?;
            let found = recommender.read(|state| {
                let index = state.catalog().find(item_id.as_str())?;
                let entry = state.catalog().get(index).filter(|entry| !entry.deleted)?;
                Some((entry.attributes.clone(), entry.available))
            });
            let (attributes, available) =
                found.ok_or_else(|| ApiError::ItemNotFound { item_id: item_id.to_string() })?;
            Ok(ItemView { item_id, attributes, available })
        };
        self.work(call, patience, work).await
    }

    /// Takes an item out of the catalogue, if it is there.
    pub(crate) async fn delete_item(&self, call: Call, item_id: String) -> Result<ChangeResponse, ApiError> {
        let recommender = Arc::clone(&self.parts.recommender);
        let change = self.append(call, move |received| {
            let item_id = ItemId::parse(&item_id)?;
            let there = recommender.read(|state| {
                let entry = state.catalog().find(item_id.as_str()).and_then(|index| state.catalog().get(index));
                entry.is_some_and(|entry| !entry.deleted)
            });
            let delete = LogRecord::ItemDelete { timestamp: received.now, item_id };
            Ok(there.then_some(delete).into_iter().collect())
        });
        Ok(change.await?.into())
    }

    /// Describes one user.
    pub(crate) async fn put_user(&self, call: Call, user: UserBody) -> Result<ChangeResponse, ApiError> {
        let change = self.append(call, move |received| {
            Ok(vec![LogRecord::UserPut { timestamp: received.now, user: user.parse()? }])
        });
        Ok(change.await?.into())
    }

    /// Describes many users, all or none.
    pub(crate) async fn put_users(&self, call: Call, users: Vec<UserBody>) -> Result<ChangeResponse, ApiError> {
        let change = self.append(call, move |received| {
            check_batch("users", users.len())?;
            let put = |user| LogRecord::UserPut { timestamp: received.now, user };
            each("users", users, |user| user.parse().map(put))
        });
        Ok(change.await?.into())
    }

    /// What is known of a user; one who was neither described nor did anything counts as unknown.
    pub(crate) async fn get_user(&self, call: Call, user_id: String) -> Result<UserView, ApiError> {
        let patience = call.patience(None, self.default_timeout)?;
        let recommender = Arc::clone(&self.parts.recommender);
        let work = move |_: Call| {
            let user_id = UserId::parse(&user_id)?;
            let attributes = recommender.read(|state| {
                let user = state.user(user_id.as_str()).filter(|user| user.is_described() || !user.is_empty())?;
                Some(user.attributes().clone())
            });
            let attributes = attributes.ok_or_else(|| ApiError::UserNotFound { user_id: user_id.to_string() })?;
            Ok(UserView { user_id, attributes })
        };
        self.work(call, patience, work).await
    }

    /// Withdraws a user's description, if there is one.
    pub(crate) async fn delete_user(&self, call: Call, user_id: String) -> Result<ChangeResponse, ApiError> {
        let recommender = Arc::clone(&self.parts.recommender);
        let change = self.append(call, move |received| {
            let user_id = UserId::parse(&user_id)?;
            let described =
                recommender.read(|state| state.user(user_id.as_str()).is_some_and(|user| user.is_described()));
            let delete = LogRecord::UserDelete { timestamp: received.now, user_id };
            Ok(described.then_some(delete).into_iter().collect())
        });
        Ok(change.await?.into())
    }
}

/// Makes a record of each entry; an error names the entry: `items[3].attributes.price`.
fn each<T>(
    field: &'static str,
    entries: Vec<T>,
    record: impl Fn(T) -> Result<LogRecord, InvalidInput>,
) -> Result<Vec<LogRecord>, ApiError> {
    let records = entries.into_iter().enumerate();
    let records = records.map(|(i, entry)| record(entry).map_err(|error| error.within(format!("{field}[{i}]"))));
    Ok(records.collect::<Result<_, _>>()?)
}

impl From<IngestResponse> for ChangeResponse {
    fn from(response: IngestResponse) -> Self {
        Self { accepted: response.accepted, log_seq: response.log_seq }
    }
}
