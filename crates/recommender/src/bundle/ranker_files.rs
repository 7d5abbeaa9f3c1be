use serde::{Deserialize, Serialize};
use shortlist_features::FeatureSchema;
use shortlist_ranking::{
    LogisticRegression, ModelManifest, ModelTensor, Platt, Precision, RankingModel, Standardization,
};

use super::tensors::{self, Tensors, Values};
use super::{BundleError, BundleFiles, malformed, to_json};
use crate::{CategoryEncoders, FittedRanker, NetworkRanker, Outcome, RankerModel, WANTED};

/// All of a ranker but a network's numbers.
pub(crate) const RANKER: &str = "ranker.json";
/// These.
const WEIGHTS: &str = "ranker.safetensors";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RankerFile {
    /// Name and calibration of each, in order.
    outcomes: Vec<(String, Option<Platt>)>,
    model: ModelFile,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum ModelFile {
    LogisticRegression(Vec<LogisticRegression>),
    Network(Box<NetworkFile>),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NetworkFile {
    model: ModelManifest,
    precision: Precision,
    numbers: Standardization,
    categories: CategoryEncoders,
    log_odds: Option<Vec<Platt>>,
    /// Name, rows and columns of each tensor, in order.
    tensors: Vec<(String, usize, usize)>,
}

pub(crate) fn write(ranker: &FittedRanker) -> Result<Vec<(&'static str, Vec<u8>)>, BundleError> {
    let outcomes = ranker.outcomes.iter().map(|outcome| (outcome.name.clone(), outcome.calibration)).collect();
    let network = match &ranker.model {
        RankerModel::Logistic(models) => {
            let model = ModelFile::LogisticRegression(models.clone());
            return Ok(vec![(RANKER, to_json(RANKER, &RankerFile { outcomes, model })?)]);
        }
        RankerModel::Network(network) => network,
    };
    let given = network.model.tensors();
    let model = ModelFile::Network(Box::new(NetworkFile {
        model: network.model.manifest().clone(),
        precision: network.precision,
        numbers: network.numbers.clone(),
        categories: network.categories.clone(),
        log_odds: network.log_odds.clone(),
        tensors: given.iter().map(|tensor| (tensor.name.clone(), tensor.shape.0, tensor.shape.1)).collect(),
    }));
    let values: Vec<_> = given.iter().map(|tensor| (tensor.name.clone(), Values::F32(&tensor.values))).collect();
    let file = to_json(RANKER, &RankerFile { outcomes, model })?;
    Ok(vec![(RANKER, file), (WEIGHTS, tensors::write(WEIGHTS, &values)?)])
}

/// Reads the ranker and looks that it reads the bundle's features.
pub(crate) fn read(files: &BundleFiles<'_>, features: &FeatureSchema) -> Result<FittedRanker, BundleError> {
    let RankerFile { outcomes, model } = files.json(RANKER)?;
    let outcomes: Vec<_> = outcomes.into_iter().map(|(name, calibration)| Outcome { name, calibration }).collect();
    if outcomes.first().is_none_or(|outcome| outcome.name != WANTED) {
        return Err(malformed(RANKER, &format!("the first outcome must be {WANTED}")));
    }
    let model = match model {
        ModelFile::LogisticRegression(models) => RankerModel::Logistic(models),
        ModelFile::Network(file) => RankerModel::Network(Box::new(read_network(files, features, *file)?)),
    };
    let told: Vec<(usize, usize)> = match &model {
        RankerModel::Logistic(models) => models.iter().map(|model| (1, model.features())).collect(),
        RankerModel::Network(network) => vec![(network.model.schema().heads.len(), network.numbers.features())],
    };
    let (expected, got) = (outcomes.len(), told.iter().map(|(outcomes, _)| outcomes).sum::<usize>());
    if got != expected {
        return Err(malformed(RANKER, &format!("expected scores of {expected} outcomes, got {got}")));
    }
    let expected = features.width();
    if let Some((_, got)) = told.iter().find(|(_, width)| *width != expected) {
        return Err(malformed(RANKER, &format!("expected {expected} weights, got {got}")));
    }
    Ok(FittedRanker { outcomes, model })
}

fn read_network(
    files: &BundleFiles<'_>,
    features: &FeatureSchema,
    file: NetworkFile,
) -> Result<NetworkRanker, BundleError> {
    let NetworkFile { model, precision, numbers, categories, log_odds, tensors } = file;
    let schema = &model.schema;
    if !schema.numbers.iter().map(String::as_str).eq(features.names()) {
        return Err(malformed(RANKER, &"the network reads other features than features.json names"));
    }
    if schema.categories != categories.categories() {
        return Err(malformed(RANKER, &"the network embeds other categories than its encoders give"));
    }
    if log_odds.as_ref().is_some_and(|platts| platts.len() != schema.heads.len()) {
        return Err(malformed(RANKER, &format!("expected log_odds of {} outcomes", schema.heads.len())));
    }
    let weights = files.bytes(WEIGHTS)?;
    let weights = Tensors::read(WEIGHTS, &weights)?;
    let tensors = tensors
        .into_iter()
        .map(|(name, rows, columns)| Ok(ModelTensor { values: weights.f32(&name)?, name, shape: (rows, columns) }));
    let tensors = tensors.collect::<Result<Vec<_>, BundleError>>()?;
    let model = RankingModel::from_parts(model, tensors, precision).map_err(|error| malformed(WEIGHTS, &error))?;
    Ok(NetworkRanker { model, precision, numbers, categories, log_odds })
}
