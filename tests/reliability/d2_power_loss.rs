//! D2: the power goes, and with it what was not synced but for a torn prefix.

use std::sync::atomic::Ordering;
use std::time::Duration;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use shortlist_faulty_disk::FaultyDisk;
use shortlist_store::{Appended, LogWriter, Store};
use shortlist_types::LogSeq;

use super::events::{event, ids, read};
use super::writers::{Told, assert_none_lost};
use super::{Form, SEED};

const WRITERS: usize = 8;

pub fn check(form: Form) -> String {
    let seeds = form.pick(24, 300);
    let mut acknowledged = 0;
    for seed in SEED..SEED + seeds {
        acknowledged += one_loss(seed);
    }
    format!("{seeds} power losses, {acknowledged} events acknowledged before them, 0 lost, 0 phantom, 0 twice")
}

fn one_loss(seed: u64) -> usize {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (before, after) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let disk = FaultyDisk::under(before.path()).unwrap();
    let store = Store::open_or_create(before.path()).unwrap();
    let writer = LogWriter::start(store.lock_log().unwrap(), 10_000, Box::new(|_| ())).unwrap();
    let told = Told::default();
    let (enough, batch) = (rng.random_range(1..1_500), rng.random_range(1..12));
    let acknowledged = std::thread::scope(|scope| {
        for number in 0..WRITERS {
            let (told, writer) = (&told, &writer);
            scope.spawn(move || told.write(writer, &number.to_string(), batch));
        }
        while told.count() < enough {
            // Sometimes the WAL has just been moved into the database.
            if rng.random_bool(0.05) {
                store.empty_wal().unwrap();
            }
            std::thread::sleep(Duration::from_micros(rng.random_range(0..2_000)));
        }
        // First what was heard, then the loss: nothing that is acknowledged in between counts.
        let acknowledged = told.snapshot();
        disk.power_loss(after.path(), &mut |n| rng.random_range(0..n)).unwrap();
        told.stop.store(true, Ordering::Relaxed);
        acknowledged
    });
    let context = format!("seed {seed}");
    let store = Store::open(after.path()).unwrap_or_else(|error| panic!("{context}: {error}"));
    let found = ids(&read(&store, LogSeq(0)).unwrap_or_else(|error| panic!("{context}: {error}")));
    assert_none_lost(&acknowledged, &found, &context);
    told.assert_only_what_was_sent(&found);
    // Callers that heard nothing send again, and it counts once.
    let again: Vec<_> = found.iter().map(|id| event(id)).collect();
    let answers = store.lock_log().unwrap().append(&again).unwrap();
    assert!(answers.iter().all(|answer| *answer == Appended::Duplicate), "{context}: counted twice");
    acknowledged.len()
}
