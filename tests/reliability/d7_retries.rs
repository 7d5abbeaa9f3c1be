//! D7: clients send every batch one to five times, and the server is killed in between; each event counts once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use shortlist_store::Store;
use shortlist_types::LogSeq;

use super::d1_kill::kill_nine;
use super::events::{ids, read};
use super::{Form, SEED};
use crate::harness::{Server, folder, path};

const CLIENTS: usize = 4;
const BATCH: usize = 20;

pub fn check(form: Form) -> String {
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let folder = folder();
    let store = path(&folder, "store");
    let (rounds, batches) = form.pick((4, 6), (60, 25));
    let (sends, mut numbers) = (AtomicUsize::new(0), 0);
    for round in 0..rounds {
        let server = Server::start(&store);
        let ends = Duration::from_millis(rng.random_range(20..150));
        let seeds: Vec<u64> = (0..CLIENTS).map(|_| rng.random()).collect();
        let first = numbers;
        numbers += CLIENTS * batches;
        std::thread::scope(|scope| {
            for (client, seed) in seeds.iter().enumerate() {
                let (server, sends) = (&server, &sends);
                scope.spawn(move || {
                    let mut rng = ChaCha8Rng::seed_from_u64(*seed);
                    for n in 0..batches {
                        let batch = batch(first + client * batches + n);
                        for _ in 0..rng.random_range(1..=5) {
                            server.post("/v1/events", &batch);
                            sends.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
            std::thread::sleep(ends);
            kill_nine(&server);
        });
        server.kill();
        // Clients that were cut off send again what they know nothing of: here, everything.
        let server = Server::start(&store);
        for number in first..numbers {
            let (status, body) = server.post("/v1/events", &batch(number));
            assert_eq!(status, 200, "round {round}: {body}");
            let (accepted, duplicates) = (body["accepted"].as_u64().unwrap(), body["duplicates"].as_u64().unwrap());
            assert_eq!(accepted + duplicates, BATCH as u64);
            assert!(accepted == 0 || duplicates == 0, "round {round}: half a batch was there");
        }
        assert_eq!(server.get("/readyz").1["log_seq"], numbers * BATCH, "round {round}");
        server.kill();
    }
    let found = ids(&read(&Store::open(&store).unwrap(), LogSeq(0)).unwrap());
    assert_eq!(found.len(), numbers * BATCH);
    let sends = sends.into_inner();
    format!("{rounds} kills, {numbers} batches of {BATCH} sent {} times: each event once", sends + numbers)
}

fn batch(number: usize) -> Value {
    let event = |i: usize| {
        let id = format!("{number}-{i}");
        json!({"event_id": id, "user_id": format!("user-{i}"), "item_id": "item", "event_type": "click"})
    };
    json!({ "events": (0..BATCH).map(event).collect::<Vec<_>>() })
}
