use std::collections::{BTreeMap, HashSet};

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use shortlist_features::{FeatureState, UserState};
use shortlist_types::{Item, ItemId, ItemIdx, LogRecord, Timestamp, UserId, UserIdx};

/// The described items and users whose events training does not see.
pub(crate) struct Hidden {
    /// Number in the whole state, by id.
    pub(crate) items: BTreeMap<ItemId, ItemIdx>,
    pub(crate) users: BTreeMap<UserId, UserIdx>,
}

impl Hidden {
    /// Draws `share` of the recommendable items, and of the users, that have attributes and that somebody
    /// showed interest in, or who did.
    pub(crate) fn choose(all: &FeatureState, share: f64, seed: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let wanted: HashSet<ItemIdx> =
            all.users().flat_map(|(_, user)| user.interests().into_iter().map(|entry| entry.item)).collect();
        let items = all.catalog().iter().filter(|(item, entry)| {
            wanted.contains(item) && !entry.attributes.is_empty() && all.catalog().is_recommendable(*item)
        });
        let items = drawn(items.map(|(item, entry)| (entry.id.clone(), item)).collect(), share, &mut random);
        let described = |user: &UserState| !user.attributes().is_empty() && !user.interests().is_empty();
        let users = all.users().filter(|(_, user)| described(user));
        let users = users.filter_map(|(number, _)| Some((all.user_id(number)?.clone(), number)));
        let users = drawn(users.collect(), share, &mut random);
        Self { items: items.into_iter().collect(), users: users.into_iter().collect() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty() && self.users.is_empty()
    }

    /// Whether training must not see the record: all of a hidden item, and what a hidden user did. His
    /// description stays.
    pub(crate) fn hides(&self, record: &LogRecord) -> bool {
        match record {
            LogRecord::Event(event) => {
                self.items.contains_key(&event.item_id) || self.users.contains_key(&event.user_id)
            }
            LogRecord::ItemPut { item, .. } => self.items.contains_key(&item.item_id),
            LogRecord::ItemPatch { patch, .. } => self.items.contains_key(&patch.item_id),
            LogRecord::ItemDelete { item_id, .. } => self.items.contains_key(item_id),
            LogRecord::UserPut { .. } | LogRecord::UserDelete { .. } | LogRecord::Erased { .. } => false,
        }
    }

    /// What puts the hidden items into the catalogue, as they are in the end, at `now`.
    pub(crate) fn puts(&self, all: &FeatureState, now: Timestamp) -> Vec<LogRecord> {
        let put = |(item_id, number): (&ItemId, &ItemIdx)| {
            let attributes = all.catalog().get(*number)?.attributes.clone();
            let item = Item { item_id: item_id.clone(), attributes, available: true, embedding: None };
            Some(LogRecord::ItemPut { timestamp: now, item })
        };
        self.items.iter().filter_map(put).collect()
    }
}

/// `share` of them, at least one if there are two or more; none of a single one.
fn drawn<T>(mut from: Vec<T>, share: f64, random: &mut ChaCha8Rng) -> Vec<T> {
    from.shuffle(random);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a share of a length
    let count = ((from.len() as f64 * share).ceil() as usize).min(from.len().saturating_sub(1));
    from.truncate(count);
    from
}
