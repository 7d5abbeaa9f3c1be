//! The order of the house: a crate depends only on crates of lower floors, and some dependencies live
//! in one crate alone.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that cannot go on fails

use std::collections::BTreeMap;

use cargo_metadata::{DependencyKind, MetadataCommand, Package};

/// The floor of every crate; ARCHITECTURE.md draws them.
const FLOORS: [(&str, u8); 17] = [
    ("shortlist-proto", 0),
    ("shortlist-types", 0),
    ("shortlist-faulty-disk", 0),
    ("shortlist-client", 1),
    ("shortlist-evaluation", 1),
    ("shortlist-simulator", 1),
    ("shortlist-embedding", 1),
    ("shortlist-features", 1),
    ("shortlist-retrieval", 1),
    ("shortlist-ranking", 1),
    ("shortlist-load", 2),
    ("shortlist-store", 2),
    ("shortlist-import", 3),
    ("shortlist-recommender", 3),
    ("shortlist-training", 4),
    ("shortlist-gateway", 4),
    ("shortlist", 5),
];

/// Dependencies that only these crates may name.
const ONLY_IN: [(&str, &[&str]); 7] = [
    ("axum", &["shortlist-gateway"]),
    ("tonic", &["shortlist-gateway", "shortlist-proto", "shortlist-client"]),
    ("opentelemetry", &["shortlist-gateway"]),
    ("hyper", &["shortlist-client", "shortlist-gateway", "shortlist-load"]),
    ("rusqlite", &["shortlist-store", "shortlist-faulty-disk"]),
    ("hnsw_rs", &["shortlist-retrieval"]),
    ("tokio", &["shortlist-gateway", "shortlist-client", "shortlist-load", "shortlist"]),
];

/// Crates that may be unsafe: for SIMD and memory maps, and for a file system below SQLite.
const UNSAFE: [&str; 3] = ["shortlist-retrieval", "shortlist-ranking", "shortlist-faulty-disk"];

fn packages() -> Vec<Package> {
    let metadata = MetadataCommand::new().no_deps().exec().expect("cargo metadata runs");
    metadata.workspace_packages().into_iter().cloned().collect()
}

fn normal_dependencies(package: &Package) -> impl Iterator<Item = &str> {
    let normal = package.dependencies.iter().filter(|dependency| dependency.kind == DependencyKind::Normal);
    normal.map(|dependency| dependency.name.as_str())
}

#[test]
fn a_crate_depends_only_on_lower_floors() {
    let floors: BTreeMap<_, _> = FLOORS.into_iter().collect();
    for package in packages() {
        let name = package.name.as_str();
        let floor =
            floors.get(name).unwrap_or_else(|| panic!("{name} has no floor: give it one, here and in ARCHITECTURE.md"));
        for dependency in normal_dependencies(&package) {
            if let Some(other) = floors.get(dependency) {
                assert!(other < floor, "{name} (floor {floor}) depends on {dependency} (floor {other})");
            }
        }
    }
}

#[test]
fn floors_name_only_crates_that_exist() {
    let packages = packages();
    let names: Vec<_> = packages.iter().map(|package| package.name.as_str()).collect();
    for (name, _) in FLOORS {
        assert!(names.contains(&name), "{name} is no crate of the workspace");
    }
}

#[test]
fn protocols_the_database_and_the_runtime_stay_where_they_belong() {
    for package in packages() {
        for dependency in normal_dependencies(&package) {
            if let Some((_, allowed)) = ONLY_IN.iter().find(|(name, _)| *name == dependency) {
                assert!(allowed.contains(&package.name.as_str()), "{} must not name {dependency}", package.name);
            }
        }
    }
}

#[test]
fn the_product_knows_nothing_of_the_faulty_disk() {
    for package in packages() {
        let names = normal_dependencies(&package).any(|dependency| dependency == "shortlist-faulty-disk");
        assert!(!names, "{} must name the faulty disk for its tests alone", package.name);
    }
}

#[test]
fn versions_and_lints_live_in_the_workspace() {
    for package in packages() {
        let manifest = std::fs::read_to_string(&package.manifest_path).expect("a manifest is readable");
        let inherits = manifest.contains("[lints]\nworkspace = true");
        // Two crates may be unsafe; cargo takes the workspace's lints whole or not at all.
        let may_be_unsafe = UNSAFE.contains(&package.name.as_str());
        assert!(inherits != may_be_unsafe, "{} has lints of its own", package.name);
        let versioned = manifest.lines().find(|line| line.contains("version = \""));
        assert_eq!(versioned, None, "{} states a version of its own", package.name);
    }
}
