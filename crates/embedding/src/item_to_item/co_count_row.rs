use super::BoundedInteractions;

/// One row of the weighted co-counts `R^T diag(users) R`, kept from one row to the next.
///
/// **Shapes**: one sum per item, zero between two rows; `touched` lists where it is not.
/// **Cost**: 4 bytes per item, and as many for the list.
pub(super) struct CoCountRow {
    sums: Vec<f32>,
    touched: Vec<u32>,
}

impl CoCountRow {
    pub(super) fn new(items: usize) -> Self {
        Self { sums: vec![0.0; items], touched: Vec::new() }
    }

    /// The `(item, count)` pairs of `item`'s row, counts above 0, itself included, in the order in which
    /// they are met.
    ///
    /// **Shapes**: `user_weights` has one weight per user.
    /// **Cost**: the items of all users of the item.
    pub(super) fn of(
        &mut self,
        item: usize,
        interactions: &BoundedInteractions<'_>,
        user_weights: &[f32],
    ) -> impl Iterator<Item = (usize, f32)> {
        for (user, weight) in interactions.by_item.row(item) {
            let factor = weight * user_weights[user];
            for (other, weight) in interactions.by_user.row(user) {
                let sum = &mut self.sums[other];
                if *sum == 0.0 {
                    self.touched.push(other as u32);
                }
                *sum += factor * weight;
            }
        }
        let sums = &mut self.sums;
        // A product that rounds to zero may list an item twice; its second sum is zero and left out.
        self.touched.drain(..).filter_map(move |other| {
            let sum = std::mem::take(sums.get_mut(other as usize)?);
            (sum > 0.0).then_some((other as usize, sum))
        })
    }
}
