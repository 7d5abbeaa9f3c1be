//! D4: a changed byte anywhere is found, or changes no answer.

use std::path::Path;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use shortlist_faulty_disk::FaultyDisk;
use shortlist_store::{LogReport, Store, StoreError};
use shortlist_types::{LogRecord, LogSeq};

use super::events::{LAST, event};
use super::{Form, SEED};

const DATABASE: &str = "shortlist.db";
const WAL: &str = "shortlist.db-wal";

/// Of so many damaged logs one is salvaged, too.
const SALVAGED_EVERY: usize = 16;

/// A log on disk, whole.
struct Whole {
    files: Vec<(&'static str, Vec<u8>)>,
    records: Vec<LogRecord>,
}

impl Whole {
    /// A log of so many events; all in the database file, or the latter half still in the WAL.
    fn write(events: usize, with_wal: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_or_create(folder.path()).unwrap();
        let records: Vec<_> = (0..events).map(|n| event(&format!("event-{n}"))).collect();
        let mut appender = store.lock_log().unwrap();
        let first = if with_wal { events / 2 } else { events };
        appender.append(&records[..first]).unwrap();
        store.empty_wal().unwrap();
        records[first..].chunks(7).for_each(|batch| drop(appender.append(batch).unwrap()));
        let file = |name| (name, std::fs::read(folder.path().join(name)).unwrap());
        let mut files = vec![file(DATABASE)];
        if with_wal {
            files.push(file(WAL));
        }
        Self { files, records }
    }
}

/// What was seen of all changes.
#[derive(Default)]
struct Seen {
    refused: usize,
    named: usize,
    cut: usize,
    harmless: usize,
}

pub fn check(form: Form) -> String {
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let small = Whole::write(100, false);
    let bytes = small.files[0].1.len();
    assert!(bytes <= 128 * 1_024, "{bytes} bytes are too many for every one of them");
    let mut seen = Seen::default();
    let every: Vec<_> = (0..bytes).collect();
    let some: Vec<_> = (0..1_200).map(|_| rng.random_range(0..bytes)).collect();
    for at in form.pick(some, every) {
        flip(&small, (0, at), rng.random_range(1..=255), &mut seen);
    }
    let with_wal = Whole::write(100, true);
    for _ in 0..form.pick(300, 10_000) {
        let at = rng.random_range(0..with_wal.files[1].1.len());
        flip(&with_wal, (1, at), rng.random_range(1..=255), &mut seen);
    }
    let large = Whole::write(form.pick(2_000, 5_000), false);
    for _ in 0..form.pick(60, 10_000) {
        let at = rng.random_range(0..large.files[0].1.len());
        flip(&large, (0, at), rng.random_range(1..=255), &mut seen);
    }
    let Seen { refused, named, cut, harmless } = seen;
    assert!(refused > 0 && named > 0 && harmless > 0, "nothing was shown");
    format!(
        "{refused} refused to open, {named} named, {cut} WALs cut at the damage, {harmless} harmless, 0 wrong answers"
    )
}

/// Changes one byte and asks for everything.
fn flip(whole: &Whole, (file, at): (usize, usize), by: u8, seen: &mut Seen) {
    let folder = tempfile::tempdir().unwrap();
    for (number, (name, bytes)) in whole.files.iter().enumerate() {
        let mut bytes = bytes.clone();
        if number == file {
            bytes[at] ^= by;
        }
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    let _disk = FaultyDisk::under(folder.path()).unwrap();
    let context = format!("byte {at} of {} ^ {by}", whole.files[file].0);
    let salvages = at.is_multiple_of(SALVAGED_EVERY);
    let is_wal = whole.files[file].0 == WAL;
    let records = whole.records.len();
    match ask(folder.path(), &whole.records, &context, salvages) {
        Err(_) => seen.refused += 1,
        Ok(Asked { report, read, error }) => {
            if report.is_whole() {
                // A log that says it is whole gives all; only the tail of a torn WAL may be gone.
                assert!(error.is_none(), "{context}: verified, and then {error:?}");
                assert!(is_wal || read == records, "{context}: {read} records of a whole log");
                if read < records { seen.cut += 1 } else { seen.harmless += 1 }
            } else {
                // Damage beside the records may change no answer; a record that is gone is said.
                assert!(error.is_some() || read == records, "{context}: {read} records, and nothing is said");
                seen.named += 1;
            }
        }
    }
}

struct Asked {
    report: LogReport,
    read: usize,
    error: Option<StoreError>,
}

/// Reads the log; what it gives before it names damage must be what was written.
fn ask(dir: &Path, records: &[LogRecord], context: &str, salvages: bool) -> Result<Asked, StoreError> {
    let store = Store::open(dir)?;
    let reader = store.reader()?;
    let report = reader.verify(&mut |_| ())?;
    let mut read = 0;
    let outcome = reader.read(LogSeq(0), LAST, |_, record| {
        assert_eq!(record, records[read], "{context}: a wrong answer");
        read += 1;
        Ok::<_, StoreError>(())
    });
    if salvages && !report.is_whole() {
        salvage(&store, records, context);
    }
    Ok(Asked { report, read, error: outcome.err() })
}

/// What is salvaged of a damaged log was written, in order.
fn salvage(store: &Store, records: &[LogRecord], context: &str) {
    let folder = tempfile::tempdir().unwrap();
    let _disk = FaultyDisk::under(folder.path()).unwrap();
    let target = Store::open_or_create(folder.path()).unwrap();
    let Ok(salvaged) = store.reader().unwrap().salvage(&target, &mut |_| ()) else { return };
    if salvaged.unchecked > 0 {
        return;
    }
    let mut all = records.iter();
    let result = target.reader().unwrap().read(LogSeq(0), LAST, |_, record| {
        assert!(all.any(|written| *written == record), "{context}: salvaged what was not written");
        Ok::<_, StoreError>(())
    });
    result.unwrap();
}
