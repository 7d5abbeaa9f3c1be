use serde::Serialize;
use shortlist_evaluation::{Calibration, Confusion, EvaluationError, auc, log_loss};
use shortlist_import::LabelledTable;
use shortlist_ranking::probability;

/// Points of the reliability curve.
const BINS: usize = 20;
/// Most values of a column that is told value by value.
const SLICE_VALUES_MAX: usize = 12;
/// A row is taken for positive from this probability on.
const THRESHOLD: f64 = 0.5;

/// How good scores are on a table.
#[derive(Debug, Clone, Serialize)]
pub struct RankingMetrics {
    /// Area under the ROC curve.
    pub auc: f64,
    /// Mean log-loss in nats.
    pub log_loss: f64,
    /// Of the rows with a probability of one half and more, the share that is positive.
    pub precision: Option<f64>,
    /// Of the positive rows, the share with a probability of one half and more.
    pub recall: Option<f64>,
    /// Their harmonic mean.
    pub f1: Option<f64>,
    /// Expected calibration error.
    pub calibration_error: f64,
    /// Rows.
    pub rows: usize,
    /// Share of positive rows.
    pub positive_rate: f64,
    /// The reliability curve.
    #[serde(skip)]
    pub calibration: Calibration,
}

/// The same of some rows only.
#[derive(Debug, Clone, Serialize)]
pub struct SliceMetrics {
    /// Which column.
    pub column: String,
    /// Which value of it.
    pub value: String,
    /// Rows.
    pub rows: usize,
    /// Share of positive rows.
    pub positive_rate: f64,
    /// Area under the ROC curve; none if all rows have the same label.
    pub auc: Option<f64>,
    /// Mean log-loss.
    pub log_loss: f64,
}

/// What keeping weights in bytes costs and gains.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct PrecisionCost {
    /// Microseconds for 500 rows on one thread.
    pub microseconds_f32: f64,
    /// The same in bytes.
    pub microseconds_int8: f64,
    /// The AUC in bytes.
    pub auc_int8: f64,
}

impl RankingMetrics {
    pub(super) fn of(scores: &[f32], labels: &[bool]) -> Result<Self, EvaluationError> {
        let probabilities: Vec<f32> = scores.iter().map(|score| probability(*score)).collect();
        let counts = Confusion::at(&probabilities, labels, THRESHOLD)?;
        let calibration = Calibration::of(&probabilities, labels, BINS)?;
        Ok(Self {
            auc: auc(scores, labels)?,
            log_loss: log_loss(&probabilities, labels)?,
            precision: counts.precision(),
            recall: counts.recall(),
            f1: counts.f1(),
            calibration_error: calibration.error,
            rows: labels.len(),
            positive_rate: calibration.observed,
            calibration,
        })
    }
}

/// The metrics by value of every column that has few.
pub(super) fn slices(table: &LabelledTable, scores: &[f32]) -> Result<Vec<SliceMetrics>, EvaluationError> {
    let mut slices = Vec::new();
    for (column, texts) in table.texts.iter().enumerate().filter(|(_, texts)| texts.len() <= SLICE_VALUES_MAX) {
        for (value, text) in texts.iter().enumerate() {
            let width = table.columns.len();
            let is_here = |row: &usize| table.cells[row * width + column] as usize == value;
            let rows: Vec<usize> = (0..scores.len()).filter(is_here).collect();
            let labels: Vec<bool> = rows.iter().map(|row| table.labels[*row]).collect();
            let scores: Vec<f32> = rows.iter().map(|row| scores[*row]).collect();
            let probabilities: Vec<f32> = scores.iter().map(|score| probability(*score)).collect();
            slices.push(SliceMetrics {
                column: table.columns[column].clone(),
                value: text.clone(),
                rows: rows.len(),
                positive_rate: labels.iter().filter(|label| **label).count() as f64 / rows.len().max(1) as f64,
                auc: auc(&scores, &labels).ok(),
                log_loss: log_loss(&probabilities, &labels)?,
            });
        }
    }
    Ok(slices)
}
