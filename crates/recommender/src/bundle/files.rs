use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use shortlist_retrieval::FrozenIndex;
use shortlist_store::BundleFolder;
use xxhash_rust::xxh3::xxh3_64;

use super::{BundleError, INDEX, REPORT, malformed, to_json};

/// Which files were fitted together. The manifest says that a file is undamaged; this says that it belongs here: the
/// ranker of another bundle has the same shape, and would rank quietly wrong.
pub(crate) const PARTS: &str = "parts.json";

/// The one that nothing is computed by, and the index, which `blend.json` knows by its vectors.
const NO_PARTS: [&str; 2] = [INDEX, REPORT];

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Parts {
    /// Fingerprints by name of file, as 16 hex digits.
    fitted_together: BTreeMap<String, String>,
}

/// The list of these files.
pub(crate) fn list(files: &[(&'static str, Vec<u8>)]) -> Result<Vec<u8>, BundleError> {
    let parts = files.iter().filter(|(name, _)| !NO_PARTS.contains(name));
    let fitted_together = parts.map(|(name, bytes)| ((*name).to_owned(), fingerprint(bytes))).collect();
    to_json(PARTS, &Parts { fitted_together })
}

fn fingerprint(bytes: &[u8]) -> String {
    format!("{:016x}", xxh3_64(bytes))
}

/// Where a bundle's files are.
#[derive(Clone, Copy)]
pub(crate) enum Source<'a> {
    /// About to be published.
    Memory(&'a BTreeMap<String, Vec<u8>>),
    Published(&'a BundleFolder),
}

/// A bundle's files; what belongs to another bundle is refused.
pub(crate) struct BundleFiles<'a> {
    source: Source<'a>,
    parts: Parts,
}

impl<'a> Source<'a> {
    fn bytes(self, name: &str) -> Result<Option<Cow<'a, [u8]>>, BundleError> {
        Ok(match self {
            Self::Memory(files) => files.get(name).map(|bytes| Cow::Borrowed(bytes.as_slice())),
            Self::Published(folder) => folder.read(name)?.map(Cow::Owned),
        })
    }
}

impl<'a> BundleFiles<'a> {
    pub(crate) fn open(source: Source<'a>) -> Result<Self, BundleError> {
        let bytes = source.bytes(PARTS)?.ok_or(BundleError::Older)?;
        let parts = serde_json::from_slice(&bytes).map_err(|error| malformed(PARTS, &error))?;
        Ok(Self { source, parts })
    }

    pub(crate) fn bytes(&self, name: &'static str) -> Result<Cow<'a, [u8]>, BundleError> {
        self.bytes_if_any(name)?.ok_or(BundleError::Missing { file: name })
    }

    /// For a part that not every bundle has.
    pub(crate) fn bytes_if_any(&self, name: &'static str) -> Result<Option<Cow<'a, [u8]>>, BundleError> {
        let bytes = self.source.bytes(name)?;
        if NO_PARTS.contains(&name) {
            return Ok(bytes);
        }
        match (bytes.as_deref().map(fingerprint), self.parts.fitted_together.get(name)) {
            (None, Some(_)) => Err(BundleError::Missing { file: name }),
            (got, expected) if got.as_ref() != expected => Err(BundleError::ForeignPart { file: name }),
            _ => Ok(bytes),
        }
    }

    pub(crate) fn json<T: DeserializeOwned>(&self, name: &'static str) -> Result<T, BundleError> {
        serde_json::from_slice(&self.bytes(name)?).map_err(|error| malformed(name, &error))
    }

    /// The index, mapped where there is a file; none if the blend has no vector model. Bundles are
    /// written once and replaced as a whole.
    pub(crate) fn index(&self) -> Result<Option<FrozenIndex>, BundleError> {
        Ok(match self.source {
            Source::Memory(_) => match self.bytes_if_any(INDEX)? {
                Some(bytes) => Some(FrozenIndex::from_bytes(&bytes)?),
                None => None,
            },
            Source::Published(folder) => match folder.path(INDEX)? {
                Some(path) => Some(FrozenIndex::open(&path)?),
                None => None,
            },
        })
    }
}
