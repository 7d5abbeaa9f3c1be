use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::Serialize;
use serde::de::DeserializeOwned;
use shortlist_embedding::{EmbeddingError, IalsConfig, IalsModel};
use shortlist_features::{FeatureSchema, RequestFeatures};
use shortlist_ranking::LogisticRegression;
use shortlist_retrieval::{FrozenIndex, RetrievalError, fingerprint};
use shortlist_store::{BundleFolder, BundleId, LogReader, Registry, StoreError};
use shortlist_types::{EmbeddingTable, InvalidInput, ItemIdx};

use crate::Provenance;

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
    /// The index was built over other vectors than the bundle's.
    #[error("{INDEX}: belongs to an embedding table with fingerprint {expected:#018x}, the bundle's has {got:#018x}")]
    ForeignIndex {
        /// Fingerprint of the table that the index was built from.
        expected: u64,
        /// Fingerprint of the bundle's table.
        got: u64,
    },
    /// The item vectors were refused.
    #[error("{EMBEDDINGS}: {0}")]
    Embedding(#[from] EmbeddingError),
    /// The ranker reads features that this build does not compute.
    #[error("the bundle's ranker reads other features than this version computes, first {feature:?}: train again")]
    ForeignFeatures {
        /// The first one that differs.
        feature: String,
    },
    /// The bundle was trained on another log: its numbers would mean other items.
    #[error("the bundle was trained on another log than this store's: train again on this one")]
    ForeignLog,
}

const EMBEDDINGS: &str = "item_embeddings.safetensors";
const EMBEDDING_CONFIG: &str = "embedding.json";
const INDEX: &str = "index.shortlist";
const FEATURES: &str = "features.json";
const RANKER: &str = "ranker.json";
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

/// The models of both stages, fitted together.
#[derive(Debug)]
pub struct Models {
    /// Item vectors, and the fold-in that gives users theirs.
    pub embedding: IalsModel,
    /// Neighbour search over the item vectors.
    pub index: FrozenIndex,
    /// Second stage; absent only while training, before it is fitted.
    pub ranker: Option<LogisticRegression>,
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
        let ranker = models.ranker.as_ref().ok_or(BundleError::Missing { file: RANKER })?;
        let mut index = Vec::new();
        models.index.write_to(&mut index).map_err(|error| malformed(INDEX, &error))?;
        let files = [
            (EMBEDDINGS, embeddings_to_bytes(models.embedding.table())?),
            (EMBEDDING_CONFIG, to_json(EMBEDDING_CONFIG, models.embedding.config())?),
            (INDEX, index),
            (FEATURES, to_json(FEATURES, &FeatureSchema::current())?),
            (RANKER, to_json(RANKER, ranker)?),
            (PROVENANCE, to_json(PROVENANCE, provenance)?),
            (REPORT, to_json(REPORT, report)?),
        ];
        Ok(files.into_iter().map(|(name, bytes)| (name.to_owned(), bytes)).collect())
    }

    /// Loads a published bundle, checks every part in full, and checks that it was trained on this log.
    /// The index is mapped.
    ///
    /// # Errors
    /// A missing or malformed file, features that this build does not compute, or
    /// [`BundleError::ForeignLog`].
    pub fn load(registry: &Registry, log: &LogReader, id: &BundleId) -> Result<Self, BundleError> {
        let files = BundleFiles::Published(&registry.open(id)?);
        let models = Models::of(&files)?;
        let (provenance, report) = (files.json(PROVENANCE)?, files.json(REPORT)?);
        let bundle = Self { id: id.clone(), models, provenance, report };
        let chain = log.chain_at(bundle.provenance.log_seq)?;
        if chain.map(Provenance::chain_text) != Some(bundle.provenance.log_chain.clone()) {
            return Err(BundleError::ForeignLog);
        }
        Ok(bundle)
    }
}

impl Models {
    /// Reads the models from a bundle's files, as they are before it is published, and checks each.
    ///
    /// # Errors
    /// As [`Bundle::load`].
    pub fn from_files(files: &BTreeMap<String, Vec<u8>>) -> Result<Self, BundleError> {
        Self::of(&BundleFiles::Memory(files))
    }

    fn of(files: &BundleFiles<'_>) -> Result<Self, BundleError> {
        let schema: FeatureSchema = files.json(FEATURES)?;
        if let Some(feature) = schema.first_difference() {
            return Err(BundleError::ForeignFeatures { feature });
        }
        let table = Arc::new(embeddings_from_bytes(&files.bytes(EMBEDDINGS)?)?);
        let config: IalsConfig = files.json(EMBEDDING_CONFIG)?;
        let ranker: LogisticRegression = files.json(RANKER)?;
        if ranker.features() != RequestFeatures::width() {
            let reason = format!("expected {} weights, got {}", RequestFeatures::width(), ranker.features());
            return Err(BundleError::Malformed { file: RANKER, reason });
        }
        let index = files.index()?;
        let (expected, got) = (index.model(), fingerprint(&table));
        if expected != got {
            return Err(BundleError::ForeignIndex { expected, got });
        }
        Ok(Self { index, embedding: IalsModel::from_parts(table, &config)?, ranker: Some(ranker) })
    }
}

fn malformed(file: &'static str, reason: &impl ToString) -> BundleError {
    BundleError::Malformed { file, reason: reason.to_string() }
}

/// Where a bundle's files are.
enum BundleFiles<'a> {
    /// About to be published.
    Memory(&'a BTreeMap<String, Vec<u8>>),
    Published(&'a BundleFolder),
}

impl<'a> BundleFiles<'a> {
    fn bytes(&self, name: &'static str) -> Result<Cow<'a, [u8]>, BundleError> {
        let bytes = match self {
            Self::Memory(files) => files.get(name).map(|bytes| Cow::Borrowed(bytes.as_slice())),
            Self::Published(folder) => folder.read(name)?.map(Cow::Owned),
        };
        bytes.ok_or(BundleError::Missing { file: name })
    }

    fn json<T: DeserializeOwned>(&self, name: &'static str) -> Result<T, BundleError> {
        serde_json::from_slice(&self.bytes(name)?).map_err(|error| malformed(name, &error))
    }

    /// The index, mapped where there is a file. Bundles are written once and replaced as a whole.
    fn index(&self) -> Result<FrozenIndex, BundleError> {
        match self {
            Self::Memory(_) => Ok(FrozenIndex::from_bytes(&self.bytes(INDEX)?)?),
            Self::Published(folder) => {
                let path = folder.path(INDEX)?.ok_or(BundleError::Missing { file: INDEX })?;
                Ok(FrozenIndex::open(&path)?)
            }
        }
    }
}

fn to_json(name: &'static str, value: &impl Serialize) -> Result<Vec<u8>, BundleError> {
    let mut bytes = serde_json::to_vec_pretty(value).map_err(|error| malformed(name, &error))?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Item numbers (n, U32) and vectors (n x dimensions, F32), little-endian.
fn embeddings_to_bytes(table: &EmbeddingTable) -> Result<Vec<u8>, BundleError> {
    let items: Vec<u8> = table.items().iter().flat_map(|item| item.0.to_le_bytes()).collect();
    let values: Vec<u8> = table.values().iter().flat_map(|value| value.to_le_bytes()).collect();
    let shape = vec![table.len(), table.dimensions()];
    let tensors = [
        ("items", TensorView::new(Dtype::U32, vec![table.len()], &items)),
        ("vectors", TensorView::new(Dtype::F32, shape, &values)),
    ];
    let tensors: Result<Vec<_>, _> = tensors.into_iter().map(|(name, tensor)| Ok((name, tensor?))).collect();
    let tensors = tensors.map_err(|error: safetensors::SafeTensorError| malformed(EMBEDDINGS, &error))?;
    safetensors::serialize(tensors, None).map_err(|error| malformed(EMBEDDINGS, &error))
}

fn embeddings_from_bytes(bytes: &[u8]) -> Result<EmbeddingTable, BundleError> {
    let tensors = SafeTensors::deserialize(bytes).map_err(|error| malformed(EMBEDDINGS, &error))?;
    let tensor = |name, dtype, rank| {
        let tensor = tensors.tensor(name).map_err(|error| malformed(EMBEDDINGS, &error))?;
        if tensor.dtype() != dtype || tensor.shape().len() != rank {
            let (got, shape) = (tensor.dtype(), tensor.shape());
            return Err(malformed(EMBEDDINGS, &format!("{name}: expected {dtype:?}, got {got:?} of shape {shape:?}")));
        }
        Ok(tensor)
    };
    let (items, vectors) = (tensor("items", Dtype::U32, 1)?, tensor("vectors", Dtype::F32, 2)?);
    let dimensions = vectors.shape()[1];
    let words = |data: Cow<'_, [u8]>| data.as_chunks::<4>().0.to_vec();
    let items = words(items.data().into()).into_iter().map(|word| ItemIdx(u32::from_le_bytes(word))).collect();
    let values = words(vectors.data().into()).into_iter().map(f32::from_le_bytes).collect();
    EmbeddingTable::parse(dimensions, items, values).map_err(|error: InvalidInput| malformed(EMBEDDINGS, &error))
}
