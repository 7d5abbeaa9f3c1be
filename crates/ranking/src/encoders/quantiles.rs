use serde::{Deserialize, Serialize};
use shortlist_types::InvalidInput;

use super::UNKNOWN;

/// Numbers by bucket, each of about the same share of training; a missing number is id 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<f32>", into = "Vec<f32>")]
pub struct Quantiles {
    /// Ascending: a number below the first is id 1.
    borders: Vec<f32>,
}

impl Quantiles {
    /// At most `buckets` buckets; equal numbers share one. Numbers that are not finite are left out.
    pub fn fit(values: impl IntoIterator<Item = f32>, buckets: usize) -> Self {
        let mut values: Vec<f32> = values.into_iter().filter(|value| value.is_finite()).collect();
        values.sort_unstable_by(f32::total_cmp);
        let place = |bucket: usize| values.get(bucket * values.len() / buckets.max(1)).copied();
        let mut borders: Vec<f32> = (1..buckets).filter_map(place).collect();
        borders.dedup_by(|a, b| a.total_cmp(b).is_eq());
        Self { borders }
    }

    /// The id of a number; NaN and infinities count as missing.
    ///
    /// ```
    /// use shortlist_ranking::Quantiles;
    /// let quantiles = Quantiles::fit([1.0, 2.0, 3.0, 4.0], 2);
    /// assert_eq!([Some(1.0), Some(3.0), Some(9.0), None].map(|x| quantiles.id(x)), [1, 2, 2, 0]);
    /// ```
    pub fn id(&self, value: Option<f32>) -> u32 {
        let Some(value) = value.filter(|value| value.is_finite()) else { return UNKNOWN };
        UNKNOWN + 1 + self.borders.partition_point(|border| *border <= value) as u32
    }

    /// Ids are below this.
    pub fn ids(&self) -> usize {
        self.borders.len() + 2
    }
}

impl From<Quantiles> for Vec<f32> {
    fn from(quantiles: Quantiles) -> Self {
        quantiles.borders
    }
}

impl TryFrom<Vec<f32>> for Quantiles {
    type Error = InvalidInput;
    fn try_from(borders: Vec<f32>) -> Result<Self, InvalidInput> {
        let ascends = borders.windows(2).all(|pair| pair[0] < pair[1]);
        if !ascends || borders.iter().any(|border| !border.is_finite()) {
            return Err(InvalidInput::new("quantiles", "must be finite and ascend"));
        }
        Ok(Self { borders })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ids_ascend_with_the_number_and_stay_below_the_bound(
            values in prop::collection::vec(-1e3_f32..1e3, 0..60), buckets in 0_usize..12, a in -2e3_f32..2e3, b: f32,
        ) {
            let quantiles = Quantiles::fit(values, buckets);
            prop_assert!(quantiles.ids() <= buckets.max(1) + 1);
            prop_assert!((quantiles.id(Some(b)) as usize) < quantiles.ids());
            prop_assert!(quantiles.id(Some(a)) <= quantiles.id(Some(a + 1.0)));
            let json = serde_json::to_string(&quantiles).unwrap();
            prop_assert_eq!(serde_json::from_str::<Quantiles>(&json).unwrap(), quantiles);
        }
    }

    #[test]
    fn what_is_no_number_is_missing() {
        let quantiles = Quantiles::fit([1.0, f32::NAN, 2.0, 3.0], 3);
        assert_eq!([Some(f32::NAN), Some(f32::INFINITY), None].map(|value| quantiles.id(value)), [0; 3]);
        assert!(serde_json::from_str::<Quantiles>("[2.0, 1.0]").is_err());
    }
}
