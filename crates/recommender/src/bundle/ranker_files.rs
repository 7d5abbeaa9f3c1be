use serde::{Deserialize, Serialize};
use shortlist_features::FeatureSchema;
use shortlist_ranking::{ModelManifest, ModelTensor, Platt, Precision, RankingModel, Standardization};

use super::tensors::{self, Tensors, Values};
use super::{BundleError, BundleFiles, malformed, to_json};
use crate::{FittedRanker, NetworkRanker};

/// A logistic regression, whole.
pub(crate) const LOGISTIC: &str = "ranker.json";
/// A network: all but its numbers, and these.
const NETWORK: &str = "ranker_network.json";
const WEIGHTS: &str = "ranker_network.safetensors";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NetworkFile {
    model: ModelManifest,
    numbers: Standardization,
    calibration: Option<Platt>,
    /// Name, rows and columns of each tensor, in order.
    tensors: Vec<(String, usize, usize)>,
}

pub(crate) fn write(ranker: &FittedRanker) -> Result<Vec<(&'static str, Vec<u8>)>, BundleError> {
    let network = match ranker {
        FittedRanker::Logistic(model) => return Ok(vec![(LOGISTIC, to_json(LOGISTIC, model)?)]),
        FittedRanker::Network(network) => network,
    };
    let given = network.model.tensors();
    let file = NetworkFile {
        model: network.model.manifest().clone(),
        numbers: network.numbers.clone(),
        calibration: network.calibration,
        tensors: given.iter().map(|tensor| (tensor.name.clone(), tensor.shape.0, tensor.shape.1)).collect(),
    };
    let values: Vec<_> = given.iter().map(|tensor| (tensor.name.clone(), Values::F32(&tensor.values))).collect();
    Ok(vec![(NETWORK, to_json(NETWORK, &file)?), (WEIGHTS, tensors::write(WEIGHTS, &values)?)])
}

/// Reads the ranker and looks that it reads the bundle's features.
pub(crate) fn read(files: &BundleFiles<'_>, features: &FeatureSchema) -> Result<FittedRanker, BundleError> {
    let ranker = match files.bytes_if_any(NETWORK)? {
        None => FittedRanker::Logistic(files.json(LOGISTIC)?),
        Some(bytes) => FittedRanker::Network(Box::new(read_network(files, features, &bytes)?)),
    };
    let (expected, got) = (features.width(), ranker.features());
    if got != expected {
        return Err(malformed(LOGISTIC, &format!("expected {expected} weights, got {got}")));
    }
    Ok(ranker)
}

fn read_network(files: &BundleFiles<'_>, features: &FeatureSchema, bytes: &[u8]) -> Result<NetworkRanker, BundleError> {
    let NetworkFile { model, numbers, calibration, tensors } =
        serde_json::from_slice(bytes).map_err(|error| malformed(NETWORK, &error))?;
    let schema = &model.schema;
    if !schema.numbers.iter().map(String::as_str).eq(features.names()) || !schema.categories.is_empty() {
        return Err(malformed(NETWORK, &"the network reads other features than features.json names"));
    }
    if numbers.features() != features.width() {
        let reason = format!("expected {} means, got {}", features.width(), numbers.features());
        return Err(malformed(NETWORK, &reason));
    }
    if schema.heads.len() != 1 {
        return Err(malformed(NETWORK, &format!("expected one outcome, got {}", schema.heads.len())));
    }
    let weights = files.bytes(WEIGHTS)?;
    let weights = Tensors::read(WEIGHTS, &weights)?;
    let tensors = tensors
        .into_iter()
        .map(|(name, rows, columns)| Ok(ModelTensor { values: weights.f32(&name)?, name, shape: (rows, columns) }));
    let tensors = tensors.collect::<Result<Vec<_>, BundleError>>()?;
    let model = RankingModel::from_parts(model, tensors, Precision::F32).map_err(|error| malformed(WEIGHTS, &error))?;
    Ok(NetworkRanker { model, numbers, calibration })
}
