use serde_json::{Value, json};
use shortlist_recommender::{Bundle, FittedRanker, NetworkRanker};
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
    let weights = ranker.and_then(|ranker| ranker.coefficients()).unwrap_or_default();
    let coefficients: Vec<(&str, f64)> = bundle.models.features.names().zip(weights.iter().copied()).collect();
    if args.registry.json {
        let coefficients: Value =
            coefficients.iter().map(|(name, weight)| ((*name).to_owned(), json!(weight))).collect();
        return output::json(&json!({
            "id": id.to_string(),
            "first_stage": bundle.models.blend.config(),
            "provenance": bundle.provenance,
            "report": bundle.report,
            "ranker": kind.map(|kind| kind.name()),
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
    if let Some(FittedRanker::Network(network)) = ranker {
        print_network(network);
        return Ok(());
    }
    output::line("logistic regression, log-odds per standard deviation of the feature:");
    output::table(
        &["feature", "weight"],
        coefficients.iter().map(|(name, w)| vec![(*name).to_owned(), format!("{w:+.4}")]),
    );
    Ok(())
}

fn print_network(network: &NetworkRanker) {
    let (manifest, tensors) = (network.model.manifest(), network.model.tensors());
    let weights: usize = tensors.iter().map(|tensor| tensor.values.len()).sum();
    output::line(&format!(
        "{} over {} features, {weights} numbers, fitted {:?}:",
        manifest.network.kind,
        manifest.schema.numbers.len(),
        manifest.loss,
    ));
    let shape = |(rows, columns): (usize, usize)| format!("{rows} x {columns}");
    output::table(&["tensor", "shape"], tensors.iter().map(|tensor| vec![tensor.name.clone(), shape(tensor.shape)]));
}

fn promote(args: &RegistryBundleArgs) -> anyhow::Result<()> {
    let store = Store::open(&args.registry.store)?;
    let registry = store.registry();
    let Some(text) = &args.id else {
        anyhow::bail!("name the bundle to promote; `shortlist registry list` shows them")
    };
    let id = BundleId::parse(text)?;
    // What does not load must not be promoted: the server would refuse it and keep the old one.
    Bundle::load(&registry, &store.reader()?, &id)?;
    registry.promote(&id, clock::now())?;
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
