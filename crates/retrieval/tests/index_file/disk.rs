//! The same through real files, which are mapped.

use std::fs;
use std::path::PathBuf;

use shortlist_retrieval::{Allowed, FrozenIndex, Metric, RetrievalError, SearchParams};

use crate::sample::{Crafted, MODEL, build, bytes_of, crowded_table, file, queries, search, table, walked_file, walks};

/// A folder that is deleted with its files.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("index_file_{name}_{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, bytes).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be deleted stays until the target folder is cleaned.
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn an_opened_file_answers_like_the_built_index() {
    let folder = Folder::new("answers");
    for metric in Metric::ALL {
        for table in [table(), crowded_table()] {
            let built = build(&table, metric);
            let path = folder.write("index", &bytes_of(&built));
            let opened = FrozenIndex::open(&path).unwrap();
            assert_eq!(bytes_of(&opened), bytes_of(&built));
            assert_eq!((opened.model(), opened.config()), (built.model(), built.config()));
            assert_eq!((opened.len(), opened.dimensions(), opened.metric()), (table.len(), table.dimensions(), metric));
            assert_eq!(opened.bytes_beside_vectors(), built.bytes_beside_vectors());
            assert!(opened.items().eq(table.items().iter().copied()));
            assert!(table.items().iter().all(|item| opened.vector(*item) == built.vector(*item)));
            for query in queries() {
                for params in [SearchParams::new(10, 100), SearchParams::exact(10), SearchParams::exact(usize::MAX)] {
                    let expected = search(&built, &query, params, Allowed::All);
                    assert_eq!(search(&opened, &query, params, Allowed::All), expected);
                }
            }
        }
    }
}

#[test]
fn a_mapped_file_is_walked_like_one_in_memory() {
    let folder = Folder::new("walks");
    for metric in Metric::ALL {
        let bytes = walked_file(metric);
        let opened = FrozenIndex::open(&folder.write("index", &bytes)).unwrap();
        let in_memory = FrozenIndex::from_bytes(&bytes).unwrap();
        for query in &queries()[..4] {
            assert!(walks(&opened, query, 10));
            let params = SearchParams::new(10, 400);
            assert_eq!(search(&opened, query, params, Allowed::All), search(&in_memory, query, params, Allowed::All));
        }
    }
}

#[test]
fn what_is_no_file_is_named_with_its_path() {
    let folder = Folder::new("none");
    let file = folder.write("index", &file(Metric::Ip));
    for path in [folder.0.join("missing"), folder.0.clone(), file.join("below"), PathBuf::new()] {
        match FrozenIndex::open(&path) {
            Err(RetrievalError::Open { path: named, reason }) => {
                assert_eq!(named, path.display().to_string());
                assert!(!reason.is_empty());
            }
            other => panic!("expected that {} cannot be opened, got {other:?}", path.display()),
        }
    }
    #[cfg(unix)]
    for device in ["/dev/zero", "/dev/null"] {
        let error = FrozenIndex::open(std::path::Path::new(device)).unwrap_err();
        assert!(matches!(error, RetrievalError::Open { .. }), "{device}: {error}");
    }
    assert_eq!(FrozenIndex::open(&folder.write("empty", &[])).unwrap_err(), RetrievalError::NotAnIndex);
}

#[test]
fn a_damaged_file_is_refused_as_its_bytes_are() {
    let folder = Folder::new("damage");
    for metric in Metric::ALL {
        let bytes = file(metric);
        let mut cases: Vec<Vec<u8>> = (0..bytes.len()).step_by(997).map(|length| bytes[..length].to_vec()).collect();
        cases.extend([1, 7, 8, 11, 12, 191, 192, 199, 200, bytes.len() - 1].map(|length| bytes[..length].to_vec()));
        for at in (0..bytes.len()).step_by(499) {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x10;
            cases.push(flipped);
        }
        for surplus in [1, 64, 4_096] {
            let mut longer = bytes.clone();
            longer.resize(bytes.len() + surplus, 0);
            cases.push(longer);
        }
        let crafted = Crafted::of(bytes);
        let layer0 = crafted.parts.layer0.start;
        cases.push(crafted.clone().u32(layer0, 0).sealed());
        cases.push(crafted.clone().u32(layer0, 1 << 20).sealed());
        for case in cases {
            let error = FrozenIndex::open(&folder.write("index", &case)).unwrap_err();
            assert_eq!(error, FrozenIndex::from_bytes(&case).unwrap_err());
        }
        // What the file says of its origin is taken as it is.
        let foreign = FrozenIndex::open(&folder.write("index", &crafted.u64(MODEL, 7).sealed())).unwrap();
        assert_eq!(foreign.model(), 7);
    }
}

#[cfg(unix)]
#[test]
fn a_pipe_is_refused_at_once() {
    let folder = Folder::new("pipe");
    let pipe = folder.0.join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let (send, heard) = std::sync::mpsc::channel();
    std::thread::spawn(move || send.send(FrozenIndex::open(&pipe).map(|_| ())));
    let answer = heard.recv_timeout(std::time::Duration::from_secs(10));
    assert!(matches!(answer, Ok(Err(RetrievalError::Open { .. }))), "{answer:?}");
}
