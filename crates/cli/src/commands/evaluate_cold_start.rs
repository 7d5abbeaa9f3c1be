use std::time::Instant;

use anyhow::Context;
use serde_json::json;
use shortlist_evaluation::Interval;
use shortlist_store::Store;
use shortlist_training::{ColdStartQuestion, ColdStartReport, evaluate_cold_start};

use crate::args::EvaluateColdStartArgs;
use crate::config::Config;
use crate::output;
use crate::progress_bars::ProgressBars;

/// `shortlist evaluate cold-start`.
pub(crate) fn run(args: &EvaluateColdStartArgs) -> anyhow::Result<()> {
    let config = Config::of(&args.store)?;
    let store = Store::open(&args.store.store)?;
    let started = Instant::now();
    let question = ColdStartQuestion { settings: config.learning(args.seed), share: args.share, k: args.k };
    let report = evaluate_cold_start(&store, &question, &mut ProgressBars::default())?;
    let seconds = started.elapsed().as_secs_f64();
    if args.json {
        let mut value = serde_json::to_value(&report)?;
        let fields = value.as_object_mut().context("a report is an object")?;
        fields.extend([("k".to_owned(), json!(args.k)), ("seed".to_owned(), json!(args.seed))]);
        fields.extend([("share".to_owned(), json!(args.share)), ("seconds".to_owned(), json!(seconds))]);
        return output::json(&value);
    }
    print(args, &report);
    Ok(())
}

fn print(args: &EvaluateColdStartArgs, report: &ColdStartReport) {
    let k = args.k;
    let number = |interval: &Interval| format!("{:.4} [{:.4}, {:.4}]", interval.mean, interval.low, interval.high);
    output::line(&format!("first stage {}, {} hidden, seed {}", report.model, args.share, args.seed));
    match &report.new_items {
        None => output::line("new items: none, no item with events has attributes"),
        Some(items) => {
            output::line(&format!(
                "{} new items, asked for by {} users: recall@{k} among them, mean [95 % interval]",
                items.items, items.users
            ));
            let times = items.recall.mean / items.random_recall;
            output::table(
                &["by attributes", "by chance", "times chance", "had popularity been known", "among all candidates"],
                [vec![
                    number(&items.recall),
                    format!("{:.4}", items.random_recall),
                    format!("{times:.1}"),
                    number(&items.popularity_recall),
                    number(&items.candidate_recall),
                ]],
            );
        }
    }
    match &report.new_users {
        None => output::line("new users: none, no user with events has attributes"),
        Some(users) => {
            output::line(&format!("{} new users as served, mean [95 % interval]", users.users));
            output::table(
                &["", &format!("recall@{k}"), &format!("NDCG@{k}")],
                [
                    vec!["by attributes".to_owned(), number(&users.recall), number(&users.ndcg)],
                    vec!["popularity".to_owned(), number(&users.popularity_recall), number(&users.popularity_ndcg)],
                    vec!["difference".to_owned(), String::new(), number(&users.ndcg_over_popularity)],
                ],
            );
        }
    }
}
