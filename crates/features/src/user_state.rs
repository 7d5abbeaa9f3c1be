use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use shortlist_types::limits::{FOLD_IN_MAX, SHOWN_MAX, USER_ITEMS_MAX};
use shortlist_types::{Attributes, EventType, ItemIdx, Outcome, Timestamp};

use crate::LabelIdx;

/// What one user did with one item, summed up. 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct UserItem {
    /// The item.
    pub item: ItemIdx,
    /// How much it says about his taste: the greatest interest of his positive events, or what the
    /// last negative one left of it. Zero when it says nothing.
    pub interest: f32,
    /// His last word on it.
    pub opinion: Opinion,
    /// When he last did something with it.
    pub time: Timestamp,
    /// Until when it is not to be recommended again.
    pub seen_until: Timestamp,
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
    pub event_type: &'a EventType,
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

/// All that is known of one user. Bounded: 32 bytes per item he touched, up to 10,000 items.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct UserState {
    pub(crate) attributes: Attributes,
    pub(crate) described: bool,
    /// His attribute texts, numbered by [`crate::audience::Audience`].
    pub(crate) labels: Box<[LabelIdx]>,
    /// In ascending order of item.
    items: Vec<UserItem>,
    /// Latest impressions, oldest first.
    shown: VecDeque<(ItemIdx, Timestamp)>,
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

    /// Everything he touched, in ascending order of item.
    pub fn items(&self) -> &[UserItem] {
        &self.items
    }

    /// Whether he did anything but look.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// What he did with `item`.
    pub fn item(&self, item: ItemIdx) -> Option<&UserItem> {
        self.items.binary_search_by_key(&item, |entry| entry.item).ok().map(|position| &self.items[position])
    }

    /// Whether `item` was consumed and must not be recommended at `now`.
    pub fn has_seen(&self, item: ItemIdx, now: Timestamp) -> bool {
        self.item(item).is_some_and(|entry| entry.seen_until > now)
    }

    /// How often `item` stands among his latest impressions.
    pub fn times_shown(&self, item: ItemIdx) -> usize {
        self.shown.iter().filter(|(shown, _)| *shown == item).count()
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
        let outcome = action.event_type.outcome(action.value);
        if outcome == Outcome::Impression {
            if self.shown.len() >= SHOWN_MAX {
                self.shown.pop_front();
            }
            self.shown.push_back((action.item, action.time));
            return Change::Shown;
        }
        let entry = self.entry(action.item, action.time);
        let (before, is_late) = (entry.opinion, action.time < entry.time);
        entry.time = entry.time.max(action.time);
        if let Some(until) = action.event_type.seen_until(action.time) {
            entry.seen_until = entry.seen_until.max(until);
        }
        match (outcome, before) {
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
        }
    }

    /// The entry of `item`, made if needed with nothing said yet.
    fn entry(&mut self, item: ItemIdx, time: Timestamp) -> &mut UserItem {
        let position = match self.items.binary_search_by_key(&item, |entry| entry.item) {
            Ok(position) => position,
            Err(mut position) => {
                if self.items.len() >= USER_ITEMS_MAX {
                    let oldest = self.oldest();
                    self.items.remove(oldest);
                    position -= usize::from(oldest < position);
                }
                let never = Timestamp::MIN;
                let entry = UserItem { item, interest: 0.0, opinion: Opinion::None, time, seen_until: never };
                self.items.insert(position, entry);
                position
            }
        };
        &mut self.items[position]
    }

    fn oldest(&self) -> usize {
        let by_age = self.items.iter().enumerate().min_by_key(|(_, entry)| (entry.time, entry.item));
        by_age.map_or(0, |(position, _)| position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shortlist_types::EventTypes;

    fn act(user: &mut UserState, item: u32, name: &str, value: Option<f32>, second: i64) -> Change {
        let types = EventTypes::default();
        let event_type = types.get(types.find(name).unwrap());
        user.change(&Action { item: ItemIdx(item), event_type, value, time: Timestamp::from_seconds(second).unwrap() })
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
    fn memory_is_bounded_and_the_oldest_are_forgotten() {
        let mut user = UserState::default();
        for item in 0..u32::try_from(USER_ITEMS_MAX).unwrap() + 5 {
            act(&mut user, item, "click", None, i64::from(item));
            act(&mut user, item, "impression", None, i64::from(item));
        }
        assert_eq!(user.items().len(), USER_ITEMS_MAX);
        assert!(user.item(ItemIdx(4)).is_none() && user.item(ItemIdx(5)).is_some());
        assert_eq!(user.shown.len(), SHOWN_MAX);
        assert_eq!(user.wanted().len(), FOLD_IN_MAX);
    }
}
