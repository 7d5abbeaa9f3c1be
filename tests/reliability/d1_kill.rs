//! D1: SIGKILL while eight writers ingest over REST; after each restart the log holds what was acknowledged.

use std::collections::HashSet;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;
use shortlist_store::{Store, StoreError};
use shortlist_types::LogSeq;

use super::events::{event, head, ids, read};
use super::writers::{Told, assert_none_lost};
use super::{Form, SEED};
use crate::harness::{Server, folder, path};

const WRITERS: usize = 8;
/// Events per request; eight writers send one every 40 ms: 2,000 events per second.
const BATCH: usize = 10;
const EVERY: Duration = Duration::from_millis(40);
/// From the start of the process until `/readyz` says yes.
const READY_MAX: Duration = Duration::from_secs(2);

pub fn check(form: Form) -> String {
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let folder = folder();
    let store = path(&folder, "store");
    let before = form.pick(2_000, 1_000_000);
    fill(&store, before);
    // The first server makes a checkpoint of what was filled in.
    let server = Server::start(&store);
    if form == Form::Full {
        server.wait_until("there is a checkpoint", |_| !Store::open(&store).unwrap().checkpoints().unwrap().is_empty());
    }
    server.kill();
    let rounds = form.pick(5, 200);
    let (mut acknowledged, mut slowest) = (0, Duration::ZERO);
    for round in 0..rounds {
        let began = head(&Store::open(&store).unwrap());
        let started = Instant::now();
        let server = Server::start(&store);
        slowest = slowest.max(started.elapsed());
        let told = Told::default();
        let lives = Duration::from_millis(rng.random_range(50..form.pick(400, 2_000)));
        std::thread::scope(|scope| {
            for writer in 0..WRITERS {
                let (told, server) = (&told, &server);
                scope.spawn(move || ingest(told, server, &format!("{round}-{writer}")));
            }
            std::thread::sleep(lives);
            kill_nine(&server);
            told.stop.store(true, Ordering::Relaxed);
        });
        server.kill();
        acknowledged += compare(&store, began, &told, round);
    }
    let whole = ids(&read(&Store::open(&store).unwrap(), LogSeq(0)).unwrap());
    assert!(acknowledged > rounds * BATCH, "only {acknowledged} were acknowledged: nothing is shown");
    assert!(form == Form::Short || slowest <= READY_MAX, "ready only after {slowest:?}");
    format!(
        "{rounds} kills over {} events, {acknowledged} acknowledged, 0 lost, 0 phantom, 0 twice; ready after at most {:.2} s",
        whole.len(),
        slowest.as_secs_f64()
    )
}

/// Looks at what this round added, before the next server starts.
fn compare(store: &str, began: LogSeq, told: &Told, round: usize) -> usize {
    let store = Store::open(store).unwrap();
    let found = ids(&read(&store, began).unwrap_or_else(|error| panic!("round {round}: {error}")));
    assert_none_lost(&told.snapshot(), &found, &format!("round {round}"));
    told.assert_only_what_was_sent(&found);
    told.count()
}

fn fill(store: &str, events: usize) {
    let store = Store::open_or_create(Path::new(store)).unwrap();
    let records = (0..events).map(|n| Ok::<_, StoreError>(event(&format!("before-{n}"))));
    store.lock_log().unwrap().append_all(records, &mut |_| ()).unwrap();
}

fn ingest(told: &Told, server: &Server, name: &str) {
    for n in 0.. {
        if told.stop.load(Ordering::Relaxed) {
            return;
        }
        let sent: HashSet<_> = (0..BATCH).map(|i| format!("{name}-{n}-{i}")).collect();
        told.sent.lock().unwrap().extend(sent.iter().cloned());
        let events: Vec<_> = sent
            .iter()
            .map(|id| json!({"event_id": id, "user_id": name, "item_id": format!("item-{n}"), "event_type": "click"}))
            .collect();
        let began = Instant::now();
        if server.post("/v1/events", &json!({ "events": events })).0 == 200 {
            told.acknowledged.lock().unwrap().extend(sent);
        }
        std::thread::sleep(EVERY.saturating_sub(began.elapsed()));
    }
}

pub fn kill_nine(server: &Server) {
    let killed = std::process::Command::new("kill").args(["-KILL", &server.id().to_string()]).status();
    assert!(killed.unwrap().success());
}
