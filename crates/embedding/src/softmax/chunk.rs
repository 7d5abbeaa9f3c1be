use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use shortlist_types::dot;

use crate::softmax::batch::Batch;
use crate::softmax::deal::Hand;
use crate::softmax::pooling::{add_scaled, back_through_rescale, rescale};
use crate::softmax::row_gradients::{GradientEntry, RowGradients};
use crate::softmax::sampled_softmax::SampledSoftmax;

/// The part of a batch that one thread works on: its share of the loss and of the gradient.
///
/// For a user with items S and a target i of his, the user tower gives
/// `x = sum_(j in S, j != i) w_j z_j`, brought to the length 1 / temperature, and the loss of the pair is
/// `-w_i log(exp(x.z_i) / (exp(x.z_i) + sum_(n not in S) exp(x.z_n + c_n)))` over the drawn negatives n
/// with their corrections c. The other items of the user are left out of the sum, as a served list leaves
/// them out.
///
/// **Source**: Bengio, Senecal 2008, "Adaptive Importance Sampling to Accelerate Training of a Neural
/// Probabilistic Language Model"; Yi et al. 2019, "Sampling-Bias-Corrected Neural Modeling for Large
/// Corpus Item Recommendations". Differs in that the target, which is never left to chance, bears no
/// correction.
#[derive(Default)]
pub(crate) struct Chunk {
    loss: f64,
    pairs: Vec<Pair>,
    /// The vectors of the users, one per pair.
    users: Vec<f32>,
    /// The vectors that entries point at: the gradients by the pairs' users, the users once more, the
    /// gradients by the hands' sums and by the negatives.
    gradients: Vec<f32>,
    entries: Vec<GradientEntry>,
}

/// What is kept of a pair between the two directions.
struct Pair {
    item: usize,
    weight: f32,
    /// What the pooled vector was multiplied by.
    factor: f32,
    /// The gradient by the target's logit.
    slope: f32,
}

impl Chunk {
    /// This chunk's part of the batch's mean loss.
    pub(crate) fn loss(&self) -> f64 {
        self.loss
    }

    /// This chunk's part of the gradient of the loss by the item vectors.
    pub(crate) fn gradients(&self) -> RowGradients<'_> {
        RowGradients { entries: &self.entries, vectors: &self.gradients }
    }

    /// Computes loss and gradient for the pairs of some hands.
    ///
    /// **Shapes**: `logits` is a buffer of pairs x negatives.
    /// **Cost**: per pair 6 m k operations for m negatives, in three matrix products.
    pub(crate) fn learn(&mut self, batch: &Batch<'_>, hands: &[Hand], logits: &mut Vec<f32>) {
        self.pool(batch, hands);
        self.score(batch, logits);
        mask_own_items(batch, hands, logits);
        self.normalise(batch, logits);
        self.go_back(batch, hands, logits);
        self.list_entries(batch, hands);
    }

    /// Fills `pairs` and `users`.
    ///
    /// **Cost**: per hand one pass over the user's row; per pair one over the other targets of the hand.
    fn pool(&mut self, batch: &Batch<'_>, hands: &[Hand]) {
        let dimensions = batch.config.dimensions;
        self.pairs.clear();
        self.users.clear();
        let (mut row, mut targets) = (Vec::new(), Vec::new());
        let mut common = vec![0.0; dimensions];
        for hand in hands {
            row.clear();
            row.extend(batch.rows.row(hand.user));
            targets.clear();
            for &place in batch.deal.targets(hand) {
                targets.push(row[place as usize]);
                row[place as usize].1 = 0.0;
            }
            common.fill(0.0);
            for &(item, weight) in row.iter().filter(|entry| entry.1 > 0.0) {
                add_scaled(&mut common, weight, batch.item(item));
            }
            for (t, &(item, weight)) in targets.iter().enumerate() {
                let start = self.users.len();
                self.users.extend_from_slice(&common);
                let user = &mut self.users[start..];
                // The target is left out, not subtracted: not even rounding may give it away.
                for (_, &(other, weight)) in targets.iter().enumerate().filter(|other| other.0 != t) {
                    add_scaled(user, weight, batch.item(other));
                }
                let factor = rescale(user, batch.user_length());
                self.pairs.push(Pair { item, weight, factor, slope: 0.0 });
            }
        }
    }

    /// Fills the logits of the negatives, one row per pair.
    fn score(&self, batch: &Batch<'_>, logits: &mut Vec<f32>) {
        let (pairs, negatives) = (self.pairs.len(), batch.negatives.items.len());
        // Every logit is written, so what an earlier chunk left need not be cleared.
        logits.resize(pairs * negatives, 0.0);
        let to = MatMut::from_row_major_slice_mut(logits, pairs, negatives);
        let users = MatRef::from_row_major_slice(&self.users, pairs, batch.config.dimensions);
        matmul(to, Accum::Replace, users, batch.negative_matrix().transpose(), 1.0, Par::Seq);
    }

    /// Turns the logits of the negatives into the gradient of the loss by them and notes the loss.
    fn normalise(&mut self, batch: &Batch<'_>, logits: &mut [f32]) {
        self.loss = 0.0;
        let (k, negatives) = (batch.config.dimensions, batch.negatives.items.len());
        let rows = self.users.chunks_exact(k).zip(logits.chunks_exact_mut(negatives));
        for (pair, (user, row)) in self.pairs.iter_mut().zip(rows) {
            let target = dot(user, batch.item(pair.item));
            let softmax = SampledSoftmax::of(target, row, &batch.negatives.corrections);
            let share = f64::from(pair.weight) / batch.weight;
            self.loss += share * softmax.loss;
            let factor = share as f32 / softmax.sum;
            for power in row.iter_mut() {
                *power *= factor;
            }
            pair.slope = (softmax.target - softmax.sum) * factor;
        }
    }

    /// Fills `gradients`, given the gradient of the loss by the logits.
    fn go_back(&mut self, batch: &Batch<'_>, hands: &[Hand], slopes: &[f32]) {
        let (k, pairs, negatives) = (batch.config.dimensions, self.pairs.len(), batch.negatives.items.len());
        self.gradients.clear();
        self.gradients.resize((2 * pairs + hands.len() + negatives) * k, 0.0);
        let (by_users, rest) = self.gradients.split_at_mut(pairs * k);
        let (of_users, rest) = rest.split_at_mut(pairs * k);
        let (by_sums, by_negatives) = rest.split_at_mut(hands.len() * k);
        of_users.copy_from_slice(&self.users);

        let slopes = MatRef::from_row_major_slice(slopes, pairs, negatives);
        let users = MatRef::from_row_major_slice(&self.users, pairs, k);
        let to = MatMut::from_row_major_slice_mut(by_users, pairs, k);
        matmul(to, Accum::Replace, slopes, batch.negative_matrix(), 1.0, Par::Seq);
        let to = MatMut::from_row_major_slice_mut(by_negatives, negatives, k);
        matmul(to, Accum::Replace, slopes.transpose(), users, 1.0, Par::Seq);

        let vectors = by_users.chunks_exact_mut(k).zip(self.users.chunks_exact(k));
        for (pair, (gradient, user)) in self.pairs.iter().zip(vectors) {
            add_scaled(gradient, pair.slope, batch.item(pair.item));
            back_through_rescale(gradient, user, pair.factor);
        }
        let mut gradients = by_users.chunks_exact(k);
        for (hand, sum) in hands.iter().zip(by_sums.chunks_exact_mut(k)) {
            for gradient in gradients.by_ref().take(batch.deal.targets(hand).len()) {
                add_scaled(sum, 1.0, gradient);
            }
        }
    }

    /// Lists which vector goes to which row of the items.
    fn list_entries(&mut self, batch: &Batch<'_>, hands: &[Hand]) {
        let pairs = self.pairs.len();
        let (first_sum, first_negative) = (2 * pairs, 2 * pairs + hands.len());
        let entry =
            |row: usize, vector: usize, weight| GradientEntry { row: row as u32, vector: vector as u32, weight };
        self.entries.clear();
        for (p, pair) in self.pairs.iter().enumerate() {
            self.entries.push(entry(pair.item, pairs + p, pair.slope));
            // The sum of a hand goes to all items of the user: what a target did not give is taken back.
            self.entries.push(entry(pair.item, p, -pair.weight));
        }
        for (h, hand) in hands.iter().enumerate() {
            self.entries.extend(batch.rows.row(hand.user).map(|(item, weight)| entry(item, first_sum + h, weight)));
        }
        for (n, &item) in batch.negatives.items.iter().enumerate() {
            self.entries.push(entry(item as usize, first_negative + n, 1.0));
        }
        self.entries.sort_unstable_by_key(|entry| (entry.row, entry.vector));
    }
}

/// Takes a user's own items out of the negatives of his pairs.
fn mask_own_items(batch: &Batch<'_>, hands: &[Hand], logits: &mut [f32]) {
    let negatives = batch.negatives.items.len();
    let mut rest = logits;
    for hand in hands {
        let (of_hand, after) = rest.split_at_mut(batch.deal.targets(hand).len() * negatives);
        for place in batch.rows.row(hand.user).filter_map(|(item, _)| batch.negatives.place_of(item)) {
            for row in of_hand.chunks_exact_mut(negatives) {
                row[place] = f32::NEG_INFINITY;
            }
        }
        rest = after;
    }
}

#[cfg(test)]
#[path = "chunk_tests.rs"]
mod tests;
