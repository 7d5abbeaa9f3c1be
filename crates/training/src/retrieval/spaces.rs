use serde::Serialize;
use serde::de::DeserializeOwned;
use shortlist_embedding::{ItemToItemConfig, VectorModelConfig};
use shortlist_types::InvalidInput;

use super::fitted_part::PartConfig;
use crate::tuning::{Domain, Parameter, SearchSpace, Trial};

/// How far from where it begins a strength is looked for, as a factor.
const AROUND: f64 = 4.0;
/// Greatest strength that a search goes to; no model takes more.
const STRENGTH_MAX: f64 = 1e6;

/// The hyper-parameters of a model that are worth a search, beginning with those it has.
pub(crate) fn space(start: &PartConfig) -> Result<SearchSpace, InvalidInput> {
    let real = |name: &str, low: f64, high: f64, default: f64| {
        Parameter::new(name, Domain::Uniform { low: low.min(default), high: high.max(default) }, default)
    };
    let around = |name: &str, default: f64| {
        let domain =
            Domain::LogUniform { low: default / AROUND, high: (default * AROUND).min(STRENGTH_MAX.max(default)) };
        // Zero is a choice of its own, and has no neighbours on a logarithmic scale.
        if default > 0.0 { vec![Parameter::new(name, domain, default)] } else { Vec::new() }
    };
    let parameters = match start {
        PartConfig::Vectors(VectorModelConfig::Ials(config)) => [
            around("unobserved_weight", config.unobserved_weight),
            around("regularization", config.regularization),
            vec![real("frequency_exponent", 0.5, 1.0, config.frequency_exponent)],
        ]
        .concat(),
        PartConfig::Vectors(VectorModelConfig::GraphFilter(config)) => vec![
            real("user_exponent", 0.2, 0.6, config.user_exponent),
            real("item_exponent", 0.2, 0.6, config.item_exponent),
            real("target_exponent", 0.0, 0.6, config.target_exponent),
        ],
        PartConfig::Vectors(VectorModelConfig::Softmax(config)) => [
            around("temperature", config.temperature),
            vec![real("popularity_discount", 0.0, 1.0, config.popularity_discount)],
        ]
        .concat(),
        PartConfig::Rows(ItemToItemConfig::LinearFilter(config)) => vec![
            real("user_exponent", 0.4, 1.2, config.user_exponent),
            real("source_exponent", 0.2, 0.8, config.source_exponent),
            real("target_exponent", 0.0, 0.6, config.target_exponent),
        ],
        PartConfig::Rows(ItemToItemConfig::CoOccurrence(config)) => {
            vec![real("shrinkage", 0.0, 100.0, config.shrinkage)]
        }
        PartConfig::Rows(ItemToItemConfig::Ease(config)) => [
            around("l2", config.l2),
            vec![real("user_degree_exponent", 0.0, 1.0, config.user_degree_exponent)],
            vec![real("item_ridge_exponent", 0.0, 1.0, config.item_ridge_exponent)],
        ]
        .concat(),
    };
    SearchSpace::parse(parameters).map_err(|error| error.within(start.name()))
}

/// `start` with the values of a trial; the reason if the model refuses them.
pub(crate) fn configured(start: &PartConfig, trial: &Trial) -> Result<PartConfig, String> {
    Ok(match start {
        PartConfig::Vectors(VectorModelConfig::Ials(config)) => {
            PartConfig::Vectors(VectorModelConfig::Ials(over(trial, config)?))
        }
        PartConfig::Vectors(VectorModelConfig::GraphFilter(config)) => {
            PartConfig::Vectors(VectorModelConfig::GraphFilter(over(trial, config)?))
        }
        PartConfig::Vectors(VectorModelConfig::Softmax(config)) => {
            PartConfig::Vectors(VectorModelConfig::Softmax(over(trial, config)?))
        }
        PartConfig::Rows(config) => PartConfig::Rows(over(trial, config)?),
    })
}

fn over<T: Serialize + DeserializeOwned>(trial: &Trial, base: &T) -> Result<T, String> {
    trial.over(base).map_err(|error| error.to_string())
}
