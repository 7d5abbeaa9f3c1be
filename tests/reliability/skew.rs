//! What serving read is what the log says, bit by bit, while events stream in, items come and go, bundles swap
//! and the server restarts.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use super::Form;
use crate::harness::{Server, folder, imported_store, ok, ok_json};

/// Servers, one after the other; each swaps to a new bundle half-way.
const LIVES: usize = 3;

pub fn check(form: Form) -> String {
    let requests = form.pick(300, 3_400);
    let folder = folder();
    let store = imported_store(&folder);
    std::fs::write(format!("{store}/shortlist.toml"), "[store]\nserved_share = 1.0\n").unwrap();
    ok(&["train", "--store", &store, "--promote", "always"]);
    for life in 0..LIVES {
        one_life(&store, life, requests);
    }
    let report = ok_json(&["audit", "skew", "--store", &store, "--json"]);
    let asked = (LIVES * requests) as u64;
    assert_eq!((&report["requests"], &report["differences"]), (&json!(asked), &json!(0)), "{report}");
    assert_eq!(report["unverifiable"], json!({}), "{report}");
    let verified = report["verified"].as_u64().unwrap();
    assert!(verified > asked * 9 / 10, "{report}");
    format!(
        "{asked} requests beside events, {LIVES} swaps and {LIVES} restarts: {verified} ranked, {} numbers computed again, 0 differ",
        report["values"]
    )
}

fn one_life(store: &str, life: usize, requests: usize) {
    let server = Server::start(store);
    let stopping = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let streaming = scope.spawn(|| stream(&server, life, &stopping));
        ask(&server, requests / 2);
        let before = server.get("/readyz").1["bundle"].clone();
        let seed = (life + 100).to_string();
        ok(&["train", "--store", store, "--promote", "always", "--seed", &seed]);
        server.wait_until("the bundle is swapped", |server| server.get("/readyz").1["bundle"] != before);
        ask(&server, requests - requests / 2);
        stopping.store(true, Ordering::Relaxed);
        streaming.join().unwrap();
    });
    assert_eq!(server.stop(), Some(0));
}

/// Events, and items that no bundle knows, until told to stop.
fn stream(server: &Server, life: usize, stopping: &AtomicBool) {
    for n in 0.. {
        if stopping.load(Ordering::Relaxed) {
            return;
        }
        let item = if n % 7 == 0 { format!("new-{life}-{}", n % 40) } else { format!("item-{}", n * 31 % 300) };
        if n % 10 == 0 {
            let attributes = json!({"category": format!("category-{}", n % 3), "price": n});
            let name = format!("new-{life}-{}", n / 10 % 40);
            assert_eq!(server.put(&format!("/v1/items/{name}"), &json!({"attributes": attributes})).0, 200);
        }
        let kind = ["click", "view", "hide"][n % 3];
        if n % 70 == 35 {
            // Users still have it in their history.
            server.delete(&format!("/v1/items/new-{life}-{}", n % 40));
        }
        let event = json!({"user_id": format!("user-{}", n % 40), "item_id": item, "event_type": kind});
        assert_eq!(server.post("/v1/events", &event).0, 200);
    }
}

fn ask(server: &Server, requests: usize) {
    for n in 0..requests {
        let recent = json!([{"item_id": format!("item-{}", n % 90), "event_type": "click"}]);
        let mut request = match n % 5 {
            0 => json!({"recent": recent, "k": 7}),
            1 => json!({"user_id": format!("user-{}", n % 60), "recent": recent, "exclude": ["item-3"]}),
            _ => json!({"user_id": format!("user-{}", n % 60), "k": 5}),
        };
        // However busy the machine is with training.
        request["deadline_ms"] = json!(10_000);
        let (status, body) = server.post("/v1/recommend", &request);
        assert_eq!((status, &body["degraded"]), (200, &json!([])), "{body}");
    }
}
