use std::collections::{HashMap, HashSet};

use serde::Serialize;
use shortlist_evaluation::{
    EvaluationError, Interval, average_precision_at_k, bootstrap_mean, coverage, hit_at_k, ndcg_at_k, novelty,
    precision_at_k, recall_at_k, reciprocal_rank,
};
use shortlist_types::ItemIdx;

/// Resamples behind every interval.
const BOOTSTRAP_SAMPLES: usize = 1_000;

/// How good lists of k are. Means over the users of the test, with 95 % intervals.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RetrievalMetrics {
    /// Share of the wanted items that are listed.
    pub recall: Interval,
    /// Discounted gain.
    pub ndcg: Interval,
    /// Share of users with a wanted item listed.
    pub hit_rate: Interval,
    /// Share of the places that hold a wanted item.
    pub precision: Interval,
    /// One over the place of the first wanted item.
    pub mrr: Interval,
    /// Mean average precision.
    pub map: Interval,
    /// Share of the items that any list shows.
    pub coverage: f64,
    /// Mean self-information of what is listed, in bits.
    pub novelty: f64,
}

/// What the first stage costs to serve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ServingCost {
    /// Mean time of the first stage of a request on one thread.
    pub milliseconds_per_request: f64,
    /// Memory per item of the models: vectors, index and item-to-item rows.
    pub bytes_per_item: f64,
    /// Share of the blend's own first k, by an exact scan of all items, that the sources find; over
    /// some of the users.
    pub found_of_exact: f64,
}

/// Users and items of a benchmark.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    pub(crate) users: usize,
    pub(crate) items: usize,
}

/// A metric of one list, given what was wanted.
type Metric<'a> = dyn Fn(&[ItemIdx], &HashSet<ItemIdx>) -> Option<f64> + 'a;

/// The lists of all users, on the way to their metrics.
pub(crate) struct Lists {
    pub(crate) k: usize,
    pub(crate) lists: Vec<(Vec<ItemIdx>, HashSet<ItemIdx>)>,
}

impl Lists {
    /// # Errors
    /// No user at all.
    pub(crate) fn metrics(
        &self,
        users_of_item: &HashMap<ItemIdx, usize>,
        size: Size,
        seed: u64,
    ) -> Result<RetrievalMetrics, EvaluationError> {
        let k = self.k;
        let mean = |metric: &Metric<'_>| {
            let values: Vec<f64> = self.lists.iter().filter_map(|(list, wanted)| metric(list, wanted)).collect();
            bootstrap_mean(&values, BOOTSTRAP_SAMPLES, seed)
        };
        let lists = || self.lists.iter().map(|(list, _)| list.as_slice());
        let bits: Vec<f64> = lists()
            .filter_map(|list| novelty(list, |item| users_of_item.get(item).copied().unwrap_or(0), size.users).ok()?)
            .collect();
        Ok(RetrievalMetrics {
            recall: mean(&|list, wanted| recall_at_k(list, wanted, k))?,
            ndcg: mean(&|list, wanted| ndcg_at_k(list, wanted, k))?,
            hit_rate: mean(&|list, wanted| hit_at_k(list, wanted, k))?,
            precision: mean(&|list, wanted| precision_at_k(list, wanted, k))?,
            mrr: mean(&|list, wanted| reciprocal_rank(list, wanted))?,
            map: mean(&|list, wanted| average_precision_at_k(list, wanted, k))?,
            coverage: coverage(lists(), size.items)?,
            novelty: bits.iter().sum::<f64>() / bits.len().max(1) as f64,
        })
    }
}
