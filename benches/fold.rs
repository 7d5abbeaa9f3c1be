//! The fold: events per second of a replay with everything that features read, and memory per user and per item.

#![allow(clippy::print_stderr, reason = "results of the setup")]
#![allow(clippy::unwrap_used, reason = "a benchmark whose subject fails has to stop")]

#[allow(dead_code, reason = "every benchmark uses its part of the world")]
mod world;

use std::sync::Arc;

use criterion::{BatchSize, Criterion, Throughput};
use shortlist_features::FeatureState;
use shortlist_types::{EventTypes, LogRecord, LogSeq};

use crate::world::{Size, is_smoke, tell};

/// Users unless this is the short round: 50 events each.
const USERS: usize = 20_000;

fn main() -> anyhow::Result<()> {
    let size = Size::choose(None)?;
    let size = Size { users: if is_smoke() { size.users } else { USERS }, ..size };
    let (catalogue, users): (Vec<_>, Vec<_>) =
        world::records(size)?.0.into_iter().partition(|record| matches!(record, LogRecord::ItemPut { .. }));
    let events = users.iter().filter(|record| matches!(record, LogRecord::Event(_))).count();

    let empty = rss_bytes();
    let mut state = FeatureState::new(Arc::new(EventTypes::default()));
    apply(&mut state, &catalogue);
    let with_items = rss_bytes();
    let before = state.clone();
    let cloned = rss_bytes();
    apply(&mut state, &users);
    let with_users = rss_bytes();
    if let (Some(empty), Some(with_items), Some(cloned), Some(with_users)) = (empty, with_items, cloned, with_users) {
        let (items, users) = (size.items as f64, size.users as f64);
        let (all, seen) = state.users().fold((0, 0), |(all, seen), (_, user)| {
            let bytes = user.bytes();
            (all + bytes.0, seen + bytes.1)
        });
        tell(&format!(
            "memory: {:.0} bytes per item with its id and five attributes; per user with {} events {:.0} for what he did, \
             of which {:.0} for what he has seen, and {:.0} with his id, two attributes and what all of it adds to the \
             counters of items and texts",
            (with_items - empty) / items,
            events / size.users,
            all as f64 / users,
            seen as f64 / users,
            (with_users - cloned) / users,
        ));
    }

    let mut criterion = Criterion::default().configure_from_args().sample_size(10);
    let mut group = criterion.benchmark_group("fold");
    group.throughput(Throughput::Elements(events as u64));
    group.bench_function("replay", |bencher| {
        bencher.iter_batched(
            || before.clone(),
            |mut state| {
                apply(&mut state, &users);
                state
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
    criterion.final_summary();
    Ok(())
}

fn apply(state: &mut FeatureState, records: &[LogRecord]) {
    let first = state.log_seq().0 + 1;
    for (log_seq, record) in (first..).map(LogSeq).zip(records) {
        state.apply(log_seq, record).unwrap();
    }
}

/// Resident memory; none where the system does not say.
fn rss_bytes() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: f64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kilobytes * 1024.0)
}
