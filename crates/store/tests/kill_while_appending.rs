//! D1, short form: a process that appends is killed at a random moment; what it acknowledged is there.
//!
//! The test binary starts itself again as the victim, told apart by an environment variable.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "functions beside the tests are tests too")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use shortlist_store::{Appended, LogWriter, Store, StoreError};
use shortlist_types::{Attributes, Event, EventId, ItemId, LogRecord, LogSeq, Timestamp, UserId};

const VICTIM_STORE: &str = "SHORTLIST_TEST_VICTIM_STORE";
const VICTIM_ROUND: &str = "SHORTLIST_TEST_VICTIM_ROUND";
const CALLERS: u32 = 8;

fn named_event(name: &str) -> LogRecord {
    LogRecord::Event(Event {
        event_id: Some(EventId::parse(name).unwrap()),
        user_id: UserId::parse("u").unwrap(),
        item_id: ItemId::parse("i").unwrap(),
        event_type: "click".to_owned(),
        value: None,
        timestamp: Timestamp::EPOCH,
        request_id: None,
        position: None,
        context: Attributes::default(),
    })
}

/// Eight callers append as fast as the disk lets them and say on stderr what was acknowledged.
#[test]
fn victim() {
    let Ok(dir) = std::env::var(VICTIM_STORE) else { return };
    let round = std::env::var(VICTIM_ROUND).unwrap();
    let store = Store::open(dir).unwrap();
    let writer = LogWriter::start(store.lock_log().unwrap(), 1_000, Box::new(|_| ())).unwrap();
    let acknowledged = Mutex::new(std::io::stderr());
    std::thread::scope(|scope| {
        for caller in 0..CALLERS {
            let (writer, acknowledged, round) = (&writer, &acknowledged, &round);
            scope.spawn(move || {
                for i in 0.. {
                    let name = format!("{round}-{caller}-{i}");
                    let (sender, receiver) = std::sync::mpsc::channel();
                    writer.submit(vec![named_event(&name)], Box::new(move |r| sender.send(r).unwrap())).unwrap();
                    if let [Appended::New(log_seq)] = receiver.recv().unwrap().unwrap()[..] {
                        writeln!(acknowledged.lock().unwrap(), "{} {name}", log_seq.0).unwrap();
                    }
                }
            });
        }
    });
}

fn names_in(store: &Store) -> Result<Vec<(u64, String)>, StoreError> {
    let mut names = Vec::new();
    store.reader()?.read(LogSeq(0), LogSeq(u64::MAX), |log_seq, record| {
        let LogRecord::Event(event) = record else { panic!("only events were sent") };
        names.push((log_seq.0, event.event_id.unwrap().to_string()));
        Ok::<_, StoreError>(())
    })?;
    Ok(names)
}

#[test]
fn what_was_acknowledged_survives_a_kill_once_and_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open_or_create(dir.path()).unwrap();
    let mut acknowledged = BTreeMap::new();
    for round in 0..5_u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["victim", "--exact", "--nocapture"])
            .env(VICTIM_STORE, dir.path())
            .env(VICTIM_ROUND, round.to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let first = lines.next().expect("the victim acknowledges something before it dies");
        // Beside the live writer, in another process: the log reads well, and is not ours to append to.
        assert!(!names_in(&store).unwrap().is_empty());
        assert!(matches!(store.lock_log(), Err(StoreError::Locked { .. })));
        let until = Instant::now() + Duration::from_millis(40 + round * 37);
        let mut heard = vec![first];
        heard.extend(lines.by_ref().take_while(|_| Instant::now() < until));
        child.kill().unwrap();
        heard.extend(lines);
        child.wait().unwrap();
        for line in heard {
            // The kill may cut the last line.
            if let Some((log_seq, name)) = line.split_once(' ')
                && name.split('-').count() == 3
            {
                acknowledged.insert(log_seq.parse::<u64>().unwrap(), name.to_owned());
            }
        }
    }

    let log = names_in(&store).unwrap();
    assert!(log.iter().map(|(log_seq, _)| *log_seq).eq(1..=log.len() as u64), "contiguous");
    let positions: BTreeMap<_, _> = log.iter().map(|(log_seq, name)| (name.clone(), *log_seq)).collect();
    assert_eq!(positions.len(), log.len(), "no name twice");
    assert!(acknowledged.len() > 40, "the victims did work: {}", acknowledged.len());
    for (log_seq, name) in &acknowledged {
        // A cut name is a prefix of the whole one, at the same position.
        assert!(log[usize::try_from(log_seq - 1).unwrap()].1.starts_with(name.as_str()), "{log_seq} {name}");
    }

    // Callers that heard nothing send again; whatever was on disk is not counted twice.
    let again: Vec<_> = positions.keys().map(|name| named_event(name)).collect();
    let answers = store.lock_log().unwrap().append(&again).unwrap();
    assert!(answers.iter().all(|answer| *answer == Appended::Duplicate));
}
