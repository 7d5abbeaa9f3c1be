//! Bundles: all that is learned, as files and back.

mod blend_files;
mod files;
mod known_users_file;
mod ranker_files;
mod tensors;
mod tower_files;

use std::collections::BTreeMap;

use serde::Serialize;
use shortlist_embedding::{ContentTower, EmbeddingError};
use shortlist_features::{FeatureKind, FeatureSchema};
use shortlist_retrieval::{FrozenIndex, RetrievalError};
use shortlist_store::{BundleId, LogReader, Registry, Store, StoreError};
use shortlist_types::Timestamp;

use self::files::{BundleFiles, PARTS, Source};
use self::tower_files::TowerNames;
use crate::{ItemSpace, Models, Provenance};

/// Why a bundle cannot serve. What serves now goes on serving.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The files are damaged or cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file that every bundle has is not there.
    #[error("the bundle has no file {file}")]
    Missing {
        /// Its name.
        file: &'static str,
    },
    /// A file holds something else than its name says.
    #[error("{file}: {reason}")]
    Malformed {
        /// Its name.
        file: &'static str,
        /// What was expected and what was got.
        reason: String,
    },
    /// The neighbour index was refused.
    #[error("{INDEX}: {0}")]
    Index(#[from] RetrievalError),
    /// The index holds other vectors than those that the models were fitted with.
    #[error("{INDEX}: belongs to item vectors with fingerprint {got:#018x}, the bundle's models to {expected:#018x}")]
    ForeignIndex {
        /// Fingerprint of the vectors that the models go with.
        expected: u64,
        /// Fingerprint of the vectors that the index was built from.
        got: u64,
    },
    /// It does not say which of its files belong together.
    #[error("the bundle was made by an older version: run `shortlist train`")]
    Older,
    /// A file of another bundle.
    #[error(
        "{file}: was not fitted together with the other parts of the bundle, and would give wrong answers beside them: train again, or promote a bundle as it was published"
    )]
    ForeignPart {
        /// Its name.
        file: &'static str,
    },
    /// The models of the first stage were refused.
    #[error("{BLEND}: {0}")]
    Embedding(#[from] EmbeddingError),
    /// The bundle was trained on another log: its numbers would mean other items.
    #[error("the bundle was trained on another log than this store's: train again on this one")]
    ForeignLog,
}

const BLEND: &str = "blend.json";
const ITEM_VALUES: &str = "item_values.safetensors";
const ITEM_TO_ITEM: &str = "item_to_item.safetensors";
const KNOWN_USERS: &str = "known_users.safetensors";
const INDEX: &str = "index.shortlist";
const ITEM_TOWER: TowerNames = TowerNames { numbers: "item_tower.json", tensors: "item_tower.safetensors" };
const USER_TOWER: TowerNames = TowerNames { numbers: "user_tower.json", tensors: "user_tower.safetensors" };
const FEATURES: &str = "features.json";
const PROVENANCE: &str = "provenance.json";
const REPORT: &str = "report.json";

/// All that is learned, as one immutable whole: models, feature schema, evaluation report,
/// provenance. Published, promoted and rolled back together, so that the user vectors of one model
/// never meet the item vectors of another.
#[derive(Debug)]
pub struct Bundle {
    /// Name, made from the content.
    pub id: BundleId,
    /// What requests read.
    pub models: Models,
    /// Where it comes from.
    pub provenance: Provenance,
    /// How good it was on the later slice of time.
    pub report: serde_json::Value,
}

impl Bundle {
    /// A bundle's files by name. The same content gives the same bytes.
    ///
    /// # Errors
    /// A part that does not serialise, or models without a ranker.
    pub fn to_files(
        models: &Models,
        provenance: &Provenance,
        report: &impl Serialize,
    ) -> Result<BTreeMap<String, Vec<u8>>, BundleError> {
        let ranker = models.ranker.as_ref().ok_or(BundleError::Missing { file: ranker_files::RANKER })?;
        let mut files = blend_files::write(&models.blend, models.space.as_ref())?;
        files.push((KNOWN_USERS, known_users_file::write(&models.known_users)?));
        if let Some(space) = &models.space {
            let mut index = Vec::new();
            space.learned().write_to(&mut index).map_err(|error| malformed(INDEX, &error))?;
            files.push((INDEX, index));
        }
        let towers =
            [(ITEM_TOWER, models.space.as_ref().and_then(ItemSpace::tower)), (USER_TOWER, models.user_tower.as_ref())];
        for (names, tower) in towers {
            files.extend(tower.map(|tower| tower_files::write(tower, names)).transpose()?.into_iter().flatten());
        }
        files.extend(ranker_files::write(ranker)?);
        files.push((FEATURES, to_json(FEATURES, &models.features)?));
        files.push((PROVENANCE, to_json(PROVENANCE, provenance)?));
        files.push((PARTS, files::list(&files)?));
        files.push((REPORT, to_json(REPORT, report)?));
        Ok(files.into_iter().map(|(name, bytes)| (name.to_owned(), bytes)).collect())
    }

    /// Loads a published bundle, checks every part in full, and checks that it was trained on this log.
    /// The index is mapped.
    ///
    /// # Errors
    /// A missing or malformed file, a feature of a kind that this build does not compute, or
    /// [`BundleError::ForeignLog`].
    pub fn load(registry: &Registry, log: &LogReader, id: &BundleId) -> Result<Self, BundleError> {
        let folder = registry.open(id)?;
        let files = BundleFiles::open(Source::Published(&folder))?;
        let models = Models::of(&files)?;
        let (provenance, report) = (files.json(PROVENANCE)?, files.json(REPORT)?);
        let bundle = Self { id: id.clone(), models, provenance, report };
        // What retention removed can no longer be compared.
        if bundle.provenance.log_seq < log.start()?.log_seq {
            return Ok(bundle);
        }
        let chain = log.chain_at(bundle.provenance.log_seq)?;
        if chain.map(Provenance::chain_text) != Some(bundle.provenance.log_chain.clone()) {
            return Err(BundleError::ForeignLog);
        }
        Ok(bundle)
    }

    /// Makes a bundle current, after looking that it can serve this store. Servers see it within a second.
    ///
    /// # Errors
    /// As [`Self::load`]; what was current stays so.
    pub fn promote(store: &Store, id: &BundleId, now: Timestamp) -> Result<(), BundleError> {
        Self::load(&store.registry(), &store.reader()?, id)?;
        Ok(store.registry().promote(id, now)?)
    }
}

impl Models {
    /// Reads the models from a bundle's files, as they are before it is published, and checks each.
    ///
    /// # Errors
    /// As [`Bundle::load`].
    pub fn from_files(files: &BTreeMap<String, Vec<u8>>) -> Result<Self, BundleError> {
        Self::of(&BundleFiles::open(Source::Memory(files))?)
    }

    fn of(files: &BundleFiles<'_>) -> Result<Self, BundleError> {
        let features: BTreeMap<String, FeatureKind> = files.json(FEATURES)?;
        let features = FeatureSchema::parse(features).map_err(|error| malformed(FEATURES, &error))?;
        let ranker = ranker_files::read(files, &features)?;
        let index = files.index()?;
        let blend = blend_files::read(files, index.as_ref())?;
        let known_users = known_users_file::read(files)?;
        let item_tower = tower_files::read(files, ITEM_TOWER)?;
        let user_tower = tower_files::read(files, USER_TOWER)?;
        let dimensions = index.as_ref().map(FrozenIndex::dimensions);
        for (names, tower) in [(ITEM_TOWER, &item_tower), (USER_TOWER, &user_tower)] {
            let got = tower.as_ref().map(ContentTower::dimensions);
            if got.is_some() && got != dimensions {
                let reason = format!("expected vectors of {dimensions:?} dimensions, got {got:?}");
                return Err(BundleError::Malformed { file: names.tensors, reason });
            }
        }
        let space = index.map(|index| ItemSpace::new(index).with_tower(item_tower));
        Ok(Self { blend, space, known_users, user_tower, features, ranker: Some(ranker) })
    }
}

fn malformed(file: &'static str, reason: &impl ToString) -> BundleError {
    BundleError::Malformed { file, reason: reason.to_string() }
}

fn to_json(name: &'static str, value: &impl Serialize) -> Result<Vec<u8>, BundleError> {
    let mut bytes = serde_json::to_vec_pretty(value).map_err(|error| malformed(name, &error))?;
    bytes.push(b'\n');
    Ok(bytes)
}
