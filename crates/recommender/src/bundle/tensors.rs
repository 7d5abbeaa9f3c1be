use std::borrow::Cow;

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use super::{BundleError, malformed};

/// Values of one tensor of a file.
pub(crate) enum Values<'a> {
    U32(&'a [u32]),
    U64(&'a [u64]),
    F32(&'a [f32]),
}

/// A safetensors file of rows: the same values give the same bytes. Numbers are little-endian.
pub(crate) fn write(file: &'static str, tensors: &[(String, Values<'_>)]) -> Result<Vec<u8>, BundleError> {
    let encoded: Vec<(String, Dtype, usize, Vec<u8>)> = tensors
        .iter()
        .map(|(name, values)| {
            let (dtype, length, bytes) = match values {
                Values::U32(values) => {
                    (Dtype::U32, values.len(), values.iter().flat_map(|x| x.to_le_bytes()).collect())
                }
                Values::U64(values) => {
                    (Dtype::U64, values.len(), values.iter().flat_map(|x| x.to_le_bytes()).collect())
                }
                Values::F32(values) => {
                    (Dtype::F32, values.len(), values.iter().flat_map(|x| x.to_le_bytes()).collect())
                }
            };
            (name.clone(), dtype, length, bytes)
        })
        .collect();
    let views = encoded.iter().map(|(name, dtype, length, bytes)| {
        Ok((name.as_str(), TensorView::new(*dtype, vec![*length], bytes).map_err(|error| malformed(file, &error))?))
    });
    let views = views.collect::<Result<Vec<_>, BundleError>>()?;
    safetensors::serialize(views, None).map_err(|error| malformed(file, &error))
}

/// The tensors of a file by name and type.
pub(crate) struct Tensors<'a> {
    file: &'static str,
    tensors: SafeTensors<'a>,
}

impl<'a> Tensors<'a> {
    pub(crate) fn read(file: &'static str, bytes: &'a [u8]) -> Result<Self, BundleError> {
        let tensors = SafeTensors::deserialize(bytes).map_err(|error| malformed(file, &error))?;
        Ok(Self { file, tensors })
    }

    pub(crate) fn u32(&self, name: &str) -> Result<Vec<u32>, BundleError> {
        Ok(self.words(name, Dtype::U32)?.into_iter().map(u32::from_le_bytes).collect())
    }

    pub(crate) fn u64(&self, name: &str) -> Result<Vec<u64>, BundleError> {
        Ok(self.words(name, Dtype::U64)?.into_iter().map(u64::from_le_bytes).collect())
    }

    pub(crate) fn f32(&self, name: &str) -> Result<Vec<f32>, BundleError> {
        Ok(self.words(name, Dtype::F32)?.into_iter().map(f32::from_le_bytes).collect())
    }

    fn words<const BYTES: usize>(&self, name: &str, dtype: Dtype) -> Result<Vec<[u8; BYTES]>, BundleError> {
        let tensor = self.tensors.tensor(name).map_err(|error| malformed(self.file, &error))?;
        if tensor.dtype() != dtype || tensor.shape().len() != 1 {
            let (got, shape) = (tensor.dtype(), tensor.shape());
            return Err(malformed(self.file, &format!("{name}: expected {dtype:?}, got {got:?} of shape {shape:?}")));
        }
        let data: Cow<'_, [u8]> = tensor.data().into();
        Ok(data.as_chunks::<BYTES>().0.to_vec())
    }
}
