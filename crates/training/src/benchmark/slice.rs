use std::collections::{BTreeMap, HashSet};
use std::fmt;

use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use roaring::RoaringBitmap;
use serde::Serialize;
use shortlist_evaluation::{EvaluationError, holdout};
use shortlist_import::Benchmark;
use shortlist_types::ItemIdx;

use crate::retrieval::Case;

/// Share of each user's items that a slice holds out.
const SHARE: f64 = 0.2;
/// Most users that models are compared on.
const CASES_MAX: usize = 3_000;

/// What models are compared on before the test is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Slice {
    /// The validation file.
    File,
    /// A block of neighbouring items of each user, in order of id.
    Contiguous,
    /// A fifth of each user's items at random.
    Random,
    /// One item of each user.
    LeaveOneOut,
}

impl Slice {
    /// The slices that are cut from training, as the command line names them.
    pub const CUT: [Self; 3] = [Self::Contiguous, Self::Random, Self::LeaveOneOut];

    /// The name on the command line and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Contiguous => "contiguous",
            Self::Random => "random",
            Self::LeaveOneOut => "leave-one-out",
        }
    }
}

impl fmt::Display for Slice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A benchmark's training pairs in two parts.
pub(crate) struct Sliced {
    /// What models are fitted on while they are compared.
    pub(crate) train: Vec<(u32, u32)>,
    pub(crate) cases: Vec<Case>,
}

/// Cuts, and makes a case of every user with something held out, at most 3,000 drawn by `seed`.
///
/// Where the test ranks an item among sampled ones, so does validation: among as many that the user
/// does not have.
pub(crate) fn slice(benchmark: &Benchmark, slice: Slice, seed: u64) -> Result<Sliced, EvaluationError> {
    let split = match (slice, &benchmark.valid) {
        (Slice::File, Some(valid)) => holdout::Split { train: benchmark.train.clone(), held_out: valid.clone() },
        (Slice::LeaveOneOut, _) => holdout::leave_one_out(&benchmark.train, seed),
        (Slice::Random, _) => holdout::random(&benchmark.train, SHARE, seed)?,
        (Slice::Contiguous | Slice::File, _) => holdout::contiguous(&benchmark.train, SHARE, seed)?,
    };
    let holdout::Split { train, held_out } = split;
    let sampled = benchmark.negatives.as_ref().and_then(|negatives| negatives.iter().map(Vec::len).max());
    let (known, wanted) = (by_user(&train), by_user(&held_out));
    let mut users: Vec<u32> = wanted.keys().copied().filter(|user| known.contains_key(user)).collect();
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    users.shuffle(&mut random);
    users.truncate(CASES_MAX);
    users.sort_unstable();
    let items = u32::try_from(benchmark.items.len()).unwrap_or(u32::MAX);
    let case = |user: u32| {
        let (known, wanted) = (&known[&user], &wanted[&user]);
        let mut allowed = RoaringBitmap::new();
        match sampled {
            Some(count) => {
                let unknown = |item: &u32| !known.contains(item) && !wanted.contains(item);
                let most = (items as usize).saturating_sub(known.len() + wanted.len()).min(count) as u64;
                while allowed.len() < most {
                    let item = random.random_range(0..items);
                    if unknown(&item) {
                        allowed.insert(item);
                    }
                }
                allowed.extend(wanted);
            }
            None => {
                allowed.insert_range(0..items);
                known.iter().for_each(|item| {
                    allowed.remove(*item);
                });
            }
        }
        let wanted: HashSet<ItemIdx> =
            wanted.iter().filter(|item| !known.contains(item)).map(|i| ItemIdx(*i)).collect();
        Case { events: known.iter().map(|item| (ItemIdx(*item), 1.0)).collect(), allowed, wanted }
    };
    let cases: Vec<Case> = users.into_iter().map(case).filter(|case| !case.wanted.is_empty()).collect();
    Ok(Sliced { train, cases })
}

/// Every user's items, ascending.
pub(crate) fn by_user(pairs: &[(u32, u32)]) -> BTreeMap<u32, Vec<u32>> {
    let mut by_user: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for (user, item) in pairs {
        by_user.entry(*user).or_default().push(*item);
    }
    by_user
}
