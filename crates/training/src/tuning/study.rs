use std::fmt::Display;
use std::io::{BufRead, Write};

use shortlist_types::InvalidInput;

use super::best::best_first;
use super::journal_header::JournalHeader;
use super::resume::resume;
use super::{
    Best, Ended, Journal, JsonJournal, Objective, SearchSpace, StudyConfig, TableRow, Trial, TrialOutcome, TrialRecord,
    TuningError, strategy, table_row,
};
use crate::Progress;

/// Most characters of the reason of a failed trial that are kept.
const REASON_CHARS_MAX: usize = 500;

/// A search for the best trial of a space.
///
/// ```
/// use shortlist_training::NoProgress;
/// use shortlist_training::tuning::*;
/// let domain = Domain::LogUniform { low: 1e-3, high: 10.0 };
/// let space = SearchSpace::parse(vec![Parameter::new("regularization", domain, 1.0)]).unwrap();
/// let (metric, data_fingerprint) = ("ndcg_at_20".to_owned(), "movielens-100k, ials".to_owned());
/// let config = StudyConfig { trials_max: 15, seconds_max: None, seed: 7, metric, data_fingerprint };
/// let mut study = Study::new(space, config).unwrap();
/// let best = study.run(
///     // Fit and measure here; this metric is greatest at 0.05.
///     &mut |trial| {
///         let away = (trial.real("regularization").unwrap_or(1.0) / 0.05).ln();
///         Objective::of_mean(0.3 - 0.01 * away * away, 943)
///     },
///     Surroundings { clock: &mut || 0.0, journal: &mut NoJournal, progress: &mut NoProgress },
/// );
/// let found = best.unwrap().trial.real("regularization").unwrap();
/// assert!((0.04..0.06).contains(&found), "{found}");
/// ```
#[derive(Debug)]
pub struct Study {
    space: SearchSpace,
    config: StudyConfig,
    records: Vec<TrialRecord>,
    /// Whether a journal already holds the header and the records.
    is_kept: bool,
}

/// What a study needs from outside.
pub struct Surroundings<'a> {
    /// Seconds since any fixed moment; looked at before and after each trial.
    pub clock: &'a mut dyn FnMut() -> f64,
    /// Keeps finished trials.
    pub journal: &'a mut dyn Journal,
    /// Hears how many trials are done.
    pub progress: &'a mut dyn Progress,
}

impl Study {
    /// A study without trials.
    ///
    /// **Errors**: a field of the config is out of range.
    pub fn new(space: SearchSpace, config: StudyConfig) -> Result<Self, InvalidInput> {
        config.check()?;
        Ok(Self { space, config, records: Vec::new(), is_kept: false })
    }

    /// Takes over the trials of a journal, in place of those it has. Returns the length in bytes of what
    /// was taken: the rest is a line that a kill tore, and the caller must cut the file there before it
    /// is given to [`Study::journal`] to append. An empty journal, or one torn in its header, gives 0.
    ///
    /// **Cost**: each trial is proposed again, about 10 ms.
    /// **Errors**: another study's journal, no journal at all, a damaged line before the last.
    pub fn resume(&mut self, reader: impl BufRead) -> Result<u64, TuningError> {
        let resumed = resume(reader, &self.header(), &self.space, self.config.seed)?;
        self.records = resumed.records;
        self.is_kept = resumed.bytes > 0;
        Ok(resumed.bytes)
    }

    /// A journal in `writer`: at the end of the one that was resumed, or else a new one, which begins
    /// with what is known so far.
    ///
    /// **Errors**: the writer failed.
    pub fn journal<W: Write>(&self, writer: W) -> Result<JsonJournal<W>, TuningError> {
        if self.is_kept {
            return Ok(JsonJournal::resumed(writer));
        }
        JsonJournal::begin(writer, &self.header(), &self.records)
    }

    /// Makes trials until the budget is used up, and returns the best of all.
    ///
    /// A trial that fails is kept with its reason, and the study goes on.
    ///
    /// **Cost**: that of the trials.
    /// **Errors**: the journal failed, or every trial did.
    pub fn run<E: Display>(
        &mut self,
        evaluate: &mut dyn FnMut(&Trial) -> Result<Objective, E>,
        surroundings: Surroundings<'_>,
    ) -> Result<Best, TuningError> {
        let Surroundings { clock, journal, progress } = surroundings;
        progress.begin("searching hyper-parameters", Some(self.config.trials_max as u64));
        let ended = loop {
            progress.at(self.records.len() as u64);
            if let Some(ended) = self.budget_end() {
                break ended;
            }
            let Some(trial) = strategy::next_trial(&self.space, self.config.seed, &self.records) else {
                break Ended::Space;
            };
            let begin = clock();
            let outcome = self.outcome(evaluate(&trial))?;
            let seconds = clock() - begin;
            // A clock that went back, or is broken, must not make the journal unreadable.
            let seconds = if seconds.is_finite() { seconds.max(0.0) } else { 0.0 };
            let record = TrialRecord { number: self.records.len(), trial, seconds, outcome };
            journal.append(&record)?;
            self.records.push(record);
        };
        let best = self.best(ended)?;
        progress.end(&format!("{}: {} {:.4}", best.trial, self.config.metric, best.measurement.mean));
        Ok(best)
    }

    /// Ends the study after so many seconds of trials, too.
    ///
    /// **Errors**: seconds that are not finite or not above 0.
    pub fn limit_seconds(&mut self, seconds_max: Option<f64>) -> Result<(), InvalidInput> {
        let config = StudyConfig { seconds_max, ..self.config.clone() };
        config.check()?;
        self.config = config;
        Ok(())
    }

    /// The trials so far, in their order.
    pub fn records(&self) -> &[TrialRecord] {
        &self.records
    }

    /// The trials so far, best first, failed ones last.
    pub fn table(&self) -> Vec<TableRow> {
        table_row::table(&self.records)
    }

    fn header(&self) -> JournalHeader {
        JournalHeader::new(&self.space, &self.config)
    }

    fn budget_end(&self) -> Option<Ended> {
        let spent: f64 = self.records.iter().map(|record| record.seconds).sum();
        if self.records.len() >= self.config.trials_max {
            Some(Ended::Trials)
        } else if !self.records.is_empty() && self.config.seconds_max.is_some_and(|max| spent >= max) {
            Some(Ended::Seconds)
        } else {
            None
        }
    }

    fn outcome<E: Display>(&self, result: Result<Objective, E>) -> Result<TrialOutcome, TuningError> {
        Ok(match result {
            Ok(objective) => TrialOutcome::Finished(objective.measure(self.config.seed)?),
            Err(error) => TrialOutcome::Failed(error.to_string().chars().take(REASON_CHARS_MAX).collect()),
        })
    }

    fn best(&self, ended: Ended) -> Result<Best, TuningError> {
        let trials = self.records.len();
        if let Some((record, measurement)) = best_first(&self.records).first() {
            let (number, trial) = (record.number, record.trial.clone());
            return Ok(Best { number, trial, measurement: **measurement, trials, ended });
        }
        let reason = self.records.iter().find_map(|record| match &record.outcome {
            TrialOutcome::Failed(reason) => Some(reason.clone()),
            TrialOutcome::Finished(_) => None,
        });
        Err(TuningError::AllFailed { trials, reason: reason.unwrap_or_default() })
    }
}
