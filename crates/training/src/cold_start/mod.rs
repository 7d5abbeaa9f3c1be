//! `evaluate cold-start`: how well items that nobody has touched and users who have done nothing are
//! served, measured by hiding some of a log's own.
//!
//! The way: [`Hidden`] chooses described items and users -> the log is folded without what was done by
//! or with them -> the first stage is fitted -> the hidden items are put, as by a catalogue just now ->
//! everyone is asked through the sources that serve -> [`ColdStartReport`].

mod asked;
mod hidden;
mod report;

use std::sync::Arc;

use shortlist_embedding::EncoderScratch;
use shortlist_features::FeatureState;
use shortlist_recommender::Pipeline;
use shortlist_store::Store;
use shortlist_types::{LogRecord, LogSeq};

use self::asked::Asked;
use self::hidden::Hidden;
pub use self::report::{ColdStartReport, NewItems, NewUsers};
use crate::fit_first_stage::{fit_first_stage, interactions};
use crate::replay::replay;
use crate::{Progress, Settings, TrainingError};

/// What is asked of a log.
#[derive(Debug, Clone, Copy)]
pub struct ColdStartQuestion<'a> {
    /// How events are read, and how the first stage is fitted.
    pub settings: Settings<'a>,
    /// Share of the described items, and of the described users, that is hidden; 0 to 1.
    pub share: f64,
    /// Length of the lists.
    pub k: usize,
}

/// Hides a share of the log's described items and users, fits the first stage without them, and asks who
/// finds them again. Nothing is written.
///
/// The blend is the one that the search would begin with; hyper-parameters are not searched.
///
/// **Cost**: two passes over the log, two states, one fit.
///
/// # Errors
/// [`TrainingError::LogIsCut`]; neither items nor users with both attributes and events, or too little left to learn from.
pub fn evaluate_cold_start(
    store: &Store,
    question: &ColdStartQuestion<'_>,
    progress: &mut dyn Progress,
) -> Result<ColdStartReport, TrainingError> {
    let ColdStartQuestion { settings, share, k } = *question;
    let log = store.reader()?;
    let until = log.head()?.log_seq;
    let _pin = store.pin("evaluate", LogSeq::default())?;
    let start = log.start()?.log_seq;
    if start > LogSeq::default() {
        return Err(TrainingError::LogIsCut { start });
    }
    let mut all = FeatureState::new(Arc::clone(settings.events));
    progress.begin("reading the log", Some(until.0));
    replay(&log, &mut all, until, &mut |_, log_seq, _| {
        progress.at(log_seq.0);
        Ok(())
    })?;
    let now = all.latest().ok_or(TrainingError::NoEvents)?;
    let hidden = Hidden::choose(&all, share, settings.seed);
    if hidden.is_empty() {
        return Err(TrainingError::NothingDescribed);
    }
    progress.end(&format!("hidden: {} items, {} users", hidden.items.len(), hidden.users.len()));

    let mut world = World::new(settings);
    progress.begin("reading it without them", Some(until.0));
    log.read(LogSeq::default(), until, &mut |log_seq: LogSeq, record: LogRecord| {
        progress.at(log_seq.0);
        if hidden.hides(&record) { Ok(()) } else { world.apply(&record) }
    })?;
    progress.end(&format!("{} of {} records", world.state.log_seq().0, until.0));
    let known = interactions(&world.state)?;
    let blend = settings.training.retrieval.start(&known);
    let index = &settings.training.index;
    let models = fit_first_stage(&world.state, &known, &blend, index, settings.seed, progress)?;
    for put in hidden.puts(&all, now) {
        world.apply(&put)?;
        models.follow(&world.state, &put, &mut world.encoder);
    }
    let pipeline = Pipeline::new(settings.surfaces.home().clone())?;
    let asked = Asked {
        all: &all,
        hidden: &hidden,
        state: &world.state,
        models: &models,
        pipeline: &pipeline,
        now,
        k,
        seed: settings.seed,
    };
    let (new_items, new_users) = (asked.new_items(progress)?, asked.new_users(progress)?);
    Ok(ColdStartReport { model: blend.name(), new_items, new_users })
}

/// The state without what is hidden, its records numbered anew.
struct World {
    state: FeatureState,
    encoder: EncoderScratch,
}

impl World {
    fn new(settings: Settings<'_>) -> Self {
        Self { state: FeatureState::new(Arc::clone(settings.events)), encoder: EncoderScratch::default() }
    }

    fn apply(&mut self, record: &LogRecord) -> Result<(), TrainingError> {
        Ok(self.state.apply(self.state.log_seq().next(), record)?)
    }
}
