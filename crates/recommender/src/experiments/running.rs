use std::collections::BTreeMap;

use shortlist_store::{Assignment, BundleId};
use shortlist_types::{InvalidInput, UserId};

use super::Experiment;
use crate::Pipeline;

/// An experiment while it serves.
pub(crate) struct Running {
    name: String,
    experiment: Experiment,
    /// Of the variants that change the surface.
    pipelines: BTreeMap<String, Pipeline>,
}

/// What a user's variant is made of.
pub(crate) struct Arm<'a> {
    pub(crate) assignment: Assignment,
    /// None: that of the surface.
    pub(crate) pipeline: Option<&'a Pipeline>,
    /// None: the promoted one.
    pub(crate) bundle: Option<&'a BundleId>,
}

impl Running {
    /// # Errors
    /// A surface with a field out of range.
    pub(crate) fn new(name: &str, experiment: &Experiment) -> Result<Self, InvalidInput> {
        let changed = experiment.variants.iter().filter_map(|(name, variant)| Some((name, variant.settings.as_ref()?)));
        let pipelines = changed.map(|(name, settings)| Ok((name.clone(), Pipeline::new(settings.clone())?)));
        let pipelines = pipelines.collect::<Result<_, InvalidInput>>()?;
        Ok(Self { name: name.to_owned(), experiment: experiment.clone(), pipelines })
    }

    /// Where it runs.
    pub(crate) fn surface(&self) -> &str {
        &self.experiment.surface
    }

    /// The user's variant, if he is in the experiment.
    pub(crate) fn arm(&self, user_id: &UserId) -> Option<Arm<'_>> {
        let name = self.experiment.assign(user_id)?;
        let assignment = Assignment { experiment: self.name.clone(), variant: name.to_owned() };
        let bundle = self.experiment.variants.get(name).and_then(|variant| variant.bundle.as_ref());
        Some(Arm { assignment, pipeline: self.pipelines.get(name), bundle })
    }
}
