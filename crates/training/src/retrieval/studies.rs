use crate::tuning::{Best, NoJournal, Objective, Study, Surroundings, Trial};
use crate::{Progress, TrainingError};

/// Measures one trial; the reason if it cannot be fitted.
pub type Evaluate<'a> = dyn FnMut(&Trial) -> Result<Objective, String> + 'a;

/// Runs the studies of a choice: who has files and a clock keeps their trials and limits their time.
pub trait Studies {
    /// Runs the study called `name`, from where it was left if its trials were kept.
    ///
    /// # Errors
    /// Every trial failed, or trials could not be kept or taken over.
    fn run(
        &mut self,
        name: &str,
        study: &mut Study,
        evaluate: &mut Evaluate<'_>,
        progress: &mut dyn Progress,
    ) -> Result<Best, TrainingError>;
}

/// Keeps no trials and has no clock: a study ends by its number of trials alone, so the same data, seed
/// and configuration choose the same.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unkept;

impl Studies for Unkept {
    fn run(
        &mut self,
        _name: &str,
        study: &mut Study,
        evaluate: &mut Evaluate<'_>,
        progress: &mut dyn Progress,
    ) -> Result<Best, TrainingError> {
        let surroundings = Surroundings { clock: &mut || 0.0, journal: &mut NoJournal, progress };
        Ok(study.run(evaluate, surroundings)?)
    }
}
