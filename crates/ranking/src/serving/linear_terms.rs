use super::Candidates;
use crate::RowSchema;
use crate::network::{FirstOrder, Parameter};

/// A weight per id, per number, and an intercept.
#[derive(Debug)]
pub(crate) struct LinearTerms {
    tables: Vec<Parameter>,
    numbers: Vec<f32>,
    intercept: Vec<f32>,
}

impl LinearTerms {
    pub(crate) fn of(part: &FirstOrder) -> Self {
        Self {
            tables: part.weights.tables.clone(),
            numbers: part.numbers.values.clone(),
            intercept: part.intercept.values.clone(),
        }
    }

    /// Adds to the scores of all candidates; what they share is added up once.
    ///
    /// **Shapes**: `out` candidates x heads.
    pub(crate) fn add(&self, schema: &RowSchema, candidates: &Candidates<'_>, out: &mut [f32]) {
        let (heads, own) = (self.intercept.len(), candidates.own_numbers(schema));
        let (shared, of_own) = self.numbers.split_at(candidates.shared_numbers.len() * heads);
        for head in 0..heads {
            let mut start = self.intercept[head];
            for (table, ids) in self.tables.iter().zip(candidates.ids) {
                if let super::Ids::Shared(ids) = ids {
                    start += mean(table, ids, head);
                }
            }
            start += dot(candidates.shared_numbers, &shared[head.min(shared.len())..], heads);
            for (candidate, out) in out.chunks_exact_mut(heads).enumerate() {
                let mut sum = start;
                for (table, ids) in self.tables.iter().zip(candidates.ids) {
                    if !matches!(ids, super::Ids::Shared(_)) {
                        sum += mean(table, ids.of(candidate), head);
                    }
                }
                let numbers = &candidates.numbers[candidate * own..][..own];
                out[head] += sum + dot(numbers, &of_own[head.min(of_own.len())..], heads);
            }
        }
    }
}

fn mean(table: &Parameter, ids: &[u32], head: usize) -> f32 {
    let sum: f32 = ids.iter().map(|id| table.row(*id as usize)[head]).sum();
    sum / ids.len().max(1) as f32
}

fn dot(numbers: &[f32], weights: &[f32], heads: usize) -> f32 {
    numbers.iter().zip(weights.iter().step_by(heads)).map(|(number, weight)| number * weight).sum()
}
