use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use shortlist_types::{ItemIdx, RequestId, Score, UserId};

/// Answers whose order is kept, for their next pages; the oldest make room.
const PAGES_MAX: usize = 10_000;
/// Items of all their orders together: 8 MB each of items and scores.
const ITEMS_MAX: usize = 2_000_000;

/// The orders of the latest answers: their next pages continue them, without repeats.
#[derive(Debug, Default)]
pub(crate) struct Pages {
    orders: HashMap<RequestId, Arc<Order>>,
    by_age: VecDeque<RequestId>,
    items: usize,
}

/// All candidates of an answer, best first.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) user_id: Option<UserId>,
    pub(crate) surface: String,
    pub(crate) items: Vec<(ItemIdx, Score)>,
}

impl Pages {
    pub(crate) fn find(&self, request_id: &RequestId) -> Option<Arc<Order>> {
        self.orders.get(request_id).cloned()
    }

    /// Keeps an order; what is asked for again under its name replaces it.
    pub(crate) fn keep(&mut self, request_id: RequestId, order: Order) {
        self.items += order.items.len();
        match self.orders.insert(request_id.clone(), Arc::new(order)) {
            Some(before) => self.items -= before.items.len(),
            None => self.by_age.push_back(request_id),
        }
        while self.by_age.len() > PAGES_MAX || self.items > ITEMS_MAX {
            let Some(oldest) = self.by_age.pop_front() else { break };
            self.items -= self.orders.remove(&oldest).map_or(0, |order| order.items.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_orders_are_kept_and_both_bounds_hold() {
        let mut pages = Pages::default();
        let name = |n: usize| RequestId::parse(&format!("r{n}")).unwrap();
        let order = |items: u32| Order {
            user_id: None,
            surface: "home".to_owned(),
            items: (0..items).map(|item| (ItemIdx(item), Score::ZERO)).collect(),
        };
        for n in 0..PAGES_MAX + 5 {
            pages.keep(name(n), order(2));
        }
        assert!(pages.find(&name(4)).is_none() && pages.find(&name(5)).is_some());
        pages.keep(name(5), order(1));
        assert_eq!((pages.orders.len(), pages.items), (PAGES_MAX, 2 * PAGES_MAX - 1));
        for n in 0..10 {
            pages.keep(name(n), order(300_000));
        }
        assert!(pages.items <= ITEMS_MAX && pages.find(&name(9)).is_some() && pages.find(&name(7_000)).is_none());
        assert_eq!(pages.orders.len(), pages.by_age.len());
    }
}
