use std::collections::{BTreeMap, HashSet};

use serde::Serialize;
use shortlist_evaluation::{
    Interval, bootstrap_mean, coverage, intra_list_diversity, mean_of_known, miscalibration, ndcg_at_k, novelty,
};
use shortlist_features::FeatureState;
use shortlist_recommender::{Models, Pipeline, Ranked, RerankConfig, Retrieved, SurfaceConfig};
use shortlist_types::{ItemIdx, dot};

use crate::TrainingError;
use crate::evaluation::BOOTSTRAP_SAMPLES;
use crate::rows::K;

/// What is asked of lists as a whole: how they are with less and with more diversity.
#[derive(Debug, Clone, PartialEq)]
pub struct ListQuestions {
    /// Values of `rerank.diversity`, 0 to 1, beside which all other rules of the surface stay.
    pub diversities: Vec<f64>,
    /// Attributes whose values a list should have as often as its user's history.
    pub attributes: Vec<String>,
}

/// Lists of one diversity, over all users asked.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ListReport {
    /// The `rerank.diversity` of these lists.
    pub diversity: f64,
    /// Mean NDCG@10 with its 95 % interval.
    pub ndcg_at_10: Interval,
    /// Mean of 1 less the likeness of two items of a list, by their vectors; none of lists of one.
    pub intra_list_diversity: Option<f64>,
    /// Mean surprise of an item, in bits: how few users wanted it before.
    pub novelty: Option<f64>,
    /// Share of the catalogue that is in any list.
    pub coverage: f64,
    /// Per attribute, the mean distance of a list's values from those of its user's history: 0 for none. Without those
    /// attributes that no history or list has.
    pub miscalibration: BTreeMap<String, f64>,
}

/// Asks about lists while an evaluation replays the log.
pub(crate) struct ListStudy<'a> {
    questions: &'a ListQuestions,
    /// Per diversity.
    pipelines: Vec<Pipeline>,
    answers: Vec<Vec<List>>,
}

/// One user's list.
struct List {
    items: Vec<ItemIdx>,
    ndcg: f64,
    diversity: Option<f64>,
    novelty: Option<f64>,
    /// Per attribute.
    miscalibration: Vec<Option<f64>>,
}

impl<'a> ListStudy<'a> {
    /// # Errors
    /// A diversity out of range.
    pub(crate) fn new(surface: &SurfaceConfig, questions: &'a ListQuestions) -> Result<Self, TrainingError> {
        let with = |diversity: &f64| {
            let rerank = RerankConfig { diversity: *diversity, ..surface.rerank.clone() };
            Pipeline::new(SurfaceConfig { rerank, ..surface.clone() }).map_err(|error| error.within("surfaces.home"))
        };
        let pipelines = questions.diversities.iter().map(with).collect::<Result<Vec<_>, _>>()?;
        let answers = pipelines.iter().map(|_| Vec::new()).collect();
        Ok(Self { questions, pipelines, answers })
    }

    /// Makes one user's lists from what was retrieved and ranked for him. **Cost**: a list and K^2 / 2 cosines per
    /// diversity.
    ///
    /// # Errors
    /// A metric that cannot be told.
    pub(crate) fn ask(
        &mut self,
        retrieved: &Retrieved<'_>,
        ranked: &[Ranked],
        truth: &HashSet<ItemIdx>,
    ) -> Result<(), TrainingError> {
        let context = &retrieved.context;
        let wanted: Vec<ItemIdx> = context.user.wanted().iter().map(|entry| entry.item).collect();
        let users = context.state.users().len().max(1);
        for (pipeline, answers) in self.pipelines.iter().zip(&mut self.answers) {
            let list = pipeline.list(retrieved, ranked, K);
            let items: Vec<ItemIdx> = list.iter().map(|ranked| retrieved.candidates[ranked.candidate].item).collect();
            let had_by = |item: &ItemIdx| {
                let stats = context.state.item_stats(*item);
                stats.map_or(0, |stats| (stats.wanted.ever() as usize).min(users))
            };
            let of = |attribute: &String| {
                miscalibration(&values(context.state, attribute, &wanted), &values(context.state, attribute, &items))
            };
            answers.push(List {
                ndcg: ndcg_at_k(&items, truth, K).unwrap_or(0.0),
                diversity: context.models.and_then(|models| unlikeness(models, &items)),
                novelty: novelty(&items, had_by, users)?,
                miscalibration: self.questions.attributes.iter().map(of).collect(),
                items,
            });
        }
        Ok(())
    }

    /// What the lists were like, in the order of the diversities.
    ///
    /// # Errors
    /// Nobody was asked.
    pub(crate) fn reports(&self, catalogue: usize, seed: u64) -> Result<Vec<ListReport>, TrainingError> {
        let report = |(diversity, lists): (&f64, &Vec<List>)| {
            let ndcg: Vec<f64> = lists.iter().map(|list| list.ndcg).collect();
            let attributes = self.questions.attributes.iter().enumerate();
            let far = |(place, attribute): (usize, &String)| {
                let mean = mean_of_known(lists.iter().map(|list| list.miscalibration[place]))?;
                Some((attribute.clone(), mean))
            };
            Ok(ListReport {
                diversity: *diversity,
                ndcg_at_10: bootstrap_mean(&ndcg, BOOTSTRAP_SAMPLES, seed)?,
                intra_list_diversity: mean_of_known(lists.iter().map(|list| list.diversity)),
                novelty: mean_of_known(lists.iter().map(|list| list.novelty)),
                coverage: coverage(lists.iter().map(|list| list.items.iter().copied()), catalogue)?,
                miscalibration: attributes.filter_map(far).collect(),
            })
        };
        self.questions.diversities.iter().zip(&self.answers).map(report).collect()
    }
}

/// 1 less the mean cosine of the items' vectors, of those that point apart 0; an item without one is like nothing.
fn unlikeness(models: &Models, items: &[ItemIdx]) -> Option<f64> {
    let vectors: Vec<_> = items.iter().map(|item| models.vector(*item)).collect();
    let cosine = |a: usize, b: usize| match (&vectors[a], &vectors[b]) {
        (Some(a), Some(b)) => {
            let lengths = (dot(a, a) * dot(b, b)).sqrt();
            if lengths > f32::MIN_POSITIVE { f64::from((dot(a, b) / lengths).clamp(0.0, 1.0)) } else { 0.0 }
        }
        _ => 0.0,
    };
    intra_list_diversity(items.len(), cosine)
}

/// What each item has of an attribute.
fn values(state: &FeatureState, attribute: &str, items: &[ItemIdx]) -> Vec<Vec<String>> {
    let of = |item: &ItemIdx| {
        let entry = state.catalog().get(*item);
        entry.map(|entry| entry.attributes.labels(attribute).map(str::to_owned).collect()).unwrap_or_default()
    };
    items.iter().map(of).collect()
}
