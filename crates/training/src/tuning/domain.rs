use serde::{Deserialize, Serialize};
use serde_json::Value;
use shortlist_types::InvalidInput;

/// Most choices of one parameter; with more, a budget of tens of trials sees hardly any of them.
const CHOICES_MAX: usize = 64;
/// Longest text of a choice in bytes, so that a line of the journal stays short.
const CHOICE_BYTES_MAX: usize = 128;

/// The values that a parameter may take.
///
/// Seen by the search as the interval 0 to 1: the reals are scaled to it, steps and choices are cells
/// of equal width.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Domain {
    /// A real number whose logarithm is spread evenly, for strengths and rates; both ends belong to it.
    /// Proposed with three significant digits.
    LogUniform {
        /// Least value, above 0.
        low: f64,
        /// Greatest value.
        high: f64,
    },
    /// A real number that is spread evenly; both ends belong to it. Proposed in about thousandths of
    /// the range.
    Uniform {
        /// Least value.
        low: f64,
        /// Greatest value.
        high: f64,
    },
    /// `low`, `low + step`, ... `high`.
    Integer {
        /// Least value.
        low: i64,
        /// Greatest value, a whole number of steps above the least.
        high: i64,
        /// Distance of neighbours, 1 or more.
        step: i64,
    },
    /// Texts, numbers or truth values. Ascending numbers are taken as an order, such as the dimensions
    /// 32, 64, 128: neighbours are expected to do alike. Anything else is a set of names.
    Choices(Vec<Value>),
}

impl Domain {
    /// Checks the bounds.
    ///
    /// **Errors**: names the bound that does not fit.
    pub fn check(&self) -> Result<(), InvalidInput> {
        let fails = |field: &'static str, reason: String| Err(InvalidInput::new(field, reason));
        match self {
            Self::LogUniform { low, .. } if low.is_nan() || *low <= 0.0 => {
                fails("low", format!("must be above 0 on a logarithmic scale, got {low}"))
            }
            Self::LogUniform { low, high } | Self::Uniform { low, high } => {
                let fits = low < high && (high - low).is_finite();
                if fits { Ok(()) } else { fails("high", format!("must be finite and above low, got {low} to {high}")) }
            }
            Self::Integer { step, .. } if *step < 1 => fails("step", format!("must be 1 or more, got {step}")),
            Self::Integer { low, high, step } => match high.checked_sub(*low) {
                Some(span) if span > 0 && span % step == 0 => Ok(()),
                _ => fails("high", format!("must lie whole steps of {step} above low, got {low} to {high}")),
            },
            Self::Choices(values) => check_choices(values),
        }
    }

    /// Where `value` lies, 0 to 1; none for a value that does not belong here.
    pub(super) fn place(&self, value: &Value) -> Option<f64> {
        match self {
            Self::LogUniform { low, high } => {
                let real = value.as_f64().filter(|real| (low..=high).contains(&real))?;
                Some(((libm::log(real) - libm::log(*low)) / (libm::log(*high) - libm::log(*low))).clamp(0.0, 1.0))
            }
            Self::Uniform { low, high } => {
                let real = value.as_f64().filter(|real| (low..=high).contains(&real))?;
                Some((real - low) / (high - low))
            }
            Self::Integer { low, high, step } => {
                let above = value.as_i64().filter(|whole| (low..=high).contains(&whole))? - low;
                (above % step == 0).then(|| middle((above / step) as usize, self.cells()))
            }
            Self::Choices(values) => {
                let cell = values.iter().position(|choice| choice == value)?;
                Some(middle(cell, self.cells()))
            }
        }
    }

    /// The value at `place`; what lies outside 0 to 1 is taken to the nearer end.
    pub(super) fn value(&self, place: f64) -> Value {
        let place = place.clamp(0.0, 1.0);
        match self {
            Self::LogUniform { low, high } => {
                let real = libm::exp(libm::log(*low) + place * (libm::log(*high) - libm::log(*low)));
                Value::from(parsed(&format!("{real:.2e}"), real).clamp(*low, *high))
            }
            Self::Uniform { low, high } => {
                let real = low + place * (high - low);
                let decimals = (3.0 - libm::log10(high - low).floor()).clamp(0.0, 300.0) as usize;
                Value::from(parsed(&format!("{real:.decimals$}"), real).clamp(*low, *high))
            }
            Self::Integer { low, step, .. } => Value::from(low + step * self.cell(place) as i64),
            Self::Choices(values) => values.get(self.cell(place)).cloned().unwrap_or(Value::Null),
        }
    }

    /// Whether its values are mere names, none nearer to another than a third.
    pub(super) fn is_names(&self) -> bool {
        let Self::Choices(values) = self else { return false };
        let numbers: Option<Vec<f64>> = values.iter().map(Value::as_f64).collect();
        !numbers.is_some_and(|numbers| numbers.is_sorted_by(|a, b| a < b))
    }

    /// Whether its values are real numbers.
    pub(super) fn is_real(&self) -> bool {
        matches!(self, Self::LogUniform { .. } | Self::Uniform { .. })
    }

    /// How many values; 1 for the reals.
    fn cells(&self) -> usize {
        match self {
            Self::LogUniform { .. } | Self::Uniform { .. } => 1,
            Self::Integer { low, high, step } => ((high - low) / step) as usize + 1,
            Self::Choices(values) => values.len(),
        }
    }

    fn cell(&self, place: f64) -> usize {
        let cells = self.cells();
        ((place * cells as f64) as usize).min(cells.saturating_sub(1))
    }
}

/// The middle of a cell.
fn middle(cell: usize, cells: usize) -> f64 {
    (cell as f64 + 0.5) / cells as f64
}

/// Short decimals read well in a table and in a config file.
fn parsed(short: &str, exact: f64) -> f64 {
    // -0.0 + 0.0 is 0.0: one value, one text.
    short.parse().unwrap_or(exact) + 0.0
}

fn check_choices(values: &[Value]) -> Result<(), InvalidInput> {
    let fails = |reason: String| Err(InvalidInput::new("choices", reason));
    if !(2..=CHOICES_MAX).contains(&values.len()) {
        return fails(format!("expected 2 to {CHOICES_MAX}, got {}", values.len()));
    }
    for (row, value) in values.iter().enumerate() {
        let fits = match value {
            Value::String(text) => text.len() <= CHOICE_BYTES_MAX,
            Value::Number(_) | Value::Bool(_) => true,
            Value::Null | Value::Array(_) | Value::Object(_) => false,
        };
        if !fits {
            return fails(format!("expected numbers, truth values or texts of {CHOICE_BYTES_MAX} bytes, got {value}"));
        }
        if values[..row].contains(value) {
            return fails(format!("expected each once, got {value} twice"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};
    use serde_json::json;

    use super::*;

    fn domains() -> Vec<Domain> {
        vec![
            Domain::LogUniform { low: 1e-4, high: 10.0 },
            Domain::LogUniform { low: 1e-300, high: 1e300 },
            Domain::Uniform { low: -0.5, high: 2.0 },
            Domain::Uniform { low: 0.990_1, high: 0.999 },
            Domain::Integer { low: -4, high: 20, step: 3 },
            Domain::Choices(vec![json!("dot"), json!("cosine"), json!(true)]),
            Domain::Choices(vec![json!(32), json!(64), json!(128)]),
        ]
    }

    proptest! {
        #[test]
        fn every_place_has_a_value_that_lies_there(place in 0.0..=1.0_f64) {
            for domain in domains() {
                let value = domain.value(place);
                let got = domain.place(&value);
                prop_assert!(got.is_some(), "{domain:?}: {value}");
                prop_assert_eq!(domain.value(got.unwrap_or(-1.0)), value.clone());
                let width = match &domain { Domain::Integer { .. } => 9.0, Domain::Choices(_) => 3.0, _ => 400.0 };
                prop_assert!((got.unwrap_or(-1.0) - place).abs() <= 1.0 / width, "{domain:?}: {value} at {place}");
            }
        }
    }

    #[test]
    fn a_logarithmic_scale_has_its_geometric_mean_in_the_middle() {
        assert_eq!(Domain::LogUniform { low: 1e-4, high: 1.0 }.value(0.5), json!(0.01));
    }

    #[test]
    fn zero_has_no_sign() {
        let around_zero = Domain::Uniform { low: -1.0, high: 1.0 };
        assert_eq!(around_zero.value(0.499_999).to_string(), "0.0");
    }

    #[test]
    fn values_outside_have_no_place() {
        let [log, _, real, _, steps, names, order] = <[Domain; 7]>::try_from(domains()).unwrap();
        assert_eq!(log.place(&json!(11.0)), None);
        assert_eq!(real.place(&json!("1")), None);
        assert_eq!(steps.place(&json!(-3)), None);
        assert_eq!(steps.place(&json!(0.5)), None);
        assert_eq!(names.place(&json!("l2")), None);
        assert!(names.is_names() && !order.is_names() && !real.is_names());
    }

    #[test]
    fn bounds_that_do_not_fit_are_named() {
        let refusal = |domain: Domain| domain.check().unwrap_err().to_string();
        assert!(refusal(Domain::LogUniform { low: 0.0, high: 1.0 }).contains("low: must be above 0"));
        assert!(refusal(Domain::LogUniform { low: f64::NAN, high: 1.0 }).contains("low: must be above 0"));
        assert!(refusal(Domain::Uniform { low: 1.0, high: 1.0 }).contains("high: must be finite and above low"));
        assert!(refusal(Domain::Uniform { low: 1.0, high: f64::INFINITY }).contains("high: must be finite"));
        assert!(refusal(Domain::Integer { low: 0, high: 10, step: 3 }).contains("whole steps of 3"));
        assert!(refusal(Domain::Integer { low: 0, high: 10, step: 0 }).contains("step: must be 1 or more"));
        assert!(refusal(Domain::Integer { low: i64::MIN, high: i64::MAX, step: 1 }).contains("whole steps"));
        assert!(refusal(Domain::Choices(vec![json!(1)])).contains("expected 2 to 64, got 1"));
        assert!(refusal(Domain::Choices(vec![json!(1), json!(1)])).contains("got 1 twice"));
        assert!(refusal(Domain::Choices(vec![json!(1), json!(null)])).contains("got null"));
    }
}
