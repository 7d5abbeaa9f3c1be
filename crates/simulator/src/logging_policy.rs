use rand::Rng;

use crate::catalogue::SimItem;
use crate::cumulative_table::CumulativeTable;
use crate::words::CATEGORIES;

/// Chances of the three ways to fill a place; the rest explores.
const POPULAR_CHANCE: f64 = 0.45;
const FAVOURITE_CHANCE: f64 = 0.30;
/// What is left of a click after a day: half after a week.
const CLICK_DECAY_PER_DAY: f64 = 0.905_723_664_263_906_7;
/// Clicks that every item is given, so that a new one is shown at all.
const CLICK_PRIOR: f64 = 0.3;

/// The recommender that the marketplace had so far: what is popular, what is new in the user's
/// favourite category, and some luck. It leaves much to learn, and shows enough to learn it from.
///
/// Its tables are made anew once a day, as such things are; an item that left since is skipped.
#[derive(Debug)]
pub(crate) struct LoggingPolicy {
    /// Decayed clicks per item.
    clicks: Vec<f64>,
    on_sale: Vec<u32>,
    /// Over `on_sale`.
    popular: CumulativeTable,
    /// Items on sale per category, newest first.
    newest: Vec<Vec<u32>>,
}

impl LoggingPolicy {
    /// A policy that has seen no clicks; [`Self::refresh`] comes before the first draw.
    pub(crate) fn new(items: usize) -> Self {
        let newest = vec![Vec::new(); CATEGORIES.len()];
        Self { clicks: vec![0.0; items], on_sale: Vec::new(), popular: CumulativeTable::default(), newest }
    }

    /// Makes the tables for a day and lets older clicks fade. **Cost**: O(items log items).
    pub(crate) fn refresh(&mut self, items: &[SimItem], day: f64) {
        self.clicks.iter_mut().for_each(|clicks| *clicks *= CLICK_DECAY_PER_DAY);
        self.on_sale = (0_u32..).zip(items).filter(|(_, item)| item.on_sale(day)).map(|(i, _)| i).collect();
        self.popular = CumulativeTable::new(self.on_sale.iter().map(|&i| self.clicks[i as usize] + CLICK_PRIOR));
        self.newest.iter_mut().for_each(Vec::clear);
        for &i in &self.on_sale {
            self.newest[items[i as usize].category].push(i);
        }
        for category in &mut self.newest {
            category.sort_by(|&a, &b| items[b as usize].birth.total_cmp(&items[a as usize].birth));
        }
    }

    /// Counts a click.
    pub(crate) fn record_click(&mut self, item: u32) {
        self.clicks[item as usize] += 1.0;
    }

    /// One item to show, or `None` if the drawn shelf is empty.
    pub(crate) fn draw(&self, favourite: Option<usize>, random: &mut impl Rng) -> Option<u32> {
        let way: f64 = random.random();
        if way < POPULAR_CHANCE {
            return self.popular.draw(random).map(|place| self.on_sale[place]);
        }
        let shelf = match favourite {
            Some(category) if way < POPULAR_CHANCE + FAVOURITE_CHANCE => &self.newest[category],
            _ => return pick(&self.on_sale, random.random()),
        };
        // Squared: the newest quarter is drawn half of the time.
        pick(shelf, random.random::<f64>().powi(2))
    }
}

/// The entry at this share, from 0 to 1, of the way through a shelf.
fn pick(shelf: &[u32], share: f64) -> Option<u32> {
    shelf.get((share * shelf.len() as f64) as usize).copied()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;
    use shortlist_types::Timestamp;

    use super::*;
    use crate::{MarketConfig, Truth};

    #[test]
    fn clicked_items_are_shown_more_and_items_off_sale_never() {
        let end = Timestamp::parse("2026-06-01T00:00:00Z").unwrap();
        let truth = Truth::generate(&MarketConfig { items: 300, ..MarketConfig::new(5, end) }).unwrap();
        let mut policy = LoggingPolicy::new(300);
        (0..40).for_each(|_| policy.record_click(3));
        policy.refresh(truth.items(), 30.0);
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let drawn: Vec<usize> =
            (0..5_000).filter_map(|_| policy.draw(Some(2), &mut random)).map(|item| item as usize).collect();
        assert!(drawn.iter().all(|&item| truth.items()[item].on_sale(30.0)));
        let shown = |wanted: usize| drawn.iter().filter(|&&item| item == wanted).count();
        assert!(shown(3) > 5 * shown(4).max(1), "{} against {}", shown(3), shown(4));
        let favourite = drawn.iter().filter(|&&item| truth.items()[item].category == 2).count();
        assert!(favourite > 1_400, "{favourite}");
    }

    #[test]
    fn clicks_lose_half_their_weight_in_a_week() {
        assert!((CLICK_DECAY_PER_DAY.powi(7) - 0.5).abs() < 1e-9);
    }
}
