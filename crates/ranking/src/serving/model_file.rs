use serde::{Deserialize, Serialize};

use crate::network::Network;
use crate::{Fit, Loss, NetworkConfig, RankingError, RowSchema};

/// Everything of a model's file but its numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelManifest {
    /// What the model reads.
    pub schema: RowSchema,
    /// Its shape.
    pub network: NetworkConfig,
    /// What it was fitted for, which says what its scores mean.
    pub loss: Loss,
}

/// Numbers of a model, by name.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelTensor {
    /// Such as `deep.0.weights`.
    pub name: String,
    /// Rows and columns.
    pub shape: (usize, usize),
    /// Row-major.
    pub values: Vec<f32>,
}

pub(super) fn manifest(fit: &Fit) -> ModelManifest {
    ModelManifest { schema: RowSchema::clone(&fit.network.schema), network: fit.network.config.clone(), loss: fit.loss }
}

pub(super) fn tensors(network: &mut Network) -> Vec<ModelTensor> {
    let mut tensors = Vec::new();
    network.visit(&mut |name, parameter| {
        tensors.push(ModelTensor { name: name.to_owned(), shape: parameter.shape, values: parameter.values.clone() });
    });
    tensors
}

/// The network that the tensors belong to, with their numbers.
///
/// # Errors
/// A tensor that is missing, too many, of another shape, or holds what is not finite or no variance.
pub(super) fn network(manifest: &ModelManifest, tensors: &[ModelTensor]) -> Result<Network, RankingError> {
    let schema = manifest.schema.clone().shared();
    let mut network = Network::new(schema, &manifest.network, 0).map_err(RankingError::Config)?;
    let mut given = tensors.iter();
    let mut wrong = None;
    network.visit(&mut |name, parameter| {
        if wrong.is_some() {
            return;
        }
        let Some(tensor) = given.next().filter(|tensor| tensor.name == name) else {
            wrong = Some(error(name, "expected next, but the file has another or no more".to_owned()));
            return;
        };
        let count = tensor.values.len();
        if tensor.shape != parameter.shape || count != parameter.values.len() {
            let (got, expected) = (tensor.shape, parameter.shape);
            wrong = Some(error(name, format!("expected shape {expected:?}, got {got:?} with {count} values")));
            return;
        }
        let is_variance = name.ends_with(".running_variance");
        let bad = |value: &f32| !value.is_finite() || is_variance && *value < 0.0;
        if let Some(place) = tensor.values.iter().position(bad) {
            let value = tensor.values[place];
            let expected = if is_variance { "finite and not negative" } else { "finite" };
            wrong = Some(error(name, format!("value {place} must be {expected}, got {value}")));
            return;
        }
        parameter.values.clone_from(&tensor.values);
    });
    if let Some(tensor) = given.next().filter(|_| wrong.is_none()) {
        wrong = Some(error(&tensor.name, "a model of this kind has no such tensor".to_owned()));
    }
    wrong.map_or(Ok(network), Err)
}

fn error(tensor: &str, reason: String) -> RankingError {
    RankingError::Tensor { tensor: tensor.to_owned(), reason }
}
