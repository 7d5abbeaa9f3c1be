use std::sync::Arc;

use shortlist_recommender::Recommender;
use shortlist_types::{InvalidInput, Item, ItemId, LogRecord, UserId};

use super::Service;
use super::rows::{Row, Rows};
use crate::api::{ChangeResponse, IngestResponse, ItemBody, ItemPatchBody, ItemView, UserBody, UserView};
use crate::api_error::ApiError;
use crate::call::Call;

impl Service {
    /// Puts one entry of the catalogue.
    pub(crate) async fn put_item(&self, call: Call, item: ItemBody) -> Result<ChangeResponse, ApiError> {
        let recommender = Arc::clone(&self.parts.recommender);
        let change = self.append(call, move |received| {
            let item = item.parse()?;
            Dimensions::of(&recommender).check(&item)?;
            Ok(Some(LogRecord::ItemPut { timestamp: received.now, item }).into())
        });
        Ok(change.await?.into())
    }

    /// Puts many entries, all or none unless the rows say otherwise.
    pub(crate) async fn put_items(
        &self,
        call: Call,
        rows: Rows,
        items: Vec<Row<ItemBody>>,
    ) -> Result<ChangeResponse, ApiError> {
        let recommender = Arc::clone(&self.parts.recommender);
        let change = self.append(call, move |received| {
            let mut dimensions = Dimensions::of(&recommender);
            rows.records(items, |item| {
                let item = item.parse()?;
                dimensions.check(&item)?;
                Ok(LogRecord::ItemPut { timestamp: received.now, item })
            })
        });
        Ok(change.await?.into())
    }

    /// Changes some of an item that is in the catalogue.
    pub(crate) async fn patch_item(
        &self,
        call: Call,
        item_id: String,
        patch: ItemPatchBody,
    ) -> Result<ChangeResponse, ApiError> {
        let recommender = Arc::clone(&self.parts.recommender);
        let change = self.append(call, move |received| {
            let patch = patch.parse(&item_id)?;
            let changed = recommender.read(|state| {
                let entry = state.catalog().find(&item_id).and_then(|index| state.catalog().get(index));
                let entry = entry.filter(|entry| !entry.deleted)?;
                Some(entry.attributes.changed(&patch.attributes, &patch.remove).map(drop))
            });
            changed.ok_or(ApiError::ItemNotFound { item_id })?.map_err(|error| error.within("attributes"))?;
            Ok(Some(LogRecord::ItemPatch { timestamp: received.now, patch }).into())
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
                Some(ItemView::of(entry))
            });
            found.ok_or_else(|| ApiError::ItemNotFound { item_id: item_id.to_string() })
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
            Ok(there.then_some(delete).into())
        });
        Ok(change.await?.into())
    }

    /// Describes one user.
    pub(crate) async fn put_user(&self, call: Call, user: UserBody) -> Result<ChangeResponse, ApiError> {
        let change = self.append(call, move |received| {
            Ok(Some(LogRecord::UserPut { timestamp: received.now, user: user.parse()? }).into())
        });
        Ok(change.await?.into())
    }

    /// Describes many users, all or none unless the rows say otherwise.
    pub(crate) async fn put_users(
        &self,
        call: Call,
        rows: Rows,
        users: Vec<Row<UserBody>>,
    ) -> Result<ChangeResponse, ApiError> {
        let change = self.append(call, move |received| {
            let put = |user| LogRecord::UserPut { timestamp: received.now, user };
            rows.records(users, |user| user.parse().map(put))
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
            Ok(described.then_some(delete).into())
        });
        Ok(change.await?.into())
    }
}

/// The dimensions that the items' embeddings must have, from the first of them on.
struct Dimensions(Option<usize>);

impl Dimensions {
    fn of(recommender: &Recommender) -> Self {
        Self(recommender.read(|state| state.catalog().embedding_dimensions()))
    }

    fn check(&mut self, item: &Item) -> Result<(), InvalidInput> {
        let Some(embedding) = &item.embedding else { return Ok(()) };
        let got = embedding.as_slice().len();
        let expected = *self.0.get_or_insert(got);
        if got == expected {
            return Ok(());
        }
        Err(InvalidInput::new("embedding", format!("must have {expected} dimensions, as other items' have, got {got}")))
    }
}

impl From<IngestResponse> for ChangeResponse {
    fn from(response: IngestResponse) -> Self {
        Self { accepted: response.accepted, log_seq: response.log_seq, refused: response.refused }
    }
}
