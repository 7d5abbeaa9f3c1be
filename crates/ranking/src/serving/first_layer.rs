use super::bytes::ByteLayer;
use super::{BLOCK, Candidates, Ids};
use crate::RowSchema;
use crate::dense::{Around, Columns, Output, Packed, product_rows};
use crate::network::{Embeddings, Parameter, mean_of};
use crate::simd::Simd;
use crate::simd::elementwise::add_parts;

/// Most memory for the shares of one category's ids, in bytes.
const SHARES_MAX: usize = 16 << 20;

/// The first layer over embeddings and numbers, taken apart by feature: what all candidates share is
/// added up once per request, what an id contributes is looked up where a table of it fits in memory,
/// and only the rest is multiplied.
#[derive(Debug)]
pub(crate) struct FirstLayer {
    simd: Simd,
    tables: Vec<Parameter>,
    /// Per category: ids x outputs, if that is not too much.
    shares: Vec<Option<Vec<f32>>>,
    dimensions: usize,
    weights: Packed,
    bias: Vec<f32>,
    /// The numbers' part in bytes, if so wished.
    number_codes: Option<ByteLayer>,
}

/// Contributions that are added in one pass over a row.
const PARTS_MAX: usize = 16;

/// What a request shares, and the rows of a block.
#[derive(Debug, Default)]
pub(crate) struct FirstScratch {
    shared: Vec<f32>,
    row: Vec<f32>,
    codes: Vec<u8>,
    scales: Vec<f32>,
}

impl FirstLayer {
    /// **Shapes**: `weights` inputs x outputs, inputs as the embeddings and then the numbers.
    pub(crate) fn of(embeddings: &Embeddings, weights: &[f32], bias: Vec<f32>, as_bytes: bool) -> Self {
        let (outputs, dimensions) = (bias.len(), embeddings.dimensions);
        let (steps, simd) = (weights.len() / outputs, Simd::best());
        let numbers = &weights[embeddings.width() * outputs..];
        let number_codes = as_bytes.then(|| ByteLayer::of(numbers, numbers.len() / outputs, bias.clone(), true));
        let weights = Packed::of(weights, steps, outputs);
        let mut layer = Self {
            simd,
            tables: embeddings.tables.clone(),
            shares: Vec::new(),
            dimensions,
            weights,
            bias,
            number_codes,
        };
        for category in 0..layer.tables.len() {
            let ids = layer.tables[category].shape.0;
            let fits = ids * outputs * size_of::<f32>() <= SHARES_MAX;
            let shares = fits.then(|| {
                let mut shares = vec![0.0; ids * outputs];
                layer.multiply(&layer.tables[category].values, dimensions, category * dimensions, &mut shares);
                shares
            });
            layer.shares.push(shares);
        }
        layer
    }

    pub(crate) fn outputs(&self) -> usize {
        self.bias.len()
    }

    /// Adds the product of rows of `width` inputs with the weights from input `first` on.
    fn multiply(&self, rows: &[f32], width: usize, first: usize, out: &mut [f32]) {
        if width == 0 {
            return;
        }
        let around = Around { start: None, first_step: first, relu: false };
        let input = Columns { values: rows, stride: width, first: 0, count: width };
        product_rows(
            self.simd,
            input,
            &self.weights,
            around,
            Output { values: out, stride: self.bias.len(), first: 0 },
        );
    }

    /// Adds what the ids of the categories contribute to one row.
    fn add_ids<'a>(&self, ids: impl Iterator<Item = (usize, &'a [u32])>, row: &mut Vec<f32>, out: &mut [f32]) {
        let width = out.len();
        let mut parts = [(0.0, &[][..]); PARTS_MAX];
        let mut count = 0;
        for (category, ids) in ids {
            let Some(shares) = &self.shares[category] else {
                row.resize(self.dimensions, 0.0);
                mean_of(&self.tables[category], ids, row);
                self.multiply(row, self.dimensions, category * self.dimensions, out);
                continue;
            };
            for id in ids {
                // What the mean of several embeddings contributes is the mean of what they do.
                parts[count] = (1.0 / ids.len() as f32, &shares[*id as usize * width..][..width]);
                count += 1;
                if count == PARTS_MAX {
                    add_parts(self.simd, out, &parts);
                    count = 0;
                }
            }
        }
        add_parts(self.simd, out, &parts[..count]);
    }

    /// Computes what all candidates share.
    pub(crate) fn prepare(&self, candidates: &Candidates<'_>, scratch: &mut FirstScratch) {
        let FirstScratch { shared, row, .. } = scratch;
        shared.clear();
        shared.extend_from_slice(&self.bias);
        let of_all = candidates.ids.iter().enumerate().filter_map(|(category, ids)| match ids {
            Ids::Shared(ids) => Some((category, *ids)),
            Ids::Each(_) | Ids::Lists { .. } => None,
        });
        self.add_ids(of_all, row, shared);
        let first = self.tables.len() * self.dimensions;
        self.multiply(candidates.shared_numbers, candidates.shared_numbers.len(), first, shared);
    }

    /// The outputs, after the ReLU, of the candidates from `first` on.
    ///
    /// **Shapes**: `out` rows x outputs.
    pub(crate) fn apply(
        &self,
        schema: &RowSchema,
        candidates: &Candidates<'_>,
        first: usize,
        scratch: &mut FirstScratch,
        out: &mut [f32],
    ) {
        let (width, own) = (self.bias.len(), candidates.own_numbers(schema));
        let rows = out.len() / width;
        debug_assert!(rows <= BLOCK);
        let FirstScratch { shared, row, codes, scales } = scratch;
        let own_ids = || candidates.ids.iter().enumerate().filter(|(_, ids)| !matches!(ids, Ids::Shared(_)));
        let has_own_ids = own_ids().next().is_some();
        if has_own_ids {
            for (place, out) in out.chunks_exact_mut(width).enumerate() {
                out.copy_from_slice(shared);
                self.add_ids(own_ids().map(|(category, ids)| (category, ids.of(first + place))), row, out);
            }
        }
        let values = &candidates.numbers[first * own..(first + rows) * own];
        if let (Some(numbers), false, true) = (&self.number_codes, has_own_ids, own == schema.numbers.len() && own > 0)
        {
            numbers.apply(self.simd, (values, shared), (codes, scales), out);
            return;
        }
        let first_step = self.tables.len() * self.dimensions + candidates.shared_numbers.len();
        let around = Around { start: (!has_own_ids).then_some(shared.as_slice()), first_step, relu: true };
        let input = Columns { values, stride: own, first: 0, count: own };
        product_rows(self.simd, input, &self.weights, around, Output { values: out, stride: width, first: 0 });
    }
}
