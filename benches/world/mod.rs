//! The synthetic world that every benchmark measures: a catalogue with attributes, users with events,
//! and a bundle whose models have the shape of trained ones.
//!
//! Item vectors are clustered and of different lengths, as iALS makes them; they are drawn, not
//! fitted, because a fit would take longer than all benchmarks together. All else is real: the fold
//! over the records, fold-in, the neighbour index, and a ranker fitted on rows that the pipeline made.

mod catalogue;
mod ranker;
mod users;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use shortlist_embedding::{Blend, IalsConfig, IalsModel};
use shortlist_features::FeatureState;
use shortlist_recommender::{Bundle, Models, Provenance, Recommender, Request, Surfaces};
use shortlist_retrieval::IndexConfig;
use shortlist_store::{BundleId, LogHead, Store, StoreError};
use shortlist_types::{EmbeddingTable, EventTypes, ItemIdx, LogRecord, LogSeq, Timestamp, UserId};

use self::catalogue::{Catalogue, DIMENSIONS};
#[allow(unused_imports, reason = "not every benchmark chooses")]
pub(crate) use self::ranker::RankerKind;
use self::users::SyntheticUser;

/// Everything random follows from it.
pub(crate) const SEED: u64 = 7;
/// Items of an answer.
pub(crate) const K: u32 = 20;
/// Items unless `SHORTLIST_BENCH_ITEMS` says otherwise.
const ITEMS_DEFAULT: usize = 100_000;
const USERS: usize = 2_000;
/// A catalogue and users that are made in a second.
const SMOKE_ITEMS: usize = 2_000;
const SMOKE_USERS: usize = 60;
/// Between two lines about a long build.
const PROGRESS_EVERY: Duration = Duration::from_secs(10);

/// Whether this is the short round of `cargo test --benches`: only `cargo bench` passes `--bench`.
pub(crate) fn is_smoke() -> bool {
    let mut bench = false;
    for argument in std::env::args() {
        bench |= argument == "--bench";
        if argument == "--test" {
            return true;
        }
    }
    !bench
}

/// How large the world is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    pub(crate) items: usize,
    pub(crate) users: usize,
}

impl Size {
    /// Small for a short round; otherwise `items`, or what the environment says, or the default.
    pub(crate) fn choose(items: Option<usize>) -> anyhow::Result<Self> {
        let from_environment = std::env::var("SHORTLIST_BENCH_ITEMS").ok().map(|text| text.parse()).transpose()?;
        Ok(match items.or(from_environment) {
            Some(items) => Self { items, users: USERS },
            None if is_smoke() => Self { items: SMOKE_ITEMS, users: SMOKE_USERS },
            None => Self { items: ITEMS_DEFAULT, users: USERS },
        })
    }
}

/// The wall clock: the server reads it too, and events must lie in its past.
pub(crate) fn wall_clock() -> anyhow::Result<Timestamp> {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH)?;
    Ok(Timestamp::from_seconds(i64::try_from(since_1970.as_secs())?)?)
}

/// The name of user number `number`.
pub(crate) fn user_id(number: usize) -> anyhow::Result<UserId> {
    Ok(UserId::parse(&format!("user-{number}"))?)
}

/// All that a service would know and have learned at `end`.
pub(crate) struct World {
    pub(crate) size: Size,
    /// When its log ends.
    pub(crate) end: Timestamp,
    pub(crate) records: Vec<LogRecord>,
    pub(crate) state: FeatureState,
    pub(crate) models: Models,
}

impl World {
    /// Makes the world; tells on stderr how long the parts take.
    pub(crate) fn make(size: Size) -> anyhow::Result<Self> {
        Self::make_with(size, RankerKind::Logistic)
    }

    /// The same with another second stage.
    pub(crate) fn make_with(size: Size, ranker: RankerKind) -> anyhow::Result<Self> {
        let end = wall_clock()?;
        let (records, catalogue, users) = draw(size, end)?;
        let state = fold(&records)?;
        let models = learn(catalogue, 0, &users, &state, (size, ranker), end)?;
        Ok(Self { size, end, records, state, models })
    }

    /// What would be learned of the same log from somewhat other vectors.
    #[allow(dead_code, reason = "benchmarks need no second bundle")]
    pub(crate) fn learned_again(&self, twist: u32) -> anyhow::Result<Models> {
        let (_, catalogue, users) = draw(self.size, self.end)?;
        learn(catalogue, twist, &users, &self.state, (self.size, RankerKind::Logistic), self.end)
    }

    /// A question of user number `number`.
    pub(crate) fn request(&self, number: usize) -> anyhow::Result<Request> {
        Ok(Request::of(user_id(number % self.size.users)?, K as usize))
    }

    /// The service's heart, in this process and without a store.
    pub(crate) fn into_recommender(self) -> anyhow::Result<Recommender> {
        let provenance = provenance(LogHead { log_seq: LogSeq(0), chain: 0 }, self.end);
        let recommender = Recommender::new(self.state, &Surfaces::default())?;
        let id = BundleId::parse("b-0000000000000000")?;
        let report = serde_json::Value::Null;
        recommender.swap(Some(Arc::new(Bundle { id, models: self.models, provenance, report })));
        Ok(recommender)
    }

    /// A store in `folder` with this log, and with the models as its promoted bundle.
    pub(crate) fn into_store(self, folder: &Path) -> anyhow::Result<Store> {
        let started = Instant::now();
        let store = Store::open_or_create(folder)?;
        let mut appender = store.lock_log()?;
        appender.append_all(self.records.into_iter().map(Ok::<_, StoreError>), &mut |_| ())?;
        let bundle = publish(&store, &self.models, appender.head(), self.end)?;
        store.registry().promote(&bundle, self.end)?;
        tell(&format!("log and bundle written in {:.1} s", started.elapsed().as_secs_f64()));
        Ok(store)
    }
}

/// Writes a bundle of models that were learned of the log up to `head`.
pub(crate) fn publish(store: &Store, models: &Models, head: LogHead, end: Timestamp) -> anyhow::Result<BundleId> {
    let files: BTreeMap<_, _> = Bundle::to_files(models, &provenance(head, end), &serde_json::Value::Null)?;
    Ok(store.registry().publish(&files, end, &mut |_| ())?)
}

/// The log of a world alone, in order of time, and when it ends.
pub(crate) fn records(size: Size) -> anyhow::Result<(Vec<LogRecord>, Timestamp)> {
    let end = wall_clock()?;
    Ok((draw(size, end)?.0, end))
}

fn draw(size: Size, end: Timestamp) -> anyhow::Result<(Vec<LogRecord>, Catalogue, Vec<SyntheticUser>)> {
    let mut random = ChaCha8Rng::seed_from_u64(SEED);
    let catalogue = Catalogue::draw(size.items, &mut random);
    let mut records = catalogue.records(end)?;
    let mut users = Vec::new();
    for number in 0..size.users {
        users.push(SyntheticUser::draw(number, &catalogue, end, &mut random, &mut records)?);
    }
    records.sort_by_key(LogRecord::timestamp);
    Ok((records, catalogue, users))
}

fn fold(records: &[LogRecord]) -> anyhow::Result<FeatureState> {
    let mut state = FeatureState::new(Arc::new(EventTypes::default()));
    for (log_seq, record) in (1..).map(LogSeq).zip(records) {
        state.apply(log_seq, record)?;
    }
    Ok(state)
}

fn learn(
    catalogue: Catalogue,
    twist: u32,
    users: &[SyntheticUser],
    state: &FeatureState,
    (size, ranker): (Size, RankerKind),
    end: Timestamp,
) -> anyhow::Result<Models> {
    // Items are put in order of number, so that the log gives each the number of its row.
    let items = (0..u32::try_from(size.items)?).map(ItemIdx).collect();
    let mut vectors = catalogue.into_vectors();
    for (place, component) in vectors.iter_mut().enumerate() {
        *component *= 1.0 + 0.2 * ((place % 1_009) as f32 * twist as f32).sin();
    }
    let table = EmbeddingTable::parse(DIMENSIONS, items, vectors)?;
    let blend = Blend::of_model(Box::new(IalsModel::of_vectors(&table, &IalsConfig::default())?));
    let started = Instant::now();
    let mut told = started;
    let mut models = Models::of_blend(blend, &IndexConfig::default(), &mut |done| {
        if told.elapsed() > PROGRESS_EVERY {
            told = Instant::now();
            tell(&format!("index: {done} of {} items after {:.0} s", size.items, started.elapsed().as_secs_f64()));
        }
    })?;
    tell(&format!("index of {} items built in {:.1} s", size.items, started.elapsed().as_secs_f64()));
    models.ranker = Some(ranker::fit(ranker, state, &models, &table, users, end)?);
    Ok(models)
}

fn provenance(head: LogHead, end: Timestamp) -> Provenance {
    Provenance {
        code_version: env!("CARGO_PKG_VERSION").to_owned(),
        arithmetic: "first stage: kernels by CPU; else fixed lanes".to_owned(),
        seed: SEED,
        log_seq: head.log_seq,
        log_chain: Provenance::chain_text(head.chain),
        embeddings_until: end,
        ranker_until: end,
        trained_log_seq: head.log_seq,
        config: serde_json::Value::Null,
    }
}

/// A line on stderr: stdout holds results alone.
pub(crate) fn tell(line: &str) {
    eprintln!("{line}");
}
