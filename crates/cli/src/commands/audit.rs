use serde_json::json;
use shortlist_store::Store;
use shortlist_training::{SkewReport, audit_skew};

use crate::args::{AuditCommand, AuditSkewArgs};
use crate::config::Config;
use crate::output;
use crate::progress_bars::ProgressBars;

/// `shortlist audit`.
pub(crate) fn run(command: &AuditCommand) -> anyhow::Result<()> {
    match command {
        AuditCommand::Skew(args) => skew(args),
    }
}

/// Exits with 1 if a number differs.
fn skew(args: &AuditSkewArgs) -> anyhow::Result<()> {
    let config = Config::of(&args.store)?;
    let store = Store::open(&args.store.store)?;
    // Nothing is drawn: the seed is of no account.
    let report = audit_skew(&store, &config.learning(0), &mut ProgressBars::default())?;
    if args.json {
        output::json(&json!(report))?;
    } else {
        print(&report);
    }
    anyhow::ensure!(
        report.differences == 0,
        "{} of {} numbers that serving read differ from what the log says",
        report.differences,
        report.values
    );
    Ok(())
}

fn print(report: &SkewReport) {
    let SkewReport { requests, verified, unranked, values, differences, .. } = report;
    let mut rows = vec![
        vec!["requests".to_owned(), requests.to_string()],
        vec!["verified".to_owned(), verified.to_string()],
        vec!["not ranked".to_owned(), unranked.to_string()],
    ];
    let unverifiable = report.unverifiable.iter();
    rows.extend(unverifiable.map(|(reason, count)| vec![format!("unverifiable: {reason}"), count.to_string()]));
    rows.push(vec!["numbers compared".to_owned(), values.to_string()]);
    rows.push(vec!["differences".to_owned(), differences.to_string()]);
    output::table(&["served log", ""], rows);
    if let Some(first) = &report.first {
        output::line(&format!(
            "first difference: {} of item {} in request {} after record {}: served {:?} ({:#010x}), the log says {:?} \
             ({:#010x})",
            first.feature,
            first.item_id,
            first.request_id,
            first.log_seq,
            first.served,
            first.served.to_bits(),
            first.recomputed,
            first.recomputed.to_bits(),
        ));
    }
}
