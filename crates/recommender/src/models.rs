use std::num::NonZero;

use shortlist_embedding::{Blend, ContentTower, EncoderScratch, ItemToItemModel, KnownUsers, Taste, TasteScratch};
use shortlist_features::{FeatureSchema, FeatureState, UserItem, UserState};
use shortlist_retrieval::{FrozenIndex, IndexConfig};
use shortlist_types::{Embedding, ItemIdx, LogRecord, Score, UserIdx};

use crate::{BundleError, FittedRanker, ItemSpace, ItemVector};

/// Catalogue entries that are looked at under one guard of the state: a few milliseconds.
pub(crate) const MET_AT_ONCE: usize = 1_024;

/// The models of both stages, fitted together.
#[derive(Debug)]
pub struct Models {
    /// What the first stage scores by.
    pub blend: Blend,
    /// Where the items' joined vectors are; none if the blend has no vector model.
    pub space: Option<ItemSpace>,
    /// Users with long histories, stored so that a request reads only what they did since.
    pub known_users: KnownUsers,
    /// Places users without events by their attributes; none if no user has any.
    pub user_tower: Option<ContentTower>,
    /// What the second stage reads.
    pub features: FeatureSchema,
    /// Second stage; absent only while training, before it is fitted.
    pub ranker: Option<FittedRanker>,
}

impl Models {
    /// A first stage alone, for a second one that reads the default features, its item vectors indexed on all threads. `progress` hears the items done.
    ///
    /// # Errors
    /// Vectors that an index cannot hold.
    pub fn of_blend(blend: Blend, config: &IndexConfig, progress: &mut dyn FnMut(usize)) -> Result<Self, BundleError> {
        let space = match blend.joined_vectors()? {
            Some(joined) => {
                let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
                Some(ItemSpace::new(FrozenIndex::build(&joined, config, threads, progress)?))
            }
            None => None,
        };
        Ok(Self {
            blend,
            space,
            known_users: KnownUsers::default(),
            user_tower: None,
            features: FeatureSchema::default(),
            ranker: None,
        })
    }

    /// Memory of the first stage in bytes: item vectors, as folded in from and as indexed, and rows.
    pub fn bytes(&self) -> usize {
        let vectors = self.blend.vectors().iter().map(|part| size_of_val(part.model().table().values()));
        let index = self.space.as_ref().map_or(0, |space| {
            let learned = space.learned();
            learned.bytes_beside_vectors() + learned.len() * learned.dimensions() * size_of::<f32>()
        });
        vectors.sum::<usize>() + index + self.blend.item_to_item().map_or(0, ItemToItemModel::bytes)
    }

    /// The user's taste: folded in from what he showed interest in; from his stored vector and what he
    /// did since, if he is stored; or, before he did anything, guessed from his attributes. None if
    /// neither says anything.
    ///
    /// **Cost**: that of [`Blend::taste`].
    pub fn taste(&self, number: Option<UserIdx>, user: &UserState, scratch: &mut TasteScratch) -> Option<Taste> {
        let interests = user.interests();
        let pair = |entry: &&UserItem| (entry.item, entry.interest);
        let events: Vec<_> = interests.iter().map(pair).collect();
        let taste = match number.and_then(|number| self.known_users.find(number)) {
            // Who took something back is folded in from what is left.
            Some(stored) if stored.items.iter().all(|item| is_interest(user, *item)) => {
                let is_new = |entry: &&&UserItem| stored.items.binary_search(&entry.item).is_err();
                let since: Vec<_> = interests.iter().filter(is_new).map(pair).collect();
                self.blend.taste_of_known(&stored, &since, &events, scratch)
            }
            _ => self.blend.taste(&events, scratch),
        };
        taste.or_else(|| self.guess(user).map(Taste::of_query))
    }

    /// Keeps the places of items as a server does: call it with every record that `state` has taken in.
    pub fn follow(&self, state: &FeatureState, record: &LogRecord, scratch: &mut EncoderScratch) {
        let item_id = match record {
            LogRecord::ItemPut { item, .. } => &item.item_id,
            LogRecord::ItemPatch { patch, .. } => &patch.item_id,
            _ => return,
        };
        let catalog = state.catalog();
        let number = catalog.find(item_id.as_str());
        if let (Some(space), Some(number)) = (&self.space, number)
            && let Some(entry) = catalog.get(number)
        {
            space.place(number, &entry.attributes, scratch);
        }
    }

    /// The query of a user of whom only attributes are known.
    fn guess(&self, user: &UserState) -> Option<Embedding> {
        self.user_tower.as_ref()?.embed(user.attributes(), &mut EncoderScratch::default())
    }

    /// Places all items of the catalogue that training never met, as a server does before it swaps.
    pub fn meet_new_items(&self, state: &FeatureState) {
        self.number_texts(state);
        let Some(space) = &self.space else { return };
        while !space.meet(state, MET_AT_ONCE) {
            space.keep_fast();
        }
        space.keep_fast();
    }

    /// Looks up what the ranker makes of each text that the state has numbered, once.
    pub(crate) fn number_texts(&self, state: &FeatureState) {
        if let Some(categories) = self.ranker.as_ref().and_then(FittedRanker::categories) {
            categories.number_texts(state.catalog());
        }
    }

    /// The item's joined vector, learned or guessed from its attributes.
    pub fn vector(&self, item: ItemIdx) -> Option<ItemVector<'_>> {
        self.space.as_ref()?.vector(item)
    }

    /// What the first stage scores an item by, from its [`Self::vector`]; none if no model knows it.
    pub(crate) fn score(&self, taste: &Taste, item: ItemIdx, vector: Option<&[f32]>) -> Option<Score> {
        self.blend.score(taste, item, vector).and_then(|score| Score::parse(score).ok())
    }
}

/// Whether the user still shows interest in the item; one of too many to be read at every request counts.
fn is_interest(user: &UserState, item: ItemIdx) -> bool {
    user.item(item).is_some_and(|entry| entry.interest > 0.0)
}
