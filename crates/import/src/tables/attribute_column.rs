use shortlist_types::{AttributeValue, Attributes, InvalidInput};

/// A column that becomes an attribute. Its cells decide whether it holds numbers, bools or text.
pub(super) struct AttributeColumn {
    place: usize,
    name: String,
    kind: CellKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CellKind {
    /// No cell had a value yet.
    Unknown,
    Number,
    Bool,
    Text,
    /// Said by the header.
    List,
}

impl AttributeColumn {
    /// The column at `place`. `NAME[]` is a list called `NAME`.
    pub(super) fn new(place: usize, name: &str) -> Self {
        match name.strip_suffix("[]") {
            Some(name) => Self { place, name: name.to_owned(), kind: CellKind::List },
            None => Self { place, name: name.to_owned(), kind: CellKind::Unknown },
        }
    }

    /// Name of the attribute.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Whether the header says the type.
    pub(super) fn is_known(&self) -> bool {
        self.kind == CellKind::List
    }

    /// Learns from the column's cell in one row.
    pub(super) fn observe(&mut self, cells: &[&str]) {
        let cell = cells[self.place];
        if cell.is_empty() || matches!(self.kind, CellKind::List | CellKind::Text) {
            return;
        }
        let seen = match (number(cell), flag(cell)) {
            (Some(_), _) => CellKind::Number,
            (_, Some(_)) => CellKind::Bool,
            (None, None) => CellKind::Text,
        };
        self.kind = if self.kind == CellKind::Unknown || self.kind == seen { seen } else { CellKind::Text };
    }

    /// The column's value in one row; absent if the cell is empty.
    fn value(&self, cells: &[&str]) -> Result<Option<AttributeValue>, InvalidInput> {
        let cell = cells[self.place];
        if cell.is_empty() {
            return Ok(None);
        }
        // The first pass saw every cell; only a file that was written in between can fail here.
        let changed = || InvalidInput::new(self.name.clone(), format!("changed while it was read, got {cell:?}"));
        match self.kind {
            CellKind::Number => number(cell).map(AttributeValue::Number).ok_or_else(changed).map(Some),
            CellKind::Bool => flag(cell).map(AttributeValue::Bool).ok_or_else(changed).map(Some),
            CellKind::Text | CellKind::Unknown => Ok(Some(AttributeValue::Text(cell.to_owned()))),
            CellKind::List => {
                let texts = cell.split('|').map(str::trim).filter(|text| !text.is_empty());
                let texts: Vec<_> = texts.map(str::to_owned).collect();
                Ok((!texts.is_empty()).then_some(AttributeValue::List(texts)))
            }
        }
    }
}

/// The attributes of one row.
///
/// # Errors
/// A value beyond the limits; the path starts at `field`.
pub(super) fn attributes(columns: &[AttributeColumn], cells: &[&str], field: &str) -> Result<Attributes, InvalidInput> {
    let mut values = Vec::new();
    for column in columns {
        if let Some(value) = column.value(cells).map_err(|error| error.within(field))? {
            values.push((column.name.clone(), value));
        }
    }
    Attributes::parse(values).map_err(|error| error.within(field))
}

/// The finite number in a cell. Codes are none: a leading zero, or more digits than a number holds, would be lost.
fn number(cell: &str) -> Option<f64> {
    let digits = cell.trim_start_matches(['+', '-']).as_bytes();
    let leading_zero = matches!(digits, [b'0', next, ..] if next.is_ascii_digit());
    let long = digits.len() > 15 && digits.iter().all(u8::is_ascii_digit);
    if leading_zero || long {
        return None;
    }
    cell.parse().ok().filter(|number: &f64| number.is_finite())
}

/// The bool in a cell.
pub(super) fn flag(cell: &str) -> Option<bool> {
    if cell.eq_ignore_ascii_case("true") {
        Some(true)
    } else if cell.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(cells: &[&str]) -> CellKind {
        let mut column = AttributeColumn::new(0, "x");
        cells.iter().for_each(|cell| column.observe(&[cell]));
        column.kind
    }

    #[test]
    fn one_cell_of_another_type_makes_a_column_text() {
        assert_eq!(kind(&["1", "", "-2.5e3"]), CellKind::Number);
        assert_eq!(kind(&["true", "False", ""]), CellKind::Bool);
        assert_eq!(kind(&["1", "true"]), CellKind::Text);
        assert_eq!(kind(&["1", "x", "2"]), CellKind::Text);
        assert_eq!(kind(&["", ""]), CellKind::Unknown);
    }

    #[test]
    fn what_is_not_finite_is_text() {
        for cell in ["nan", "inf", "-infinity", "1e999", "0x10", "1_000"] {
            assert_eq!(kind(&[cell]), CellKind::Text, "{cell}");
        }
    }

    #[test]
    fn codes_that_would_lose_digits_are_text() {
        assert_eq!(kind(&["01234"]), CellKind::Text);
        assert_eq!(kind(&["9007199254740993"]), CellKind::Text);
        assert_eq!(kind(&["0", "0.5", "-0.25", "999999999999999"]), CellKind::Number);
    }
}
