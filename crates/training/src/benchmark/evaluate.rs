use std::collections::{HashMap, HashSet};

use serde::Serialize;
use shortlist_embedding::{Blend, BlendConfig, Interactions};
use shortlist_import::{Benchmark, BenchmarkReport};
use shortlist_recommender::{Models, Scratch};
use shortlist_retrieval::IndexConfig;
use shortlist_types::{ItemIdx, UserIdx};

use super::served_world::ServedWorld;
use super::slice::{by_user, slice};
use super::summary::{Lists, Size};
use super::{ModelFit, RetrievalMetrics, ServingCost, Slice};
use crate::retrieval::{Choice, RetrievalConfig, RetrievalModel, Studies, Validation, choose};
use crate::{Progress, TrainingError};

/// Users whose lists are compared with an exact scan, evenly spread.
const COMPARED_USERS: usize = 1_000;

/// What is asked of a benchmark.
#[derive(Debug, Clone)]
pub struct RetrievalQuestion<'a> {
    /// The data and its split.
    pub benchmark: &'a Benchmark,
    /// Which models, and where their search begins.
    pub config: &'a RetrievalConfig,
    /// What hyper-parameters and weights are chosen on.
    pub slice: Slice,
    /// Length of the lists.
    pub k: usize,
    /// Of everything random.
    pub seed: u64,
    /// Says which data this is, so that kept trials of other data are not taken over.
    pub data: &'a str,
}

/// How good the first stage is on a benchmark.
#[derive(Debug, Clone, Serialize)]
pub struct RetrievalEvaluation {
    /// The models, joined by a plus.
    pub model: String,
    /// As served: what the sources of a request return, in the order of the first stage.
    pub metrics: RetrievalMetrics,
    /// The most popular items instead.
    pub popularity: RetrievalMetrics,
    /// What serving costs.
    pub serving: ServingCost,
    /// What was chosen, on what.
    pub slice: Slice,
    /// Users of the validation slice.
    pub compared_on: usize,
    /// The trials and weights.
    pub choice: Choice,
    /// What is odd in the files.
    pub report: BenchmarkReport,
    /// Seconds of the final fit and its index.
    pub fit_seconds: f64,
    /// The final fit, model by model.
    pub fits: Vec<ModelFit>,
}

/// Chooses the models on a slice of training, fits them on all of it, and asks for every user of the
/// test through the sources that serve. Masks the training pairs and nothing else.
///
/// `clock` gives seconds since any moment.
///
/// # Errors
/// Too little to learn from or to judge by.
pub fn evaluate_retrieval(
    question: &RetrievalQuestion<'_>,
    studies: &mut dyn Studies,
    clock: &dyn Fn() -> f64,
    progress: &mut dyn Progress,
) -> Result<RetrievalEvaluation, TrainingError> {
    let RetrievalQuestion { benchmark, config, slice: cut, k, seed, data } = *question;
    let users_of_item = users_of_items(benchmark);
    let size = Size { users: benchmark.users.len(), items: benchmark.items.len() };
    let popularity = popularity(benchmark, k, &users_of_item).metrics(&users_of_item, size, seed)?;
    if config.model == RetrievalModel::Popularity {
        return Ok(RetrievalEvaluation::of_popularity(popularity, cut, benchmark.report));
    }
    let sliced = slice(benchmark, cut, seed)?;
    let compared_on = sliced.cases.len();
    let early = interactions(&sliced.train)?;
    let is_like_the_test = cut != Slice::Contiguous && cut != Slice::Random;
    let validation = Validation { interactions: &early, cases: &sliced.cases, k, is_like_the_test, data };
    let choice = choose(validation, config, seed, studies, progress)?;
    drop((early, sliced));

    let begin = clock();
    let all = interactions(&benchmark.train)?;
    progress.begin("fitting the first stage", Some(Blend::rounds(&choice.blend) as u64));
    let mut times = vec![begin];
    let blend = Blend::fit(&all, &choice.blend, seed, &mut |rounds| {
        times.resize(rounds + 1, clock());
        progress.at(rounds as u64);
    })?;
    progress.end(&choice.blend.name());
    progress.begin("building the neighbour index", Some(all.items().len() as u64));
    let models = Models::of_blend(blend, &IndexConfig::default(), &mut |done| progress.at(done as u64))?;
    let fit_seconds = clock() - begin;
    progress.end(&format!("{} items", all.items().len()));

    let world = ServedWorld::new(benchmark, progress)?;
    let mut asked = Asked {
        benchmark,
        models: &models,
        world: &world,
        k,
        users_of_item: &users_of_item,
        scratch: Scratch::default(),
    };
    let (lists, milliseconds_per_request) = asked.lists(clock, progress)?;
    let found_of_exact = asked.found_of_exact(&lists)?;
    let bytes_per_item = models.bytes() as f64 / all.items().len() as f64;
    Ok(RetrievalEvaluation {
        model: choice.blend.name(),
        fits: ModelFit::of_blend(&choice.blend, &times),
        metrics: lists.metrics(&users_of_item, size, seed)?,
        popularity,
        serving: ServingCost { milliseconds_per_request, bytes_per_item, found_of_exact },
        slice: cut,
        compared_on,
        choice,
        report: benchmark.report,
        fit_seconds,
    })
}

impl RetrievalEvaluation {
    fn of_popularity(popularity: RetrievalMetrics, slice: Slice, report: BenchmarkReport) -> Self {
        Self {
            model: RetrievalModel::Popularity.name().to_owned(),
            metrics: popularity.clone(),
            popularity,
            serving: ServingCost { milliseconds_per_request: 0.0, bytes_per_item: 0.0, found_of_exact: 1.0 },
            slice,
            compared_on: 0,
            choice: Choice { blend: BlendConfig::default(), ndcg: 0.0, trials: Vec::new() },
            report,
            fit_seconds: 0.0,
            fits: Vec::new(),
        }
    }
}

/// The users of the test, asked one by one.
struct Asked<'a> {
    benchmark: &'a Benchmark,
    models: &'a Models,
    world: &'a ServedWorld<'a>,
    k: usize,
    users_of_item: &'a HashMap<ItemIdx, usize>,
    scratch: Scratch,
}

impl Asked<'_> {
    /// Everyone's first k, and the mean time of a request in milliseconds.
    fn lists(&mut self, clock: &dyn Fn() -> f64, progress: &mut dyn Progress) -> Result<(Lists, f64), TrainingError> {
        let Self { benchmark, models, world, k, .. } = *self;
        let cases = cases(benchmark);
        progress.begin("asking as served", Some(cases.len() as u64));
        let mut lists = Vec::with_capacity(cases.len());
        let mut seconds = 0.0;
        for (place, (user, wanted, among)) in cases.into_iter().enumerate() {
            let begin = clock();
            let retrieved = world.retrieve(models, user, k, &mut self.scratch)?;
            seconds += clock() - begin;
            let list = match among {
                None => retrieved.candidates.iter().take(k).map(|candidate| candidate.item).collect(),
                Some(mut among) => {
                    // Best first, of equals the more popular; an item of no model comes last.
                    among.sort_by_cached_key(|item| {
                        let users = self.users_of_item.get(item).copied().unwrap_or(0);
                        std::cmp::Reverse((retrieved.retrieval_score(*item), users))
                    });
                    among.truncate(k);
                    among
                }
            };
            self.scratch.reuse(retrieved);
            lists.push((list, wanted));
            progress.at(place as u64 + 1);
        }
        progress.end(&format!("{} users", lists.len()));
        let milliseconds = seconds * 1e3 / lists.len().max(1) as f64;
        Ok((Lists { k, lists }, milliseconds))
    }

    /// The mean share of the best k items by an exact scan that the sources return, in the first k of
    /// theirs.
    fn found_of_exact(&mut self, lists: &Lists) -> Result<f64, TrainingError> {
        let Self { benchmark, models, world, k, .. } = *self;
        let cases = cases(benchmark);
        let step = cases.len().div_ceil(COMPARED_USERS).max(1);
        let (mut shares, mut users) = (0.0, 0);
        for (place, (user, ..)) in cases.into_iter().enumerate().step_by(step) {
            let retrieved = world.retrieve(models, user, k, &mut self.scratch)?;
            let eligible = |item: &ItemIdx| retrieved.context.is_eligible(*item);
            let all = (0..benchmark.items.len()).filter_map(|item| u32::try_from(item).ok()).map(ItemIdx);
            let mut scored: Vec<_> = all
                .filter(eligible)
                .filter_map(|item| Some((std::cmp::Reverse(retrieved.retrieval_score(item)?), item)))
                .collect();
            scored.sort_unstable();
            let exact: HashSet<ItemIdx> = scored.into_iter().take(k).map(|(_, item)| item).collect();
            let served: HashSet<ItemIdx> = match benchmark.negatives {
                None => lists.lists[place].0.iter().copied().collect(),
                Some(_) => retrieved.candidates.iter().take(k).map(|candidate| candidate.item).collect(),
            };
            if exact.is_empty() {
                continue;
            }
            shares += exact.intersection(&served).count() as f64 / exact.len().max(1) as f64;
            users += 1;
            self.scratch.reuse(retrieved);
        }
        Ok(shares / f64::from(users.max(1)))
    }
}

/// One test case: the user, what he wants, and what it is ranked among, if not all items.
type TestCase = (u32, HashSet<ItemIdx>, Option<Vec<ItemIdx>>);

fn cases(benchmark: &Benchmark) -> Vec<TestCase> {
    let Some(negatives) = &benchmark.negatives else {
        let by_user = by_user(&benchmark.test).into_iter();
        return by_user.map(|(user, items)| (user, items.into_iter().map(ItemIdx).collect(), None)).collect();
    };
    let case = |((user, item), negatives): (&(u32, u32), &Vec<u32>)| {
        let mut among: Vec<ItemIdx> = negatives.iter().chain([item]).copied().map(ItemIdx).collect();
        among.sort_unstable();
        among.dedup();
        (*user, HashSet::from([ItemIdx(*item)]), Some(among))
    };
    benchmark.test.iter().zip(negatives).map(case).collect()
}

fn interactions(pairs: &[(u32, u32)]) -> Result<Interactions, TrainingError> {
    let triples = pairs.iter().map(|(user, item)| (UserIdx(*user), ItemIdx(*item), 1.0));
    Ok(Interactions::parse(triples.collect())?)
}

fn users_of_items(benchmark: &Benchmark) -> HashMap<ItemIdx, usize> {
    let mut users = HashMap::new();
    for (_, item) in &benchmark.train {
        *users.entry(ItemIdx(*item)).or_default() += 1;
    }
    users
}

/// The lists of who shows everyone the most popular items that he does not have.
fn popularity(benchmark: &Benchmark, k: usize, users_of_item: &HashMap<ItemIdx, usize>) -> Lists {
    let of = |item: &ItemIdx| users_of_item.get(item).copied().unwrap_or(0);
    let mut order: Vec<ItemIdx> =
        (0..benchmark.items.len()).filter_map(|i| u32::try_from(i).ok()).map(ItemIdx).collect();
    order.sort_by_key(|item| (std::cmp::Reverse(of(item)), *item));
    let known = by_user(&benchmark.train);
    let lists = cases(benchmark).into_iter().map(|(user, wanted, among)| {
        let list = match among {
            Some(mut among) => {
                among.sort_by_key(|item| (std::cmp::Reverse(of(item)), *item));
                among.truncate(k);
                among
            }
            None => {
                let known = known.get(&user).map_or(&[][..], Vec::as_slice);
                order.iter().copied().filter(|item| known.binary_search(&item.0).is_err()).take(k).collect()
            }
        };
        (list, wanted)
    });
    Lists { k, lists: lists.collect() }
}
