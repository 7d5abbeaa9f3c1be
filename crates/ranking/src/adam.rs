use rayon::prelude::*;

use crate::dense::BLOCK_ROWS;
use crate::network::{Network, Parameter};
use crate::simd::Simd;
use crate::simd::elementwise::{AdamStep, adam};

const FIRST_DECAY: f32 = 0.9;
const SECOND_DECAY: f32 = 0.999;
const EPSILON: f32 = 1e-8;
/// Values that one task moves.
const BLOCK: usize = 64 * BLOCK_ROWS;

/// The optimiser. Of a table, it moves only the rows that a step touched: what a step costs does not
/// depend on the size of the tables.
///
/// **Source**: Kingma and Ba 2015; for tables the lazy form, in which the means of an untouched row rest.
#[derive(Debug)]
pub(crate) struct Adam {
    pub(crate) learning_rate: f32,
    /// Penalty on the vectors and weights of ids: half of it times their squares, added to the mean loss
    /// of a batch, of the rows that the batch touches.
    pub(crate) table_l2: f32,
    steps: i32,
}

impl Adam {
    pub(crate) fn new(learning_rate: f32, table_l2: f32) -> Self {
        Self { learning_rate, table_l2, steps: 0 }
    }

    /// Moves every parameter against its gradient, and clears the gradients.
    pub(crate) fn step(&mut self, network: &mut Network) {
        self.steps = self.steps.saturating_add(1);
        // The corrections of means that began at zero, in one factor.
        let correction = (1.0 - SECOND_DECAY.powi(self.steps)).sqrt() / (1.0 - FIRST_DECAY.powi(self.steps));
        let step = AdamStep {
            size: self.learning_rate * correction,
            first_decay: FIRST_DECAY,
            second_decay: SECOND_DECAY,
            epsilon: EPSILON,
            l2: 0.0,
        };
        network.visit(&mut |_, parameter| match &parameter.touched {
            _ if parameter.gradient.is_empty() => {}
            None => move_dense(parameter, step),
            Some(_) => move_table(parameter, AdamStep { l2: self.table_l2, ..step }),
        });
    }
}

fn move_dense(parameter: &mut Parameter, step: AdamStep) {
    let simd = Simd::best();
    let [first, second] = &mut parameter.moments;
    let values = parameter.values.par_chunks_mut(BLOCK).zip(parameter.gradient.par_chunks_mut(BLOCK));
    let moments = first.par_chunks_mut(BLOCK).zip(second.par_chunks_mut(BLOCK));
    values.zip(moments).for_each(|((values, gradient), (first, second))| {
        adam(simd, values, gradient, first, second, step);
    });
}

fn move_table(parameter: &mut Parameter, step: AdamStep) {
    let Some(mut touched) = parameter.touched.take() else { return };
    let (simd, columns) = (Simd::best(), parameter.shape.1);
    let [first, second] = &mut parameter.moments;
    for row in &touched.rows {
        let range = *row as usize * columns..(*row as usize + 1) * columns;
        let (values, gradient) = (&mut parameter.values[range.clone()], &mut parameter.gradient[range.clone()]);
        adam(simd, values, gradient, &mut first[range.clone()], &mut second[range], step);
    }
    touched.clear();
    parameter.touched = Some(touched);
}
