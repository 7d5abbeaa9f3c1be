use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use shortlist_embedding::EncoderScratch;
use shortlist_evaluation::{auc, bootstrap_difference, bootstrap_mean, log_loss, ndcg_at_k, recall_at_k};
use shortlist_features::FeatureState;
use shortlist_recommender::{Bundle, DurableState, Models, Pipeline, Request, Scratch};
use shortlist_store::{LogReader, Store};
use shortlist_types::{ItemIdx, LogRecord, LogSeq, Timestamp, Unlimited, UserIdx};

use crate::calibrate::ImpressionReplay;
use crate::decision::{Decision, evaluation_decisions};
use crate::list_study::ListStudy;
use crate::replay::{Moment, replay_to_stops};
use crate::report::{Groups, Protocol};
use crate::rows::K;
use crate::split::evaluation_start;
use crate::timeline::{Step, Timeline};
use crate::validation_cases::eligible_wanted;
use crate::{
    Baseline, Comparison, GroupReport, ListQuestions, Metrics, NdcgAt10, OutcomeCalibration, Progress, Report,
    Settings, TrainingError,
};

/// Resamples behind every interval.
pub(crate) const BOOTSTRAP_SAMPLES: usize = 1_000;

/// Evaluates the store's promoted bundle on the latest slice of its log, or on what came after the
/// bundle's own training if that is later.
///
/// # Errors
/// No bundle, or a slice in which nobody did enough.
pub fn evaluate_store(
    store: &Store,
    settings: &Settings<'_>,
    lists: Option<&ListQuestions>,
    progress: &mut dyn Progress,
) -> Result<(Bundle, Report), TrainingError> {
    let Settings { events: event_types, surfaces, training: config, seed, .. } = *settings;
    let log = store.reader()?;
    let registry = store.registry();
    let id = registry.current()?.ok_or(TrainingError::NoBundle)?;
    let bundle = Bundle::load(&registry, &log, &id)?;
    let until = log.head()?.log_seq;
    let first = DurableState::new(store.clone(), Arc::clone(event_types)).first()?;
    let _pin = store.pin("evaluate", first.log_seq())?;
    let timeline = Timeline::read(&log, until, first.clone(), progress)?;
    let (start, start_time) = evaluation_start(&timeline, config.evaluation_share)?;
    let trained_until = bundle.provenance.trained_log_seq.next();
    let (from, from_time) =
        if start >= trained_until { (start, start_time) } else { (trained_until, bundle.provenance.ranker_until) };
    let evaluation = Evaluation {
        timeline: &timeline,
        from,
        from_time,
        until,
        pipeline: &Pipeline::new(surfaces.home().clone())?,
        models: &bundle.models,
        lists,
        seed,
    };
    let report = evaluation.run(&log, first, progress)?;
    Ok((bundle, report))
}

/// One evaluation: what is asked, of whom, on which slice.
pub(crate) struct Evaluation<'a> {
    pub(crate) timeline: &'a Timeline,
    /// First record of the slice.
    pub(crate) from: LogSeq,
    pub(crate) from_time: Timestamp,
    /// Last record.
    pub(crate) until: LogSeq,
    pub(crate) pipeline: &'a Pipeline,
    pub(crate) models: &'a Models,
    /// What is asked of lists as a whole, if anything.
    pub(crate) lists: Option<&'a ListQuestions>,
    pub(crate) seed: u64,
}

/// What one request showed.
struct Asked {
    warm: bool,
    candidates: usize,
    candidate_recall: f64,
    two_stage: f64,
    retrieval_order: f64,
    popularity: f64,
    /// Of popularity, in a list as long as the candidates.
    popularity_recall: f64,
    /// The candidates that the ranker scored.
    scored: Vec<Scored>,
}

/// What each order says of one candidate.
struct Scored {
    /// The ranker's probability.
    probability: f64,
    /// Inner product with the user's vector; below all others for an item without one.
    retrieval: f64,
    /// Decayed number of users who wanted it.
    popularity: f64,
    /// Whether this user wanted it later.
    wanted: bool,
}

impl Evaluation<'_> {
    /// Replays from `state` and asks for every decision of the slice.
    pub(crate) fn run(
        &self,
        log: &LogReader,
        mut state: FeatureState,
        progress: &mut dyn Progress,
    ) -> Result<Report, TrainingError> {
        let slice = self.timeline.between(self.from, self.until.next());
        let calibration = self.calibration(log, slice, &state, progress)?;
        let decisions = evaluation_decisions(slice);
        let warm: HashSet<UserIdx> =
            self.timeline.between(LogSeq::default(), self.from).iter().map(|step| step.user).collect();
        let stops: Vec<_> = decisions.iter().map(|decision| decision.before).collect();
        let mut scratch = Scratch::default();
        let mut asked = Vec::with_capacity(decisions.len());
        let surface = self.pipeline.config();
        let mut lists = self.lists.map(|questions| ListStudy::new(surface, questions)).transpose()?;
        progress.begin("evaluating as served", Some(decisions.len() as u64));
        let mut encoder = EncoderScratch::default();
        let mut follow = |state: &FeatureState, record: &LogRecord| self.models.follow(state, record, &mut encoder);
        self.models.meet_new_items(&state);
        replay_to_stops(log, &mut state, self.until, &stops, &mut follow, &mut |moment, stop| {
            let decision = &decisions[stop];
            let warm = warm.contains(&decision.user);
            asked.extend(self.ask(moment, (decision, warm), lists.as_mut(), &mut scratch)?);
            progress.at(stop as u64 + 1);
            Ok(())
        })?;
        progress.end(&format!("{} users asked", asked.len()));
        let catalogue = state.catalog().len();
        let report = self.report(&asked, catalogue)?;
        let lists = lists.map_or_else(|| Ok(Vec::new()), |lists| lists.reports(catalogue, self.seed))?;
        Ok(Report { calibration, lists, ..report })
    }

    /// Whether the ranker's probabilities came true on the impressions of the slice.
    fn calibration(
        &self,
        log: &LogReader,
        slice: &[Step],
        state: &FeatureState,
        progress: &mut dyn Progress,
    ) -> Result<BTreeMap<String, OutcomeCalibration>, TrainingError> {
        let ranker = self.models.ranker.as_ref();
        let Some(ranker) = ranker.filter(|ranker| ranker.outcomes.iter().any(|outcome| outcome.calibration.is_some()))
        else {
            return Ok(BTreeMap::new());
        };
        let types = state.event_types();
        let outcomes = ranker.outcomes.iter().skip(1).map(|outcome| types.resolve(&outcome.name));
        let outcomes = outcomes.collect::<Result<Vec<_>, _>>()?;
        let Self { pipeline, models, seed, .. } = *self;
        let replay = ImpressionReplay { log, pipeline, models, outcomes: &outcomes, seed };
        replay.run(slice, state.clone(), progress)?.judge(models)
    }

    /// What the ranker's score says of the outcome.
    fn probability(&self, score: f32) -> f32 {
        self.models.ranker.as_ref().map_or(0.0, |ranker| ranker.wanted_among_candidates(score))
    }

    /// Asks once; none if nothing that the user wanted later could have been shown.
    fn ask(
        &self,
        moment: &Moment<'_>,
        (decision, warm): (&Decision, bool),
        lists: Option<&mut ListStudy<'_>>,
        scratch: &mut Scratch,
    ) -> Result<Option<Asked>, TrainingError> {
        let state = moment.state;
        let truth = eligible_wanted(state, decision);
        let Some(user) = state.user_id(decision.user).filter(|_| !truth.is_empty()) else { return Ok(None) };
        let request = Request { context: moment.context(), ..Request::of(user.clone(), K) };
        let mut retrieved =
            self.pipeline.retrieve(state, Some(self.models), &request, decision.now, &Unlimited, scratch)?;
        let ranked = self.pipeline.rank(&mut retrieved, &Unlimited, scratch);
        if let Some(lists) = lists {
            lists.ask(&retrieved, &ranked, &truth)?;
        }
        let retrieval: Vec<ItemIdx> = retrieved.candidates.iter().map(|candidate| candidate.item).collect();
        let two_stage: Vec<ItemIdx> = ranked.iter().map(|ranked| retrieval[ranked.candidate]).collect();
        let popular = state.popular().filter(|item| retrieved.context.is_eligible(*item));
        let popular: Vec<ItemIdx> = popular.take(retrieval.len()).collect();
        let ndcg = |order: &[ItemIdx]| ndcg_at_k(order, &truth, K).unwrap_or(0.0);
        let scored = ranked.iter().filter(|ranked| ranked.by_ranker).map(|ranked| {
            let candidate = &retrieved.candidates[ranked.candidate];
            let stats = state.item_stats(candidate.item);
            Scored {
                probability: f64::from(self.probability(ranked.score.get())),
                retrieval: candidate.retrieval_score.map_or(f64::MIN, |score| f64::from(score.get())),
                popularity: stats.map_or(0.0, |stats| stats.popularity(decision.now)),
                wanted: truth.contains(&candidate.item),
            }
        });
        Ok(Some(Asked {
            warm,
            candidates: retrieval.len(),
            candidate_recall: recall_at_k(&retrieval, &truth, retrieval.len()).unwrap_or(0.0),
            two_stage: ndcg(&two_stage),
            retrieval_order: ndcg(&retrieval),
            popularity: ndcg(&popular),
            popularity_recall: recall_at_k(&popular, &truth, popular.len()).unwrap_or(0.0),
            scored: scored.collect(),
        }))
    }

    fn report(&self, asked: &[Asked], catalogue: usize) -> Result<Report, TrainingError> {
        let everyone: Vec<&Asked> = asked.iter().collect();
        let too_little = || {
            let times = self.timeline.steps.iter().map(|step| step.time);
            let span = times.clone().min().zip(times.max()).unwrap_or((self.from_time, self.from_time));
            TrainingError::TooLittle {
                what: "no user has 6 events and wants something after the fifth",
                from: self.from_time,
                until: span.1,
                log_from: span.0,
                log_until: span.1,
            }
        };
        let all = self.group(&everyone)?.ok_or_else(too_little)?;
        let scored = || asked.iter().flat_map(|asked| &asked.scored);
        let labels: Vec<bool> = scored().map(|scored| scored.wanted).collect();
        let probabilities: Vec<f64> = scored().map(|scored| scored.probability).collect();
        let candidate_recall = all.candidate_recall.mean;
        let popularity_recall = asked.iter().map(|asked| asked.popularity_recall).sum::<f64>() / asked.len() as f64;
        let metrics = Metrics {
            candidate_recall,
            auc: auc_within_requests(asked, |scored| scored.probability),
            log_loss: if labels.is_empty() { 0.0 } else { log_loss(&probabilities, &labels)? },
            ndcg_at_10: NdcgAt10 {
                two_stage: all.two_stage.mean,
                retrieval_order: all.retrieval_order.mean,
                popularity: all.popularity.mean,
            },
            retrieval_order: Baseline { candidate_recall, auc: auc_within_requests(asked, |scored| scored.retrieval) },
            popularity: Baseline {
                candidate_recall: popularity_recall,
                auc: auc_within_requests(asked, |scored| scored.popularity),
            },
        };
        let (warm, cold): (Vec<&Asked>, Vec<&Asked>) = asked.iter().partition(|asked| asked.warm);
        let candidates: usize = asked.iter().map(|asked| asked.candidates).sum();
        let last = self.timeline.steps.iter().map(|step| step.time).max().unwrap_or(self.from_time);
        let protocol = Protocol {
            evaluated_from: self.from_time.to_string(),
            evaluated_until: last.to_string(),
            users: asked.len(),
            catalogue,
            candidates: candidates as f64 / asked.len().max(1) as f64,
        };
        let groups = Groups { all: Some(all), warm: self.group(&warm)?, cold: self.group(&cold)? };
        Ok(Report {
            metrics,
            groups,
            protocol,
            calibration: BTreeMap::new(),
            importance: BTreeMap::new(),
            lists: Vec::new(),
        })
    }

    fn group(&self, asked: &[&Asked]) -> Result<Option<GroupReport>, TrainingError> {
        if asked.is_empty() {
            return Ok(None);
        }
        let values = |of: fn(&Asked) -> f64| asked.iter().map(|asked| of(asked)).collect::<Vec<f64>>();
        let mean = |values: &[f64]| bootstrap_mean(values, BOOTSTRAP_SAMPLES, self.seed);
        let compare = |a: &[f64], b: &[f64]| {
            let difference = bootstrap_difference(a, b, BOOTSTRAP_SAMPLES, self.seed)?;
            let base = b.iter().sum::<f64>() / b.len() as f64;
            let relative = (base > 0.0).then(|| difference.mean / base);
            Ok::<_, TrainingError>(Comparison { relative, difference })
        };
        let (two_stage, retrieval, popularity) =
            (values(|asked| asked.two_stage), values(|asked| asked.retrieval_order), values(|asked| asked.popularity));
        Ok(Some(GroupReport {
            users: asked.len(),
            candidate_recall: mean(&values(|asked| asked.candidate_recall))?,
            two_stage: mean(&two_stage)?,
            retrieval_order: mean(&retrieval)?,
            popularity: mean(&popularity)?,
            two_stage_over_retrieval: compare(&two_stage, &retrieval)?,
            retrieval_over_popularity: compare(&retrieval, &popularity)?,
        }))
    }
}

/// Mean over the requests of the AUC among a request's candidates; a coin's 0.5 if none has both
/// wanted and unwanted ones. Across requests scores are not compared: which user wants more is not
/// what a list is ordered by.
fn auc_within_requests(asked: &[Asked], score: fn(&Scored) -> f64) -> f64 {
    let of_request = |asked: &Asked| {
        let (scores, labels): (Vec<f64>, Vec<bool>) =
            asked.scored.iter().map(|scored| (score(scored), scored.wanted)).unzip();
        auc(&scores, &labels).ok()
    };
    let values: Vec<f64> = asked.iter().filter_map(of_request).collect();
    if values.is_empty() { 0.5 } else { values.iter().sum::<f64>() / values.len() as f64 }
}
