use serde_json::{Value, json};
use shortlist_recommender::{Bundle, NetworkRanker, Outcome, RankerModel};
use shortlist_store::{BundleId, Registry, Store};

use crate::args::{RegistryArgs, RegistryBundleArgs, RegistryCommand};
use crate::clock;
use crate::output;

/// `shortlist registry`.
pub(crate) fn run(command: &RegistryCommand) -> anyhow::Result<()> {
    match command {
        RegistryCommand::List(args) => list(args),
        RegistryCommand::Show(args) => show(args),
        RegistryCommand::Promote(args) => promote(args),
        RegistryCommand::Rollback(args) => {
            let id = Store::open(&args.store)?.registry().rollback(clock::now())?;
            told(args, &id)
        }
    }
}

fn list(args: &RegistryArgs) -> anyhow::Result<()> {
    let mut bundles = Store::open(&args.store)?.registry().list()?;
    bundles.reverse();
    if args.json {
        let bundles: Vec<_> = bundles
            .iter()
            .map(|bundle| {
                json!({"id": bundle.id.to_string(), "published_at": bundle.published_at, "current": bundle.current})
            })
            .collect();
        return output::json(&json!({ "bundles": bundles }));
    }
    let rows = bundles.iter().map(|bundle| {
        let serves = if bundle.current { "serves" } else { "" };
        vec![bundle.id.to_string(), bundle.published_at.to_string(), serves.to_owned()]
    });
    output::table(&["bundle", "published", ""], rows);
    Ok(())
}

fn show(args: &RegistryBundleArgs) -> anyhow::Result<()> {
    let store = Store::open(&args.registry.store)?;
    let registry = store.registry();
    let id = chosen(&registry, args.id.as_deref())?;
    let bundle = Bundle::load(&registry, &store.reader()?, &id)?;
    let ranker = bundle.models.ranker.as_ref();
    let kind = ranker.map(|ranker| ranker.kind());
    let outcomes = ranker.map(|ranker| ranker.outcomes.as_slice()).unwrap_or_default();
    let weights = ranker.and_then(|ranker| ranker.coefficients()).unwrap_or_default();
    let features = || bundle.models.features.names();
    if args.registry.json {
        let by_feature = |weights: &&[f64]| -> Value {
            features().zip(weights.iter()).map(|(name, weight)| (name.to_owned(), json!(weight))).collect()
        };
        let coefficients: Value = outcomes
            .iter()
            .zip(&weights)
            .map(|(outcome, weights)| (outcome.name.clone(), by_feature(weights)))
            .collect();
        let calibration: Value =
            outcomes.iter().map(|outcome| (outcome.name.clone(), json!(outcome.calibration))).collect();
        return output::json(&json!({
            "id": id.to_string(),
            "first_stage": bundle.models.blend.config(),
            "provenance": bundle.provenance,
            "report": bundle.report,
            "ranker": kind.map(|kind| kind.name()),
            "calibration": calibration,
            "coefficients": coefficients,
        }));
    }
    let (provenance, space) = (&bundle.provenance, bundle.models.space.as_ref());
    output::line(&format!(
        "bundle {id}: {}, {} items of {} dimensions, log up to record {}, seed {}, made by version {}",
        bundle.models.blend.config().name(),
        space.map_or(0, |space| space.learned().len()),
        space.map_or(0, |space| space.learned().dimensions()),
        provenance.log_seq.0,
        provenance.seed,
        provenance.code_version,
    ));
    output::line(&serde_json::to_string_pretty(&bundle.report["metrics"])?);
    for Outcome { name, calibration } in outcomes {
        let how = calibration.map_or_else(
            || "relative scores: too few logged impressions to make probabilities of them".to_owned(),
            |platt| format!("probability of {:.4} x log-odds {:+.4}", platt.slope, platt.intercept),
        );
        output::line(&format!("outcome {name}: {how}"));
    }
    if let Some(RankerModel::Network(network)) = ranker.map(|ranker| &ranker.model) {
        print_network(network);
        return Ok(());
    }
    output::line("logistic regression, log-odds per standard deviation of the feature:");
    let header: Vec<&str> =
        std::iter::once("feature").chain(outcomes.iter().map(|outcome| outcome.name.as_str())).collect();
    let rows = features().enumerate().map(|(place, name)| {
        let weights = weights.iter().map(|weights| format!("{:+.4}", weights[place]));
        std::iter::once(name.to_owned()).chain(weights).collect()
    });
    output::table(&header, rows);
    Ok(())
}

fn print_network(network: &NetworkRanker) {
    let (manifest, tensors) = (network.model.manifest(), network.model.tensors());
    let weights: usize = tensors.iter().map(|tensor| tensor.values.len()).sum();
    output::line(&format!(
        "{} over {} features and {} categories, {weights} numbers, fitted {:?}:",
        manifest.network.kind,
        manifest.schema.numbers.len(),
        manifest.schema.categories.len(),
        manifest.loss,
    ));
    let shape = |(rows, columns): (usize, usize)| format!("{rows} x {columns}");
    output::table(&["tensor", "shape"], tensors.iter().map(|tensor| vec![tensor.name.clone(), shape(tensor.shape)]));
}

fn promote(args: &RegistryBundleArgs) -> anyhow::Result<()> {
    let store = Store::open(&args.registry.store)?;
    let Some(text) = &args.id else {
        anyhow::bail!("name the bundle to promote; `shortlist registry list` shows them")
    };
    let id = BundleId::parse(text)?;
    Bundle::promote(&store, &id, clock::now())?;
    told(&args.registry, &id)
}

fn told(args: &RegistryArgs, id: &BundleId) -> anyhow::Result<()> {
    if args.json {
        return output::json(&json!({ "current": id.to_string() }));
    }
    output::line(&format!("bundle {id} serves from now on"));
    Ok(())
}

fn chosen(registry: &Registry, id: Option<&str>) -> anyhow::Result<BundleId> {
    match id {
        Some(text) => Ok(BundleId::parse(text)?),
        None => {
            registry.current()?.ok_or_else(|| anyhow::anyhow!("no bundle is promoted; `shortlist train` makes one"))
        }
    }
}
