use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use shortlist_types::limits::ENTITIES_MAX;
use shortlist_types::{Attributes, Event, EventTypes, ItemIdx, LogRecord, LogSeq, Timestamp, User, UserId, UserIdx};

use crate::audience::Audience;
use crate::item_stats::{BOARD_HALF_LIFE, TRENDING_HALF_LIFE};
use crate::leaderboard::Leaderboard;
use crate::text_stats::TextStats;
use crate::user_state::Change;
use crate::{Action, Catalog, ItemStats, LabelIdx, Tally, UserState};

/// Why a record could not be folded. The state is as it was before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FoldError {
    /// A record is missing or came twice: replay from the log.
    #[error("expected record {} of the log, got {}", expected.0, got.0)]
    Gap {
        /// The position after the last one applied.
        expected: LogSeq,
        /// The position that came.
        got: LogSeq,
    },
    /// Numbers are `u32` and never reused.
    #[error("the log names more than {ENTITIES_MAX} items or users")]
    Full,
}

/// Everything that is known about users and items after a prefix of the log.
///
/// **Cost**: applying an event takes about 3 microseconds (`cargo bench --bench fold`); memory is 136 bytes per
/// item, some 400 per user and 24 per (user, item) touched, besides ids, attributes, what he has seen and what
/// [`Catalog::items_with`] keeps.
///
/// What is marked `skip` is not in a checkpoint: [`Self::read_from`] makes it again from the rest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FeatureState {
    #[serde(skip)]
    pub(crate) event_types: Arc<EventTypes>,
    log_seq: LogSeq,
    /// Latest time of an event.
    latest: Option<Timestamp>,
    pub(crate) catalog: Catalog,
    stats: Vec<ItemStats>,
    #[serde(skip)]
    user_ids: HashMap<UserId, UserIdx>,
    /// `None` for a user who was erased: his number stays taken.
    user_names: Vec<Option<UserId>>,
    users: Vec<UserState>,
    popular: Leaderboard,
    trending: Leaderboard,
    totals: Totals,
    /// Per attribute text of items.
    texts: Vec<TextStats>,
    audience: Audience,
    unknown_events: u64,
}

/// Sums over all items.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Totals {
    /// As if there were a text that all items carry.
    pub(crate) all: TextStats,
    pub(crate) shown: Tally,
}

impl FeatureState {
    /// The state before the first record.
    pub fn new(event_types: Arc<EventTypes>) -> Self {
        Self {
            event_types,
            log_seq: LogSeq::default(),
            latest: None,
            catalog: Catalog::default(),
            stats: Vec::new(),
            user_ids: HashMap::new(),
            user_names: Vec::new(),
            users: Vec::new(),
            popular: Leaderboard::default(),
            trending: Leaderboard::default(),
            totals: Totals::default(),
            texts: Vec::new(),
            audience: Audience::default(),
            unknown_events: 0,
        }
    }

    /// Applies the next record of the log.
    ///
    /// Events of a type that the config no longer names are skipped and counted.
    ///
    /// # Errors
    /// A record out of sequence, or more items or users than `u32` counts; nothing was counted then.
    pub fn apply(&mut self, log_seq: LogSeq, record: &LogRecord) -> Result<(), FoldError> {
        let expected = self.log_seq.next();
        if log_seq != expected {
            return Err(FoldError::Gap { expected, got: log_seq });
        }
        match record {
            LogRecord::Event(event) => self.apply_event(event)?,
            LogRecord::ItemPut { timestamp, item } => {
                self.catalog.put(item, *timestamp).ok_or(FoldError::Full)?;
            }
            LogRecord::ItemPatch { timestamp, patch } => self.catalog.patch(patch, *timestamp),
            LogRecord::ItemDelete { item_id, .. } => self.catalog.delete(item_id),
            LogRecord::UserPut { user, .. } => self.put_user(user)?,
            LogRecord::UserDelete { user_id, .. } => {
                if let Some(index) = self.user_ids.get(user_id) {
                    let entry = &mut self.users[index.as_usize()];
                    (entry.attributes, entry.labels, entry.described) = (Attributes::default(), Box::default(), false);
                }
            }
            LogRecord::Erased { timestamp, item_id, new_user } => {
                if let Some(item_id) = item_id {
                    self.catalog.intern(item_id, *timestamp).ok_or(FoldError::Full)?;
                    self.latest = self.latest.max(Some(*timestamp));
                }
                if *new_user {
                    self.add_user(None)?;
                }
            }
        }
        self.stats.resize_with(self.catalog.len(), ItemStats::default);
        self.texts.resize_with(self.catalog.labels_len(), TextStats::default);
        self.log_seq = log_seq;
        Ok(())
    }

    fn apply_event(&mut self, event: &Event) -> Result<(), FoldError> {
        let user = self.intern_user(&event.user_id)?;
        let item = self.catalog.intern(&event.item_id, event.timestamp).ok_or(FoldError::Full)?;
        self.stats.resize_with(self.catalog.len(), ItemStats::default);
        self.latest = self.latest.max(Some(event.timestamp));
        let Some(event_type) = self.event_types.find(&event.event_type) else {
            self.unknown_events += 1;
            return Ok(());
        };
        let kind = self.event_types.get(event_type);
        let action = Action { item, event_type, kind, value: event.value, time: event.timestamp };
        let change = self.users[user.as_usize()].change(&action);
        self.count(item, user, change, event.timestamp);
        Ok(())
    }

    /// Brings the item's counters up to date with what changed for one user.
    fn count(&mut self, item: ItemIdx, user: UserIdx, change: Change, time: Timestamp) {
        let stats = &mut self.stats[item.as_usize()];
        let texts = self.catalog.get(item).map_or(&[][..], |item| &item.labels);
        match change {
            Change::Wanted => {
                let before = [BOARD_HALF_LIFE, TRENDING_HALF_LIFE].map(|half_life| stats.wanted.order(half_life));
                stats.add_wanted(time);
                self.popular.moved(item, before[0], stats.wanted.order(BOARD_HALF_LIFE));
                self.trending.moved(item, before[1], stats.wanted.order(TRENDING_HALF_LIFE));
                self.audience.add(item, &self.users[user.as_usize()].labels, texts, time);
                self.totals.all.add_wanted(time);
                texts.iter().for_each(|text| self.texts[text.0 as usize].add_wanted(time));
            }
            Change::Unwanted => {
                stats.unwanted.add(time);
                self.totals.all.unwanted = self.totals.all.unwanted.saturating_add(1);
                for text in texts {
                    let unwanted = &mut self.texts[text.0 as usize].unwanted;
                    *unwanted = unwanted.saturating_add(1);
                }
            }
            Change::Shown => {
                stats.shown.add(time);
                self.totals.shown.add(time);
            }
            Change::Repeated => {}
        }
    }

    fn put_user(&mut self, user: &User) -> Result<(), FoldError> {
        let index = self.intern_user(&user.user_id)?;
        let labels = self.audience.encode(&user.attributes);
        let entry = &mut self.users[index.as_usize()];
        (entry.attributes, entry.labels, entry.described) = (user.attributes.clone(), labels, true);
        Ok(())
    }

    fn intern_user(&mut self, id: &UserId) -> Result<UserIdx, FoldError> {
        if let Some(index) = self.user_ids.get(id) {
            return Ok(*index);
        }
        let index = self.add_user(Some(id.clone()))?;
        self.user_ids.insert(id.clone(), index);
        Ok(index)
    }

    fn add_user(&mut self, name: Option<UserId>) -> Result<UserIdx, FoldError> {
        let full = self.users.len() >= ENTITIES_MAX;
        let index = u32::try_from(self.users.len()).ok().filter(|_| !full).map(UserIdx).ok_or(FoldError::Full)?;
        self.user_names.push(name);
        self.users.push(UserState::default());
        Ok(index)
    }

    /// Makes what a checkpoint leaves out.
    pub(crate) fn complete(&mut self, event_types: Arc<EventTypes>) {
        self.event_types = event_types;
        self.catalog.complete();
        let named = (0..).map(UserIdx).zip(&self.user_names);
        self.user_ids = named.filter_map(|(index, name)| Some((name.clone()?, index))).collect();
    }

    /// Forgets a user whose records were erased: his name, his description, and all that he did. His
    /// number stays taken. What he added to the counters of items stays until the state is folded anew.
    pub fn forget(&mut self, id: &str) {
        if let Some(index) = self.user_ids.remove(id) {
            self.user_names[index.as_usize()] = None;
            self.users[index.as_usize()] = UserState::default();
        }
    }

    /// Position of the last record that was applied.
    pub fn log_seq(&self) -> LogSeq {
        self.log_seq
    }

    /// Latest time of an event, if there was one.
    pub fn latest(&self) -> Option<Timestamp> {
        self.latest
    }

    /// How event types are read.
    pub fn event_types(&self) -> &EventTypes {
        &self.event_types
    }

    /// All items.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// The counters of one item.
    pub fn item_stats(&self, item: ItemIdx) -> Option<&ItemStats> {
        self.stats.get(item.as_usize())
    }

    /// What is known of the user called `id`.
    pub fn user(&self, id: &str) -> Option<&UserState> {
        self.user_ids.get(id).map(|index| &self.users[index.as_usize()])
    }

    /// The number of the user called `id`.
    pub fn user_index(&self, id: &str) -> Option<UserIdx> {
        self.user_ids.get(id).copied()
    }

    /// The name of the user with number `index`; none if he was erased.
    pub fn user_id(&self, index: UserIdx) -> Option<&UserId> {
        self.user_names.get(index.as_usize())?.as_ref()
    }

    /// All users in order of number.
    pub fn users(&self) -> impl ExactSizeIterator<Item = (UserIdx, &UserState)> {
        self.users.iter().enumerate().map(|(index, user)| {
            // Interning keeps the number of users below 2^32.
            (UserIdx(u32::try_from(index).unwrap_or(u32::MAX)), user)
        })
    }

    /// Events skipped because the config does not name their type.
    pub fn unknown_events(&self) -> u64 {
        self.unknown_events
    }

    /// Items by decayed number of users who wanted them, the most popular first: at most 1,000.
    pub fn popular(&self) -> impl Iterator<Item = ItemIdx> {
        self.popular.iter()
    }

    /// Items by number of users who wanted them, decayed by the week, the most wanted first: at most 1,000.
    pub fn trending(&self) -> impl Iterator<Item = ItemIdx> {
        self.trending.iter()
    }

    pub(crate) fn audience(&self) -> &Audience {
        &self.audience
    }

    pub(crate) fn totals(&self) -> &Totals {
        &self.totals
    }

    /// What users did with the items that carry `text`.
    pub(crate) fn text(&self, text: LabelIdx) -> Option<&TextStats> {
        self.texts.get(text.0 as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shortlist_types::{Item, ItemId};

    fn event(user: &str, item: &str, event_type: &str, second: i64) -> LogRecord {
        LogRecord::Event(Event {
            event_id: None,
            user_id: UserId::parse(user).unwrap(),
            item_id: ItemId::parse(item).unwrap(),
            event_type: event_type.to_owned(),
            value: None,
            timestamp: Timestamp::from_seconds(second).unwrap(),
            request_id: None,
            position: None,
            context: Attributes::default(),
        })
    }

    fn fold(records: &[LogRecord]) -> FeatureState {
        let mut state = FeatureState::new(Arc::default());
        for (seq, record) in (1..).zip(records) {
            state.apply(LogSeq(seq), record).unwrap();
        }
        state
    }

    #[test]
    fn popularity_counts_distinct_users() {
        let mut records = vec![event("u1", "a", "click", 1); 5];
        records.push(event("u2", "b", "click", 1));
        records.push(event("u3", "b", "like", 2));
        let state = fold(&records);
        assert_eq!(state.item_stats(ItemIdx(0)).unwrap().wanted.ever(), 1);
        assert_eq!(state.item_stats(ItemIdx(1)).unwrap().wanted.ever(), 2);
        assert_eq!(state.popular().collect::<Vec<_>>(), [ItemIdx(1), ItemIdx(0)]);
    }

    #[test]
    fn a_gap_is_refused_and_changes_nothing() {
        let mut state = fold(&[event("u", "a", "click", 1)]);
        let before = state.clone();
        let error = state.apply(LogSeq(3), &event("u", "b", "click", 2)).unwrap_err();
        assert_eq!(error.to_string(), "expected record 2 of the log, got 3");
        assert_eq!(state, before);
    }

    #[test]
    fn an_unknown_event_type_is_counted_and_skipped() {
        let state = fold(&[event("u", "a", "sneeze", 1)]);
        assert_eq!((state.unknown_events(), state.log_seq()), (1, LogSeq(1)));
        assert!(state.user("u").unwrap().is_empty());
    }

    #[test]
    fn an_event_for_a_deleted_item_does_not_bring_it_back() {
        let item = Item {
            item_id: ItemId::parse("a").unwrap(),
            attributes: Attributes::default(),
            available: true,
            embedding: None,
        };
        let timestamp = Timestamp::EPOCH;
        let records = [
            LogRecord::ItemPut { timestamp, item: item.clone() },
            LogRecord::ItemDelete { timestamp, item_id: item.item_id },
            event("u", "a", "click", 3),
        ];
        assert!(!fold(&records).catalog().is_recommendable(ItemIdx(0)));
    }

    #[test]
    fn an_erased_user_keeps_the_numbers_of_the_others() {
        let timestamp = Timestamp::from_seconds(1).unwrap();
        let whole = [event("u1", "a", "click", 1), event("u2", "b", "click", 1), event("u1", "c", "click", 1)];
        let erased = |item: &str, new_user| LogRecord::Erased {
            timestamp,
            item_id: Some(ItemId::parse(item).unwrap()),
            new_user,
        };
        let state = fold(&[erased("a", true), whole[1].clone(), erased("c", false)]);
        assert_eq!(state.user_index("u2"), fold(&whole).user_index("u2"));
        assert_eq!(state.catalog().find("c"), fold(&whole).catalog().find("c"));
        assert!(state.user("u1").is_none() && state.user_id(UserIdx(0)).is_none());
        let mut forgotten = fold(&whole);
        forgotten.forget("u1");
        assert!(forgotten.user("u1").is_none() && forgotten.user_id(UserIdx(0)).is_none());
        assert_eq!(forgotten.users().len(), 2);
        forgotten.apply(LogSeq(4), &event("u1", "a", "click", 2)).unwrap();
        assert_eq!(forgotten.user_index("u1"), Some(UserIdx(2)));
    }
}
