use std::collections::HashMap;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use shortlist_types::{ItemId, Timestamp, UserId};

use crate::catalogue::SimItem;
use crate::category::{Brand, Category};
use crate::config::MICROS_PER_DAY;
use crate::population::SimUser;
use crate::{MarketConfig, Result};

/// How strongly taste counts: an item that points where the user points gains this much.
const TASTE: f64 = 3.6;
/// How strongly quality counts.
const QUALITY: f64 = 0.65;
/// What an item without any appeal starts from.
const BIAS: f64 = -2.8;

/// What a service can never see: how probably each user takes each item at each time.
///
/// ```
/// use shortlist_simulator::{MarketConfig, Truth};
/// use shortlist_types::{Timestamp, UserId};
/// let end = Timestamp::parse("2026-06-01T00:00:00Z").unwrap();
/// let truth = Truth::generate(&MarketConfig::new(7, end)).unwrap();
/// let user = UserId::parse("user-1").unwrap();
/// let best = truth.best(&user, 3, end, &|_| true);
/// assert_eq!(truth.preference(&user, &best[0].0, end), Some(best[0].1));
/// ```
#[derive(Debug)]
pub struct Truth {
    start: Timestamp,
    categories: Vec<Category>,
    items: Vec<SimItem>,
    users: Vec<SimUser>,
    item_of: HashMap<ItemId, usize>,
    user_of: HashMap<UserId, usize>,
}

impl Truth {
    /// Recomputes the truth of a marketplace from its config, without its events.
    ///
    /// The number of events plays no part; users, items, seed and end do.
    ///
    /// **Cost**: about a microsecond per user and item.
    ///
    /// # Errors
    /// As [`MarketConfig::check`].
    pub fn generate(config: &MarketConfig) -> Result<Self> {
        config.check()?;
        // One stream each, so that the number of items does not change the users.
        let stream = |number| {
            let mut random = ChaCha8Rng::seed_from_u64(config.seed);
            random.set_stream(number);
            random
        };
        let mut random = stream(0);
        let (categories, brands) = (Category::generate(&mut random), Brand::generate(&mut random));
        let items = SimItem::generate(config.items, &categories, &brands, &mut stream(1))?;
        let users = SimUser::generate(config.users, &mut stream(2))?;
        Ok(Self {
            start: config.start(),
            categories,
            item_of: items.iter().enumerate().map(|(i, item)| (item.entry.item_id.clone(), i)).collect(),
            user_of: users.iter().enumerate().map(|(i, user)| (user.entry.user_id.clone(), i)).collect(),
            items,
            users,
        })
    }

    /// The probability that `user` takes `item` (clicks or more) if he looks at it at this time;
    /// above 0 and below 1. Positions further down get less attention and fewer clicks than this.
    ///
    /// `None` if either is unknown, or if the item is not on sale at this time: not yet born, not
    /// available any more, or deleted.
    ///
    /// **Cost**: two look-ups and about 50 ns.
    pub fn preference(&self, user: &UserId, item: &ItemId, at: Timestamp) -> Option<f64> {
        let (user, item, day) = (*self.user_of.get(user)?, *self.item_of.get(item)?, self.day(at));
        self.items[item].on_sale(day).then(|| self.chance(user, item, day))
    }

    /// The `k` items on sale that `user` would most probably take at this time, best first, ties in
    /// order of the catalogue; among those that `allowed` lets pass.
    ///
    /// Empty for an unknown user.
    ///
    /// **Cost**: one preference per item.
    pub fn best(
        &self,
        user: &UserId,
        k: usize,
        at: Timestamp,
        allowed: &dyn Fn(&ItemId) -> bool,
    ) -> Vec<(ItemId, f64)> {
        let Some(&user) = self.user_of.get(user) else { return Vec::new() };
        let day = self.day(at);
        let shown = |item: &usize| self.items[*item].on_sale(day) && allowed(&self.items[*item].entry.item_id);
        let mut scored: Vec<(usize, f64)> =
            (0..self.items.len()).filter(shown).map(|item| (item, self.chance(user, item, day))).collect();
        scored.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        scored.truncate(k);
        scored.into_iter().map(|(item, chance)| (self.items[item].entry.item_id.clone(), chance)).collect()
    }

    /// All items, in order of the catalogue.
    pub(crate) fn items(&self) -> &[SimItem] {
        &self.items
    }

    /// All users.
    pub(crate) fn users(&self) -> &[SimUser] {
        &self.users
    }

    /// When the log starts.
    pub(crate) fn start(&self) -> Timestamp {
        self.start
    }

    /// Days since the start of the log.
    pub(crate) fn day(&self, at: Timestamp) -> f64 {
        at.seconds_since(self.start) / 86_400.0
    }

    /// The first time that does not lie before this many days after the start of the log.
    pub(crate) fn time(&self, day: f64) -> Result<Timestamp> {
        let micros = (day * MICROS_PER_DAY as f64).ceil() as i64;
        Ok(Timestamp::from_micros(self.start.as_micros() + micros)?)
    }

    /// The true preference by index, whether on sale or not.
    pub(crate) fn chance(&self, user: usize, item: usize, day: f64) -> f64 {
        let (user, item) = (&self.users[user], &self.items[item]);
        let start_hour = self.start.as_micros().rem_euclid(MICROS_PER_DAY) as f64 / 3.6e9;
        let appetite = self.categories[item.category].appetite(start_hour + day * 24.0);
        let appeal =
            TASTE * user.taste.dot(&item.latent) + QUALITY * item.quality + user.price_fit(item.relative_price);
        logistic(BIAS + appeal + item.trend(day) + appetite)
    }
}

fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn truth(items: usize) -> (Truth, Timestamp) {
        let end = Timestamp::parse("2026-06-01T12:00:00Z").unwrap();
        (Truth::generate(&MarketConfig { items, ..MarketConfig::new(3, end) }).unwrap(), end)
    }

    #[test]
    fn unknown_ids_have_no_preference() {
        let (truth, end) = truth(20);
        let (user, item) = (UserId::parse("user-1").unwrap(), ItemId::parse("item-1").unwrap());
        assert!(truth.preference(&user, &item, end).is_some());
        assert_eq!(truth.preference(&UserId::parse("user-0").unwrap(), &item, end), None);
        assert_eq!(truth.preference(&user, &ItemId::parse("item-01").unwrap(), end), None);
        assert!(truth.best(&UserId::parse("nobody").unwrap(), 3, end, &|_| true).is_empty());
    }

    #[test]
    fn items_are_only_preferred_while_they_are_on_sale() {
        let (truth, _) = truth(500);
        let user = UserId::parse("user-1").unwrap();
        let left = truth.items().iter().find(|item| item.departure.is_some()).unwrap();
        let at = left.departure.unwrap().at;
        let id = &left.entry.item_id;
        assert!(truth.preference(&user, id, truth.time(at - 0.01).unwrap()).is_some());
        assert_eq!(truth.preference(&user, id, truth.time(at + 0.01).unwrap()), None);
        let new = truth.items().iter().find(|item| item.birth > 1.0).unwrap();
        assert_eq!(truth.preference(&user, &new.entry.item_id, truth.start()), None);
        assert!(truth.best(&user, 500, truth.start(), &|_| true).iter().all(|(id, _)| *id != new.entry.item_id));
    }

    #[test]
    fn the_best_are_ordered_allowed_and_agree_with_preference() {
        let (truth, end) = truth(200);
        let user = UserId::parse("user-2").unwrap();
        let first = truth.best(&user, 1, end, &|_| true).remove(0).0;
        let best = truth.best(&user, 10, end, &|item| *item != first);
        assert_eq!(best.len(), 10);
        assert!(best.is_sorted_by(|a, b| a.1 >= b.1));
        assert!(best.iter().all(|(item, p)| *item != first && truth.preference(&user, item, end) == Some(*p)));
    }

    #[test]
    fn the_number_of_items_does_not_change_the_users() {
        let ((small, _), (large, _)) = (truth(20), truth(40));
        assert_eq!(small.users()[9].taste, large.users()[9].taste);
        assert_eq!(small.items()[9].latent, large.items()[9].latent);
    }
}
