use std::collections::HashMap;

use shortlist_types::{InvalidInput, ItemId, UserId};

use super::numbering::Numbering;
use crate::limits::BENCHMARK_PAIRS_MAX;
use crate::{Benchmark, BenchmarkReport};

/// A user and an item: by first appearance in a draft, by number in a benchmark.
pub(super) type Pair = (u32, u32);

/// A benchmark while it is read: what the numbers of its users and items will be is not known before its last line.
pub(super) struct Draft {
    pub(super) users: Numbering<UserId>,
    pub(super) items: Numbering<ItemId>,
    pairs: usize,
}

/// The pairs of a benchmark as they were read.
#[derive(Default)]
pub(super) struct Parts {
    pub(super) train: Vec<Pair>,
    pub(super) valid: Option<Vec<Pair>>,
    pub(super) test: Vec<Pair>,
    /// By user: each has one test pair where there are any.
    pub(super) negatives: Option<HashMap<u32, Vec<u32>>>,
}

impl Draft {
    pub(super) fn new() -> Self {
        Self { users: Numbering::of_users(), items: Numbering::of_items(), pairs: 0 }
    }

    /// An item that a user had, or a negative; counted, so that no file can fill the memory.
    ///
    /// # Errors
    /// Not a valid id, or one pair or item too many.
    pub(super) fn item(&mut self, text: &str) -> Result<u32, InvalidInput> {
        self.pairs += 1;
        if self.pairs > BENCHMARK_PAIRS_MAX {
            let reason = format!("must be at most {BENCHMARK_PAIRS_MAX} in all files together; take a sample");
            return Err(InvalidInput::new("pairs", reason));
        }
        self.items.place(text)
    }

    /// The benchmark: ids numbered, pairs sorted and counted once, and what looks odd noted.
    pub(super) fn finish(self, parts: Parts) -> Benchmark {
        let (users, items) = (self.users.finish(), self.items.finish());
        let tidy = |mut pairs: Vec<Pair>| {
            for (user, item) in &mut pairs {
                (*user, *item) = (users.number_of[*user as usize], items.number_of[*item as usize]);
            }
            pairs.sort_unstable();
            let read = pairs.len();
            pairs.dedup();
            pairs.shrink_to_fit();
            let repeats = read - pairs.len();
            (pairs, repeats)
        };
        let (train, train_repeats) = tidy(parts.train);
        let (valid, valid_repeats) = parts.valid.map(tidy).unzip();
        let (test, test_repeats) = tidy(parts.test);

        let negatives = parts.negatives.map(|by_user| {
            let number_items =
                |places: Vec<u32>| places.into_iter().map(|place| items.number_of[place as usize]).collect();
            let numbered =
                by_user.into_iter().map(|(user, places)| (users.number_of[user as usize], number_items(places)));
            let mut of_user: HashMap<u32, Vec<u32>> = numbered.collect();
            test.iter().map(|(user, _)| of_user.remove(user).unwrap_or_default()).collect()
        });
        let valid_repeats = valid_repeats.unwrap_or(0);
        let report = BenchmarkReport { train_repeats, valid_repeats, test_repeats, ..BenchmarkReport::default() };
        let mut benchmark = Benchmark { users: users.ids, items: items.ids, train, valid, test, negatives, report };
        benchmark.report = BenchmarkReport::noticed(&benchmark);
        benchmark
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_pair_too_many_is_refused() {
        let mut draft = Draft::new();
        draft.pairs = BENCHMARK_PAIRS_MAX - 1;
        assert_eq!(draft.item("a"), Ok(0));
        let error = draft.item("a").unwrap_err();
        assert_eq!(error.to_string(), "pairs: must be at most 100000000 in all files together; take a sample");
    }
}
