use serde::{Deserialize, Serialize};
use shortlist_types::InvalidInput;

use super::{Parameter, Trial};

/// Most parameters of one search; with more, tens of trials say next to nothing about each.
const PARAMETERS_MAX: usize = 16;
/// Longest name of a parameter in bytes.
const NAME_BYTES_MAX: usize = 64;

/// The parameters that are searched, checked.
///
/// ```
/// use shortlist_training::tuning::{Domain, Parameter, SearchSpace};
/// let space = SearchSpace::parse(vec![
///     Parameter::new("regularization", Domain::LogUniform { low: 1e-4, high: 1.0 }, 0.009),
///     Parameter::new("epochs", Domain::Integer { low: 4, high: 16, step: 4 }, 12),
/// ]);
/// assert_eq!(space.unwrap().defaults().to_string(), "epochs 12, regularization 0.009");
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Parameter>", into = "Vec<Parameter>")]
pub struct SearchSpace {
    parameters: Vec<Parameter>,
}

impl SearchSpace {
    /// The space of these parameters.
    ///
    /// **Errors**: none or more than 16 parameters, a name that is empty, long or there twice, bounds
    /// that do not fit, a default outside of them.
    pub fn parse(mut parameters: Vec<Parameter>) -> Result<Self, InvalidInput> {
        if !(1..=PARAMETERS_MAX).contains(&parameters.len()) {
            let reason = format!("expected 1 to {PARAMETERS_MAX}, got {}", parameters.len());
            return Err(InvalidInput::new("parameters", reason));
        }
        for row in 0..parameters.len() {
            let (before, rest) = parameters.split_at_mut(row);
            let Some(parameter) = rest.first_mut() else { continue };
            check(parameter, before).map_err(|error| error.within(format!("parameters[{row}]")))?;
        }
        Ok(Self { parameters })
    }

    /// The parameters, in the order given.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// Every parameter at its default.
    pub fn defaults(&self) -> Trial {
        Trial::new(self.parameters.iter().map(|parameter| (parameter.name.clone(), parameter.default.clone())))
    }

    /// The trial at `places`, each 0 to 1, one per parameter.
    pub(super) fn trial(&self, places: &[f64]) -> Trial {
        let values = self.parameters.iter().zip(places);
        Trial::new(values.map(|(parameter, place)| (parameter.name.clone(), parameter.domain.value(*place))))
    }

    /// Where the trial lies; none if it does not belong to the space.
    pub(super) fn places(&self, trial: &Trial) -> Option<Vec<f64>> {
        self.parameters.iter().map(|parameter| parameter.domain.place(trial.get(&parameter.name)?)).collect()
    }
}

/// Checks one parameter, and brings its default into the form that the domain proposes.
fn check(parameter: &mut Parameter, before: &[Parameter]) -> Result<(), InvalidInput> {
    let Parameter { name, domain, default } = parameter;
    if !(1..=NAME_BYTES_MAX).contains(&name.len()) {
        let reason = format!("expected 1 to {NAME_BYTES_MAX} bytes, got {}", name.len());
        return Err(InvalidInput::new("name", reason));
    }
    if before.iter().any(|other| other.name == *name) {
        return Err(InvalidInput::new("name", format!("expected each once, got {name} twice")));
    }
    domain.check().map_err(|error| error.within("domain"))?;
    if domain.place(default).is_none() {
        let reason = format!("expected a value of the domain of {name}, got {default}");
        return Err(InvalidInput::new("default", reason));
    }
    if domain.is_real() {
        // 1 and 1.0, or 0.0 and -0.0, are one value, and must be one text.
        *default = default.as_f64().map(|real| real + 0.0).into();
    }
    Ok(())
}

impl TryFrom<Vec<Parameter>> for SearchSpace {
    type Error = InvalidInput;
    fn try_from(parameters: Vec<Parameter>) -> Result<Self, InvalidInput> {
        Self::parse(parameters)
    }
}

impl From<SearchSpace> for Vec<Parameter> {
    fn from(space: SearchSpace) -> Self {
        space.parameters
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Domain;
    use super::*;

    const REAL: Domain = Domain::LogUniform { low: 0.1, high: 10.0 };

    fn refusal(parameters: Vec<Parameter>) -> String {
        SearchSpace::parse(parameters).unwrap_err().to_string()
    }

    #[test]
    fn a_space_survives_json_and_a_bad_one_does_not_enter() {
        let space = SearchSpace::parse(vec![Parameter::new("a", REAL, 1), Parameter::new("b", REAL, 0.5)]).unwrap();
        let text = serde_json::to_string(&space).unwrap();
        assert_eq!(serde_json::from_str::<SearchSpace>(&text).unwrap(), space);
        assert!(serde_json::from_str::<SearchSpace>(&text.replace("0.5", "50")).is_err());
        assert_eq!(space.defaults().canonical(), r#"{"a":1.0,"b":0.5}"#);
        assert_eq!(space.places(&space.defaults()).map(|places| places.len()), Some(2));
    }

    #[test]
    fn refusals_name_the_parameter() {
        assert!(refusal(vec![]).contains("parameters: expected 1 to 16, got 0"));
        let twice = refusal(vec![Parameter::new("a", REAL, 1.0), Parameter::new("a", REAL, 1.0)]);
        assert!(twice.contains("parameters[1].name: expected each once, got a twice"), "{twice}");
        let default = refusal(vec![Parameter::new("a", REAL, json!("x"))]);
        assert!(default.contains("parameters[0].default: expected a value of the domain of a"), "{default}");
        let domain = refusal(vec![Parameter::new("a", Domain::Uniform { low: 1.0, high: 0.0 }, 1.0)]);
        assert!(domain.contains("parameters[0].domain.high"), "{domain}");
    }
}
