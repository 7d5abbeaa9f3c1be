use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use shortlist_evaluation::{bootstrap_difference, bootstrap_mean, ndcg_at_k, recall_at_k};
use shortlist_features::FeatureState;
use shortlist_recommender::{Models, Pipeline, Request, Retrieved, Scratch};
use shortlist_types::{ItemIdx, Timestamp, Unlimited, UserId, UserIdx};

use super::hidden::Hidden;
use super::{NewItems, NewUsers};
use crate::{Progress, TrainingError};

/// Users that are asked at the most, of each sort.
const ASKED_MAX: usize = 3_000;
/// Resamples behind every interval.
const BOOTSTRAP_SAMPLES: usize = 1_000;
/// What is measured of every list.
const VALUES: usize = 4;

/// A service that knows the hidden items as just put, and the hidden users by their attributes.
pub(crate) struct Asked<'a> {
    /// The truth: the fold of the whole log.
    pub(crate) all: &'a FeatureState,
    pub(crate) hidden: &'a Hidden,
    /// What the service knows.
    pub(crate) state: &'a FeatureState,
    pub(crate) models: &'a Models,
    pub(crate) pipeline: &'a Pipeline,
    pub(crate) now: Timestamp,
    pub(crate) k: usize,
    pub(crate) seed: u64,
}

/// A user and what he wanted, by the service's numbers.
struct Case {
    user: UserId,
    wanted: HashSet<ItemIdx>,
}

/// What is measured of an answer, given what was wanted.
type Measure<'a> = dyn Fn(&Retrieved<'_>, &HashSet<ItemIdx>) -> [Option<f64>; VALUES] + 'a;

impl Asked<'_> {
    /// Known users, asked for hidden items that they wanted; none if nobody did.
    pub(crate) fn new_items(&self, progress: &mut dyn Progress) -> Result<Option<NewItems>, TrainingError> {
        let is_new = |item: &ItemIdx| self.is_hidden(*item);
        let known = self.all.users().map(|(user, _)| user).filter(|user| !self.is_hidden_user(*user));
        let cases = self.cases(known, &is_new);
        if cases.is_empty() {
            return Ok(None);
        }
        let k = self.k;
        // Ties are in an order by chance, not in that of the catalogue.
        let mut items: Vec<ItemIdx> = self.hidden.items.values().filter_map(|item| self.served(*item)).collect();
        items.shuffle(&mut ChaCha8Rng::seed_from_u64(self.seed));
        let users_of = self.users_of_hidden();
        let mut by_popularity = items.clone();
        by_popularity.sort_by_key(|item| Reverse(users_of.get(item).copied()));
        let values = self.ask("asking for new items", &cases, progress, &|retrieved, wanted| {
            let mut order = items.clone();
            order.sort_by_cached_key(|item| Reverse(retrieved.retrieval_score(*item)));
            let candidates: Vec<ItemIdx> = retrieved.candidates.iter().map(|candidate| candidate.item).collect();
            [
                recall_at_k(&order, wanted, k),
                ndcg_at_k(&order, wanted, k),
                recall_at_k(&by_popularity, wanted, k),
                recall_at_k(&candidates, wanted, candidates.len()),
            ]
        })?;
        let [recall, ndcg, popularity_recall, candidate_recall] =
            values.map(|values| bootstrap_mean(&values, BOOTSTRAP_SAMPLES, self.seed));
        Ok(Some(NewItems {
            items: items.len(),
            users: cases.len(),
            recall: recall?,
            ndcg: ndcg?,
            random_recall: (k as f64 / items.len() as f64).min(1.0),
            popularity_recall: popularity_recall?,
            candidate_recall: candidate_recall?,
        }))
    }

    /// Hidden users, asked for all that they wanted but for hidden items; none if there are none.
    pub(crate) fn new_users(&self, progress: &mut dyn Progress) -> Result<Option<NewUsers>, TrainingError> {
        let cases = self.cases(self.hidden.users.values().copied(), &|item| !self.is_hidden(*item));
        if cases.is_empty() {
            return Ok(None);
        }
        let k = self.k;
        let values = self.ask("asking for new users", &cases, progress, &|retrieved, wanted| {
            let list: Vec<ItemIdx> = retrieved.candidates.iter().take(k).map(|candidate| candidate.item).collect();
            let popular = self.state.popular().filter(|item| retrieved.context.is_eligible(*item));
            let popular: Vec<ItemIdx> = popular.take(k).collect();
            [
                recall_at_k(&list, wanted, k),
                ndcg_at_k(&list, wanted, k),
                recall_at_k(&popular, wanted, k),
                ndcg_at_k(&popular, wanted, k),
            ]
        })?;
        let ndcg_over_popularity = bootstrap_difference(&values[1], &values[3], BOOTSTRAP_SAMPLES, self.seed)?;
        let [recall, ndcg, popularity_recall, popularity_ndcg] =
            values.map(|values| bootstrap_mean(&values, BOOTSTRAP_SAMPLES, self.seed));
        Ok(Some(NewUsers {
            users: cases.len(),
            recall: recall?,
            ndcg: ndcg?,
            popularity_recall: popularity_recall?,
            popularity_ndcg: popularity_ndcg?,
            ndcg_over_popularity,
        }))
    }

    /// Those of `users` who wanted an item that `counts`, at most [`ASKED_MAX`] drawn by the seed.
    fn cases(&self, users: impl Iterator<Item = UserIdx>, counts: &dyn Fn(&ItemIdx) -> bool) -> Vec<Case> {
        let case = |user: UserIdx| {
            let user = self.all.user_id(user)?;
            let interests = self.all.user(user.as_str())?.interests();
            let wanted = interests.into_iter().map(|entry| entry.item).filter(|item| counts(item));
            let wanted: HashSet<ItemIdx> = wanted.filter_map(|item| self.served(item)).collect();
            (!wanted.is_empty()).then(|| Case { user: user.clone(), wanted })
        };
        let mut cases: Vec<Case> = users.filter_map(case).collect();
        cases.shuffle(&mut ChaCha8Rng::seed_from_u64(self.seed));
        cases.truncate(ASKED_MAX);
        cases
    }

    /// What `measure` says of every case's answer.
    fn ask(
        &self,
        stage: &'static str,
        cases: &[Case],
        progress: &mut dyn Progress,
        measure: &Measure<'_>,
    ) -> Result<[Vec<f64>; VALUES], TrainingError> {
        progress.begin(stage, Some(cases.len() as u64));
        let mut values = [const { Vec::new() }; VALUES];
        let mut scratch = Scratch::default();
        for (place, case) in cases.iter().enumerate() {
            let request = Request::of(case.user.clone(), self.k);
            let (state, models) = (self.state, Some(self.models));
            let retrieved = self.pipeline.retrieve(state, models, &request, self.now, &Unlimited, &mut scratch)?;
            let measured = measure(&retrieved, &case.wanted);
            values.iter_mut().zip(measured).for_each(|(values, value)| values.push(value.unwrap_or(0.0)));
            scratch.reuse(retrieved);
            progress.at(place as u64 + 1);
        }
        progress.end(&format!("{} users", cases.len()));
        Ok(values)
    }

    /// How many users wanted each hidden item, by the service's numbers.
    fn users_of_hidden(&self) -> HashMap<ItemIdx, usize> {
        let mut users_of = HashMap::new();
        for (_, user) in self.all.users() {
            for item in user.interests().into_iter().filter(|entry| self.is_hidden(entry.item)) {
                if let Some(item) = self.served(item.item) {
                    *users_of.entry(item).or_default() += 1;
                }
            }
        }
        users_of
    }

    fn is_hidden(&self, item: ItemIdx) -> bool {
        self.all.catalog().get(item).is_some_and(|entry| self.hidden.items.contains_key(&entry.id))
    }

    fn is_hidden_user(&self, user: UserIdx) -> bool {
        self.all.user_id(user).is_some_and(|id| self.hidden.users.contains_key(id))
    }

    /// The service's number of an item of the whole log.
    fn served(&self, item: ItemIdx) -> Option<ItemIdx> {
        self.state.catalog().find(self.all.catalog().get(item)?.id.as_str())
    }
}
