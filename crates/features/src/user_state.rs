use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use shortlist_types::limits::{FOLD_IN_MAX, SHOWN_MAX};
use shortlist_types::{Attributes, EventType, EventTypeIdx, ItemIdx, Outcome, Timestamp};

use crate::seen_items::SeenItems;
use crate::{LabelIdx, Tally};

/// Entries by which a user's list grows, or an eighth of it: most users have few, and doubling would leave
/// half of their memory empty.
const ENTRIES_AT_ONCE: usize = 8;

/// What one user did with one item, summed up. 24 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct UserItem {
    /// The item.
    pub item: ItemIdx,
    /// How much it says about his taste: the greatest interest of his positive events, or what the
    /// last negative one left of it. Zero when it says nothing.
    pub interest: f32,
    /// When he last did something with it.
    pub time: Timestamp,
    /// What he did then.
    pub event_type: EventTypeIdx,
    /// His last word on it.
    pub opinion: Opinion,
}

/// A user's last word on an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Opinion {
    /// Nothing said.
    None,
    /// He wants it.
    Wanted,
    /// He does not want it.
    Unwanted,
}

/// One thing a user did, ready to be applied.
#[derive(Debug, Clone, Copy)]
pub struct Action<'a> {
    /// With which item.
    pub item: ItemIdx,
    /// Of which type.
    pub event_type: EventTypeIdx,
    /// How events of that type are read.
    pub kind: &'a EventType,
    /// With which value.
    pub value: Option<f32>,
    /// When.
    pub time: Timestamp,
}

/// What an action changed, as far as the item's own counters need to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// The user wants this item and did not before.
    Wanted,
    /// The user does not want this item and had not said so before.
    Unwanted,
    /// The item was shown.
    Shown,
    /// Nothing new.
    Repeated,
}

/// All that is known of one user. Bounded: the latest thing he did with each of the last 1,000 items, what
/// he has seen, compressed, and his latest 100 impressions.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct UserState {
    pub(crate) attributes: Attributes,
    pub(crate) described: bool,
    /// His attribute texts, numbered by [`crate::audience::Audience`].
    pub(crate) labels: Box<[LabelIdx]>,
    /// In ascending order of item.
    items: Vec<UserItem>,
    seen: SeenItems,
    /// Latest impressions, oldest first.
    shown: VecDeque<ItemIdx>,
    wanted: Tally,
    unwanted: Tally,
    /// Time of his latest event.
    latest: Option<Timestamp>,
}

impl UserState {
    /// What the catalogue's owner said of him.
    pub fn attributes(&self) -> &Attributes {
        &self.attributes
    }

    /// Whether the catalogue's owner described him, be it with no attribute.
    pub fn is_described(&self) -> bool {
        self.described
    }

    /// The items that he last did something with, at most 1,000, in ascending order of item.
    pub fn items(&self) -> &[UserItem] {
        &self.items
    }

    /// Whether he did anything but look.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// What he did with `item`, if it is one of the last.
    pub fn item(&self, item: ItemIdx) -> Option<&UserItem> {
        self.items.binary_search_by_key(&item, |entry| entry.item).ok().map(|position| &self.items[position])
    }

    /// Whether `item` was consumed and must not be recommended at `now`.
    pub fn has_seen(&self, item: ItemIdx, now: Timestamp) -> bool {
        self.seen.contains(item, now)
    }

    /// The items that must not be recommended at `now`, each once.
    pub fn seen(&self, now: Timestamp) -> impl Iterator<Item = ItemIdx> {
        self.seen.iter(now)
    }

    /// Memory of what is known of him but his attributes: in all, and of that for what he has seen, about.
    pub fn bytes(&self) -> (usize, usize) {
        let lists = self.items.capacity() * size_of::<UserItem>()
            + self.shown.capacity() * size_of::<ItemIdx>()
            + size_of_val(&*self.labels);
        let seen = self.seen.bytes();
        (size_of::<Self>() + lists + seen, seen)
    }

    /// How often `item` stands among his latest impressions.
    pub fn times_shown(&self, item: ItemIdx) -> usize {
        self.shown.iter().filter(|shown| **shown == item).count()
    }

    /// His latest impressions.
    pub(crate) fn shown(&self) -> impl Iterator<Item = ItemIdx> {
        self.shown.iter().copied()
    }

    /// How often he wanted an item that he had not wanted before.
    pub fn wanted_tally(&self) -> &Tally {
        &self.wanted
    }

    /// How often he turned an item down that he had not turned down before.
    pub fn unwanted_tally(&self) -> &Tally {
        &self.unwanted
    }

    /// Time of his latest event.
    pub fn latest(&self) -> Option<Timestamp> {
        self.latest
    }

    /// The items that say something about his taste, the newest first, at most 1,000: what his vector
    /// is folded in from, and what models are fitted on.
    pub fn interests(&self) -> Vec<&UserItem> {
        self.newest(|entry| entry.interest > 0.0)
    }

    /// The items he wants, the newest first, at most 1,000.
    pub fn wanted(&self) -> Vec<&UserItem> {
        self.newest(|entry| entry.opinion == Opinion::Wanted)
    }

    /// The `most` items that were last wanted, or unwanted; the newest first.
    pub(crate) fn latest_of(&self, opinion: Opinion, most: usize) -> Vec<&UserItem> {
        let mut entries: Vec<_> = self.items.iter().filter(|entry| entry.opinion == opinion).collect();
        let newest_first = |a: &&UserItem, b: &&UserItem| b.time.cmp(&a.time).then(a.item.cmp(&b.item));
        if entries.len() > most {
            entries.select_nth_unstable_by(most, newest_first);
            entries.truncate(most);
        }
        entries.sort_by(newest_first);
        entries
    }

    fn newest(&self, keep: impl Fn(&UserItem) -> bool) -> Vec<&UserItem> {
        let mut entries: Vec<_> = self.items.iter().filter(|entry| keep(entry)).collect();
        entries.sort_by(|a, b| b.time.cmp(&a.time).then(a.item.cmp(&b.item)));
        entries.truncate(FOLD_IN_MAX);
        entries
    }

    /// Applies one action. The rule for events that come late: an action older than the latest one
    /// with the same item can raise the interest, but not change the last word.
    pub fn apply(&mut self, action: &Action<'_>) {
        self.change(action);
    }

    pub(crate) fn change(&mut self, action: &Action<'_>) -> Change {
        let change = self.change_item(action);
        match change {
            Change::Wanted => self.wanted.add(action.time),
            Change::Unwanted => self.unwanted.add(action.time),
            Change::Shown | Change::Repeated => {}
        }
        self.latest = self.latest.max(Some(action.time));
        change
    }

    fn change_item(&mut self, action: &Action<'_>) -> Change {
        let Action { item, event_type, kind, value, time } = *action;
        let outcome = kind.outcome(value);
        if outcome == Outcome::Impression {
            if self.shown.len() >= SHOWN_MAX {
                self.shown.pop_front();
            }
            self.shown.push_back(item);
            return Change::Shown;
        }
        let entry = entry(&mut self.items, &self.seen, action);
        let (before, is_late) = (entry.opinion, time < entry.time);
        if !is_late {
            (entry.time, entry.event_type) = (time, event_type);
        }
        let change = match (outcome, before) {
            (Outcome::Positive(interest), Opinion::Wanted) => {
                entry.interest = entry.interest.max(interest);
                Change::Repeated
            }
            (_, Opinion::Wanted | Opinion::Unwanted) if is_late => Change::Repeated,
            (Outcome::Positive(interest), Opinion::None | Opinion::Unwanted) => {
                (entry.interest, entry.opinion) = (interest, Opinion::Wanted);
                Change::Wanted
            }
            (Outcome::Negative(interest), _) => {
                (entry.interest, entry.opinion) = (interest, Opinion::Unwanted);
                if before == Opinion::Unwanted { Change::Repeated } else { Change::Unwanted }
            }
            (Outcome::Impression, _) => Change::Shown,
        };
        match kind.seen_until(time) {
            Some(_) if kind.seen_days.is_none() => self.seen.add(item),
            Some(until) => self.seen.add_until(item, until),
            None => {}
        }
        change
    }
}

/// The entry of the action's item, made if needed with nothing said yet. An item that he has seen and whose
/// entry gave way to later ones counts as wanted: he is not counted among those who want it a second time.
fn entry<'a>(items: &'a mut Vec<UserItem>, seen: &SeenItems, action: &Action<'_>) -> &'a mut UserItem {
    let Action { item, event_type, time, .. } = *action;
    let position = match items.binary_search_by_key(&item, |entry| entry.item) {
        Ok(position) => position,
        Err(mut position) => {
            if items.len() >= FOLD_IN_MAX {
                let oldest = oldest(items);
                items.remove(oldest);
                position -= usize::from(oldest < position);
            }
            if items.len() == items.capacity() {
                items.reserve_exact(ENTRIES_AT_ONCE.max(items.len() / ENTRIES_AT_ONCE));
            }
            let opinion = if seen.contains_for_good(item) { Opinion::Wanted } else { Opinion::None };
            items.insert(position, UserItem { item, interest: 0.0, time, event_type, opinion });
            position
        }
    };
    &mut items[position]
}

fn oldest(items: &[UserItem]) -> usize {
    let by_age = items.iter().enumerate().min_by_key(|(_, entry)| (entry.time, entry.item));
    by_age.map_or(0, |(position, _)| position)
}

#[cfg(test)]
mod tests {
    use super::*;
    use shortlist_types::EventTypes;

    fn act(user: &mut UserState, item: u32, name: &str, value: Option<f32>, second: i64) -> Change {
        let types = EventTypes::default();
        let event_type = types.find(name).unwrap();
        let (kind, time) = (types.get(event_type), Timestamp::from_seconds(second).unwrap());
        user.change(&Action { item: ItemIdx(item), event_type, kind, value, time })
    }

    #[test]
    fn the_greatest_positive_weight_counts_until_a_negative_word() {
        let mut user = UserState::default();
        assert_eq!(act(&mut user, 7, "view", None, 1), Change::Wanted);
        assert_eq!(act(&mut user, 7, "purchase", None, 2), Change::Repeated);
        assert_eq!(act(&mut user, 7, "click", None, 3), Change::Repeated);
        assert_eq!(user.interests()[0].interest.to_bits(), 2.0_f32.to_bits());
        assert_eq!(act(&mut user, 7, "hide", None, 4), Change::Unwanted);
        assert!(user.wanted().is_empty() && user.interests().is_empty());
        assert_eq!(act(&mut user, 7, "hide", None, 5), Change::Repeated);
        assert_eq!(act(&mut user, 7, "like", None, 6), Change::Wanted);
    }

    #[test]
    fn a_low_rating_marks_seen_is_not_wanted_and_still_says_something() {
        let mut user = UserState::default();
        assert_eq!(act(&mut user, 1, "rating", Some(2.0), 1), Change::Unwanted);
        assert!(user.has_seen(ItemIdx(1), Timestamp::from_seconds(100).unwrap()));
        assert!(user.wanted().is_empty());
        assert_eq!(user.interests()[0].interest.to_bits(), 0.25_f32.to_bits());
    }

    #[test]
    fn a_late_negative_does_not_undo_a_newer_positive() {
        let mut user = UserState::default();
        act(&mut user, 1, "like", None, 10);
        assert_eq!(act(&mut user, 1, "hide", None, 5), Change::Repeated);
        assert_eq!(user.wanted().len(), 1);
    }

    #[test]
    fn views_and_impressions_do_not_mark_seen() {
        let mut user = UserState::default();
        act(&mut user, 1, "view", None, 1);
        act(&mut user, 2, "impression", None, 1);
        let now = Timestamp::from_seconds(2).unwrap();
        assert!(!user.has_seen(ItemIdx(1), now) && !user.has_seen(ItemIdx(2), now));
        assert_eq!(user.times_shown(ItemIdx(2)), 1);
    }

    #[test]
    fn memory_is_bounded_and_the_oldest_are_forgotten_but_not_what_was_seen() {
        let mut user = UserState::default();
        for item in 0..u32::try_from(FOLD_IN_MAX).unwrap() + 5 {
            assert_eq!(act(&mut user, item, "click", None, i64::from(item)), Change::Wanted);
            act(&mut user, item, "impression", None, i64::from(item));
        }
        assert_eq!(user.items().len(), FOLD_IN_MAX);
        assert!(user.item(ItemIdx(4)).is_none() && user.item(ItemIdx(5)).is_some());
        assert_eq!(user.shown.len(), SHOWN_MAX);
        assert_eq!(user.wanted().len(), FOLD_IN_MAX);
        assert!(user.has_seen(ItemIdx(4), Timestamp::EPOCH));
        assert_eq!(act(&mut user, 4, "like", None, 9_999), Change::Repeated, "he is counted once");
        assert_eq!(user.wanted_tally().ever(), u32::try_from(FOLD_IN_MAX).unwrap() + 5);
    }

    #[test]
    fn the_latest_type_and_time_stand_whatever_comes_late() {
        let mut user = UserState::default();
        act(&mut user, 1, "like", None, 10);
        act(&mut user, 1, "view", None, 5);
        let types = EventTypes::default();
        let entry = user.item(ItemIdx(1)).unwrap();
        assert_eq!((types.name(entry.event_type), entry.time), ("like", Timestamp::from_seconds(10).unwrap()));
    }
}
