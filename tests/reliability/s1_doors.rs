//! S1: who reaches the server without a key gets nowhere, the administrator's routes are on loopback and take his key alone,
//! and a server that would be open to everybody does not start.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Instant;

use serde_json::{Value, json};
use shortlist_load::{RestConnection, Target};

use super::Form;
use crate::harness::{Server, fails, folder, ok, ok_json, path, send_with_key};

pub fn check(form: Form) -> String {
    let folder = folder();
    let (store, keys) = (path(&folder, "store"), path(&folder, "keys.toml"));
    let new = |role: &str| {
        let made = ok_json(&["keys", "new", "--role", role, "--name", role, "--file", &keys, "--json"]);
        made["key"].as_str().unwrap().to_owned()
    };
    // By default: loopback, the one port, and word of it.
    let open = Server::start(&store);
    assert_eq!(open.listening(), BTreeSet::from([open.address.clone()]));
    assert!(open.said("there are no API keys"));
    assert_eq!(open.get("/v1/items").0, 200);
    drop(open);
    for (args, named) in [
        (vec!["--listen", "0.0.0.0:0"], "shortlist keys new"),
        (vec!["--listen", "[::]:0"], "shortlist keys new"),
        (vec!["--listen", "127.0.0.1:0", "--admin-listen", "0.0.0.0:0"], "--role admin"),
        (vec!["--listen", "127.0.0.1:0", "--keys", "/no/such/keys.toml"], "/no/such/keys.toml"),
    ] {
        let said = fails(64, &[&["serve", "--store", &store], args.as_slice()].concat());
        assert!(said.contains(named), "{args:?}: {said}");
    }
    let (read, write) = (new("read"), new("write"));
    let beyond =
        ["serve", "--store", &store, "--keys", &keys, "--listen", "127.0.0.1:0", "--admin-listen", "0.0.0.0:0"];
    assert!(fails(64, &beyond).contains("no key has the role admin"));

    let admin = new("admin");
    let server = Server::start_with(&["serve", "--store", &store, "--keys", &keys, "--listen", "0.0.0.0:0"]);
    let admin_address = server.admin_address();
    assert!(admin_address.starts_with("127.0.0.1:"), "{admin_address}");
    assert_eq!(server.listening(), BTreeSet::from([server.address.clone(), admin_address.clone()]));
    let local = format!("127.0.0.1:{}", server.address.rsplit(':').next().unwrap());
    let ask =
        |address: &str, path: &str, key: Option<&str>| send_with_key("GET", &format!("http://{address}{path}"), key);
    let code = |(status, body): (u16, Value)| (status, body["code"].as_str().unwrap_or_default().to_owned());
    let wrong = format!("{}{}", &admin[..admin.len() - 1], if admin.ends_with('0') { '1' } else { '0' });
    for key in [None, Some(""), Some("x"), Some(wrong.as_str()), Some(&admin[..admin.len() - 1])] {
        assert_eq!(code(ask(&admin_address, "/admin/v1/bundles", key)), (401, "unauthenticated".to_owned()), "{key:?}");
        assert_eq!(code(ask(&local, "/v1/items", key)), (401, "unauthenticated".to_owned()), "{key:?}");
    }
    for key in [&read, &write] {
        assert_eq!(code(ask(&admin_address, "/admin/v1/bundles", Some(key))), (403, "permission_denied".to_owned()));
        assert_eq!(ask(&local, "/v1/items", Some(key)).0, 200);
    }
    assert_eq!(ask(&admin_address, "/admin/v1/bundles", Some(&admin)).0, 200);
    assert_eq!(ask(&local, "/admin/v1/bundles", Some(&admin)).0, 404);
    // Neither the file, nor the log, nor a process's arguments hold a secret.
    let secret = &admin[21..];
    assert!(!std::fs::read_to_string(&keys).unwrap().contains(secret));
    assert!(!ok(&["keys", "list", "--file", &keys]).contains(secret));
    let low = ["keys", "new", "--role", "read", "--priority", "low", "--file", &keys, "--json"];
    assert_eq!(ok_json(&low)["priority"], "low");
    let listed = ok_json(&["keys", "list", "--file", &keys, "--json"]);
    let priorities: Vec<_> = listed["keys"].as_array().unwrap().iter().map(|key| &key["priority"]).collect();
    assert_eq!((priorities[0], priorities[priorities.len() - 1]), (&json!("high"), &json!("low")), "{listed}");
    assert!(!server.said(secret));
    let flat = form.pick(None, Some(40_000)).map(|rounds| timing(&local, &admin, rounds));
    let flat = flat.map_or(String::new(), |(known, unknown)| {
        let ratio = known / unknown;
        assert!((0.9..1.1).contains(&ratio), "a known id takes {ratio:.3} times as long as an unknown one");
        format!("; a wrong secret takes {known:.0} us for a known id, {unknown:.0} us for an unknown one")
    });
    format!(
        "loopback alone without keys, exit 64 beyond; administrators on {admin_address} beside 0.0.0.0, 401 and 403 without their key{flat}"
    )
}

/// Microseconds, in the median, that a wrong secret takes to be refused: of an id that is known, and of one that is not.
fn timing(address: &str, key: &str, rounds: usize) -> (f64, f64) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let zeros = "0".repeat(64);
    let keys = [format!("{}_{zeros}", &key[..20]), format!("slk_{}_{zeros}", "0".repeat(16))];
    let mut took = [Vec::new(), Vec::new()];
    runtime.block_on(async {
        let target = Target::from(address.parse::<SocketAddr>().unwrap());
        let mut connections = Vec::new();
        for key in keys {
            connections.push(RestConnection::open(&target.clone().with_api_key(Some(key))).await.unwrap());
        }
        for round in 0..rounds {
            let which = round % 2;
            let started = Instant::now();
            assert_eq!(connections[which].get("/v1/items").await.unwrap().status(), 401);
            took[which].push(started.elapsed().as_secs_f64() * 1e6);
        }
    });
    let median = |mut took: Vec<f64>| {
        took.sort_by(f64::total_cmp);
        took[took.len() / 2]
    };
    let [known, unknown] = took.map(median);
    (known, unknown)
}
