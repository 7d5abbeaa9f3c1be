//! H3: parts of two bundles, of the same dimensions, put together as one. Nobody may promote it; and if somebody does, by
//! hand, the server keeps the bundle that it has, and counts that it refused another.

use std::collections::BTreeMap;

use serde_json::Value;
use shortlist_store::{BundleId, Store};
use shortlist_types::Timestamp;

use super::Form;
use crate::harness::{Server, fails, folder, imported_store, ok, ok_json, page_with_key, path, send_with_key};

type Files = BTreeMap<String, Vec<u8>>;

/// Files whose exchange makes a pair that does not match.
const LEAST: [&str; 5] =
    ["blend.json", "index.shortlist", "item_values.safetensors", "ranker.json", "user_tower.safetensors"];

pub fn check(_: Form) -> String {
    let folder = folder();
    let (store, keys) = (imported_store(&folder), path(&folder, "keys.toml"));
    let train = |seed: &str, promote: &str| -> BundleId {
        let args = ["train", "--store", &store, "--seed", seed, "--promote", promote, "--json"];
        BundleId::parse(ok_json(&args)["bundle"].as_str().unwrap()).unwrap()
    };
    let (a, b) = (train("1", "always"), train("2", "never"));
    let registry = Store::open(&store).unwrap().registry();
    let read = |id: &BundleId| -> Files { registry.open(id).unwrap().read_all().unwrap() };
    let (of_a, of_b) = (read(&a), read(&b));
    let made = ok_json(&["keys", "new", "--role", "admin", "--name", "admin", "--file", &keys, "--json"]);
    let key = made["key"].as_str().unwrap();
    let server = Server::start_with(&["serve", "--store", &store, "--keys", &keys, "--listen", "127.0.0.1:0"]);
    let serves = || {
        let (status, body) = server.send_with_key("GET", "/v1/users/user-3/recommendations?k=3", None, key);
        assert_eq!(status, 200, "{body}");
        body["bundle"].as_str().unwrap().to_owned()
    };
    let metric = |name: &str| -> usize {
        let page = page_with_key(&format!("{}/metrics", server.url), key);
        page.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok()).unwrap_or_default()
    };

    let mut mixed = Vec::new();
    for (name, bytes) in of_a.iter().filter(|(name, _)| !["parts.json", "report.json"].contains(&name.as_str())) {
        let other = &of_b[name];
        if other == bytes {
            continue;
        }
        let files: Files = of_a
            .iter()
            .map(|(one, bytes)| (one.clone(), if one == name { other.clone() } else { bytes.clone() }))
            .collect();
        let id = registry.publish(&files, Timestamp::from_micros(7).unwrap(), &mut |_| ()).unwrap();
        mixed.push(name.as_str());
        let said = fails(1, &["registry", "promote", "--store", &store, id.as_str()]);
        assert!(said.contains(name.as_str()) || said.contains("index.shortlist"), "{name}: {said}");
        let url = format!("http://{}/admin/v1/bundles/{id}/promote", server.admin_address());
        let (status, body): (u16, Value) = send_with_key("POST", &url, Some(key));
        assert_eq!((status, body["code"].as_str()), (409, Some("bundle_unfit")), "{name}: {body}");
        assert_eq!(ok_json(&["registry", "show", "--store", &store, "--json"])["id"], a.as_str(), "{name}");
    }
    for name in LEAST {
        assert!(mixed.contains(&name), "{name} is the same in both bundles: {mixed:?}");
    }
    let at_promotion = metric("shortlist_bundles_refused_total");
    assert_eq!(at_promotion, mixed.len(), "each promotion over HTTP is counted");

    // By hand, past the checks: a ranker of B over the first stage of A.
    let files: Files =
        of_a.clone().into_iter().chain([("ranker.json".to_owned(), of_b["ranker.json"].clone())]).collect();
    let forced = registry.publish(&files, Timestamp::from_micros(7).unwrap(), &mut |_| ()).unwrap();
    registry.promote(&forced, Timestamp::from_micros(8).unwrap()).unwrap();
    server.wait_until("the server has refused it", |_| metric("shortlist_bundles_refused_total") > at_promotion);
    assert!(server.said("the promoted bundle cannot serve; the one in service stays"));
    assert_eq!(serves(), a.as_str());
    // A whole one is taken.
    ok(&["registry", "promote", "--store", &store, b.as_str()]);
    server.wait_until("the whole one serves", |_| serves() == b.as_str());
    assert_eq!(metric("shortlist_swaps_total"), 1);
    // One whose bytes are not those that were published is refused and counted, too.
    std::fs::write(path(&folder, &format!("store/bundles/{a}/ranker.json")), "{}").unwrap();
    let refused = metric("shortlist_bundles_refused_total");
    let url = format!("http://{}/admin/v1/bundles/{a}/promote", server.admin_address());
    let (status, body): (u16, Value) = send_with_key("POST", &url, Some(key));
    assert_eq!((status, body["code"].as_str()), (409, Some("bundle_damaged")), "{body}");
    assert_eq!(metric("shortlist_bundles_refused_total"), refused + 1);
    assert!(server.said("the bundle was not promoted"));
    format!(
        "{} files of another bundle of the same shape, each refused by name at the command line and over HTTP, and counted; promoted by \
         hand, the server kept what it had",
        mixed.len()
    )
}
