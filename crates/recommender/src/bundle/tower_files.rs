use serde::{Deserialize, Serialize};
use shortlist_embedding::{ContentTower, ContentTowerConfig, ContentTowerParts, NumberKnots};

use super::tensors::{Tensors, Values, write as write_tensors};
use super::{BundleError, BundleFiles, to_json};

/// The files of one content tower.
#[derive(Clone, Copy)]
pub(crate) struct TowerNames {
    pub(crate) numbers: &'static str,
    pub(crate) tensors: &'static str,
}

/// The small part of a tower.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    config: ContentTowerConfig,
    seed: u64,
    numbers: NumberKnots,
}

pub(crate) fn write(tower: &ContentTower, names: TowerNames) -> Result<[(&'static str, Vec<u8>); 2], BundleError> {
    let ContentTowerParts { config, seed, numbers, buckets, weights, bias } = tower.to_parts();
    let tensors = [
        ("buckets".to_owned(), Values::U32(&buckets)),
        ("weights".to_owned(), Values::F32(&weights)),
        ("bias".to_owned(), Values::F32(&bias)),
    ];
    Ok([
        (names.numbers, to_json(names.numbers, &Description { config, seed, numbers })?),
        (names.tensors, write_tensors(names.tensors, &tensors)?),
    ])
}

/// The tower, if the bundle has one.
pub(crate) fn read(files: &BundleFiles<'_>, names: TowerNames) -> Result<Option<ContentTower>, BundleError> {
    let Some(bytes) = files.bytes_if_any(names.tensors)? else { return Ok(None) };
    let Description { config, seed, numbers } = files.json(names.numbers)?;
    let tensors = Tensors::read(names.tensors, &bytes)?;
    let parts = ContentTowerParts {
        config,
        seed,
        numbers,
        buckets: tensors.u32("buckets")?,
        weights: tensors.f32("weights")?,
        bias: tensors.f32("bias")?,
    };
    Ok(Some(ContentTower::from_parts(parts)?))
}
