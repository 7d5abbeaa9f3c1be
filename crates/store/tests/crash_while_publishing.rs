//! F4: a process that publishes and promotes dies after each of its steps; what is left is the old
//! state or the new one.
//!
//! The test binary starts itself again as the victim, told apart by an environment variable.
#![allow(clippy::unwrap_used, reason = "functions beside the tests are tests too")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use shortlist_store::{BundleId, Registry, Store};
use shortlist_types::Timestamp;

const VICTIM_STORE: &str = "SHORTLIST_TEST_VICTIM_STORE";
const VICTIM_STEP: &str = "SHORTLIST_TEST_VICTIM_STEP";
/// Started, three files staged, synced, renamed, registry staged, recorded, registry staged, promoted.
const STEPS: usize = 10;

fn content(version: u8) -> BTreeMap<String, Vec<u8>> {
    BTreeMap::from([("item-factors.bin".to_owned(), vec![version; 5_000]), ("ranker.json".to_owned(), vec![version])])
}

fn publish_and_promote(registry: &Registry, version: u8, mut on_step: impl FnMut()) -> BundleId {
    let id = registry.publish(&content(version), Timestamp::EPOCH, &mut |_| on_step()).unwrap();
    registry.promote_with_steps(&id, Timestamp::EPOCH, &mut |_| on_step()).unwrap();
    id
}

#[test]
fn victim() {
    let Ok(dir) = std::env::var(VICTIM_STORE) else { return };
    let dies_after: usize = std::env::var(VICTIM_STEP).unwrap().parse().unwrap();
    let registry = Store::open(dir).unwrap().registry();
    let mut steps = 0;
    publish_and_promote(&registry, 2, || {
        steps += 1;
        if steps == dies_after {
            std::process::abort();
        }
    });
}

/// Whether the victim died.
fn run_victim(dir: &Path, dies_after: usize) -> bool {
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["victim", "--exact"])
        .env(VICTIM_STORE, dir)
        .env(VICTIM_STEP, dies_after.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    !status.success()
}

fn leftovers(dir: &Path) -> Vec<String> {
    let names = fs_err::read_dir(dir.join("bundles")).unwrap().map(|entry| entry.unwrap().file_name());
    names.filter_map(|name| name.into_string().ok()).filter(|name| BundleId::parse(name).is_err()).collect()
}

#[test]
fn a_crash_after_any_step_leaves_the_old_bundle_or_the_new_one() {
    let mut seen_leftovers = 0;
    let mut went_live_after = None;
    for step in 1..=STEPS {
        let dir = tempfile::tempdir().unwrap();
        let registry = Store::open_or_create(dir.path()).unwrap().registry();
        let old = publish_and_promote(&registry, 1, || ());
        assert!(run_victim(dir.path(), step), "there is a step {step}");
        seen_leftovers += leftovers(dir.path()).len();

        let registry = Store::open(dir.path()).unwrap().registry();
        let current = registry.current().unwrap().unwrap();
        let loaded = registry.open(&current).unwrap().read_all().unwrap();
        assert_eq!(loaded, content(if current == old { 1 } else { 2 }), "step {step}");
        if current != old {
            went_live_after.get_or_insert(step);
        }
        for info in registry.list().unwrap() {
            registry.open(&info.id).unwrap().verify().unwrap();
        }

        // The next publish, of this or other content, finds nothing in its way and cleans up.
        let version = if step % 2 == 0 { 2 } else { 3 };
        let next = publish_and_promote(&registry, version, || ());
        assert_eq!(registry.current().unwrap().unwrap(), next);
        assert_eq!(registry.open(&next).unwrap().read_all().unwrap(), content(version));
        assert_eq!(leftovers(dir.path()), Vec::<String>::new(), "step {step}");
        assert!(!dir.path().join("registry.json.tmp").exists(), "step {step}");
        registry.promote(&old, Timestamp::EPOCH).unwrap();
        assert_eq!(registry.rollback(Timestamp::EPOCH).unwrap(), next);
    }
    assert!(seen_leftovers >= 4, "the crashes left something to clean: {seen_leftovers}");
    assert_eq!(went_live_after, Some(STEPS), "only the last step makes it live");

    let dir = tempfile::tempdir().unwrap();
    let registry = Store::open_or_create(dir.path()).unwrap().registry();
    publish_and_promote(&registry, 1, || ());
    assert!(!run_victim(dir.path(), STEPS + 1), "there are no more steps than were tried");
}
