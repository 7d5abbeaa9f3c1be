//! H1: bundles are swapped, forth and back, under load and beside events. Nobody is refused for it, each answer comes whole
//! from one bundle and one state, and an offline oracle gives the same to the last bit.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use shortlist_gateway::behind;
use shortlist_load::{Asks, Kind, Load, Manners, RestConnection, Schedule, Traffic};
use shortlist_recommender::Bundle;
use shortlist_store::{BundleId, Store};
use shortlist_types::Timestamp;

use super::driven::{Driven, WARM_UP};
use super::oracle::{Heard, Oracle};
use super::{Form, SEED};
use crate::server::Server;
use crate::world::{self, K, Size, World};

/// The number of the user, and what he got.
type Bodies = Vec<(usize, Vec<u8>)>;

/// Durable events beside, per second.
const EVENTS: f64 = 20.0;
/// Share of the lists that may be less than asked: a swap takes some of the one core.
const DEGRADED_MAX: f64 = 0.005;
/// How soon the memory of a bundle that was swapped out is back.
const MEMORY_BACK: Duration = Duration::from_secs(1);
/// What the process may hold then, in what it held before.
const BACK_MAX: f64 = 1.1;
/// How long a swap may take: a look every second, and the loading.
const SWAP_TIMEOUT: Duration = Duration::from_secs(60);

pub fn check(form: Form) -> String {
    if form == Form::Short {
        return swaps(form, Size { items: 2_000, users: 60 }, 4);
    }
    let sizes = [(1_000_000, 5), (100_000, 200)];
    let shown = sizes.map(|(items, number)| {
        let shown = swaps(form, Size { items, users: 2_000 }, number);
        // The next one may fail.
        eprintln!("{shown}");
        shown
    });
    shown.join("; ")
}

fn swaps(form: Form, size: Size, swaps: usize) -> String {
    let driven = Driven::over(form, size, "", with_three_bundles);
    let capacity = driven.capacity();
    driven.rest(Duration::from_secs(5));
    let store = Store::open(driven.folder.path()).unwrap();
    let ids: Vec<BundleId> = store.registry().list().unwrap().into_iter().map(|bundle| bundle.id).collect();
    assert_eq!(ids.len(), 3);

    let rate = capacity / 2.0;
    let quiet_seconds = form.pick(1.0, 30.0);
    let (quiet, mut heard) = ask(&driven, rate, WARM_UP + Duration::from_secs_f64(quiet_seconds), &|| false);
    let swapped = Mutex::new(Vec::new());
    let done = AtomicBool::new(false);
    let busy = std::thread::scope(|scope| {
        scope.spawn(|| {
            // Also when it panics: the load must not go on for an hour.
            let _done = Done(&done);
            let mut next = ids.iter().cycle().skip(1);
            for n in 0..swaps {
                // Forth, and every fourth time back to the one before.
                let change = if n % 4 == 3 { Change::RollBack } else { Change::Promote(next.next().unwrap()) };
                swapped.lock().unwrap().push(swap(&driven.server, &store, change));
            }
        });
        ask(&driven, rate, Duration::from_secs(3_600), &|| done.load(Ordering::Relaxed))
    });
    let (busy, more) = busy;
    heard.extend(more);
    let swapped = swapped.into_inner().unwrap();
    drop(driven.server);

    let (lists, quiet_lists) = (heard.len(), quiet.of(Kind::RestRecommend));
    // What an answer that is less than asked leaves out depends on the clock.
    let (whole, degraded): (Vec<_>, Vec<_>) =
        parse(heard).into_iter().partition(|heard| heard.body["degraded"] == serde_json::json!([]));
    let degraded = degraded.len() as f64 / lists as f64;
    let of_bundle = Oracle::new(&store).check(whole, K);
    assert_eq!(of_bundle.len(), 3, "{of_bundle:?}");
    let [calm, under] = [&quiet_lists, &busy.of(Kind::RestRecommend)].map(|tally| tally.percentile_ms(99.0));
    let (first, last) = (swapped[0].memory_before, swapped[swaps - 1].memory_after);
    let back = swapped.iter().map(|swap| swap.memory_after as f64 / swap.memory_before as f64).fold(0.0, f64::max);
    let slowest = swapped.iter().map(|swap| swap.took).max().unwrap();
    let shown = format!(
        "{} items, C = {capacity:.0}/s, at C / 2 with {EVENTS} events/s: {swaps} swaps, {lists} lists of three bundles, {:.2} % of them \
         degraded, all others as the oracle has them, 0 failed; p99 {calm:.1} ms without swaps, {under:.1} ms with (the driver's own delay {:.1} and {:.1} ms); a swap took {slowest:.1?} at most; \
         memory a second after a swap at most {:+.0} %, from {first} MiB before the first to {last} MiB after the last",
        size.items,
        degraded * 100.0,
        quiet.delay_percentile_ms(99.0),
        busy.delay_percentile_ms(99.0),
        (back - 1.0) * 100.0,
    );
    if form == Form::Full {
        assert!(degraded <= DEGRADED_MAX, "quality: {shown}");
        assert!(under <= 1.5 * calm, "times: {shown}");
        assert!(last as f64 <= 1.1 * first as f64 && back <= BACK_MAX, "memory: {shown}");
        assert!(size.items > 100_000 || lists >= 50_000, "too few lists: {shown}");
    }
    shown
}

/// The world's own bundle, promoted, and two that were learned from other vectors.
pub fn with_three_bundles(world: World, folder: &std::path::Path) -> anyhow::Result<Store> {
    let end = world.end;
    let others = [1, 2].map(|twist| world.learned_again(twist));
    let store = world.into_store(folder)?;
    for models in others {
        world::publish(&store, &models?, store.reader()?.head()?, end)?;
    }
    Ok(store)
}

/// Asks at this rate until the time is over or `enough`; nothing may fail or be refused. What was heard.
fn ask(driven: &Driven, rate: f64, most: Duration, enough: &(dyn Fn() -> bool + Sync)) -> (Load, Bodies) {
    let heard: Arc<Mutex<Bodies>> = Arc::default();
    let hears = Arc::clone(&heard);
    let asks = Asks {
        heard: Some(Arc::new(move |user, body| hears.lock().unwrap().push((user, body.to_vec())))),
        ..Asks::full_lists(K)
    };
    let rates = [(Kind::RestRecommend, rate), (Kind::RestEvent, EVENTS)];
    let schedule = Schedule::new(&rates, most, (driven.size.users, driven.size.items), SEED).unwrap();
    let traffic =
        Traffic { target: driven.server.address.into(), schedule, warm_up: WARM_UP, manners: Manners::default(), asks };
    let load = driven.driver.run_until(&traffic, &mut |_| (), enough).unwrap();
    let whole = load.whole();
    assert_eq!((whole.failed, whole.refused), (0, 0), "at {rate:.0}/s: {:?}", whole.failures);
    let heard = std::mem::take(&mut *heard.lock().unwrap());
    (load, heard)
}

fn parse(heard: Bodies) -> Vec<Heard> {
    let parse = |(user, body): (usize, Vec<u8>)| Heard { user, body: serde_json::from_slice(&body).unwrap() };
    heard.into_iter().map(parse).collect()
}

pub struct Swapped {
    pub took: Duration,
    /// In MiB.
    memory_before: u64,
    /// A second after the swap, in MiB.
    memory_after: u64,
}

/// What is asked of the registry.
pub enum Change<'a> {
    Promote(&'a BundleId),
    RollBack,
}

struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Has another bundle serve, and waits until it does, and until the memory of the one before must be back.
pub fn swap(server: &Server, store: &Store, change: Change<'_>) -> Swapped {
    let memory = || server.memory_mib().unwrap();
    let (started, memory_before, now) = (Instant::now(), memory(), Timestamp::from_micros(1).unwrap());
    // To check a bundle takes a second of the core that the driver has.
    let next = behind(|| match change {
        Change::RollBack => store.registry().rollback(now).unwrap(),
        Change::Promote(next) => {
            Bundle::promote(store, next, now).unwrap();
            next.clone()
        }
    });
    let next = next.unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let serves = async || {
        let response = RestConnection::open_at(server.address).await.unwrap().get("/readyz").await.unwrap();
        let body: Value = serde_json::from_slice(response.body()).unwrap();
        body["bundle"] == next.as_str()
    };
    while !runtime.block_on(serves()) {
        assert!(started.elapsed() < SWAP_TIMEOUT, "{next} was promoted and does not serve");
        std::thread::sleep(Duration::from_millis(50));
    }
    let took = started.elapsed();
    std::thread::sleep(MEMORY_BACK);
    Swapped { took, memory_before, memory_after: memory() }
}
