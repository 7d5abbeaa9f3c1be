use serde::{Deserialize, Serialize};
use shortlist_embedding::{Blend, ItemToItemModel, RowPartConfig, VectorPartConfig};
use shortlist_retrieval::FrozenIndex;
use shortlist_types::{EmbeddingTable, ItemIdx};

use super::tensors::{Tensors, Values, write as write_tensors};
use super::{BLEND, BundleError, BundleFiles, INDEX, ITEM_TO_ITEM, ITEM_VALUES, malformed, to_json};
use crate::ItemSpace;

/// `blend.json`: the parts of the first stage. Their item vectors are those of the index.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    vectors: Vec<VectorDescription>,
    item_to_item: Vec<RowPartConfig>,
    /// Of the joined vectors.
    fingerprint: Option<u64>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct VectorDescription {
    part: VectorPartConfig,
    factor: f32,
}

pub(crate) fn write(blend: &Blend, space: Option<&ItemSpace>) -> Result<Vec<(&'static str, Vec<u8>)>, BundleError> {
    let config = blend.config();
    let factors = blend.vectors().iter().map(|part| part.factor());
    let vectors = config.vectors.into_iter().zip(factors).map(|(part, factor)| VectorDescription { part, factor });
    let description = Description {
        vectors: vectors.collect(),
        item_to_item: config.item_to_item,
        fingerprint: space.map(|space| space.learned().model()),
    };
    let values = blend.vectors().iter().enumerate();
    let values = values.map(|(place, part)| (place.to_string(), Values::F32(part.model().item_values())));
    let mut files = vec![
        (BLEND, to_json(BLEND, &description)?),
        (ITEM_VALUES, write_tensors(ITEM_VALUES, &values.collect::<Vec<_>>())?),
    ];
    if let Some(model) = blend.item_to_item() {
        let offsets: Vec<u64> = model.offsets().iter().map(|offset| *offset as u64).collect();
        let items: Vec<u32> = model.items().iter().map(|item| item.0).collect();
        let tensors = [
            ("items".to_owned(), Values::U32(&items)),
            ("offsets".to_owned(), Values::U64(&offsets)),
            ("columns".to_owned(), Values::U32(model.columns())),
            ("weights".to_owned(), Values::F32(model.weights())),
        ];
        files.push((ITEM_TO_ITEM, write_tensors(ITEM_TO_ITEM, &tensors)?));
    }
    Ok(files)
}

/// The blend over the vectors of `index`.
pub(crate) fn read(files: &BundleFiles<'_>, index: Option<&FrozenIndex>) -> Result<Blend, BundleError> {
    let Description { vectors, item_to_item, fingerprint } = files.json(BLEND)?;
    let joined = match (index, fingerprint) {
        (Some(index), Some(expected)) if index.model() != expected => {
            return Err(BundleError::ForeignIndex { expected, got: index.model() });
        }
        (Some(index), Some(_)) if !vectors.is_empty() => Some(joined_vectors(index)?),
        (None, None) if vectors.is_empty() => None,
        (None, _) => return Err(BundleError::Missing { file: INDEX }),
        (Some(_), _) => return Err(malformed(BLEND, &"expected the models of the index's vectors, got none")),
    };
    let bytes = files.bytes(ITEM_VALUES)?;
    let values = Tensors::read(ITEM_VALUES, &bytes)?;
    let parts = vectors.into_iter().enumerate();
    let parts = parts.map(|(place, VectorDescription { part, factor })| {
        part.model.check().map_err(|error| malformed(BLEND, &error))?;
        Ok((part, factor, values.f32(&place.to_string())?))
    });
    let parts = parts.collect::<Result<Vec<_>, BundleError>>()?;
    let rows = match item_to_item.is_empty() {
        false => {
            let bytes = files.bytes(ITEM_TO_ITEM)?;
            let tensors = Tensors::read(ITEM_TO_ITEM, &bytes)?;
            let items = tensors.u32("items")?.into_iter().map(ItemIdx).collect();
            let offsets =
                tensors.u64("offsets")?.into_iter().map(|offset| usize::try_from(offset).unwrap_or(usize::MAX));
            let (offsets, columns) = (offsets.collect(), tensors.u32("columns")?);
            Some(ItemToItemModel::from_parts(items, offsets, columns, tensors.f32("weights")?)?)
        }
        true => None,
    };
    Ok(Blend::from_parts(joined.as_ref(), parts, rows, item_to_item)?)
}

fn joined_vectors(index: &FrozenIndex) -> Result<EmbeddingTable, BundleError> {
    let items: Vec<ItemIdx> = index.items().collect();
    let values = items.iter().filter_map(|item| index.vector(*item)).flatten().copied().collect();
    EmbeddingTable::parse(index.dimensions(), items, values).map_err(|error| malformed(INDEX, &error))
}
