use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;
use serde_json::{Value, json};
use shortlist_evaluation::Interval;
use shortlist_import::{Benchmark, BenchmarkFiles, read_benchmark};
use shortlist_training::benchmark::{
    RetrievalEvaluation, RetrievalMetrics, RetrievalQuestion, Slice, evaluate_retrieval,
};
use shortlist_training::retrieval::{Evaluate, RetrievalConfig, Studies};
use shortlist_training::tuning::{Best, Journal, NoJournal, Study, Surroundings};
use shortlist_training::{Progress, TrainingError};

use crate::args::EvaluateRetrievalArgs;
use crate::config::Config;
use crate::output;
use crate::progress_bars::ProgressBars;

/// `shortlist evaluate retrieval`.
pub(crate) fn run(args: &EvaluateRetrievalArgs) -> anyhow::Result<()> {
    let started = Instant::now();
    let config = match &args.config {
        Some(path) => Config::read(path)?.training.retrieval,
        None => RetrievalConfig::default(),
    };
    let config = RetrievalConfig {
        model: args.model.unwrap_or(config.model),
        trials: args.trials.unwrap_or(config.trials),
        ..config
    };
    let files = BenchmarkFiles {
        format: args.format,
        train: args.train.clone(),
        valid: args.valid.clone(),
        test: args.test.clone(),
        negatives: args.negatives.clone(),
    };
    let mut progress = ProgressBars::default();
    let benchmark = read(&files, &mut progress)?;
    let slice = args.slice.unwrap_or_else(|| usual_slice(&benchmark, args));
    let clock = move || started.elapsed().as_secs_f64();
    let mut journals = Journals { folder: args.study.clone(), seconds_max: args.seconds_max, clock };
    if let Some(folder) = &args.study {
        fs_err::create_dir_all(folder)?;
    }
    let data = data_name(&benchmark, slice);
    let question =
        RetrievalQuestion { benchmark: &benchmark, config: &config, slice, k: args.k, seed: args.seed, data: &data };
    let evaluation = evaluate_retrieval(&question, &mut journals, &clock, &mut progress)?;
    let seconds = started.elapsed().as_secs_f64();
    if args.json {
        return output::json(&as_json(args, &evaluation, seconds)?);
    }
    print(args, &evaluation, seconds);
    Ok(())
}

fn read(files: &BenchmarkFiles, progress: &mut dyn Progress) -> anyhow::Result<Benchmark> {
    let mut begun = false;
    let benchmark = read_benchmark(files, &mut |read, all| {
        if !std::mem::replace(&mut begun, true) {
            progress.begin("reading", Some(all));
        }
        progress.at(read);
    })?;
    if begun {
        let (users, items, pairs) = (benchmark.users.len(), benchmark.items.len(), benchmark.train.len());
        progress.end(&format!("{users} users, {items} items, {pairs} training pairs"));
    }
    Ok(benchmark)
}

/// The validation file if there is one; else the cut that resembles the test of the format most.
fn usual_slice(benchmark: &Benchmark, args: &EvaluateRetrievalArgs) -> Slice {
    use shortlist_import::BenchmarkFormat::{Adjacency, LeaveOneOut, Sequence};
    match (args.format, &benchmark.valid) {
        (_, Some(_)) => Slice::File,
        (Adjacency, None) => Slice::Contiguous,
        (LeaveOneOut | Sequence, None) => Slice::LeaveOneOut,
    }
}

/// Names the data for journals: sizes, and a sum over the training pairs.
fn data_name(benchmark: &Benchmark, slice: Slice) -> String {
    let sum = benchmark.train.iter().fold(0_u64, |sum, (user, item)| {
        sum.wrapping_mul(0x100_0000_01b3).wrapping_add(u64::from(*user) << 32 | u64::from(*item))
    });
    format!("{} pairs {sum:016x}, {slice} slice", benchmark.train.len())
}

/// Keeps every model's trials in a file of the study's folder.
struct Journals<C> {
    folder: Option<PathBuf>,
    seconds_max: Option<f64>,
    clock: C,
}

impl<C: Fn() -> f64> Studies for Journals<C> {
    fn run(
        &mut self,
        name: &str,
        study: &mut Study,
        evaluate: &mut Evaluate<'_>,
        progress: &mut dyn Progress,
    ) -> Result<Best, TrainingError> {
        study.limit_seconds(self.seconds_max)?;
        let mut clock = || (self.clock)();
        let Some(folder) = &self.folder else {
            let surroundings = Surroundings { clock: &mut clock, journal: &mut NoJournal, progress };
            return Ok(study.run(evaluate, surroundings)?);
        };
        let mut journal = open_journal(study, &folder.join(format!("{name}.jsonl")))?;
        let surroundings = Surroundings { clock: &mut clock, journal: &mut *journal, progress };
        Ok(study.run(evaluate, surroundings)?)
    }
}

/// Takes over the trials that the file holds and goes on at its end.
fn open_journal(study: &mut Study, path: &Path) -> Result<Box<dyn Journal>, TrainingError> {
    let failed = |error: std::io::Error| shortlist_training::tuning::TuningError::Io(error);
    let file = std::fs::OpenOptions::new().read(true).append(true).create(true).open(path).map_err(failed)?;
    let kept = study.resume(std::io::BufReader::new(&file))?;
    file.set_len(kept).map_err(failed)?;
    Ok(Box::new(study.journal(file)?))
}

fn as_json(args: &EvaluateRetrievalArgs, evaluation: &RetrievalEvaluation, seconds: f64) -> anyhow::Result<Value> {
    let k = args.k;
    let means = |metrics: &RetrievalMetrics| {
        let RetrievalMetrics { recall, ndcg, hit_rate, precision, mrr, map, coverage, novelty } = metrics;
        json!({
            format!("recall_at_{k}"): recall.mean,
            format!("ndcg_at_{k}"): ndcg.mean,
            format!("hit_rate_at_{k}"): hit_rate.mean,
            format!("precision_at_{k}"): precision.mean,
            format!("mrr_at_{k}"): mrr.mean,
            format!("map_at_{k}"): map.mean,
            format!("coverage_at_{k}"): coverage,
            format!("novelty_at_{k}"): novelty,
        })
    };
    let mut value = serde_json::to_value(evaluation)?;
    let fields = value.as_object_mut().context("an evaluation is an object")?;
    fields.insert("intervals".to_owned(), serde_json::to_value(&evaluation.metrics)?);
    fields.insert("metrics".to_owned(), means(&evaluation.metrics));
    fields.insert("popularity".to_owned(), means(&evaluation.popularity));
    fields.insert("seed".to_owned(), json!(args.seed));
    fields.insert("seconds".to_owned(), json!(seconds));
    Ok(value)
}

fn print(args: &EvaluateRetrievalArgs, evaluation: &RetrievalEvaluation, seconds: f64) {
    let RetrievalEvaluation { choice, slice, compared_on, serving, report, .. } = evaluation;
    let trials = choice.trials.iter().map(|trial| {
        vec![
            trial.model.to_owned(),
            trial.trial.clone(),
            trial.ndcg.map_or_else(|| trial.status.clone(), |ndcg| format!("{ndcg:.4}")),
            trial.weight.map_or_else(String::new, |weight| format!("{weight}")),
            format!("{:.1}", trial.seconds),
            trial.parameters.clone(),
        ]
    });
    let k = args.k;
    output::line(&format!("chosen on the {slice} slice, {compared_on} users, seed {}:", args.seed));
    output::table(&["model", "trial", &format!("NDCG@{k}"), "weight", "seconds", "hyper-parameters"], trials);
    let number = |interval: &Interval| format!("{:.4} [{:.4}, {:.4}]", interval.mean, interval.low, interval.high);
    let row = |name: &str, metrics: &RetrievalMetrics| {
        vec![
            name.to_owned(),
            number(&metrics.recall),
            number(&metrics.ndcg),
            number(&metrics.hit_rate),
            format!("{:.4}", metrics.mrr.mean),
            format!("{:.4}", metrics.map.mean),
            format!("{:.3}", metrics.coverage),
            format!("{:.1}", metrics.novelty),
        ]
    };
    output::line(&format!("as served, {} users, mean [95 % interval]:", evaluation.metrics.recall.n));
    output::table(
        &[
            "model",
            &format!("recall@{k}"),
            &format!("NDCG@{k}"),
            &format!("hit rate@{k}"),
            "MRR",
            "MAP",
            "coverage",
            "novelty",
        ],
        [row(&evaluation.model, &evaluation.metrics), row("popularity", &evaluation.popularity)],
    );
    output::line(&format!(
        "{:.2} ms per request, {:.0} bytes per item, {:.2} % of an exact scan's first {k}; fit {:.1} s, all {seconds:.1} s",
        serving.milliseconds_per_request,
        serving.bytes_per_item,
        serving.found_of_exact * 100.0,
        evaluation.fit_seconds,
    ));
    if report.test_in_train > 0 || report.test_in_valid > 0 {
        output::line(&format!(
            "note: {} test pairs are training pairs too and can only be missed, {} are validation pairs too",
            report.test_in_train, report.test_in_valid
        ));
    }
}
