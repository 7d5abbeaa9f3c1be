use std::num::NonZero;

use shortlist_embedding::{Blend, ContentTower, EncoderScratch, ItemToItemModel, KnownUsers, Taste, TasteScratch};
use shortlist_features::{FeatureState, UserItem, UserState};
use shortlist_ranking::LogisticRegression;
use shortlist_retrieval::{FrozenIndex, IndexConfig};
use shortlist_types::{Embedding, ItemIdx, Score, UserIdx};

use crate::{BundleError, ItemSpace, ItemVector};

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
    /// Second stage; absent only while training, before it is fitted.
    pub ranker: Option<LogisticRegression>,
}

impl Models {
    /// A first stage alone, its item vectors indexed on all threads. `progress` hears the items done.
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
        Ok(Self { blend, space, known_users: KnownUsers::default(), user_tower: None, ranker: None })
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
            Some(stored) => {
                let since: Vec<_> = interests.iter().filter(|entry| entry.time > stored.until).map(pair).collect();
                self.blend.taste_of_known(&stored, &since, &events, scratch)
            }
            None => self.blend.taste(&events, scratch),
        };
        taste.or_else(|| self.guess(user).map(Taste::of_query))
    }

    /// The query of a user of whom only attributes are known.
    fn guess(&self, user: &UserState) -> Option<Embedding> {
        self.user_tower.as_ref()?.embed(user.attributes(), &mut EncoderScratch::default())
    }

    /// Places the items that appeared since this was last called by their attributes, as a server does
    /// when they are put.
    pub fn meet_new_items(&self, state: &FeatureState) {
        if let Some(space) = &self.space {
            space.meet(state, usize::MAX);
        }
    }

    /// The item's joined vector, learned or guessed from its attributes.
    pub fn vector(&self, item: ItemIdx) -> Option<ItemVector<'_>> {
        self.space.as_ref()?.vector(item)
    }

    /// What the first stage scores an item by; none if no model knows it.
    pub fn score(&self, taste: &Taste, item: ItemIdx) -> Option<Score> {
        let vector = self.vector(item);
        self.blend.score(taste, item, vector.as_deref()).and_then(|score| Score::parse(score).ok())
    }
}
