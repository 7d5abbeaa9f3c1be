use pulp::Arch;

use crate::portable_math::ln;

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
}
