use std::time::Instant;

use serde_json::json;
use shortlist_gateway::stand_back;
use shortlist_store::Store;
use shortlist_training::{GateDecision, Promote, Trained, train};

use crate::args::{PromoteArg, TrainArgs};
use crate::clock;
use crate::commands::evaluate::print_report;
use crate::config::Config;
use crate::output;
use crate::progress_bars::ProgressBars;

/// Which process Linux ends when memory runs out, from -1,000 to 1,000: rather this one.
#[cfg(target_os = "linux")]
const OOM_SCORE: &str = "500";

/// `shortlist train`.
pub(crate) fn run(args: &TrainArgs) -> anyhow::Result<()> {
    if args.background {
        // Before any other thread is there: they take it over.
        stay_behind();
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

/// Lets whoever started it go first, with the processor and when memory runs out, and end it.
fn stay_behind() {
    stand_back();
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{Signal, set_parent_process_death_signal};
        if let Err(error) = set_parent_process_death_signal(Some(Signal::KILL)) {
            tracing::debug!(%error, "the training would outlive who started it");
        }
        if let Err(error) = fs_err::write("/proc/self/oom_score_adj", OOM_SCORE) {
            tracing::debug!(%error, "who started the training may be ended for its memory");
        }
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
