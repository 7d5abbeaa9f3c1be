use serde_json::{Value, json};
use shortlist_features::FeatureKind;
use shortlist_recommender::{Bundle, CategorySource};
use shortlist_store::Store;

use crate::args::{FeaturesCommand, FeaturesListArgs};
use crate::config::Config;
use crate::output;

/// `shortlist features`.
pub(crate) fn run(command: &FeaturesCommand) -> anyhow::Result<()> {
    match command {
        FeaturesCommand::List(args) => list(args),
    }
}

fn list(args: &FeaturesListArgs) -> anyhow::Result<()> {
    let config = Config::of(&args.store)?;
    let store = Store::open(&args.store.store)?;
    let registry = store.registry();
    let bundle = match registry.current()? {
        Some(id) => Some(Bundle::load(&registry, &store.reader()?, &id)?),
        None => None,
    };
    let importance = |name: &str, kind: &FeatureKind| {
        let bundle = bundle.as_ref()?;
        let read = bundle.models.features.iter().any(|known| known == (name, kind));
        bundle.report["importance"][name].as_f64().filter(|_| read)
    };
    let of_category = |name: &str, source: &CategorySource| {
        let bundle = bundle.as_ref()?;
        let encoders = bundle.models.ranker.as_ref()?.categories()?;
        bundle.report["importance"][name].as_f64().filter(|_| encoders.read(name, source))
    };
    let bundle_id = bundle.as_ref().map(|bundle| bundle.id.to_string());
    if args.json {
        let features: Vec<Value> = config
            .features
            .iter()
            .map(|(name, kind)| {
                json!({
                    "name": name,
                    "definition": kind,
                    "source": kind.source(),
                    "type": kind.number_type(),
                    "default": kind.default_text(),
                    "importance": importance(name, kind),
                })
            })
            .collect();
        let categories: Vec<Value> = config
            .categories
            .iter()
            .map(|(name, source)| json!({"name": name, "definition": source, "importance": of_category(name, source)}))
            .collect();
        return output::json(&json!({"bundle": bundle_id, "features": features, "categories": categories}));
    }
    let rows = config.features.iter().map(|(name, kind)| {
        let importance = importance(name, kind).map_or_else(|| "-".to_owned(), |drop| format!("{drop:+.4}"));
        let texts = [name, &definition(kind), kind.source(), kind.number_type(), kind.default_text(), &importance];
        texts.map(str::to_owned).to_vec()
    });
    let categories = config.categories.iter().map(|(name, source)| {
        let importance = of_category(name, source).map_or_else(|| "-".to_owned(), |drop| format!("{drop:+.4}"));
        let of = json!(source.of).as_str().unwrap_or_default().to_owned();
        let kind = format!("category {} \"{}\"", json!(source.encoding).as_str().unwrap_or_default(), source.attribute);
        vec![name.to_owned(), kind, format!("{of}'s attributes"), "ids".to_owned(), "unknown".to_owned(), importance]
    });
    output::table(&["feature", "kind", "source", "type", "default", "importance"], rows.chain(categories));
    match bundle_id {
        Some(id) => output::line(&format!("importance: AUC lost in bundle {id} when the feature is shuffled")),
        None => output::line("no importance: there is no promoted bundle; run `shortlist train`"),
    }
    Ok(())
}

/// A kind with its fields, as a config has them.
fn definition(kind: &FeatureKind) -> String {
    let Ok(Value::Object(fields)) = serde_json::to_value(kind) else { return String::new() };
    let name = fields.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
    let others = fields.iter().filter(|(field, _)| *field != "kind").map(|(field, value)| format!("{field} {value}"));
    let others: Vec<String> = others.collect();
    if others.is_empty() { name } else { format!("{name}: {}", others.join(", ")) }
}
