use std::path::Path;
use std::time::Instant;

use anyhow::Context;
use serde_json::json;
use shortlist_import::{LabelledTable, read_labelled_tables};
use shortlist_training::Progress;
use shortlist_training::benchmark::{
    RankingEvaluation, RankingMetrics, RankingQuestion, RankingTables, evaluate_ranking,
};

use crate::args::EvaluateRankingArgs;
use crate::output;
use crate::pictures::{reliability_svg, roc_svg};
use crate::progress_bars::ProgressBars;

/// `shortlist evaluate ranking`.
pub(crate) fn run(args: &EvaluateRankingArgs) -> anyhow::Result<()> {
    let started = Instant::now();
    let mut progress = ProgressBars::default();
    let tables = read(&[&args.train, &args.valid, &args.test], &mut progress)?;
    let [train, valid, test] = &tables[..] else { anyhow::bail!("expected three tables, got {}", tables.len()) };
    let question = RankingQuestion {
        tables: RankingTables { train, valid, test },
        choice: args.model,
        histories: !args.no_history,
        seed: args.seed,
    };
    let clock = move || started.elapsed().as_secs_f64();
    let evaluation = evaluate_ranking(&question, &clock, &mut progress)?;
    if let Some(folder) = &args.pictures {
        draw(folder, &evaluation, &test.labels)?;
    }
    let seconds = started.elapsed().as_secs_f64();
    if args.json {
        let mut value = serde_json::to_value(&evaluation)?;
        let fields = value.as_object_mut().context("an evaluation is an object")?;
        fields.insert("seed".to_owned(), json!(args.seed));
        fields.insert("seconds".to_owned(), json!(seconds));
        return output::json(&value);
    }
    print(&evaluation, seconds);
    Ok(())
}

fn read(paths: &[&Path], progress: &mut dyn Progress) -> anyhow::Result<Vec<LabelledTable>> {
    let mut begun = false;
    let tables = read_labelled_tables(paths, &mut |read, all| {
        if !std::mem::replace(&mut begun, true) {
            progress.begin("reading", Some(all));
        }
        progress.at(read);
    })?;
    if begun {
        let rows: Vec<String> = tables.iter().map(|table| table.labels.len().to_string()).collect();
        progress.end(&format!("{} rows", rows.join(" + ")));
    }
    Ok(tables)
}

fn draw(folder: &Path, evaluation: &RankingEvaluation, labels: &[bool]) -> anyhow::Result<()> {
    fs_err::create_dir_all(folder)?;
    let RankingEvaluation { model, metrics, scores, .. } = evaluation;
    fs_err::write(folder.join("roc.svg"), roc_svg(model, metrics.auc, scores, labels))?;
    let title = format!("{model}: calibration error {:.4}", metrics.calibration_error);
    fs_err::write(folder.join("reliability.svg"), reliability_svg(&title, &metrics.calibration.bins))?;
    Ok(())
}

fn print(evaluation: &RankingEvaluation, seconds: f64) {
    let RankingEvaluation { model, metrics, slices, chosen, fitted, precision, .. } = evaluation;
    let fitted = fitted.iter().map(|fit| {
        let chosen = if chosen.kinds.contains(&fit.kind) { "chosen" } else { "" };
        let number = |value: f64, digits: usize| format!("{value:.digits$}");
        vec![
            fit.kind.to_string(),
            number(fit.valid_auc, 4),
            fit.epochs.to_string(),
            number(fit.seconds, 1),
            chosen.into(),
        ]
    });
    output::line("on validation:");
    output::table(&["model", "AUC", "epochs", "seconds", ""], fitted);
    match &chosen.history {
        Some([first, second]) => output::line(&format!("reads the history of {first} and {second}")),
        None => output::line("reads no history of pairs"),
    }
    let share = |value: Option<f64>| value.map_or_else(|| "n/a".to_owned(), |value| format!("{value:.4}"));
    let RankingMetrics { auc, log_loss, precision: right, recall, f1, calibration_error, rows, positive_rate, .. } =
        metrics;
    output::line(&format!("as served, {rows} test rows, {:.1} % positive:", positive_rate * 100.0));
    output::table(
        &["model", "AUC", "log-loss", "precision", "recall", "F1", "calibration error"],
        [vec![
            model.clone(),
            format!("{auc:.4}"),
            format!("{log_loss:.4}"),
            share(*right),
            share(*recall),
            share(*f1),
            format!("{calibration_error:.4}"),
        ]],
    );
    let slices = slices.iter().map(|slice| {
        let (auc, loss) = (share(slice.auc), format!("{:.4}", slice.log_loss));
        let positive = format!("{:.3}", slice.positive_rate);
        vec![slice.column.clone(), slice.value.clone(), slice.rows.to_string(), positive, auc, loss]
    });
    output::table(&["column", "value", "rows", "positive", "AUC", "log-loss"], slices);
    output::line(&format!(
        "500 candidates on one thread: {:.0} us; with weights in bytes {:.0} us and AUC {:.4} ({:+.4}); all {seconds:.1} s",
        precision.microseconds_f32,
        precision.microseconds_int8,
        precision.auc_int8,
        precision.auc_int8 - auc,
    ));
}
