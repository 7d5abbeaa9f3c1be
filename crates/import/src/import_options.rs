use crate::ImportError;

/// How many bad rows an import may leave out, and how many it shows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ImportOptions {
    /// Largest share of bad rows in any one file, 0 to 1; beyond it the import is refused as a whole.
    pub max_bad_share: f64,
    /// How many bad rows the report or the error keeps.
    pub bad_rows_shown: usize,
}

impl Default for ImportOptions {
    /// One row in a hundred may be bad; the first ten are shown.
    fn default() -> Self {
        Self { max_bad_share: 0.01, bad_rows_shown: 10 }
    }
}

impl ImportOptions {
    /// A share that is NaN would compare false with everything and let every file pass.
    pub(crate) fn check(&self) -> Result<(), ImportError> {
        if (0.0..=1.0).contains(&self.max_bad_share) {
            Ok(())
        } else {
            Err(ImportError::ShareOutOfRange { got: self.max_bad_share })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_must_be_a_share() {
        for got in [f64::NAN, -0.1, 1.1, f64::INFINITY] {
            assert!(ImportOptions { max_bad_share: got, bad_rows_shown: 1 }.check().is_err(), "{got}");
        }
        for share in [0.0, 0.01, 1.0] {
            assert!(ImportOptions { max_bad_share: share, bad_rows_shown: 1 }.check().is_ok(), "{share}");
        }
    }
}
