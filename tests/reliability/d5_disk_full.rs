//! D5: the disk is full. Nothing of a refused write stays, questions are answered, and records are taken
//! again when there is a margin of space.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use shortlist_faulty_disk::{Fault, FaultyDisk};
use shortlist_store::{LogWriter, Store, StoreError};
use shortlist_types::LogSeq;

use super::events::{ids, read};
use super::writers::{Told, assert_none_lost};
use super::{Form, SEED};
use crate::harness::{Server, folder, path};

pub fn check(form: Form) -> String {
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let faults: Vec<u64> = match form {
        Form::Short => (0..8).map(|_| rng.random_range(1..=500)).collect(),
        Form::Full => (1..=500).collect(),
    };
    for n in &faults {
        full_after(*n);
        failing_write(*n);
    }
    let by_mount = if form == Form::Full { tmpfs() } else { "in the full form alone".to_owned() };
    format!(
        "full and failing at {} writes each: refused whole, read on, recovered; 10 MB tmpfs: {by_mount}",
        faults.len()
    )
}

/// The disk is full from write `n` on, until it is not.
fn full_after(n: u64) {
    let folder = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::under(folder.path()).unwrap();
    let store = Store::open_or_create(folder.path()).unwrap();
    let writer = LogWriter::start(store.lock_log().unwrap(), 10_000, Box::new(|_| ())).unwrap();
    let told = Told::default();
    disk.set_fault(Some(Fault::FullAfterWrites(n)));
    let refused = (0..).map(|i| batch(&told, &writer, i)).find_map(Result::err).unwrap();
    assert!(matches!(refused, StoreError::DiskFull), "write {n}: {refused}");
    assert!(writer.is_healthy() && writer.is_full());
    // Refused is refused whole, also a batch that would fit; what was acknowledged is read.
    assert!(matches!(batch(&told, &writer, 9_000), Err(StoreError::DiskFull)));
    let found = ids(&read(&store, LogSeq(0)).unwrap());
    assert_eq!(found, told.snapshot(), "write {n}: half a batch");
    disk.set_fault(None);
    let since = Instant::now();
    while writer.is_full() {
        assert!(since.elapsed() < Duration::from_secs(10), "write {n}: it does not recover");
        std::thread::sleep(Duration::from_millis(20));
    }
    batch(&told, &writer, 10_000).unwrap();
    writer.close().unwrap();
    assert_eq!(ids(&read(&store, LogSeq(0)).unwrap()), told.snapshot());
}

/// Write `n` fails, once: the log stops, and a restart goes on with all that was acknowledged.
fn failing_write(n: u64) {
    let folder = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::under(folder.path()).unwrap();
    let store = Store::open_or_create(folder.path()).unwrap();
    let writer = LogWriter::start(store.lock_log().unwrap(), 10_000, Box::new(|_| ())).unwrap();
    let told = Told::default();
    disk.set_fault(Some(Fault::NthWriteFails(n)));
    for i in 0..600 {
        match batch(&told, &writer, i) {
            Ok(()) => {}
            Err(StoreError::LogStopped { .. }) => break,
            Err(error) => panic!("write {n}: {error}"),
        }
    }
    drop(writer);
    disk.set_fault(None);
    let found = ids(&read(&store, LogSeq(0)).unwrap());
    assert_none_lost(&told.snapshot(), &found, &format!("write {n}"));
    told.assert_only_what_was_sent(&found);
    let writer = LogWriter::start(store.lock_log().unwrap(), 10_000, Box::new(|_| ())).unwrap();
    batch(&told, &writer, 10_000).unwrap();
}

fn batch(told: &Told, writer: &LogWriter, number: usize) -> Result<(), StoreError> {
    let ids: Vec<_> = (0..5).map(|i| format!("{number}-{i}")).collect();
    told.submit(writer, &ids)
}

/// The real binary on a real disk of 10 MB. Needs the right to mount.
fn tmpfs() -> String {
    let folder = folder();
    let mount = path(&folder, "small");
    std::fs::create_dir(&mount).unwrap();
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=10m", "tmpfs", &mount]).status();
    assert!(mounted.is_ok_and(|status| status.success()), "the full form of D5 mounts a tmpfs: run it as root");
    let outcome = std::panic::catch_unwind(|| fill_and_free(Path::new(&mount)));
    let unmounted = Command::new("umount").args(["-l", &mount]).status();
    assert!(unmounted.is_ok_and(|status| status.success()));
    outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn fill_and_free(mount: &Path) -> String {
    // Room that is given back later: 300 kB, below the margin of a tenth, and 2 MB, above it.
    let (small, large) = (mount.join("small"), mount.join("large"));
    std::fs::write(&small, vec![1; 300_000]).unwrap();
    std::fs::write(&large, vec![1; 2_000_000]).unwrap();
    let server = Server::start(mount.join("store").to_str().unwrap());
    let mut acknowledged = 0;
    let refused = (0..).find_map(|n| {
        let (status, body) = server.post("/v1/events", &events(n));
        if status == 200 {
            acknowledged += 500
        } else {
            return Some((status, body));
        }
        None
    });
    let (status, body) = refused.unwrap();
    assert_eq!((status, &body["code"]), (507, &json!("disk_full")), "{body}");
    let serves = || {
        assert_eq!(server.get("/v1/users/user-1/recommendations?k=3").0, 200);
        let (status, ready) = server.get("/readyz");
        assert_eq!((status, &ready["log_seq"]), (200, &json!(acknowledged)));
        ready["ingest"].clone()
    };
    assert_eq!(serves(), "disk_full");
    server.wait_until("its metric says so", |server| server.page("/metrics").contains("shortlist_ingest_healthy 0\n"));
    std::fs::remove_file(small).unwrap();
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(server.post("/v1/events", &events(100_000)).0, 507, "it flaps: below the margin nothing is taken");
    std::fs::remove_file(large).unwrap();
    server.wait_until("it takes events again", |server| server.post("/v1/events", &events(200_000)).0 == 200);
    assert_eq!(server.get("/readyz").1["ingest"], "on");
    assert_eq!(server.stop(), Some(0));
    let store = Store::open(mount.join("store")).unwrap();
    assert_eq!(read(&store, LogSeq(0)).unwrap().len(), acknowledged + 500);
    format!("507 after {acknowledged} events, questions answered, refused below the margin, taken above it")
}

fn events(number: usize) -> Value {
    let event = |i: usize| {
        let id = format!("{number}-{i}");
        json!({"event_id": id, "user_id": "user-1", "item_id": format!("item-{i}"), "event_type": "view"})
    };
    json!({ "events": (0..500).map(event).collect::<Vec<_>>() })
}
