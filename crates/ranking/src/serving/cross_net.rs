use super::dense_stack::FloatLayer;
use crate::dense::Columns;
use crate::network::Cross;
use crate::simd::Simd;
use crate::simd::elementwise::product_plus;

/// The cross network over the whole input of each candidate.
#[derive(Debug)]
pub(crate) struct CrossNet {
    simd: Simd,
    layers: Vec<FloatLayer>,
    output: FloatLayer,
}

#[derive(Debug, Default)]
pub(crate) struct CrossScratch {
    map: Vec<f32>,
    values: [Vec<f32>; 2],
    out: Vec<f32>,
}

impl CrossNet {
    pub(crate) fn of(part: &Cross) -> Self {
        let layers = part.layers.iter().map(FloatLayer::of).collect();
        Self { simd: Simd::best(), layers, output: FloatLayer::of(&part.output) }
    }

    /// Adds to `out`.
    ///
    /// **Shapes**: `input` rows x inputs; `out` rows x heads.
    pub(crate) fn add(&self, input: Columns<'_>, scratch: &mut CrossScratch, out: &mut [f32]) {
        let CrossScratch { map, values, out: scores } = scratch;
        map.resize(input.values.len(), 0.0);
        for (at, layer) in self.layers.iter().enumerate() {
            let [here, next] = values;
            let below = if at == 0 { input.values } else { here.as_slice() };
            layer.apply(self.simd, Columns { values: below, ..input }, false, map);
            next.resize(input.values.len(), 0.0);
            product_plus(self.simd, next, input.values, map, below);
            values.swap(0, 1);
        }
        let top = if self.layers.is_empty() { input.values } else { &values[0] };
        scores.resize(out.len(), 0.0);
        self.output.apply(self.simd, Columns { values: top, ..input }, false, scores);
        out.iter_mut().zip(scores).for_each(|(to, score)| *to += *score);
    }
}
