use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use shortlist_store::BundleId;
use shortlist_types::InvalidInput;

use super::{Experiment, Experiments, Variant};
use crate::surface::{Changes, is_name};
use crate::{DEFAULT_SURFACE, Surfaces};

const EXPERIMENTS_MAX: usize = 16;
const VARIANTS_MAX: usize = 8;
const SALT_BYTES_MAX: usize = 128;
/// What the variant that others are compared with is called, if it is not said.
const CONTROL: &str = "control";

/// `[experiments]`, as it stands in a file.
#[derive(Debug, Default, Deserialize)]
#[serde(transparent)]
pub struct ExperimentFiles(BTreeMap<String, ExperimentFile>);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExperimentFile {
    surface: Option<String>,
    salt: Option<String>,
    control: Option<String>,
    variants: BTreeMap<String, VariantFile>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct VariantFile {
    share: f64,
    settings: Option<Changes>,
    bundle: Option<String>,
}

impl ExperimentFiles {
    /// The experiments, on these surfaces.
    ///
    /// # Errors
    /// Names the first field that cannot be used.
    pub fn resolve(self, surfaces: &Surfaces) -> Result<Experiments, InvalidInput> {
        if self.0.len() > EXPERIMENTS_MAX {
            let reason = format!("must be at most {EXPERIMENTS_MAX}, got {}", self.0.len());
            return Err(InvalidInput::new("experiments", reason));
        }
        let mut taken: BTreeMap<String, String> = BTreeMap::new();
        let mut experiments = BTreeMap::new();
        for (name, file) in self.0 {
            let at = |error: InvalidInput| error.within(format!("experiments.{name}"));
            check_name("", &name).map_err(at)?;
            let experiment = file.resolve(&name, surfaces).map_err(at)?;
            // Two at once on a surface would each change what the other compares.
            if let Some(other) = taken.insert(experiment.surface.clone(), name.clone()) {
                let reason = format!("{:?} has the experiment {other:?} already", experiment.surface);
                return Err(at(InvalidInput::new("surface", reason)));
            }
            experiments.insert(name, experiment);
        }
        Ok(Experiments(experiments))
    }
}

impl ExperimentFile {
    fn resolve(self, name: &str, surfaces: &Surfaces) -> Result<Experiment, InvalidInput> {
        let surface = self.surface.unwrap_or_else(|| DEFAULT_SURFACE.to_owned());
        let Some((_, base)) = surfaces.iter().find(|(known, _)| *known == surface) else {
            let known: Vec<&str> = surfaces.iter().map(|(name, _)| name).collect();
            let reason = format!("unknown surface {surface:?}; known are {}", known.join(", "));
            return Err(InvalidInput::new("surface", reason));
        };
        let salt = self.salt.unwrap_or_else(|| name.to_owned());
        if salt.is_empty() || salt.len() > SALT_BYTES_MAX {
            return Err(InvalidInput::new("salt", format!("must have 1 to {SALT_BYTES_MAX} bytes")));
        }
        if !(2..=VARIANTS_MAX).contains(&self.variants.len()) {
            let reason = format!("must be 2 to {VARIANTS_MAX}, got {}", self.variants.len());
            return Err(InvalidInput::new("variants", reason));
        }
        let mut variants = BTreeMap::new();
        for (name, file) in self.variants {
            let at = |error: InvalidInput| error.within(format!("variants.{name}"));
            check_name("", &name).map_err(at)?;
            let settings = file.settings.map(|changes| changes.of_variant(base)).transpose();
            let settings = settings.map_err(|error| at(error.within("settings")))?;
            let bundle = file.bundle.as_deref().map(BundleId::parse).transpose().map_err(at)?;
            if !(file.share > 0.0 && file.share <= 1.0) {
                let reason = format!("must be above 0, at most 1, got {}", file.share);
                return Err(at(InvalidInput::new("share", reason)));
            }
            variants.insert(name, Variant { share: file.share, settings, bundle });
        }
        let sum: f64 = variants.values().map(|variant| variant.share).sum();
        if sum > 1.0 + 1e-9 {
            return Err(InvalidInput::new("variants", format!("their shares must add up to at most 1, got {sum}")));
        }
        let control = self.control.unwrap_or_else(|| CONTROL.to_owned());
        if !variants.contains_key(&control) {
            let known: BTreeSet<&str> = variants.keys().map(String::as_str).collect();
            let known = known.into_iter().collect::<Vec<_>>().join(", ");
            let reason =
                format!("must name the variant that the others are compared with, one of {known}; got {control:?}");
            return Err(InvalidInput::new("control", reason));
        }
        Ok(Experiment { surface, salt, control, variants })
    }
}

fn check_name(field: &'static str, name: &str) -> Result<(), InvalidInput> {
    if is_name(name) { Ok(()) } else { Err(InvalidInput::new(field, "names are 1 to 64 of a-z, 0-9, - and _")) }
}
