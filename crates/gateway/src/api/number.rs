use serde_json::Number;
use shortlist_types::limits::{DIMENSIONS_MAX, K_MAX};
use shortlist_types::{Embedding, InvalidInput};

use crate::limits::K_DEFAULT;

/// A whole number from `least` to `most`.
pub(crate) fn whole_number(field: &'static str, number: &Number, least: u64, most: u64) -> Result<u64, InvalidInput> {
    number
        .as_u64()
        .filter(|value| (least..=most).contains(value))
        .ok_or_else(|| InvalidInput::new(field, format!("must be a whole number from {least} to {most}, got {number}")))
}

/// How many items an answer has.
pub(crate) fn k_of(k: Option<&Number>) -> Result<usize, InvalidInput> {
    let Some(number) = k else { return Ok(K_DEFAULT) };
    let k = whole_number("k", number, 1, K_MAX as u64)?;
    Ok(usize::try_from(k).unwrap_or(K_MAX))
}

/// A number that is finite as an `f32` too.
pub(crate) fn finite_f32(field: &'static str, number: &Number) -> Result<f32, InvalidInput> {
    #[allow(clippy::cast_possible_truncation)] // what does not fit becomes infinite and is refused
    let value = number.as_f64().map(|value| value as f32).filter(|value| value.is_finite());
    value.ok_or_else(|| InvalidInput::new(field, format!("must lie within the range of a float, got {number}")))
}

/// A vector with a direction.
pub(crate) fn direction(field: &'static str, numbers: &[Number]) -> Result<Embedding, InvalidInput> {
    if numbers.is_empty() || numbers.len() > DIMENSIONS_MAX {
        let reason = format!("must have 1 to {DIMENSIONS_MAX} dimensions, got {}", numbers.len());
        return Err(InvalidInput::new(field, reason));
    }
    let component = |(i, number): (usize, &Number)| {
        finite_f32(field, number).map_err(|error| InvalidInput::new(format!("{field}[{i}]"), error.reason))
    };
    let components = numbers.iter().enumerate().map(component).collect::<Result<Vec<_>, _>>()?;
    let vector = Embedding::parse(components)?;
    if !vector.has_direction() {
        return Err(InvalidInput::new(field, "must not be zero in every dimension: it would have no direction"));
    }
    Ok(vector)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_out_of_range_are_shown_as_they_were_written() {
        for text in ["-1", "0", "501", "1.5", "10.0", "1e30", "18446744073709551616"] {
            let error = k_of(Some(&text.parse().unwrap())).unwrap_err().to_string();
            assert!(error.starts_with("k: must be a whole number from 1 to 500, got "), "{text}: {error}");
        }
        assert_eq!(k_of(Some(&500.into())).unwrap(), 500);
        assert_eq!(k_of(None).unwrap(), 10);
    }

    #[test]
    fn a_vector_is_finite_as_floats_and_points_somewhere() {
        let parse = |json: &str| {
            let numbers: Vec<Number> = serde_json::from_str(json).unwrap();
            direction("vector", &numbers).map_err(|error| error.to_string())
        };
        assert_eq!(parse("[1,-0.0,1e-42]").unwrap().as_slice(), [1.0, -0.0, 1e-42]);
        for (json, expected) in [
            ("[]", "vector: must have 1 to 4096 dimensions, got 0"),
            ("[1,1e39]", "vector[1]: must lie within the range of a float, got 1e+39"),
            ("[0,-0.0,1e-60]", "vector: must not be zero in every dimension: it would have no direction"),
        ] {
            assert_eq!(parse(json).unwrap_err(), expected);
        }
        assert!(parse(&format!("[{}1]", "1,".repeat(4_096))).is_err());
    }

    #[test]
    fn a_double_beyond_the_floats_is_refused() {
        assert!(finite_f32("value", &"1e39".parse().unwrap()).is_err());
        assert!((finite_f32("value", &"4.5".parse().unwrap()).unwrap() - 4.5).abs() < f32::EPSILON);
    }
}
