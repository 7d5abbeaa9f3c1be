use serde::Serialize;
use shortlist_evaluation::Interval;

/// How well what is new is served. Means over users with 95 % bootstrap intervals.
#[derive(Debug, Clone, Serialize)]
pub struct ColdStartReport {
    /// The models of the first stage, joined by a plus.
    pub model: String,
    /// Items that nobody has touched; none if no item with events has attributes.
    pub new_items: Option<NewItems>,
    /// Users who have done nothing; none if no user with events has attributes.
    pub new_users: Option<NewUsers>,
}

/// Hidden items, asked for by users who are known.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct NewItems {
    /// How many were hidden.
    pub items: usize,
    /// Users who wanted one of them, as far as they were asked.
    pub users: usize,
    /// Recall at k among the hidden items, in order of the first stage's score.
    pub recall: Interval,
    /// NDCG at k in that order.
    pub ndcg: Interval,
    /// What an order by chance would recall.
    pub random_recall: f64,
    /// What the order by how many wanted them would recall, which nobody knows when they are new.
    pub popularity_recall: Interval,
    /// Share of the wanted ones among the candidates of a request, beside all other items.
    pub candidate_recall: Interval,
}

/// Hidden users, of whom only their attributes are known.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct NewUsers {
    /// How many were asked.
    pub users: usize,
    /// Recall at k as served.
    pub recall: Interval,
    /// NDCG at k as served.
    pub ndcg: Interval,
    /// Recall at k of the popular items.
    pub popularity_recall: Interval,
    /// NDCG at k of the popular items.
    pub popularity_ndcg: Interval,
    /// NDCG as served minus that of popular items, user by user.
    pub ndcg_over_popularity: Interval,
}
