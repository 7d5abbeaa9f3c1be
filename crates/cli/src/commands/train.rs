use std::time::Instant;

use serde_json::json;
use shortlist_store::Store;
use shortlist_training::{GateDecision, Promote, Trained, train};

use crate::args::{PromoteArg, TrainArgs};
use crate::clock;
use crate::commands::evaluate::print_report;
use crate::config::Config;
use crate::maintenance::stand_back;
use crate::output;
use crate::progress_bars::ProgressBars;

/// `shortlist train`.
pub(crate) fn run(args: &TrainArgs) -> anyhow::Result<()> {
    if args.background {
        // Before any other thread is there: they take it over.
        stand_back();
    }
    let config = Config::of(&args.store)?;
    let store = Store::open(&args.store.store)?;
    let promote = match args.promote {
        PromoteArg::Gate => Promote::IfGatePasses,
        PromoteArg::Always => Promote::Always,
        PromoteArg::Never => Promote::Never,
    };
    let started = Instant::now();
    let mut progress = if args.background { ProgressBars::in_log() } else { ProgressBars::default() };
    let trained = train_with(&store, &config, args.seed, promote, &mut progress)?;
    let seconds = started.elapsed().as_secs_f64();
    let reason = refusal(&trained);
    if args.json {
        output::json(&json!({
            "bundle": trained.bundle.to_string(),
            "promoted": trained.promoted,
            "gate": reason.as_deref().unwrap_or("passed"),
            "metrics": trained.report.metrics,
            "groups": trained.report.groups,
            "protocol": trained.report.protocol,
            "calibration": trained.report.calibration,
            "seconds": seconds,
        }))?;
    } else {
        print_report(&trained.report);
        let state = if trained.promoted { "serves from now on" } else { "is published and does not serve" };
        output::line(&format!("bundle {} {state} ({seconds:.1} s)", trained.bundle));
    }
    match reason {
        Some(reason) if !trained.promoted && promote == Promote::IfGatePasses => {
            anyhow::bail!("the gate refused bundle {}: {reason}; `train --promote always` overrides it", trained.bundle)
        }
        _ => Ok(()),
    }
}

/// Trains as the configuration says.
pub(crate) fn train_with(
    store: &Store,
    config: &Config,
    seed: u64,
    promote: Promote,
    progress: &mut ProgressBars,
) -> anyhow::Result<Trained> {
    Ok(train(store, &config.learning(seed), promote, clock::now(), progress)?)
}

/// Why the gate refused, if it did.
pub(crate) fn refusal(trained: &Trained) -> Option<String> {
    match &trained.gate {
        GateDecision::Passed => None,
        GateDecision::Refused { reason } => Some(reason.clone()),
    }
}
