//! The served log: kept whole, bounded, erased; and never in anybody's way.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "functions beside the tests are tests too")]

mod support;

use shortlist_store::{
    Assignment, Exposed, Exposure, ServedCandidate, ServedLog, ServedRequest, Store, StoreConfig, StoreError,
};
use shortlist_types::{ItemIdx, LogSeq, RequestId, UserId};
use support::store;

fn request(n: u32, user: &str) -> ServedRequest {
    let candidate = |item: u32| ServedCandidate {
        item: ItemIdx(item),
        retrieval_score: (item.is_multiple_of(2)).then_some(0.5),
        score: 1.0 / (1.0 + item as f32),
        position: (item < 5).then_some(item),
        propensity: 1.0,
    };
    ServedRequest {
        request_id: RequestId::parse(&format!("request-{n}")).unwrap(),
        now: shortlist_types::Timestamp::EPOCH,
        log_seq: LogSeq(u64::from(n / 10)),
        erasures: 0,
        state_schema: "schema".to_owned(),
        bundle: None,
        assignment: None,
        surface: "home".to_owned(),
        user_id: Some(UserId::parse(user).unwrap()),
        k: 5,
        exclude: Vec::new(),
        recent: Vec::new(),
        context: shortlist_types::Attributes::default(),
        degraded: Vec::new(),
        candidates: (0..200).map(candidate).collect(),
        feature_schema: 7,
        features: (0..4_000).map(|i| (n + i) as f32 * 0.1).collect(),
    }
}

fn start(store: &Store, config: StoreConfig) -> ServedLog {
    ServedLog::start(store, &StoreConfig { served_share: 1.0, ..config }).unwrap()
}

/// Waits where a request would be dropped.
fn keep_all(log: &ServedLog, requests: impl IntoIterator<Item = ServedRequest>) {
    for (i, request) in requests.into_iter().enumerate() {
        log.keep(request);
        if i % 100 == 0 {
            log.flush();
        }
    }
    log.flush();
    assert_eq!(log.dropped(), 0);
}

#[test]
fn what_is_kept_comes_back_whole_also_beside_the_writer() {
    let (_folder, store, _) = store();
    assert!(store.served().unwrap().is_none());
    let log = start(&store, StoreConfig::default());
    let all: Vec<_> = (0..25).map(|n| request(n, "user-1")).collect();
    keep_all(&log, all.clone());
    let reader = store.served().unwrap().unwrap();
    assert_eq!(reader.states().unwrap(), [(LogSeq(0), 10), (LogSeq(1), 10), (LogSeq(2), 5)]);
    assert_eq!(reader.of_state(LogSeq(1)).unwrap(), all[10..20]);
    assert_eq!(reader.find(&all[7].request_id).unwrap().as_ref(), Some(&all[7]));
    assert_eq!(reader.find(&RequestId::parse("another").unwrap()).unwrap(), None);
    drop(log);
    // The next server goes on, and one that asks twice is kept once.
    let log = start(&store, StoreConfig::default());
    keep_all(&log, [request(3, "user-1"), request(99, "user-1")]);
    assert_eq!(reader.count().unwrap(), 26);
}

#[test]
fn the_oldest_make_room() {
    let (_folder, store, _) = store();
    let config = StoreConfig { served_bytes_max: 2_000_000, ..StoreConfig::default() };
    let log = start(&store, config);
    keep_all(&log, (0..500).map(|n| request(n, "user-1")));
    let reader = store.served().unwrap().unwrap();
    let kept = reader.count().unwrap();
    assert!((50..150).contains(&kept), "{kept} of 17 KB each");
    let newest = RequestId::parse("request-499").unwrap();
    assert!(reader.find(&newest).unwrap().is_some());
    store.erase_served(&UserId::parse("nobody").unwrap()).unwrap();
    let bytes = fs_err::metadata(store.dir().join("served.db")).unwrap().len();
    assert!(bytes < 4_000_000, "{bytes} bytes");
}

#[test]
fn an_erased_user_is_not_in_the_file() {
    let (_folder, store, _) = store();
    let log = start(&store, StoreConfig::default());
    keep_all(&log, (0..30).map(|n| request(n, if n % 3 == 0 { "quite-a-rare-name" } else { "another" })));
    assert_eq!(store.erase_served(&UserId::parse("quite-a-rare-name").unwrap()).unwrap(), 10);
    for name in ["served.db", "served.db-wal"] {
        let bytes = fs_err::read(store.dir().join(name)).unwrap();
        assert!(!bytes.windows(17).any(|window| window == b"quite-a-rare-name"), "{name} holds him");
    }
    assert_eq!(store.served().unwrap().unwrap().count().unwrap(), 20);
}

#[test]
fn a_disk_that_takes_nothing_costs_requests_and_nothing_else() {
    let (_folder, store, _) = store();
    let log = start(&store, StoreConfig::default());
    // A trigger stands for the disk.
    let database = rusqlite::Connection::open(store.dir().join("served.db")).unwrap();
    let refuse = "CREATE TRIGGER full BEFORE INSERT ON served BEGIN SELECT raise(ABORT, 'full'); END";
    database.execute_batch(refuse).unwrap();
    log.keep(request(1, "user-1"));
    log.flush();
    assert_eq!(log.dropped(), 1);
    database.execute_batch("DROP TRIGGER full").unwrap();
    log.keep(request(2, "user-1"));
    log.flush();
    assert_eq!((log.dropped(), store.served().unwrap().unwrap().count().unwrap()), (1, 1));
}

#[test]
fn a_share_is_kept() {
    let (_folder, store, _) = store();
    let config = StoreConfig { served_share: 0.25, ..StoreConfig::default() };
    let log = ServedLog::start(&store, &config).unwrap();
    assert!(log.wants(0) && log.wants(u32::MAX / 4 - 1));
    assert!(!log.wants(u32::MAX / 4 + 1) && !log.wants(u32::MAX));
}

#[test]
fn rows_of_an_older_format_make_room_and_a_newer_one_is_refused() {
    let (_folder, store, _) = store();
    let say = |format: i32| {
        let file = rusqlite::Connection::open(store.dir().join("served.db")).unwrap();
        file.pragma_update(None, "user_version", format).unwrap();
    };
    keep_all(&start(&store, StoreConfig::default()), [request(1, "u")]);
    say(1);
    assert!(store.served().unwrap().is_none());
    keep_all(&start(&store, StoreConfig::default()), [request(2, "u")]);
    assert_eq!(store.served().unwrap().unwrap().count().unwrap(), 1);
    say(99);
    assert!(matches!(store.served().unwrap_err(), StoreError::NewerFormat { found: 99, .. }));
}

#[test]
fn exposures_count_requests_from_the_first_and_go_with_their_user() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open_or_create(folder.path()).unwrap();
    let expose = |log: &ServedLog, user: &str, variant: &str, seconds: i64| {
        log.expose(Exposure {
            assignment: Assignment { experiment: "e".to_owned(), variant: variant.to_owned() },
            user_id: UserId::parse(user).unwrap(),
            time: shortlist_types::Timestamp::EPOCH.plus_seconds(seconds),
        });
    };
    let exposed = || {
        let mut all = Vec::new();
        let each = |one: Exposed| all.push((one.user_id.to_string(), one.variant, one.first.as_micros(), one.requests));
        store.served().unwrap().unwrap().exposed("e", &mut { each }).unwrap();
        all
    };
    for _ in 0..2 {
        // Again after a restart.
        let log = ServedLog::start(&store, &StoreConfig::default()).unwrap();
        expose(&log, "erased-user", "a", 20);
        expose(&log, "kept-user", "a", 30);
        expose(&log, "kept-user", "a", 10);
        expose(&log, "kept-user", "b", 40);
        log.flush();
        assert_eq!(log.dropped(), 0);
    }
    let row = |user: &str, variant: &str, seconds: i64, requests: u64| {
        (user.to_owned(), variant.to_owned(), seconds * 1_000_000, requests)
    };
    let kept = [row("kept-user", "a", 10, 4), row("kept-user", "b", 40, 2)];
    assert_eq!(exposed(), [&[row("erased-user", "a", 20, 2)], &kept[..]].concat());
    store.erase_served(&UserId::parse("erased-user").unwrap()).unwrap();
    assert_eq!(exposed(), kept);
    let bytes = std::fs::read(folder.path().join("served.db")).unwrap();
    assert!(!bytes.windows(11).any(|window| window == b"erased-user"), "no copy is left");
}
