//! D8: the clock jumps. Nothing young is forgotten, no age is negative, and times far ahead are refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;
use shortlist_features::FeatureState;
use shortlist_recommender::{Recommender, Request, Surfaces};
use shortlist_store::{Appended, Clock, Retention, Store};
use shortlist_types::{LogRecord, LogSeq, Timestamp, Unlimited, UserId};

use super::events::{event, read};
use super::{Form, SEED};
use crate::harness::{Server, folder, path};

/// Seconds by which a clock jumps: an hour, a day, ten seconds back, a leap second.
const JUMPS: [i64; 7] = [3_600, -3_600, 86_400, -86_400, -10, 1, -1];
/// How long ids are known here, by the clock and for real: the jumps ahead may take from it.
const WINDOW: Duration = Duration::from_secs(40 * 86_400);

pub fn check(form: Form) -> String {
    let seeds = form.pick(6, 200);
    for seed in SEED..SEED + seeds {
        one_life(seed);
    }
    bounds_of_event_time();
    format!(
        "{seeds} clocks that jump: no young id or record forgotten, no negative age; event time is bounded by 5 min"
    )
}

fn one_life(seed: u64) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let folder = tempfile::tempdir().unwrap();
    let now = Arc::new(AtomicI64::new(1_700_000_000));
    let theirs = Arc::clone(&now);
    let clock = Clock::new(move || Timestamp::from_seconds(theirs.load(Ordering::SeqCst)).unwrap());
    let store = Store::open_or_create(folder.path()).unwrap().with_clock(clock);
    let _disk = shortlist_faulty_disk::FaultyDisk::under(folder.path()).unwrap();
    let mut appender = store.lock_log().unwrap();
    let recommender = Recommender::new(FeatureState::new(Arc::default()), &Surfaces::default()).unwrap();
    let (mut passed, mut jumped_ahead) = (0, 0);
    let mut appended: Vec<(String, i64)> = Vec::new();
    for step in 0..60 {
        // Real time passes; and sometimes the clock alone moves.
        let real = rng.random_range(0..2 * 86_400);
        passed += real;
        let jump = if rng.random_bool(0.3) { *JUMPS.choose(&mut rng).unwrap() } else { 0 };
        jumped_ahead += jump.max(0);
        now.fetch_add(real + jump, Ordering::SeqCst);
        let id = format!("{seed}-{step}");
        let LogRecord::Event(mut one) = event(&id) else { unreachable!() };
        one.timestamp = store.now();
        let record = LogRecord::Event(one);
        let answers = appender.append(std::slice::from_ref(&record)).unwrap();
        let [Appended::New(log_seq)] = answers[..] else { panic!("seed {seed}: {id} was known before it was sent") };
        recommender.apply(&[(log_seq, record)]).unwrap();
        appended.push((id, passed));
        while appender.forget_event_ids(WINDOW).unwrap() {}
        let pin = store.pin("reader", LogSeq(0)).unwrap();
        let due = Retention { age_max: Some(WINDOW), bytes_max: None };
        assert_eq!(store.reader().unwrap().due_cut(due, store.now()).unwrap(), LogSeq(0), "a pinned record is due");
        drop(pin);
        let answer = recommender.recommend(&Request::of(UserId::parse("user-1").unwrap(), 3), store.now(), &Unlimited);
        assert!(answer.unwrap().items.iter().all(|item| f64::from(item.score.get()).is_finite()));
    }
    let window = i64::try_from(WINDOW.as_secs()).unwrap();
    for (id, at) in &appended {
        // A jump ahead ages what is there: only what is younger than that must be known.
        if passed - at < window - jumped_ahead {
            let again = appender.append(&[event(id)]).unwrap();
            assert_eq!(again, [Appended::Duplicate], "seed {seed}: {id} is young and was forgotten");
        }
    }
    assert!(read(&store, LogSeq(0)).unwrap().len() >= appended.len());
}

/// What a client says of the time of an event.
fn bounds_of_event_time() {
    let folder = folder();
    let server = Server::start(&path(&folder, "store"));
    let now = seconds_now();
    let post = |at: i64| {
        let timestamp = Timestamp::from_seconds(now + at).unwrap().to_string();
        let event = json!({"user_id": "u", "item_id": "i", "event_type": "click", "timestamp": timestamp});
        server.post("/v1/events", &json!({ "events": [event] }))
    };
    for ahead in [3_600, 86_400, 400] {
        let (status, body) = post(ahead);
        assert_eq!((status, &body["field"]), (400, &json!("events[0].timestamp")), "{body}");
    }
    for past in [200, -10, -3_600, -86_400, -now, -now - 60_000_000_000] {
        assert_eq!(post(past).0, 200, "{past} s");
    }
    assert_eq!(server.get("/v1/users/u/recommendations?k=3").0, 200);
}

fn seconds_now() -> i64 {
    let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since_1970.as_secs()).unwrap()
}
