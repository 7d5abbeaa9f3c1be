//! D3: a WAL that ends anywhere opens to its last whole commit.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use shortlist_faulty_disk::FaultyDisk;
use shortlist_store::Store;
use shortlist_types::{LogRecord, LogSeq};

use super::events::{event, ids, read};
use super::{Form, SEED};

/// A frame of the WAL: 24 bytes and a page.
const FRAME: usize = 24 + 4_096;
const DATABASE: &str = "shortlist.db";
const WAL: &str = "shortlist.db-wal";

/// A log with a WAL, and how many records each commit ended with.
struct Written {
    database: Vec<u8>,
    wal: Vec<u8>,
    records: Vec<LogRecord>,
    commits: Vec<usize>,
}

fn write() -> Written {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open_or_create(folder.path()).unwrap();
    let mut appender = store.lock_log().unwrap();
    let (mut records, mut commits) = (Vec::new(), vec![0]);
    for commit in 0..12_usize {
        let batch: Vec<_> = (0..=commit % 5).map(|i| event(&format!("{commit}-{i}"))).collect();
        appender.append(&batch).unwrap();
        records.extend(batch);
        commits.push(records.len());
    }
    let file = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
    Written { database: file(DATABASE), wal: file(WAL), records, commits }
}

pub fn check(form: Form) -> String {
    let written = write();
    let length = written.wal.len();
    assert!(length > 10 * FRAME, "the log is still in its WAL");
    // Every byte of the last two frames, and others at random.
    let mut lengths: Vec<_> = (length - 2 * FRAME..=length).collect();
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    lengths.extend((0..2_000).map(|_| rng.random_range(0..length)));
    if form == Form::Short {
        lengths = (0..400).map(|_| lengths[rng.random_range(0..lengths.len())]).chain([0, length]).collect();
    }
    let folder = tempfile::tempdir().unwrap();
    let mut kept = Vec::new();
    for (number, length) in lengths.iter().enumerate() {
        let dir = folder.path().join(number.to_string());
        std::fs::create_dir(&dir).unwrap();
        kept.push(open_cut(&written, *length, &dir));
        std::fs::remove_dir_all(&dir).unwrap();
    }
    assert_eq!(kept[lengths.iter().position(|at| *at == length).unwrap()], written.records.len());
    format!("{} lengths, each opened to a whole commit and took the next append", lengths.len())
}

/// Opens the log with its WAL cut, and says how many records there are.
fn open_cut(written: &Written, length: usize, dir: &std::path::Path) -> usize {
    std::fs::write(dir.join(DATABASE), &written.database).unwrap();
    std::fs::write(dir.join(WAL), &written.wal[..length]).unwrap();
    let _disk = FaultyDisk::under(dir).unwrap();
    let store = match Store::open(dir) {
        Ok(store) => store,
        // The schema itself was in the WAL.
        Err(error) => {
            let is_empty = matches!(error, shortlist_store::StoreError::NotAStore { .. });
            assert!(is_empty && written.database.len() < FRAME, "WAL of {length} bytes: {error}");
            return 0;
        }
    };
    let found = read(&store, LogSeq(0)).unwrap_or_else(|error| panic!("WAL of {length} bytes: {error}"));
    assert!(written.commits.contains(&found.len()), "WAL of {length} bytes: half a commit, {} records", found.len());
    assert_eq!(found, written.records[..found.len()], "WAL of {length} bytes");
    store.lock_log().unwrap().append(&[event("next")]).unwrap();
    let mut expected = ids(&found);
    expected.insert("next".to_owned());
    assert_eq!(ids(&read(&store, LogSeq(0)).unwrap()), expected);
    found.len()
}
