use pulp::Arch;

use crate::portable_math::{exp2, ln};

/// Takes logarithms of many numbers at once, by the instructions of the processor; the bits are the same by any.
#[derive(Debug, Clone, Copy)]
pub(super) struct Logarithms(pub(super) Arch);

impl Logarithms {
    /// Puts the natural logarithm of each in its place.
    pub(super) fn take(self, values: &mut [f64]) {
        self.0.dispatch(|| {
            for value in &mut *values {
                *value = ln(*value);
            }
        });
    }

    /// Puts ln(`least` + 2^x) in the place of each x.
    pub(super) fn take_of_powers(self, least: f64, values: &mut [f64]) {
        self.0.dispatch(|| {
            for value in &mut *values {
                *value = ln(least + exp2(*value));
            }
        });
    }
}
