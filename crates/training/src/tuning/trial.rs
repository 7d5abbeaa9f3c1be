use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One value for every parameter of a search space, by name.
///
/// ```
/// use shortlist_embedding::IalsConfig;
/// use shortlist_training::tuning::{Domain, Parameter, SearchSpace};
/// let domain = Domain::Integer { low: 16, high: 128, step: 16 };
/// let space = SearchSpace::parse(vec![Parameter::new("dimensions", domain, 32)]).unwrap();
/// let config = space.defaults().over(&IalsConfig::default()).unwrap();
/// assert_eq!(config, IalsConfig { dimensions: 32, ..IalsConfig::default() });
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Trial(BTreeMap<String, Value>);

impl Trial {
    /// The trial with these values.
    pub(super) fn new(values: impl IntoIterator<Item = (String, Value)>) -> Self {
        Self(values.into_iter().collect())
    }

    /// The value of a parameter.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// The value of a parameter that is a number.
    pub fn real(&self, name: &str) -> Option<f64> {
        self.get(name)?.as_f64()
    }

    /// The value of a parameter that is a whole number.
    pub fn integer(&self, name: &str) -> Option<i64> {
        self.get(name)?.as_i64()
    }

    /// The value of a parameter that is a text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str()
    }

    /// Names and values, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Its JSON with names in order: equal trials, and only they, have equal texts.
    pub fn canonical(&self) -> String {
        // Names are texts, so JSON holds every trial; an object of its own would say the same.
        serde_json::to_string(&self.0).unwrap_or_default()
    }

    /// `base` with the fields that the trial names replaced; checked as if read from a file.
    ///
    /// **Errors**: a name that is no field of the config, or a value that the config refuses.
    pub fn over<T: Serialize + DeserializeOwned>(&self, base: &T) -> Result<T, serde_json::Error> {
        let mut fields = serde_json::to_value(base)?;
        for (name, value) in self.iter() {
            let Some(field) = fields.get_mut(name) else {
                return Err(serde_json::Error::custom(format!("{name}: the config has no such field")));
            };
            *field = value.clone();
        }
        serde_json::from_value(fields)
    }
}

impl fmt::Display for Trial {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (row, (name, value)) in self.iter().enumerate() {
            let comma = if row == 0 { "" } else { ", " };
            write!(formatter, "{comma}{name} {value}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use serde_json::json;
    use shortlist_embedding::IalsConfig;

    use super::*;

    fn trial(values: &[(&str, Value)]) -> Trial {
        Trial::new(values.iter().map(|(name, value)| ((*name).to_owned(), value.clone())))
    }

    #[test]
    fn equal_trials_have_one_text_and_one_hash() {
        let a = trial(&[("b", json!(0.1)), ("a", json!("x"))]);
        let b: Trial = serde_json::from_str(r#"{"a": "x", "b": 0.1}"#).unwrap();
        assert_eq!(a.canonical(), r#"{"a":"x","b":0.1}"#);
        assert_eq!(HashSet::from([a.clone(), b]).len(), 1);
        assert_eq!(a.to_string(), r#"a "x", b 0.1"#);
        assert_eq!((a.real("b"), a.integer("b"), a.text("a")), (Some(0.1), None, Some("x")));
    }

    #[test]
    fn a_config_takes_the_trial_and_refuses_what_it_would_refuse_in_a_file() {
        let base = IalsConfig::default();
        let taken = trial(&[("epochs", json!(3)), ("regularization", json!(0.5))]).over(&base).unwrap();
        assert_eq!(taken, IalsConfig { epochs: 3, regularization: 0.5, ..base });
        let refusal = |name: &str, value: Value| trial(&[(name, value)]).over(&base).unwrap_err().to_string();
        assert!(refusal("epochs", json!(0)).contains("epochs: must lie in 1 to 1000, got 0"));
        assert!(refusal("epoch", json!(1)).contains("epoch: the config has no such field"));
    }
}
