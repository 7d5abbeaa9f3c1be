use rand::Rng;
use shortlist_types::{AttributeValue, Attributes, User, UserId};

use crate::Result;
use crate::config::LOG_DAYS;
use crate::latent::{Latent, normal};

/// Groups of users with a taste in common.
const COMMUNITIES: usize = 6;
/// Every fifth user joins while the log runs.
const LATE_EVERY: usize = 5;
/// Chance that an attribute is the usual one of the community; else it is any.
const USUAL_CHANCE: f64 = 0.4;
/// Chance that a session runs on the user's own device; else it is any.
const OWN_DEVICE_CHANCE: f64 = 0.85;

const AGE_GROUPS: [&str; 5] = ["18-24", "25-34", "35-44", "45-59", "60+"];
const COUNTRIES: [&str; 6] = ["BR", "DE", "FR", "IN", "JP", "US"];
/// Values of the context attribute `device`.
pub(crate) const DEVICES: [&str; 3] = ["mobile", "desktop", "tablet"];

/// One user with what nobody sees. Times are in days since the start of the log.
#[derive(Debug, Clone)]
pub(crate) struct SimUser {
    /// What everybody sees.
    pub(crate) entry: User,
    /// What he likes.
    pub(crate) taste: Latent,
    /// How often he comes, relative to the others; heavy-tailed.
    pub(crate) activity: f64,
    /// When he joined; 0 if before the log.
    pub(crate) joined: f64,
    price_level: f64,
    price_sensitivity: f64,
    hour: f64,
    device: usize,
}

/// What the members of a community share.
struct Community {
    taste: Latent,
    age_group: usize,
    country: usize,
    device: usize,
    price_level: f64,
}

impl SimUser {
    /// Draws `count` users.
    pub(crate) fn generate(count: usize, random: &mut impl Rng) -> Result<Vec<Self>> {
        let community = |_| Community {
            taste: Latent::random(random),
            age_group: random.random_range(0..AGE_GROUPS.len()),
            country: random.random_range(0..COUNTRIES.len()),
            device: random.random_range(0..DEVICES.len()),
            price_level: 0.3 * normal(random),
        };
        let communities: [Community; COMMUNITIES] = std::array::from_fn(community);
        (0..count).map(|index| Self::draw(index, &communities, random)).collect()
    }

    fn draw(index: usize, communities: &[Community; COMMUNITIES], random: &mut impl Rng) -> Result<Self> {
        let main = &communities[random.random_range(0..COMMUNITIES)];
        let second = &communities[random.random_range(0..COMMUNITIES)];
        let share = random.random_range(0.0..0.6);
        let own = Latent::random(random);
        let age_group = AGE_GROUPS[usual(main.age_group, AGE_GROUPS.len(), random)];
        let country = COUNTRIES[usual(main.country, COUNTRIES.len(), random)];
        let device = usual(main.device, DEVICES.len(), random);
        let is_late = index % LATE_EVERY == LATE_EVERY - 1;
        let pairs = [("age_group", age_group), ("country", country), ("device", DEVICES[device])];
        let texts = pairs.map(|(name, text)| (name.to_owned(), AttributeValue::Text(text.to_owned())));
        Ok(Self {
            entry: User {
                user_id: UserId::parse(&format!("user-{}", index + 1))?,
                attributes: Attributes::parse(texts)?,
            },
            taste: Latent::blend([(1.0, main.taste), (share, second.taste), (0.6, own)]),
            activity: normal(random).exp(),
            joined: if is_late { random.random_range(0.0..f64::from(LOG_DAYS)) } else { 0.0 },
            price_level: main.price_level + 0.4 * normal(random),
            price_sensitivity: 0.8 * (0.5 * normal(random)).exp(),
            hour: 15.0 + 4.0 * normal(random),
            device,
        })
    }

    /// What a price, as the logarithm over the typical one, costs him in appetite; 0 at his level.
    pub(crate) fn price_fit(&self, relative_price: f64) -> f64 {
        (-self.price_sensitivity * (relative_price - self.price_level).powi(2)).max(-2.5)
    }

    /// An hour (UTC, 0 to 24) at which he comes: mostly around his own.
    pub(crate) fn draw_hour(&self, random: &mut impl Rng) -> f64 {
        if random.random_bool(0.15) {
            return random.random_range(0.0..24.0);
        }
        (self.hour + 2.0 * normal(random)).rem_euclid(24.0)
    }

    /// A device, as index into [`DEVICES`].
    pub(crate) fn draw_device(&self, random: &mut impl Rng) -> usize {
        if random.random_bool(OWN_DEVICE_CHANCE) { self.device } else { random.random_range(0..DEVICES.len()) }
    }
}

/// The usual value or any of `count`.
fn usual(value: usize, count: usize, random: &mut impl Rng) -> usize {
    if random.random_bool(USUAL_CHANCE) { value } else { random.random_range(0..count) }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn users() -> Vec<SimUser> {
        SimUser::generate(2_000, &mut ChaCha8Rng::seed_from_u64(1)).unwrap()
    }

    #[test]
    fn a_fifth_joins_late_and_activity_has_a_heavy_tail() {
        let users = users();
        assert_eq!(users.iter().filter(|user| user.joined > 0.0).count(), 400);
        let mut activity: Vec<f64> = users.iter().map(|user| user.activity).collect();
        activity.sort_by(f64::total_cmp);
        let top: f64 = activity[1_800..].iter().sum();
        assert!(top > 0.3 * activity.iter().sum::<f64>());
    }

    #[test]
    fn a_price_at_his_level_costs_nothing_and_others_cost_more() {
        for user in users() {
            assert!(user.price_fit(user.price_level).abs() < 1e-12);
            assert!(user.price_fit(user.price_level + 1.0) < user.price_fit(user.price_level + 0.5));
            assert!((0.0..24.0).contains(&user.draw_hour(&mut ChaCha8Rng::seed_from_u64(1))));
        }
    }

    #[test]
    fn attributes_lean_to_the_taste_of_their_community() {
        let users = users();
        let label = |user: &SimUser| user.entry.attributes.labels("country").next().unwrap().to_owned();
        let (mut same, mut other) = ((0.0, 0.0), (0.0, 0.0));
        for (i, a) in users.iter().enumerate().take(300) {
            for b in &users[i + 1..300] {
                let sum = if label(a) == label(b) { &mut same } else { &mut other };
                sum.0 += a.taste.dot(&b.taste);
                sum.1 += 1.0;
            }
        }
        assert!(same.0 / same.1 > other.0 / other.1 + 0.01);
    }
}
