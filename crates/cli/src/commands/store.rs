use std::path::Path;

use serde_json::json;
use shortlist_store::{Copied, Store};
use shortlist_training::Progress;

use crate::args::{StoreBackupArgs, StoreCommand, StoreInfoArgs, StoreRestoreArgs};
use crate::output;
use crate::progress_bars::ProgressBars;

/// `shortlist store`.
pub(crate) fn run(command: &StoreCommand) -> anyhow::Result<()> {
    match command {
        StoreCommand::Info(args) => info(args),
        StoreCommand::Backup(StoreBackupArgs { store, to, json }) => copy(store, to, *json),
        StoreCommand::Restore(StoreRestoreArgs { from, store, json }) => copy(from, store, *json),
    }
}

fn info(args: &StoreInfoArgs) -> anyhow::Result<()> {
    let store = Store::open(&args.store)?;
    let info = store.info()?;
    let (start, head) = info.log;
    let newest = info.bundles.last();
    if args.json {
        return output::json(&json!({
            "first_log_seq": start.log_seq.0 + 1, "last_log_seq": head.log_seq.0,
            "events": info.events, "catalogue_changes": info.catalogue_changes, "erased": info.erased,
            "first_time": info.span.map(|span| span.0), "last_time": info.span.map(|span| span.1),
            "log_bytes": info.database.file, "log_bytes_used": info.database.used, "wal_bytes": info.wal_bytes,
            "checkpoint_log_seq": info.checkpoint.map(|at| at.0), "checkpoint_bytes": info.checkpoint_bytes,
            "bundles": info.bundles.len(), "bundle_bytes": info.bundle_bytes,
            "served_requests": info.served.0, "served_bytes": info.served.1,
            "last_bundle": newest.map(|bundle| bundle.id.to_string()), "current": info.current.map(|id| id.to_string()),
        }));
    }
    let (first, last) = info.span.map_or((String::new(), String::new()), |(a, b)| (a.to_string(), b.to_string()));
    let at = info.checkpoint.map_or("none".to_owned(), |at| format!("after record {}", at.0));
    let current = info.current.map_or("none".to_owned(), |id| id.to_string());
    let newest = newest.map_or("none".to_owned(), |bundle| format!("{} of {}", bundle.id, bundle.published_at));
    let rows = [
        ("records", format!("{} to {}", start.log_seq.0 + 1, head.log_seq.0)),
        ("events", info.events.to_string()),
        ("catalogue changes", info.catalogue_changes.to_string()),
        ("erased", info.erased.to_string()),
        ("first record", first),
        ("last record", last),
        (
            "log",
            format!("{}, {} in use, WAL {}", mib(info.database.file), mib(info.database.used), mib(info.wal_bytes)),
        ),
        ("newest checkpoint", format!("{at}; all {}", mib(info.checkpoint_bytes))),
        ("bundles", format!("{}, {}", info.bundles.len(), mib(info.bundle_bytes))),
        ("served requests", format!("{}, {}", info.served.0, mib(info.served.1))),
        ("last bundle", newest),
        ("current bundle", current),
    ];
    output::table(
        &["store", &args.store.display().to_string()],
        rows.map(|(name, value)| vec![name.to_owned(), value]),
    );
    Ok(())
}

fn mib(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / (1024.0 * 1024.0))
}

/// Backs up and restores: the one is the other in the other direction.
fn copy(from: &Path, to: &Path, json: bool) -> anyhow::Result<()> {
    let store = Store::open(from)?;
    let mut progress = ProgressBars::default();
    progress.begin("copying the log", Some(store.reader()?.head()?.log_seq.0));
    let Copied { head, records, bundles, checkpoints, left_out } =
        store.copy_to(to, &mut |log_seq| progress.at(log_seq.0))?;
    progress.end(&format!("{records} records"));
    if json {
        return output::json(&json!({
            "records": records, "last_log_seq": head.log_seq.0, "bundles": bundles, "checkpoints": checkpoints,
            "left_out": left_out,
        }));
    }
    for damage in left_out {
        output::line(&format!("left out: {damage}"));
    }
    output::line(&format!(
        "{}: {records} records up to {}, {checkpoints} checkpoints, {bundles} bundles, each as it was written",
        to.display(),
        head.log_seq.0,
    ));
    Ok(())
}
