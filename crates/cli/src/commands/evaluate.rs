use std::time::Instant;

use serde_json::json;
use shortlist_evaluation::Interval;
use shortlist_store::Store;
use shortlist_training::{Comparison, GroupReport, ListQuestions, ListReport, Report, evaluate_store};

use crate::args::{EvaluateCommand, EvaluateStoreArgs};
use crate::commands::{evaluate_cold_start, evaluate_ranking, evaluate_retrieval};
use crate::config::Config;
use crate::output;
use crate::pictures::diversity_svg;
use crate::progress_bars::ProgressBars;

/// `shortlist evaluate`.
pub(crate) fn run(command: &EvaluateCommand) -> anyhow::Result<()> {
    match command {
        EvaluateCommand::Store(args) => store(args),
        EvaluateCommand::Retrieval(args) => evaluate_retrieval::run(args),
        EvaluateCommand::ColdStart(args) => evaluate_cold_start::run(args),
        EvaluateCommand::Ranking(args) => evaluate_ranking::run(args),
    }
}

fn store(args: &EvaluateStoreArgs) -> anyhow::Result<()> {
    let config = Config::of(&args.store)?;
    let store = Store::open(&args.store.store)?;
    let started = Instant::now();
    let mut progress = ProgressBars::default();
    let lists = ListQuestions { diversities: args.diversity.clone(), attributes: args.calibration_of.clone() };
    let (bundle, report) = evaluate_store(&store, &config.learning(args.seed), Some(&lists), &mut progress)?;
    if let Some(path) = &args.svg {
        fs_err::write(path, diversity_svg(&report.lists))?;
        output::note(&format!("drew {}", path.display()));
    }
    if args.json {
        return output::json(&json!({
            "bundle": bundle.id.to_string(),
            "metrics": report.metrics,
            "groups": report.groups,
            "protocol": report.protocol,
            "calibration": report.calibration,
            "lists": report.lists,
            "seconds": started.elapsed().as_secs_f64(),
        }));
    }
    print_report(&report);
    print_lists(&report.lists, args);
    output::line(&format!("bundle {}", bundle.id));
    Ok(())
}

fn print_lists(lists: &[ListReport], args: &EvaluateStoreArgs) {
    output::line("lists of 10 as a whole, by rerank.diversity");
    let mut header = vec!["diversity", "NDCG@10", "unlike pairs", "novelty, bits", "coverage"];
    let attributes: Vec<String> = args.calibration_of.iter().map(|name| format!("off in {name}, nats")).collect();
    header.extend(attributes.iter().map(String::as_str));
    let rows = lists.iter().map(|list| {
        let Interval { mean, low, high, .. } = list.ndcg_at_10;
        let mut row = vec![
            format!("{:.2}", list.diversity),
            format!("{mean:.4} [{:.4}, {high:.4}]", low.max(0.0)),
            list.intra_list_diversity.map(|unlike| format!("{unlike:.3}")).unwrap_or_default(),
            list.novelty.map(|bits| format!("{bits:.2}")).unwrap_or_default(),
            format!("{:.1} %", list.coverage * 100.0),
        ];
        row.extend(args.calibration_of.iter().map(|name| {
            list.miscalibration.get(name).map_or_else(|| "nobody has it".to_owned(), |far| format!("{far:.3}"))
        }));
        row
    });
    output::table(&header, rows);
}

/// Prints a report as people read it.
pub(crate) fn print_report(report: &Report) {
    let protocol = &report.protocol;
    let metrics = &report.metrics;
    output::line(&format!(
        "one request each of {} users, {} to {}; {:.0} candidates of {} items",
        protocol.users, protocol.evaluated_from, protocol.evaluated_until, protocol.candidates, protocol.catalogue,
    ));
    let number = |value: f64| format!("{value:.4}");
    let order = |name: &str, recall: f64, auc: f64, log_loss: Option<f64>, ndcg: f64| {
        let log_loss = log_loss.map_or_else(|| "no probabilities".to_owned(), number);
        vec![name.to_owned(), number(recall), number(auc), log_loss, number(ndcg)]
    };
    let (ndcg, retrieval, popularity) = (&metrics.ndcg_at_10, &metrics.retrieval_order, &metrics.popularity);
    output::table(
        &["order", "candidate recall", "AUC", "log-loss", "NDCG@10"],
        [
            order("two-stage", metrics.candidate_recall, metrics.auc, Some(metrics.log_loss), ndcg.two_stage),
            order("retrieval order", retrieval.candidate_recall, retrieval.auc, None, ndcg.retrieval_order),
            order("popularity", popularity.candidate_recall, popularity.auc, None, ndcg.popularity),
        ],
    );
    let groups = [("all", &report.groups.all), ("warm", &report.groups.warm), ("cold", &report.groups.cold)];
    let rows = groups.into_iter().filter_map(|(name, group)| group.as_ref().map(|group| row(name, group)));
    let header =
        ["users", "n", "popularity", "retrieval order", "two-stage", "retrieval / popularity", "two-stage / retrieval"];
    output::line("NDCG@10, mean [95 % interval]; gains relative, with the paired difference");
    output::table(&header, rows);
    if report.calibration.is_empty() {
        output::line("scores are relative: too few logged impressions to make probabilities of them");
        return;
    }
    output::line("probabilities of what is shown, on logged impressions that nothing was fitted to");
    let rows = report.calibration.iter().map(|(outcome, one)| {
        let numbers = [one.predicted, one.observed, one.expected_error, one.log_loss].map(number);
        [outcome.clone(), one.impressions.to_string()].into_iter().chain(numbers).collect()
    });
    output::table(&["outcome", "impressions", "predicted", "observed", "calibration error", "log-loss"], rows);
}

fn row(name: &str, group: &GroupReport) -> Vec<String> {
    let interval = |i: &Interval| format!("{:.4} [{:.4}, {:.4}]", i.mean, i.low.max(0.0), i.high);
    let gain = |c: &Comparison| {
        let relative = c.relative.map_or_else(|| "n/a".to_owned(), |gain| format!("{:+.1} %", gain * 100.0));
        format!("{relative} [{:+.4}, {:+.4}]", c.difference.low, c.difference.high)
    };
    vec![
        name.to_owned(),
        group.users.to_string(),
        interval(&group.popularity),
        interval(&group.retrieval_order),
        interval(&group.two_stage),
        gain(&group.retrieval_over_popularity),
        gain(&group.two_stage_over_retrieval),
    ]
}
