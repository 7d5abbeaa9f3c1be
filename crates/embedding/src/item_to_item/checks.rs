use shortlist_types::InvalidInput;

use super::ROW_LENGTH_MAX;

/// Refuses a `value` outside `min` to `max`.
pub(super) fn whole(field: &'static str, value: usize, min: usize, max: usize) -> Result<(), InvalidInput> {
    if (min..=max).contains(&value) {
        return Ok(());
    }
    Err(InvalidInput::new(field, format!("must lie in {min} to {max}, got {value}")))
}

/// Refuses a `value` outside 0 to `max`, NaN included.
pub(super) fn real(field: &'static str, value: f64, max: f64) -> Result<(), InvalidInput> {
    if (0.0..=max).contains(&value) {
        return Ok(());
    }
    Err(InvalidInput::new(field, format!("must lie in 0 to {max}, got {value}")))
}

/// Refuses rows that are empty or longer than [`ROW_LENGTH_MAX`].
pub(super) fn row_length(value: usize) -> Result<(), InvalidInput> {
    whole("row_length", value, 1, ROW_LENGTH_MAX)
}
