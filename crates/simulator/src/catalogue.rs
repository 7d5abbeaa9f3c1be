use rand::Rng;
use shortlist_types::{AttributeValue, Attributes, Item, ItemId};

use crate::Result;
use crate::category::{Brand, Category};
use crate::config::{ITEMS_MIN, LOG_DAYS};
use crate::cumulative_table::CumulativeTable;
use crate::latent::{Latent, normal};
use crate::words::{BRANDS, CATEGORIES};

/// Share of the items that appear while the log runs.
const NEW_SHARE: f64 = 0.25;
/// Share of the items that become unavailable, and share that is deleted.
const UNAVAILABLE_SHARE: f64 = 0.03;
const DELETED_SHARE: f64 = 0.015;
/// Days before the log over which the older items had appeared.
const PAST_DAYS: f64 = 365.0;

/// One item with what nobody sees. Times are in days since the start of the log.
#[derive(Debug, Clone)]
pub(crate) struct SimItem {
    /// What everybody sees.
    pub(crate) entry: Item,
    /// Index of its category.
    pub(crate) category: usize,
    /// Where it lies among tastes.
    pub(crate) latent: Latent,
    /// How much anybody would like it.
    pub(crate) quality: f64,
    /// Logarithm of its price over the typical one of its category.
    pub(crate) relative_price: f64,
    /// When it appeared; negative if before the log.
    pub(crate) birth: f64,
    /// When and how it left, if it did.
    pub(crate) departure: Option<Departure>,
    trend: Trend,
}

/// How an item leaves the shelf.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Departure {
    /// When.
    pub(crate) at: f64,
    /// Deleted from the catalogue, or only not available any more.
    pub(crate) deleted: bool,
}

/// A fashion: rises from `start` to `height` in `rise` days, then decays.
#[derive(Debug, Clone, Copy)]
struct Trend {
    start: f64,
    height: f64,
    rise: f64,
}

impl SimItem {
    /// Draws `count` items.
    pub(crate) fn generate(
        count: usize,
        categories: &[Category],
        brands: &[Brand],
        random: &mut impl Rng,
    ) -> Result<Vec<Self>> {
        let shares = CumulativeTable::new(categories.iter().map(|category| category.weight));
        let mut named = vec![0; categories.len()];
        let item = |index| {
            let category = shares.draw(random).unwrap_or(0);
            let n = named[category];
            named[category] += 1;
            // The first page of items is there from start to end, so that no page is ever empty.
            Self::draw(index, (category, n), &categories[category], brands, index < ITEMS_MIN, random)
        };
        (0..count).map(item).collect()
    }

    fn draw(
        index: usize,
        (category_index, n): (usize, usize),
        category: &Category,
        brands: &[Brand],
        permanent: bool,
        random: &mut impl Rng,
    ) -> Result<Self> {
        let (title, noun) = CATEGORIES[category_index].title(n);
        let brand = category.brands[random.random_range(0..category.brands.len())];
        let own = Latent::random(random);
        let latent = Latent::blend([(1.0, category.centre), (0.35, category.nouns[noun]), (0.5, own)]);
        let quality = 0.9 * normal(random) + brands[brand].quality;
        let log_price = category.log_price + brands[brand].log_price + 0.35 * normal(random);
        // Prices end in .99, as in a shop.
        let price = log_price.exp().round().max(1.0) - 0.01;
        let days = f64::from(LOG_DAYS);
        let is_new = random.random_bool(NEW_SHARE) && !permanent;
        let birth = if is_new { random.random_range(0.0..days) } else { -random.random_range(0.0..PAST_DAYS) };
        let fate: f64 = random.random();
        let at = random.random_range(birth.max(0.0)..days);
        let leaves = fate < UNAVAILABLE_SHARE + DELETED_SHARE && !permanent;
        let pairs =
            [("title", title.as_str()), ("category", CATEGORIES[category_index].name), ("brand", BRANDS[brand])];
        let texts = pairs.map(|(name, text)| (name.to_owned(), AttributeValue::Text(text.to_owned())));
        let price_pair = ("price".to_owned(), AttributeValue::Number(price));
        Ok(Self {
            entry: Item {
                item_id: ItemId::parse(&format!("item-{}", index + 1))?,
                attributes: Attributes::parse(texts.into_iter().chain([price_pair]))?,
                available: true,
                embedding: None,
            },
            category: category_index,
            latent,
            quality,
            relative_price: price.ln() - category.log_price,
            birth,
            departure: leaves.then_some(Departure { at, deleted: fate < DELETED_SHARE }),
            trend: Trend::draw(if is_new { birth } else { random.random_range(-20.0..days) }, random),
        })
    }

    /// Whether it can be taken on this day.
    pub(crate) fn on_sale(&self, day: f64) -> bool {
        self.birth <= day && self.departure.is_none_or(|departure| day < departure.at)
    }

    /// How much fashion adds on this day.
    pub(crate) fn trend(&self, day: f64) -> f64 {
        self.trend.at(day)
    }
}

impl Trend {
    fn draw(start: f64, random: &mut impl Rng) -> Self {
        // Squared normals: most fashions are small, a few are large.
        let height = (0.6 * normal(random).powi(2)).min(3.0);
        Self { start, height, rise: random.random_range(1.5..8.0) }
    }

    fn at(&self, day: f64) -> f64 {
        let x = ((day - self.start) / self.rise).max(0.0);
        self.height * x * (1.0 - x).exp()
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn items(count: usize) -> Vec<SimItem> {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let categories = Category::generate(&mut random);
        let brands = Brand::generate(&mut random);
        SimItem::generate(count, &categories, &brands, &mut random).unwrap()
    }

    #[test]
    fn a_quarter_appears_during_the_log_and_a_few_leave() {
        let items = items(4_000);
        let new = items.iter().filter(|item| item.birth >= 0.0).count();
        assert!((850..1_150).contains(&new), "{new}");
        let (deleted, unavailable): (Vec<_>, Vec<_>) =
            items.iter().filter_map(|item| item.departure).partition(|departure| departure.deleted);
        assert!((30..100).contains(&deleted.len()), "{}", deleted.len());
        assert!((70..180).contains(&unavailable.len()), "{}", unavailable.len());
        assert!(items.iter().all(|item| item.departure.is_none_or(|left| left.at >= item.birth.max(0.0))));
    }

    #[test]
    fn the_first_page_stays_from_start_to_end() {
        assert!(items(50)[..ITEMS_MIN].iter().all(|item| item.on_sale(0.0) && item.on_sale(60.0)));
    }

    #[test]
    fn a_trend_is_nothing_before_it_starts_highest_after_its_rise_and_decays() {
        let trend = Trend { start: 5.0, height: 2.0, rise: 3.0 };
        assert!(trend.at(4.0).abs() < 1e-12);
        assert!((trend.at(8.0) - 2.0).abs() < 1e-12);
        assert!(trend.at(7.0) < 2.0 && trend.at(20.0) < 1.0);
    }

    #[test]
    fn titles_of_a_default_catalogue_differ() {
        let items = items(3_000);
        let titles: std::collections::HashSet<_> =
            items.iter().flat_map(|item| item.entry.attributes.labels("title")).collect();
        assert!(titles.len() > 2_950, "{}", titles.len());
    }
}
