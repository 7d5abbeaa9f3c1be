use serde::{Deserialize, Serialize};

use crate::InvalidInput;
use crate::limits::DIMENSIONS_MAX;

/// A finite vector of 1 to 4,096 dimensions.
///
/// ```
/// use shortlist_types::Embedding;
/// assert!(Embedding::parse(vec![1.0, f32::INFINITY]).is_err());
/// assert_eq!(Embedding::parse(vec![3.0, 4.0]).unwrap().as_slice(), [3.0, 4.0]);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<f32>", into = "Vec<f32>")]
pub struct Embedding(Vec<f32>);

impl Embedding {
    /// Takes finite components.
    ///
    /// # Errors
    /// No components, too many, or one that is not finite.
    pub fn parse(components: Vec<f32>) -> Result<Self, InvalidInput> {
        if components.is_empty() || components.len() > DIMENSIONS_MAX {
            let reason = format!("must have 1 to {DIMENSIONS_MAX} dimensions, got {}", components.len());
            return Err(InvalidInput::new("embedding", reason));
        }
        if let Some(i) = components.iter().position(|x| !x.is_finite()) {
            return Err(InvalidInput::new(format!("embedding[{i}]"), "must be finite"));
        }
        Ok(Self(components))
    }

    /// Whether it points somewhere: an angle can be told from any vector but the one of zeros.
    pub fn has_direction(&self) -> bool {
        self.0.iter().any(|component| *component != 0.0)
    }

    /// The components.
    pub fn as_slice(&self) -> &[f32] {
        &self.0
    }
}

impl TryFrom<Vec<f32>> for Embedding {
    type Error = InvalidInput;
    fn try_from(components: Vec<f32>) -> Result<Self, InvalidInput> {
        Self::parse(components)
    }
}
impl From<Embedding> for Vec<f32> {
    fn from(embedding: Embedding) -> Self {
        embedding.0
    }
}

/// Independent sums of a dot product: enough to fill two registers of eight lanes.
const LANES: usize = 16;

/// Inner product of two vectors of the same length; the surplus of a longer one is ignored.
///
/// Sums in sixteen fixed lanes, so that compilers vectorise it and every machine adds in the same
/// order: the same input gives the same bits everywhere.
///
/// **Cost**: about a quarter of a nanosecond per dimension with 128-bit registers.
#[inline]
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    let length = a.len().min(b.len());
    let (a, b) = (&a[..length], &b[..length]);
    let mut sums = [0.0_f32; LANES];
    let (a_blocks, a_rest) = a.as_chunks::<LANES>();
    let (b_blocks, b_rest) = b.as_chunks::<LANES>();
    for (x, y) in a_blocks.iter().zip(b_blocks) {
        for lane in 0..LANES {
            sums[lane] += x[lane] * y[lane];
        }
    }
    for (lane, (x, y)) in a_rest.iter().zip(b_rest).enumerate() {
        sums[lane] += x * y;
    }
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            sums[lane] += sums[lane + width];
        }
        width /= 2;
    }
    sums[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dot_agrees_with_the_plain_sum() {
        for n in 0..70_u8 {
            let a: Vec<f32> = (0..n).map(|i| f32::from(i) * 0.25 - 3.0).collect();
            let b: Vec<f32> = (0..n).map(|i| 1.0 - f32::from(i) * 0.5).collect();
            let plain: f64 = a.iter().zip(&b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum();
            assert!((f64::from(dot(&a, &b)) - plain).abs() < 1e-2, "n = {n}");
        }
    }
}
