use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use shortlist_features::FeatureSchema;
use shortlist_gateway::{GatewayConfig, TelemetryConfig};
use shortlist_recommender::{CategorySchema, ExperimentFiles, Experiments, Surfaces};
use shortlist_store::{Registry, StoreConfig, StoreError};
use shortlist_training::{Settings, TrainingConfig};
use shortlist_types::{EventType, EventTypes, InvalidInput};
use toml::de::{DeTable, DeValue};

use crate::args::StoreArgs;

/// The default configuration as text, with a comment on every key.
pub(crate) const DEFAULT_CONFIG: &str = include_str!("default_config.toml");

/// Name of a store's own configuration.
const STORE_CONFIG: &str = "shortlist.toml";

/// A configuration that cannot be used. Nothing was started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    #[error("cannot read the configuration {}: {error}", path.display())]
    Unreadable { path: PathBuf, error: std::io::Error },
    #[error("the configuration {} cannot be used\n{error}", path.display())]
    Malformed { path: PathBuf, error: Box<toml::de::Error> },
    #[error("the configuration {} cannot be used\n{place}{error}", path.display())]
    Invalid {
        path: PathBuf,
        /// Such as `line 7: `, or nothing where the file does not name what is wrong.
        place: String,
        error: InvalidInput,
    },
    #[error("the server cannot start so: {0}")]
    Access(InvalidInput),
}

/// All settings.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Config {
    pub(crate) events: Arc<EventTypes>,
    pub(crate) surfaces: Surfaces,
    pub(crate) experiments: Experiments,
    pub(crate) features: FeatureSchema,
    pub(crate) categories: CategorySchema,
    pub(crate) training: TrainingConfig,
    pub(crate) gateway: GatewayConfig,
    pub(crate) telemetry: TelemetryConfig,
    pub(crate) store: StoreConfig,
}

/// The form in a file.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ConfigFile {
    events: BTreeMap<String, EventType>,
    surfaces: Surfaces,
    experiments: ExperimentFiles,
    features: FeatureSchema,
    categories: CategorySchema,
    training: TrainingConfig,
    gateway: GatewayConfig,
    telemetry: TelemetryConfig,
    store: StoreConfig,
}

impl Config {
    /// The settings of a store: from the file that was named, else from the store's own, else the
    /// defaults.
    pub(crate) fn of(args: &StoreArgs) -> Result<Self, ConfigError> {
        let own = args.store.join(STORE_CONFIG);
        match &args.config {
            Some(path) => Self::read(path),
            None if own.is_file() => Self::read(&own),
            None => Ok(Self::default()),
        }
    }

    /// The settings in a file; what it does not say is as by default. Event types are added to the
    /// default ones, or put in place of those of the same name.
    pub(crate) fn read(path: &Path) -> Result<Self, ConfigError> {
        let text =
            std::fs::read_to_string(path).map_err(|error| ConfigError::Unreadable { path: path.to_owned(), error })?;
        Self::parse(path, &text)
    }

    /// Whether what it names is there, in a store that may not be there itself and is left as it is.
    pub(crate) fn check_beside(&self, store: &Path) -> Result<(), ConfigError> {
        let registry = Registry::of(store);
        for id in self.experiments.bundles() {
            // One that is damaged is left out, and told: it may have been sound when the configuration was written.
            if matches!(registry.open(id), Err(StoreError::BundleNotFound { .. })) {
                let reason = format!(
                    "serve from bundle {id}, which is not there; `shortlist registry list` shows those that are"
                );
                return Err(ConfigError::Access(InvalidInput::new("experiments", reason)));
            }
        }
        Ok(())
    }

    /// What decides what is learned.
    pub(crate) fn learning(&self, seed: u64) -> Settings<'_> {
        Settings {
            events: &self.events,
            surfaces: &self.surfaces,
            features: &self.features,
            categories: &self.categories,
            training: &self.training,
            seed,
        }
    }

    fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let mut file: ConfigFile = toml::from_str(text)
            .map_err(|error| ConfigError::Malformed { path: path.to_owned(), error: Box::new(error) })?;
        let mut events = BTreeMap::from(EventTypes::default());
        events.extend(std::mem::take(&mut file.events));
        let invalid = |error: InvalidInput| {
            let place = line_of(text, &error.field).map_or_else(String::new, |line| format!("line {line}: "));
            ConfigError::Invalid { path: path.to_owned(), place, error }
        };
        let events = EventTypes::parse(events).map_err(invalid)?;
        let ConfigFile { surfaces, experiments, features, categories, training, gateway, telemetry, store, .. } = file;
        let experiments = experiments.resolve(&surfaces).map_err(invalid)?;
        training.ranker.check_beside(&events, &categories).map_err(invalid)?;
        if let Some((name, _)) = categories.iter().find(|(name, _)| features.position(name).is_some()) {
            return Err(invalid(InvalidInput::new(format!("categories.{name}"), "is the name of a feature already")));
        }
        let events = Arc::new(events);
        Ok(Self { events, surfaces, experiments, features, categories, training, gateway, telemetry, store })
    }
}

/// The line of a field such as `training.ranker.kind`, or of the innermost table around it that the file has.
fn line_of(text: &str, field: &str) -> Option<usize> {
    let document = DeTable::parse(text).ok()?;
    let (mut table, mut start) = (document.get_ref(), None);
    for part in field.split('.') {
        let Some((key, value)) = table.iter().find(|(key, _)| key.get_ref() == part) else { break };
        start = Some(key.span().start);
        let DeValue::Table(inner) = value.get_ref() else { break };
        table = inner;
    }
    Some(1 + text.get(..start?)?.matches('\n').count())
}

#[cfg(test)]
mod tests {
    use shortlist_recommender::SurfaceConfig;

    use super::*;

    fn parse(text: &str) -> Result<Config, ConfigError> {
        Config::parse(Path::new("x.toml"), text)
    }

    #[test]
    fn the_printed_default_is_the_default() {
        assert_eq!(parse(DEFAULT_CONFIG).unwrap(), Config::default());
        assert_eq!(parse("").unwrap(), Config::default());
    }

    #[test]
    fn errors_say_the_line() {
        for (text, line, what) in [
            ("[surfaces.home]\ncandidates = 5\n", "line 2", "unknown field `candidates`"),
            ("[surfaces.home.sources]\nann = { shares = 0.5 }\n", "line 2", "unknown field `shares`"),
            ("[surfaces.x]\nabout = \"shop\"\n", "line 2", "unknown variant `shop`"),
            ("[surfaces.\"Über uns\"]\nabout = \"user\"\n", "line 1", "names of surfaces are 1 to 64 of a-z"),
            ("[surfaces.home.filters]\nwhere = \"price <\"\n", "line 1", "where: expected a number at character 8"),
            ("[surfaces.home.rerank]\ndiversity = 2.0\n", "line 1", "rerank.diversity: must be 0 to 1, got 2"),
            ("[surfaces.home.rerank.caps]\nbrand = { moist = 2 }\n", "line 2", "unknown field `moist`"),
            ("\n[training]\nranker_share = 2.0\n", "line 2", "ranker_share: must be 0.01 to 0.9"),
            ("[events.x]\nsignal = \"good\"\n", "line 2", "unknown variant `good`"),
            ("[events]\nclick = 3\n", "line 2", "invalid type"),
            ("pipeline = [\n", "line 1", "array"),
            ("[features]\nx = { kind = \"afinity\" }\n", "line 2", "unknown variant `afinity`"),
            ("[features]\n\nx = { kind = \"item_age\", days = 3 }\n", "line 3", "unknown field `days`"),
            (
                "[features.x]\nkind = \"wanted\"\nhalf_life_days = 3\n",
                "line 1",
                "half_life_days: must be 1, 7, 30 or 90, got 3",
            ),
            ("[features]\nitem_age = \"old\"\n", "line 2", "a feature, such as"),
            ("[features]\nx = { kind = \"cross\", of = [\"affinity\", \"y\"] }\n", "line 1", "x.of: must name two"),
            ("[telemetry]\nsample = 2.0\n", "line 1", "sample: must be 0 to 1, got 2"),
            ("[training]\nrows = \"shown\"\n", "line 2", "unknown variant `shown`"),
            ("[training]\nlabel_days = 0\n", "line 1", "label_days: must be at least 1"),
            ("[training.retrieval.ials]\ndimensions = 0\n", "line 1", "dimensions: must lie in 1 to 512, got 0"),
            ("\n[events]\nClick = { signal = \"positive\" }\n", "line 2", "type names are 1 to 64 of a-z"),
            (
                "[experiments.x.variants]\na = { share = 0.5 }\nb = { share = 2.0 }\n",
                "line 3",
                "experiments.x.variants.b.share: must be above 0",
            ),
            (
                "[training]\nlabel_days = 3\n[training.ranker]\noutcomes = [\"sneeze\"]\n",
                "line 4",
                "training.ranker.outcomes",
            ),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(line) && error.contains(what), "{text:?}: {error}");
        }
    }

    #[test]
    fn a_change_of_a_shipped_surface_leaves_the_rest_of_it() {
        let config = parse("[surfaces.similar-items]\ncandidates_max = 50\n[surfaces.mine]\n").unwrap();
        let find = |name: &str| config.surfaces.iter().find(|(other, _)| *other == name).unwrap().1.clone();
        let similar = SurfaceConfig { candidates_max: 50, ..SurfaceConfig::similar_items() };
        assert_eq!((find("similar-items"), find("mine")), (similar, SurfaceConfig::home()));
    }

    #[test]
    fn a_type_of_ones_own_joins_the_default_ones() {
        let config = parse("[events.share]\nsignal = \"positive\"\nweight = 2.5\n").unwrap();
        assert!(config.events.find("share").is_some() && config.events.find("click").is_some());
    }
}
