use serde::Serialize;
use shortlist_evaluation::auc;
use shortlist_import::LabelledTable;
use shortlist_ranking::{
    Candidates, Epoch, Fit, Ids, ModelKind, NetworkConfig, Precision, RankingModel, ScoringScratch, TrainingRows,
};

use super::encoding::{Encoded, TableEncoder};
use super::metrics::slices;
use super::recipe::recipe;
use super::{PrecisionCost, RankingChoice, RankingMetrics, SliceMetrics};
use crate::{Progress, TrainingError};

/// A history must lift the validation AUC of logistic regression by this to be read.
const HISTORY_GAIN_MIN: f64 = 0.002;
/// Another model must lift the validation AUC by this to be averaged in: it costs time in every request.
const AVERAGE_GAIN_MIN: f64 = 0.0003;
/// Rows that are timed, as many as a request has candidates.
const TIMED_ROWS: usize = 500;
/// Times that they are scored; the fastest counts.
const TIMED_ROUNDS: usize = 20;

/// The tables of a comparison.
#[derive(Debug, Clone, Copy)]
pub struct RankingTables<'a> {
    /// What is trained on.
    pub train: &'a LabelledTable,
    /// What stops the fit and chooses.
    pub valid: &'a LabelledTable,
    /// What is judged.
    pub test: &'a LabelledTable,
}

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub struct RankingQuestion<'a> {
    /// The tables.
    pub tables: RankingTables<'a>,
    /// The model.
    pub choice: RankingChoice,
    /// Whether the history of a pair of columns may be read; published models do not.
    pub histories: bool,
    /// Seed of everything random.
    pub seed: u64,
}

/// A model that was fitted for an answer.
#[derive(Debug, Clone, Serialize)]
pub struct FittedModel {
    /// Its kind.
    pub kind: ModelKind,
    /// Its shape.
    pub network: NetworkConfig,
    /// On validation.
    pub valid_auc: f64,
    /// Passes over the training rows.
    pub epochs: usize,
    /// Seconds of the fit.
    pub seconds: f64,
}

/// What was chosen.
#[derive(Debug, Clone, Serialize)]
pub struct Chosen {
    /// The kinds whose log-odds are averaged; usually one.
    pub kinds: Vec<ModelKind>,
    /// On validation.
    pub valid_auc: f64,
    /// The pair of columns whose history is read.
    pub history: Option<[String; 2]>,
}

/// How good a model is on a test table.
#[derive(Debug, Clone, Serialize)]
pub struct RankingEvaluation {
    /// The kinds, joined by a plus.
    pub model: String,
    /// On the test table.
    pub metrics: RankingMetrics,
    /// By value of the columns that have few.
    pub slices: Vec<SliceMetrics>,
    /// What was chosen on validation.
    pub chosen: Chosen,
    /// All that was fitted.
    pub fitted: Vec<FittedModel>,
    /// What bytes cost and gain.
    pub precision: PrecisionCost,
    /// The scores of the test rows, in order.
    #[serde(skip)]
    pub scores: Vec<f32>,
}

/// Fits what is asked for on the training table, stops and chooses on the validation table, and judges
/// the form that serves on the test table.
///
/// `clock` gives seconds since any moment.
///
/// # Errors
/// Tables with one label only.
pub fn evaluate_ranking(
    question: &RankingQuestion<'_>,
    clock: &dyn Fn() -> f64,
    progress: &mut dyn Progress,
) -> Result<RankingEvaluation, TrainingError> {
    let RankingQuestion { tables, choice, seed, histories } = *question;
    let mut work = Work { seed, clock, progress };
    let encoder = TableEncoder::fit(tables.train);
    let [train, valid, test] = [tables.train, tables.valid, tables.test].map(|table| encoder.encode(table));
    let data =
        if histories { work.choose_history(encoder, &train, &valid)? } else { Data::plain(encoder, &train, &valid)? };
    let test_columns = data.encoder.columns(&test, None);

    let mut fits = Vec::new();
    for kind in choice.kinds() {
        fits.push(work.fit(kind, &data)?);
    }
    let (averaged, valid_auc) = choose(&fits, data.valid.labels())?;
    let chosen: Vec<&Fitted> = averaged.iter().map(|at| &fits[*at]).collect();
    let models = |precision| chosen.iter().map(|fitted| fitted.served(precision)).collect::<Result<Vec<_>, _>>();
    let (floats, bytes) = (models(Precision::F32)?, models(Precision::Int8)?);
    let scores = scores(&floats, &test_columns, 0, test.len())?;
    let in_bytes = self::scores(&bytes, &test_columns, 0, test.len())?;
    let precision = PrecisionCost {
        microseconds_f32: microseconds(&floats, &test_columns, test.len(), clock)?,
        microseconds_int8: microseconds(&bytes, &test_columns, test.len(), clock)?,
        auc_int8: auc(&in_bytes, test.labels())?,
    };
    let kinds: Vec<ModelKind> = chosen.iter().map(|fitted| fitted.report.kind).collect();
    Ok(RankingEvaluation {
        model: kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>().join("+"),
        metrics: RankingMetrics::of(&scores, test.labels())?,
        slices: slices(tables.test, &scores)?,
        chosen: Chosen { kinds, valid_auc, history: data.encoder.history().map(|names| names.map(str::to_owned)) },
        fitted: fits.iter().map(|fitted| fitted.report.clone()).collect(),
        precision,
        scores,
    })
}

/// What models are fitted on.
struct Data {
    encoder: TableEncoder,
    train: TrainingRows,
    valid: TrainingRows,
}

impl Data {
    fn plain(encoder: TableEncoder, train: &Encoded<'_>, valid: &Encoded<'_>) -> Result<Self, TrainingError> {
        let (train, valid) = (encoder.rows(train, None)?, encoder.rows(valid, None)?);
        Ok(Self { encoder, train, valid })
    }
}

/// A fit with what it says of the validation rows.
struct Fitted {
    report: FittedModel,
    model: RankingModel,
    valid_scores: Vec<f32>,
}

impl Fitted {
    fn served(&self, precision: Precision) -> Result<RankingModel, TrainingError> {
        Ok(RankingModel::from_parts(self.model.manifest().clone(), self.model.tensors().to_vec(), precision)?)
    }
}

/// What every fit needs.
struct Work<'a> {
    seed: u64,
    clock: &'a dyn Fn() -> f64,
    progress: &'a mut dyn Progress,
}

impl Work<'_> {
    /// The data with the history of the best pair of columns, if that lifts logistic regression.
    fn choose_history(
        &mut self,
        encoder: TableEncoder,
        train: &Encoded<'_>,
        valid: &Encoded<'_>,
    ) -> Result<Data, TrainingError> {
        let pair = encoder.best_pair(train, valid)?;
        let plain = Data::plain(encoder, train, valid)?;
        let Some(pair) = pair else { return Ok(plain) };
        let (encoder, ids) = plain.encoder.clone().with_history(train, pair);
        let rows = (encoder.rows(train, Some(&ids))?, encoder.rows(valid, None)?);
        let with_history = Data { encoder, train: rows.0, valid: rows.1 };
        let mut judge = |data: &Data| self.fit(ModelKind::LogisticRegression, data).map(|fit| fit.report.valid_auc);
        let gain = judge(&with_history)? - judge(&plain)?;
        Ok(if gain >= HISTORY_GAIN_MIN { with_history } else { plain })
    }

    fn fit(&mut self, kind: ModelKind, data: &Data) -> Result<Fitted, TrainingError> {
        let (network, config) = recipe(kind, data.train.len());
        let begin = (self.clock)();
        let (mut epochs, mut best) = (0, 0.0_f64);
        let labels = data.valid.labels();
        self.progress.begin("fitting", None);
        let mut judge = |fit: &mut Fit, epoch: &Epoch| {
            let quality = auc(&fit.score(&data.valid), labels).unwrap_or(f64::MIN);
            (epochs, best) = (epoch.number, best.max(quality));
            self.progress.at(epoch.number as u64);
            quality
        };
        let mut fit = Fit::run(&data.train, &network, &config, self.seed, &mut judge)?;
        self.progress.end(&format!("{kind}: {epochs} epochs, AUC {best:.4} on validation"));
        let valid_scores = fit.score(&data.valid);
        let valid_auc = auc(&valid_scores, labels)?;
        let seconds = (self.clock)() - begin;
        let report = FittedModel { kind, network, valid_auc, epochs, seconds };
        Ok(Fitted { report, model: RankingModel::of(&mut fit, Precision::F32), valid_scores })
    }
}

/// The fits whose average orders the validation rows best: the best one, and others while each is worth
/// its time.
fn choose(fits: &[Fitted], labels: &[bool]) -> Result<(Vec<usize>, f64), TrainingError> {
    let mut order: Vec<usize> = (0..fits.len()).collect();
    order.sort_by(|a, b| fits[*b].report.valid_auc.total_cmp(&fits[*a].report.valid_auc));
    let mut chosen: Vec<usize> = Vec::new();
    let mut best = f64::MIN;
    for at in order {
        let with: Vec<usize> = chosen.iter().copied().chain([at]).collect();
        let mut average = vec![0.0_f32; labels.len()];
        for at in &with {
            let scores = average.iter_mut().zip(&fits[*at].valid_scores);
            scores.for_each(|(sum, score)| *sum += score / with.len() as f32);
        }
        let area = auc(&average, labels)?;
        if chosen.is_empty() || area >= best + AVERAGE_GAIN_MIN {
            (chosen, best) = (with, area);
        }
    }
    Ok((chosen, best))
}

/// The mean log-odds of some rows, as a request of so many candidates gets them.
fn scores(
    models: &[RankingModel],
    columns: &[Vec<u32>],
    first: usize,
    count: usize,
) -> Result<Vec<f32>, TrainingError> {
    let mut scratch = Vec::new();
    scratch.resize_with(models.len(), ScoringScratch::default);
    let mut mean = vec![0.0; count];
    score_into(models, (columns, first), &mut scratch, &mut Vec::new(), &mut mean)?;
    Ok(mean)
}

fn score_into(
    models: &[RankingModel],
    (columns, first): (&[Vec<u32>], usize),
    scratch: &mut [ScoringScratch],
    out: &mut Vec<f32>,
    mean: &mut [f32],
) -> Result<(), TrainingError> {
    let count = mean.len();
    let ids: Vec<Ids<'_>> = columns.iter().map(|column| Ids::Each(&column[first..first + count])).collect();
    let candidates = Candidates { count, shared_numbers: &[], numbers: &[], ids: &ids };
    mean.fill(0.0);
    for (model, scratch) in models.iter().zip(scratch) {
        model.score(&candidates, scratch, out)?;
        mean.iter_mut().zip(out.iter()).for_each(|(mean, score)| *mean += score / models.len() as f32);
    }
    Ok(())
}

/// The least time that a request's worth of rows took.
fn microseconds(
    models: &[RankingModel],
    columns: &[Vec<u32>],
    rows: usize,
    clock: &dyn Fn() -> f64,
) -> Result<f64, TrainingError> {
    let mut scratch = Vec::new();
    scratch.resize_with(models.len(), ScoringScratch::default);
    let (mut out, mut mean) = (Vec::new(), vec![0.0; rows.min(TIMED_ROWS)]);
    let mut least = f64::MAX;
    for _ in 0..TIMED_ROUNDS {
        let begin = clock();
        score_into(models, (columns, 0), &mut scratch, &mut out, &mut mean)?;
        least = least.min(clock() - begin);
    }
    Ok(least * 1e6)
}
