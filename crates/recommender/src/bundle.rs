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
use shortlist_retrieval::{HnswIndex, RetrievalError};
use shortlist_store::{BundleId, LogReader, Registry, StoreError};
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
const INDEX: &str = "index.hnsw";
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
    pub index: HnswIndex,
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

    /// Reads a bundle from its files and checks every part.
    ///
    /// # Errors
    /// A missing or malformed file, or features that this build does not compute.
    pub fn from_files(id: BundleId, files: &BTreeMap<String, Vec<u8>>) -> Result<Self, BundleError> {
        let models = Models::from_files(files)?;
        Ok(Self { id, models, provenance: from_json(files, PROVENANCE)?, report: from_json(files, REPORT)? })
    }

    /// Loads a published bundle, checks it in full, and checks that it was trained on this log.
    ///
    /// # Errors
    /// As [`Self::from_files`]; [`BundleError::ForeignLog`].
    pub fn load(registry: &Registry, log: &LogReader, id: &BundleId) -> Result<Self, BundleError> {
        let bundle = Self::from_files(id.clone(), &registry.load(id)?)?;
        let chain = log.chain_at(bundle.provenance.log_seq)?;
        if chain.map(Provenance::chain_text) != Some(bundle.provenance.log_chain.clone()) {
            return Err(BundleError::ForeignLog);
        }
        Ok(bundle)
    }
}

impl Models {
    /// Reads the models from a bundle's files and checks each.
    ///
    /// # Errors
    /// As [`Bundle::from_files`].
    pub fn from_files(files: &BTreeMap<String, Vec<u8>>) -> Result<Self, BundleError> {
        let schema: FeatureSchema = from_json(files, FEATURES)?;
        if let Some(feature) = schema.first_difference() {
            return Err(BundleError::ForeignFeatures { feature });
        }
        let table = Arc::new(embeddings_from_bytes(file(files, EMBEDDINGS)?)?);
        let config: IalsConfig = from_json(files, EMBEDDING_CONFIG)?;
        let ranker: LogisticRegression = from_json(files, RANKER)?;
        if ranker.features() != RequestFeatures::width() {
            let reason = format!("expected {} weights, got {}", RequestFeatures::width(), ranker.features());
            return Err(BundleError::Malformed { file: RANKER, reason });
        }
        Ok(Self {
            index: HnswIndex::read_from(file(files, INDEX)?, Arc::clone(&table))?,
            embedding: IalsModel::from_parts(table, &config)?,
            ranker: Some(ranker),
        })
    }
}

fn malformed(file: &'static str, reason: &impl ToString) -> BundleError {
    BundleError::Malformed { file, reason: reason.to_string() }
}

fn file<'a>(files: &'a BTreeMap<String, Vec<u8>>, name: &'static str) -> Result<&'a [u8], BundleError> {
    files.get(name).map(Vec::as_slice).ok_or(BundleError::Missing { file: name })
}

fn to_json(name: &'static str, value: &impl Serialize) -> Result<Vec<u8>, BundleError> {
    let mut bytes = serde_json::to_vec_pretty(value).map_err(|error| malformed(name, &error))?;
    bytes.push(b'\n');
    Ok(bytes)
}

fn from_json<T: DeserializeOwned>(files: &BTreeMap<String, Vec<u8>>, name: &'static str) -> Result<T, BundleError> {
    serde_json::from_slice(file(files, name)?).map_err(|error| malformed(name, &error))
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
