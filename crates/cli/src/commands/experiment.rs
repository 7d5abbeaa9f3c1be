use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use serde_json::json;
use shortlist_evaluation::Interval;
use shortlist_recommender::{Experiment, Experiments};
use shortlist_store::Store;
use shortlist_training::{ExperimentReport, MetricReport};
use shortlist_types::UserId;

use crate::args::{ExperimentAssignArgs, ExperimentCommand, ExperimentReportArgs};
use crate::config::Config;
use crate::output;
use crate::pictures::effects_svg;
use crate::progress_bars::ProgressBars;

/// `shortlist experiment`.
pub(crate) fn run(command: &ExperimentCommand) -> anyhow::Result<()> {
    match command {
        ExperimentCommand::Report(args) => report(args),
        ExperimentCommand::Assign(args) => assign(args),
    }
}

fn report(args: &ExperimentReportArgs) -> anyhow::Result<()> {
    let config = Config::of(&args.store)?;
    let experiment = find(&config.experiments, args.name.as_deref())?;
    let store = Store::open(&args.store.store)?;
    let report = ExperimentReport::read(&store, &config.events, experiment, &mut ProgressBars::default())?;
    if let Some(path) = &args.svg {
        fs_err::write(path, effects_svg(&report))?;
        output::note(&format!("drew {}", path.display()));
    }
    if args.json {
        return output::json(&report);
    }
    print(&report, experiment.1);
    Ok(())
}

fn assign(args: &ExperimentAssignArgs) -> anyhow::Result<()> {
    let config = Config::of(&args.store)?;
    let (_, experiment) = find(&config.experiments, Some(&args.name))?;
    let mut variants = BTreeMap::new();
    for user in &args.users {
        variants.insert(user, experiment.assign(&UserId::parse(user)?));
    }
    if args.json {
        return output::json(&json!({ "experiment": args.name, "variants": variants }));
    }
    let row = |(user, variant): (&&String, &Option<&str>)| {
        vec![(*user).clone(), variant.unwrap_or("not in the experiment").to_owned()]
    };
    output::table(&["user", "variant"], variants.iter().map(row));
    Ok(())
}

/// The experiment of that name, or the only one.
fn find<'a>(experiments: &'a Experiments, name: Option<&'a str>) -> anyhow::Result<(&'a str, &'a Experiment)> {
    let known: Vec<&str> = experiments.iter().map(|(name, _)| name).collect();
    ensure!(!known.is_empty(), "the configuration has no [experiments]; docs/experiments.md shows one");
    let name = match (name, known.as_slice()) {
        (Some(name), _) => name,
        (None, [only]) => only,
        (None, _) => anyhow::bail!("which experiment? The configuration has {}", known.join(", ")),
    };
    let experiment = experiments.find(name);
    let unknown = || format!("the configuration has no experiment {name:?}; known are {}", known.join(", "));
    Ok((name, experiment.with_context(unknown)?))
}

fn print(report: &ExperimentReport, experiment: &Experiment) {
    let ExperimentReport { experiment: name, control, from, left_out, .. } = report;
    output::line(&format!("experiment {name} on {}, control {control}, first shown {from}", experiment.surface));
    let shares: f64 = experiment.variants.values().map(|variant| variant.share).sum();
    let users: usize = report.variants.iter().map(|variant| variant.users).sum();
    let split = report.variants.iter().map(|variant| {
        let planned = experiment.variants.get(&variant.variant).map_or(0.0, |variant| variant.share / shares);
        let share = variant.users as f64 / users.max(1) as f64;
        let percent = |share: f64| format!("{:.1} %", share * 100.0);
        vec![
            variant.variant.clone(),
            variant.users.to_string(),
            variant.requests.to_string(),
            percent(share),
            percent(planned),
        ]
    });
    output::table(&["variant", "users", "requests", "share", "planned"], split);
    match report.sample_ratio_p {
        Some(p) if report.sample_ratio_mismatch => output::line(&format!(
            "SAMPLE RATIO MISMATCH (p = {p:.2e}): users did not fall on the variants as planned; find out why before \
             reading on"
        )),
        Some(p) => output::line(&format!("users fell on the variants as planned (p = {p:.3})")),
        None => output::line("all users are left out"),
    }
    if *left_out > 0 {
        output::line(&format!("{left_out} users are left out: shown several variants, or one that is no more"));
    }
    let mut rows = Vec::new();
    for variant in &report.variants {
        rows.extend(variant.metrics.iter().map(|metric| (metric.metric.as_str(), row(&variant.variant, metric))));
    }
    // The variants of a metric side by side.
    rows.sort_by_key(|(metric, _)| *metric);
    let header = ["metric", "variant", "mean", "difference", "relative", "p", "detectable"];
    output::table(&header, rows.into_iter().map(|(_, row)| row));
    output::line(
        "intervals are 95 %; detectable: the smallest true difference that would be found in 4 of 5 such experiments",
    );
}

fn row(variant: &str, MetricReport { metric, mean, effect }: &MetricReport) -> Vec<String> {
    let interval = |Interval { mean, low, high, .. }: &Interval, scale: f64, unit: &str| {
        format!("{:.3}{unit} ({:.3} to {:.3})", mean * scale, low * scale, high * scale)
    };
    let relative = effect.as_ref().and_then(|effect| effect.relative.as_ref());
    vec![
        metric.clone(),
        variant.to_owned(),
        mean.as_ref().map_or_else(|| "too few users".to_owned(), |mean| interval(mean, 1.0, "")),
        effect.as_ref().map(|effect| interval(&effect.difference, 1.0, "")).unwrap_or_default(),
        relative.map(|relative| interval(relative, 100.0, " %")).unwrap_or_default(),
        effect.as_ref().map(|effect| format!("{:.4}", effect.p_value)).unwrap_or_default(),
        effect.as_ref().map(|effect| format!("{:.3}", effect.minimum_detectable)).unwrap_or_default(),
    ]
}
