use std::time::Instant;

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use shortlist_import::{Format, ImportOptions, Imported, read};
use shortlist_store::{Store, StoreError};

use crate::args::ImportArgs;
use crate::clock;
use crate::config::Config;
use crate::output;

/// `shortlist import`.
pub(crate) fn run(args: &ImportArgs) -> anyhow::Result<()> {
    let started = Instant::now();
    let config = Config::of(&args.store)?;
    let format: Format = args.format.parse()?;
    anyhow::ensure!(args.path.exists(), "{} does not exist; name the folder or file to read", args.path.display());
    let options = ImportOptions { max_bad_share: args.max_bad_share, ..ImportOptions::default() };
    let bar = bar("reading", "{msg:10} {bar:30} {bytes}/{total_bytes} {eta}");
    let imported = read(format, &args.path, &config.events, clock::now(), &options, &mut |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    })?;
    bar.finish_and_clear();
    let Imported { records, report } = imported;
    let store = Store::open_or_create(&args.store.store)?;
    let mut appender = store.lock_log().context("nothing was imported")?;
    let bar = self::bar("writing", "{msg:10} {bar:30} {human_pos}/{human_len} records {eta}");
    bar.set_length(records.len() as u64);
    let records = records.into_iter().map(Ok::<_, StoreError>);
    let count = appender.append_all(records, &mut |done| bar.set_position(done))?;
    bar.finish_and_clear();
    let seconds = started.elapsed().as_secs_f64();
    for bad in &report.first_bad {
        output::note(&format!("passed over {bad}"));
    }
    if args.json {
        return output::json(&json!({
            "items": report.items, "users": report.users, "events": report.events,
            "new": count.new, "duplicates": count.duplicates,
            "bad_rows": report.bad_rows, "first_bad": report.first_bad, "seconds": seconds,
        }));
    }
    output::line(&format!(
        "read {} items, {} users, {} events; {} new records in {} ({seconds:.1} s); {} bad rows, {} events were there already",
        report.items,
        report.users,
        report.events,
        count.new,
        args.store.store.display(),
        report.bad_rows,
        count.duplicates,
    ));
    Ok(())
}

fn bar(message: &'static str, template: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_: _| ProgressStyle::default_bar());
    ProgressBar::new(0).with_style(style).with_message(message)
}
