use rand::Rng;
use rand_distr::{Distribution, StandardNormal};
use shortlist_types::{AttributeValue, Attributes, Item, ItemId, LogRecord, Timestamp};

/// Components of an item vector, as in the default configuration.
pub(crate) const DIMENSIONS: usize = 64;
/// Dimensions in which items really differ: vectors that were learned do not fill their space.
const LATENT_DIMENSIONS: usize = 24;
/// Groups of items that are alike; the largest holds some ten times as many as the median one.
const CLUSTERS: usize = 200;
/// How far items stray from the middle of their group, which is itself one unit per dimension out.
const SPREAD: f32 = 0.6;
/// What is left in the other dimensions.
const NOISE: f32 = 0.02;
/// Standard deviation of the logarithm of lengths: popular items have long vectors.
const LENGTH_SPREAD: f32 = 0.5;
/// Typical length of a component.
const SCALE: f32 = 0.1;
/// Items drawn of which the longest is taken, so that long vectors are the popular ones.
const DRAWN_PER_CHOICE: usize = 4;
/// Days over which the catalogue appeared, evenly.
const CATALOGUE_DAYS: i64 = 365;
const DAY_SECONDS: i64 = 86_400;
const GENRES: usize = 40;
const BRANDS: usize = 500;

/// Items with their vectors, by number.
pub(crate) struct Catalogue {
    vectors: Vec<f32>,
    cluster_of: Vec<usize>,
    members: Vec<Vec<usize>>,
}

impl Catalogue {
    pub(crate) fn draw(items: usize, random: &mut impl Rng) -> Self {
        let projection = normals(LATENT_DIMENSIONS * DIMENSIONS, random);
        let centres = normals(CLUSTERS * LATENT_DIMENSIONS, random);
        let mut catalogue =
            Self { vectors: Vec::with_capacity(items * DIMENSIONS), cluster_of: Vec::new(), members: Vec::new() };
        catalogue.members.resize(CLUSTERS, Vec::new());
        for item in 0..items {
            let cluster = Self::draw_cluster(random);
            let centre = &centres[cluster * LATENT_DIMENSIONS..(cluster + 1) * LATENT_DIMENSIONS];
            let own = normals(LATENT_DIMENSIONS, random);
            let length = SCALE * (LENGTH_SPREAD * normal(random)).exp();
            let mut vector = normals(DIMENSIONS, random);
            vector.iter_mut().for_each(|x| *x *= NOISE * length);
            for (row, (c, o)) in projection.chunks_exact(DIMENSIONS).zip(centre.iter().zip(&own)) {
                let coordinate = length * (c + SPREAD * o) / (LATENT_DIMENSIONS as f32).sqrt();
                vector.iter_mut().zip(row).for_each(|(x, axis)| *x += coordinate * axis);
            }
            catalogue.vectors.extend(vector);
            catalogue.cluster_of.push(cluster);
            catalogue.members[cluster].push(item);
        }
        catalogue
    }

    /// A group, the first ones more often.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a small count")]
    pub(crate) fn draw_cluster(random: &mut impl Rng) -> usize {
        let share: f64 = random.random();
        (share * share * CLUSTERS as f64) as usize
    }

    /// An item of a group; popular ones more often. Any item, if the group is empty.
    pub(crate) fn draw_item(&self, cluster: usize, random: &mut impl Rng) -> usize {
        let members = &self.members[cluster];
        let mut one = || match members.as_slice() {
            [] => random.random_range(0..self.cluster_of.len()),
            members => members[random.random_range(0..members.len())],
        };
        let first = one();
        (1..DRAWN_PER_CHOICE).map(|_| one()).fold(first, |a, b| if self.length(b) > self.length(a) { b } else { a })
    }

    pub(crate) fn vector(&self, item: usize) -> &[f32] {
        &self.vectors[item * DIMENSIONS..(item + 1) * DIMENSIONS]
    }

    pub(crate) fn into_vectors(self) -> Vec<f32> {
        self.vectors
    }

    /// When item number `item` appeared.
    pub(crate) fn birth(&self, item: usize, end: Timestamp) -> anyhow::Result<Timestamp> {
        let items = i64::try_from(self.cluster_of.len())?;
        let age = CATALOGUE_DAYS * DAY_SECONDS * (items - i64::try_from(item)?) / items;
        Ok(end.plus_seconds(-age))
    }

    /// One record per item, in order of number and of time.
    pub(crate) fn records(&self, end: Timestamp) -> anyhow::Result<Vec<LogRecord>> {
        let record = |item: usize| {
            let cluster = self.cluster_of[item];
            let pairs = [
                ("title", AttributeValue::Text(format!("Item number {item}"))),
                ("category", AttributeValue::Text(format!("category {cluster}"))),
                ("genre", AttributeValue::List(vec![genre(cluster), genre(item / 3)])),
                ("brand", AttributeValue::Text(format!("brand {}", item * 31 % BRANDS))),
                ("price", AttributeValue::Number((item * 7_919 % 10_000) as f64 / 100.0)),
            ];
            let attributes = Attributes::parse(pairs.map(|(name, value)| (name.to_owned(), value)))?;
            let item_id = item_id(item)?;
            Ok(LogRecord::ItemPut {
                timestamp: self.birth(item, end)?,
                item: Item { item_id, attributes, available: true, embedding: None },
            })
        };
        (0..self.cluster_of.len()).map(record).collect()
    }

    fn length(&self, item: usize) -> f32 {
        let vector = self.vector(item);
        shortlist_types::dot(vector, vector)
    }
}

/// The name of item number `item`.
pub(crate) fn item_id(item: usize) -> anyhow::Result<ItemId> {
    Ok(ItemId::parse(&format!("item-{item}"))?)
}

fn genre(number: usize) -> String {
    format!("genre {}", number % GENRES)
}

fn normal(random: &mut impl Rng) -> f32 {
    StandardNormal.sample(random)
}

fn normals(count: usize, random: &mut impl Rng) -> Vec<f32> {
    (0..count).map(|_| normal(random)).collect()
}
