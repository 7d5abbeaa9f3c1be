use std::sync::Arc;

use serde_json::{Value, json};
use shortlist_recommender::DurableState;
use shortlist_store::{RecordDamage, Store};
use shortlist_training::Progress;
use shortlist_types::{LogSeq, UserId};

use crate::args::{LogCommand, LogEraseArgs, LogSalvageArgs, LogVerifyArgs};
use crate::commands::log_export::export;
use crate::config::Config;
use crate::output;
use crate::progress_bars::ProgressBars;

/// `shortlist log`.
pub(crate) fn run(command: &LogCommand) -> anyhow::Result<()> {
    match command {
        LogCommand::Verify(args) => verify(args),
        LogCommand::Salvage(args) => salvage(args),
        LogCommand::Export(args) => export(args),
        LogCommand::Erase(args) => erase(args),
    }
}

fn verify(args: &LogVerifyArgs) -> anyhow::Result<()> {
    let reader = Store::open(&args.store)?.reader()?;
    let mut progress = ProgressBars::default();
    progress.begin("checking the log", reader.head().ok().map(|head| head.log_seq.0));
    let report = reader.verify(&mut |log_seq| progress.at(log_seq.0))?;
    progress.end(&format!("{} records", report.records));
    if args.json {
        output::json(&json!({
            "records": report.records, "whole": report.is_whole(), "damaged": report.damaged,
            "first_damaged": told(&report.damages), "unknown_ids": report.unknown_ids, "pages": report.pages,
        }))?;
    } else if report.is_whole() {
        output::line(&format!("{} records, each as it was written", report.records));
    } else {
        for (log_seq, damage) in &report.damages {
            output::line(&format!("record {} {damage}", log_seq.0));
        }
        for page in &report.pages {
            output::line(&format!("the database file: {page}"));
        }
        if report.unknown_ids > 0 {
            output::line(&format!("{} events could be counted twice if they are sent again", report.unknown_ids));
        }
    }
    if report.is_whole() {
        return Ok(());
    }
    let what = match report.damaged {
        0 => "every record is as it was written, and what surrounds them is damaged".to_owned(),
        damaged => format!("{damaged} of {} records are damaged", report.records),
    };
    anyhow::bail!(
        "{what}; `shortlist store restore` puts a backup back, `shortlist log salvage` saves what can be read"
    )
}

fn told(damages: &[(LogSeq, RecordDamage)]) -> Value {
    damages.iter().map(|(log_seq, damage)| json!({"log_seq": log_seq, "damage": damage.to_string()})).collect()
}

fn salvage(args: &LogSalvageArgs) -> anyhow::Result<()> {
    let reader = Store::open(&args.store)?.reader()?;
    let target = Store::open_or_create(&args.to)?;
    let mut progress = ProgressBars::default();
    progress.begin("salvaging", reader.head().ok().map(|head| head.log_seq.0));
    let salvaged = reader.salvage(&target, &mut |log_seq| progress.at(log_seq.0))?;
    progress.end(&format!("{} records", salvaged.whole + salvaged.unchecked));
    if args.json {
        return output::json(&json!({
            "whole": salvaged.whole, "unchecked": salvaged.unchecked, "lost": salvaged.lost,
            "first_lost": told(&salvaged.first_lost),
        }));
    }
    for (log_seq, damage) in &salvaged.first_lost {
        output::line(&format!("lost: record {} {damage}", log_seq.0));
    }
    output::line(&format!(
        "{} records saved into {}, {} more that could not be checked, {} lost; next: shortlist train --store {}",
        salvaged.whole,
        args.to.display(),
        salvaged.unchecked,
        salvaged.lost,
        args.to.display(),
    ));
    Ok(())
}

fn erase(args: &LogEraseArgs) -> anyhow::Result<()> {
    let config = Config::of(&args.store)?;
    let user_id = UserId::parse(&args.user)?;
    let store = Store::open(&args.store.store)?;
    let mut appender = store.lock_log()?;
    let state = DurableState::new(store, Arc::clone(&config.events));
    let erased = state.hold_checkpoints().erase(&mut appender, &user_id, || ())?;
    state.store().erase_served(&user_id)?;
    if args.json {
        return output::json(&json!({ "erased": erased }));
    }
    output::line(&format!("{erased} records of {user_id} are erased; bundles forget him when they are replaced"));
    Ok(())
}
