//! S2: names that look like paths. As bundle, surface or model they are refused; as user and item ids they are data that never
//! becomes part of a path: the store's folder holds the files that it held, and what lies beside it is not touched.

use std::collections::BTreeSet;
use std::path::Path;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;

use super::{Form, SEED};
use crate::harness::{Server, fails, folder, ok_json, path, send_with_key};

pub fn check(form: Form) -> String {
    let folder = folder();
    let (store, keys) = (path(&folder, "inner/store"), path(&folder, "keys.toml"));
    std::fs::create_dir_all(folder.path().join("inner")).unwrap();
    let sentinel = folder.path().join("passwd");
    std::fs::write(&sentinel, "a secret that no answer holds").unwrap();
    let made = ok_json(&["keys", "new", "--role", "admin", "--file", &keys, "--json"]);
    let admin = made["key"].as_str().unwrap();
    let server = Server::start_with(&["serve", "--store", &store, "--keys", &keys, "--listen", "127.0.0.1:0"]);
    let before = files(folder.path());
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let count = form.pick(300, 10_000);
    for number in 0..count {
        let name = draw(&mut rng, &sentinel);
        let encoded: String = name.bytes().map(|b| format!("%{b:02X}")).collect();
        let admin_url = |path: &str| format!("http://{}{path}", server.admin_address());
        let promoted = send_with_key("POST", &admin_url(&format!("/admin/v1/bundles/{encoded}/promote")), Some(admin));
        assert!(matches!(promoted.0, 400 | 404), "{name:?}: {promoted:?}");
        let with_key =
            |verb: &str, path: &str, body: Option<&serde_json::Value>| server.send_with_key(verb, path, body, admin);
        let asked = with_key("POST", "/v1/recommend", Some(&json!({ "surface": name })));
        assert_eq!((asked.0, asked.1["field"].as_str()), (400, Some("surface")), "{name:?}: {asked:?}");
        let put = with_key("PUT", &format!("/v1/items/{encoded}"), Some(&json!({})));
        if put.0 == 200 {
            let item = with_key("GET", &format!("/v1/items/{encoded}"), None);
            assert_eq!((item.0, item.1["item_id"].as_str()), (200, Some(name.as_str())));
            let event = json!({"user_id": name, "item_id": name, "event_type": "view", "event_id": name});
            assert_eq!(with_key("POST", "/v1/events", Some(&event)).0, 200, "{name:?}");
            assert_eq!(with_key("DELETE", &format!("/v1/users/{encoded}"), None).0, 200, "{name:?}");
        } else {
            assert_eq!((put.0, put.1["code"].as_str()), (400, Some("invalid_input")), "{name:?}: {put:?}");
        }
        for answer in [promoted, asked, put] {
            assert!(!answer.1.to_string().contains("a secret that no answer holds"), "{name:?}");
        }
        if number % (count / 20) == 0 && !name.is_empty() && !name.contains('\0') && !name.starts_with('-') {
            fails(1, &["registry", "promote", "--store", &store, &name]);
            fails(
                64,
                &["serve", "--store", &store, "--listen", "127.0.0.1:0", "--keys", &format!("{store}/none/{name}")],
            );
        }
    }
    let new: Vec<_> = files(folder.path()).difference(&before).cloned().collect();
    let of_the_store = |file: &String| {
        let name = file.rsplit('/').next().unwrap_or_default();
        file.starts_with("inner/store/") && ["db", "wal", "shm", "checkpoint"].iter().any(|kind| name.contains(kind))
    };
    assert!(new.iter().all(of_the_store), "{new:?}");
    assert_eq!(std::fs::read_to_string(&sentinel).unwrap(), "a secret that no answer holds");
    format!("{count} names: 400 as bundle and surface, data as ids; no file beside the store's own")
}

fn draw(rng: &mut ChaCha8Rng, sentinel: &Path) -> String {
    let pieces = [
        "..",
        "/",
        "\\",
        ".",
        "%2e%2e",
        "%2f",
        "%252e",
        "\0",
        "~",
        "etc",
        "passwd",
        "bundles",
        "current",
        "b-0123456789abcdef",
        "log.db",
        "registry.json",
        "C:",
        "file://",
        "http://127.0.0.1:1/",
        " ",
        "\n",
        "\u{2215}",
        "\u{ff0f}",
        ":",
        "|",
        "$(id)",
    ];
    if rng.random_range(0..20) == 0 {
        return sentinel.display().to_string();
    }
    let count = rng.random_range(1..8);
    (0..count).map(|_| pieces[rng.random_range(0..pieces.len())]).collect()
}

/// All files below a folder, by their path in it.
fn files(root: &Path) -> BTreeSet<String> {
    fn walk(root: &Path, folder: &Path, all: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            match path.is_dir() {
                true => walk(root, &path, all),
                false => drop(all.insert(path.strip_prefix(root).unwrap().display().to_string())),
            }
        }
    }
    let mut all = BTreeSet::new();
    walk(root, root, &mut all);
    all
}
