//! D6: a sync fails once. That batch is not acknowledged, nothing after it is taken until a restart, and
//! the server says so.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;
use shortlist_faulty_disk::{Fault, FaultyDisk};
use shortlist_store::Store;
use shortlist_types::LogSeq;

use super::events::{ids, read};
use super::gateway::Gateway;
use super::{Form, SEED};

pub fn check(form: Form) -> String {
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let rounds = form.pick(4, 60);
    for _ in 0..rounds {
        one_failure(rng.random_range(0..40));
    }
    format!("{rounds} failed syncs: not acknowledged, ingest off and told, questions answered, whole after a restart")
}

fn one_failure(number: u64) {
    let folder = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::under(folder.path()).unwrap();
    let store = Store::open_or_create(folder.path()).unwrap();
    let gateway = Gateway::start(&store);
    disk.set_fault(Some(Fault::NthSyncFails(number)));
    let post = |gateway: &Gateway, id: &str| {
        let event = json!({"event_id": id, "user_id": "user-1", "item_id": id, "event_type": "view"});
        gateway.post("/v1/events", &event)
    };
    let mut acknowledged = 0;
    let (status, body) = loop {
        let (status, body) = post(&gateway, &format!("event-{acknowledged}"));
        if status != 200 {
            break (status, body);
        }
        acknowledged += 1;
        assert!(acknowledged < 1_000, "the sync never failed");
    };
    assert_eq!((status, &body["code"]), (503, &json!("ingest_off")), "sync {number}: {body}");
    // The disk works again; what it lost is not known, so nothing is taken all the same.
    for id in ["later", "much-later"] {
        assert_eq!(post(&gateway, id).0, 503, "sync {number}: taken after a failed sync");
    }
    let (status, ready) = gateway.get("/readyz");
    assert_eq!((status, &ready["ingest"], &ready["reasons"]), (503, &json!("off"), &json!(["ingest_off"])));
    assert_eq!(gateway.get("/v1/users/user-1/recommendations?k=3").0, 200);
    assert_eq!(gateway.get("/healthz").0, 200);
    drop(gateway);

    let gateway = Gateway::start(&store);
    assert_eq!(gateway.get("/readyz").0, 200);
    // The batch that was not acknowledged may be there or not; sent again, it counts once.
    let again = format!("event-{acknowledged}");
    assert_eq!(post(&gateway, &again).0, 200);
    drop(gateway);
    let found = ids(&read(&store, LogSeq(0)).unwrap());
    assert_eq!(found.len(), acknowledged + 1, "sync {number}");
    assert!(found.contains(&again) && (0..acknowledged).all(|n| found.contains(&format!("event-{n}"))));
}
