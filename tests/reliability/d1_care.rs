//! D1 while the store is cared for: SIGKILL during checkpoints, cuts, erasures and backups. After each restart the
//! log is whole, what was acknowledged counts once, and whoever was erased is nowhere.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use shortlist_store::Store;

use super::d1_kill::kill_nine;
use super::{Form, SEED};
use crate::harness::{Server, folder, holds, ok, path, run};

const BATCH: usize = 100;
/// Between two batches: more would outgrow what a life of two seconds can cut.
const EVERY: Duration = Duration::from_millis(25);
/// Some thousand events: each life of a server cuts what the ones before it wrote.
const CONFIG: &str = "[store]\ncheckpoint_records = 1000\nlog_bytes_max = 600000\n";

#[derive(Default)]
struct Shown {
    checkpoints: usize,
    cuts: usize,
    erased: usize,
    erased_later: usize,
    backups: usize,
}

pub fn check(form: Form) -> String {
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let folder = folder();
    let store = path(&folder, "store");
    std::fs::create_dir_all(&store).unwrap();
    std::fs::write(format!("{store}/shortlist.toml"), CONFIG).unwrap();
    let rounds = form.pick(4, 100);
    let mut shown = Shown::default();
    for round in 0..rounds {
        one_life(&store, &path(&folder, &format!("backup-{round}")), round, &mut rng, &mut shown);
    }
    let Shown { checkpoints, cuts, erased, erased_later, backups } = shown;
    assert_eq!(erased + erased_later, rounds);
    // How far a life gets in its second is the machine's affair.
    assert!(form == Form::Short || (cuts > 10 && checkpoints > 10), "nothing was shown");
    format!(
        "{rounds} kills in {checkpoints} lives with a new checkpoint, {cuts} with a cut, {backups} with a backup; {erased} \
         users erased before the kill and {erased_later} after it; every log whole, every id known"
    )
}

fn one_life(store: &str, backup: &str, round: usize, rng: &mut ChaCha8Rng, shown: &mut Shown) {
    let before = place(store);
    let server = Server::start(store);
    let gone = format!("gone-{round}-");
    let mut sent: Vec<Value> = (0..5).map(|n| batch(&gone, &format!("{round}-g-{n}"))).collect();
    sent.iter().for_each(|batch| assert_eq!(server.post("/v1/events", batch).0, 200));
    let killed = AtomicBool::new(false);
    let lives = Duration::from_millis(rng.random_range(500..2_500));
    let (wait_erase, wait_backup) = (rng.random_range(0..1_500), rng.random_range(0..1_500));
    let (is_erased, more, is_backed_up) = std::thread::scope(|scope| {
        let (server, gone, killed) = (&server, &gone, &killed);
        let erasing = scope.spawn(move || {
            std::thread::sleep(Duration::from_millis(wait_erase));
            server.delete(&format!("/v1/users/{gone}?erase=true")).0 == 200
        });
        let writing = scope.spawn(move || {
            let batches = (0..).map(|n| batch(&format!("user-{}", n % 50), &format!("{round}-{n}")));
            let taken = |batch: &Value| {
                std::thread::sleep(EVERY);
                server.post("/v1/events", batch).0 == 200
            };
            batches.take_while(|_| !killed.load(Ordering::Relaxed)).filter(taken).collect::<Vec<_>>()
        });
        let copying = scope.spawn(move || {
            std::thread::sleep(Duration::from_millis(wait_backup));
            run(&["store", "backup", "--store", store, "--to", backup]).status.success()
        });
        std::thread::sleep(lives);
        kill_nine(server);
        killed.store(true, Ordering::Relaxed);
        (erasing.join().unwrap(), writing.join().unwrap(), copying.join().unwrap())
    });
    server.kill();
    sent.extend(more);
    let after = place(store);
    shown.checkpoints += usize::from(after.1 > before.1);
    shown.cuts += usize::from(after.0 > before.0);
    ok(&["log", "verify", "--store", store]);
    if is_backed_up {
        shown.backups += 1;
        ok(&["log", "verify", "--store", backup]);
    }
    let server = Server::start(store);
    if is_erased {
        shown.erased += 1;
    } else {
        shown.erased_later += 1;
        assert_eq!(server.delete(&format!("/v1/users/{gone}?erase=true")).0, 200);
    }
    for batch in &sent {
        let (status, body) = server.post("/v1/events", batch);
        assert_eq!((status, &body["duplicates"]), (200, &json!(BATCH)), "round {round}: {body}");
    }
    assert!(!holds(Path::new(store), &gone), "round {round}: {gone} was erased and is still there");
    server.kill();
}

/// Where the log begins, and its newest checkpoint.
fn place(store: &str) -> (u64, u64) {
    let Ok(store) = Store::open(store) else { return (0, 0) };
    let newest = store.checkpoints().unwrap().first().map_or(0, |checkpoint| checkpoint.at.log_seq.0);
    (store.reader().unwrap().start().unwrap().log_seq.0, newest)
}

fn batch(user: &str, name: &str) -> Value {
    let event = |i: usize| {
        let item_id = format!("item-{}", i % 40);
        json!({"event_id": format!("{name}-{i}"), "user_id": user, "item_id": item_id, "event_type": "click"})
    };
    json!({ "events": (0..BATCH).map(event).collect::<Vec<_>>() })
}
