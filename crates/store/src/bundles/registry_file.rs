use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};
use shortlist_types::Timestamp;

use crate::durable_file::{read_bounded, rename_synced, write_synced};
use crate::limits::{BUNDLES_MAX, PROMOTIONS_MAX, REGISTRY_BYTES_MAX};
use crate::{BundleId, PublishStep, StoreError};

const FORMAT: u32 = 1;

/// A bundle that was made current.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Promotion {
    pub(crate) bundle: BundleId,
    pub(crate) at: Timestamp,
}

/// What `registry.json` says. A missing file says nothing was published yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RegistryFile {
    format: u32,
    /// What servers serve.
    pub(crate) current: Option<Promotion>,
    /// What was current before, the latest last: where a rollback goes.
    pub(crate) previous: Vec<Promotion>,
    /// When each bundle was published.
    pub(crate) published: BTreeMap<BundleId, Timestamp>,
}

/// The part of a registry that every format has.
#[derive(Deserialize)]
struct FormatOnly {
    format: u32,
}

// An entry is an id, a time, and less than 40 bytes of JSON around them.
const _: () = assert!(((BUNDLES_MAX + PROMOTIONS_MAX) * (18 + 32 + 40) + 200) as u64 <= REGISTRY_BYTES_MAX);

impl Default for RegistryFile {
    fn default() -> Self {
        Self { format: FORMAT, current: None, previous: Vec::new(), published: BTreeMap::new() }
    }
}

impl RegistryFile {
    pub(crate) fn read(path: &Path) -> Result<Self, StoreError> {
        let damaged = |reason: String| StoreError::DamagedRegistry { path: path.to_owned(), reason };
        let bytes = match read_bounded(path, REGISTRY_BYTES_MAX) {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(length)) => return Err(damaged(format!("{length} bytes are more than {REGISTRY_BYTES_MAX}"))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error.into()),
        };
        match serde_json::from_slice(&bytes) {
            Ok(FormatOnly { format: FORMAT }) => {
                serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))
            }
            Ok(FormatOnly { format: found }) if found > FORMAT => {
                Err(StoreError::NewerFormat { path: path.to_owned(), found, supported: FORMAT })
            }
            Ok(FormatOnly { format }) => Err(damaged(format!("format {format} never was"))),
            Err(error) => Err(damaged(error.to_string())),
        }
    }

    /// Replaces the file: a crash leaves the old one or the new one.
    pub(crate) fn replace(&self, path: &Path, on_step: &mut dyn FnMut(PublishStep)) -> Result<(), StoreError> {
        let staged = path.with_extension("json.tmp");
        write_synced(&staged, &serde_json::to_vec_pretty(self).map_err(io::Error::from)?)?;
        on_step(PublishStep::RegistryStaged);
        Ok(rename_synced(&staged, path)?)
    }

    /// Makes `bundle` current and remembers what was; the current one again changes nothing.
    pub(crate) fn promote(&mut self, bundle: &BundleId, now: Timestamp) {
        if self.current.as_ref().is_some_and(|current| current.bundle == *bundle) {
            return;
        }
        self.previous.extend(self.current.replace(Promotion { bundle: bundle.clone(), at: now }));
        let forgotten = self.previous.len().saturating_sub(PROMOTIONS_MAX);
        self.previous.drain(..forgotten);
        self.published.entry(bundle.clone()).or_insert(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u64) -> BundleId {
        BundleId::parse(&format!("b-{n:016x}")).unwrap()
    }

    #[test]
    fn promotions_are_remembered_up_to_the_limit() {
        let mut file = RegistryFile::default();
        for n in 0..100 {
            file.promote(&id(n), Timestamp::EPOCH);
            file.promote(&id(n), Timestamp::EPOCH);
        }
        assert_eq!(file.current.as_ref().unwrap().bundle, id(99));
        assert_eq!(file.previous.len(), PROMOTIONS_MAX);
        assert_eq!(file.previous.last().unwrap().bundle, id(98));
    }

    #[test]
    fn the_file_comes_back_and_a_missing_one_is_empty() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("registry.json");
        assert_eq!(RegistryFile::read(&path).unwrap(), RegistryFile::default());
        let mut file = RegistryFile::default();
        file.promote(&id(1), Timestamp::EPOCH);
        file.replace(&path, &mut |_| ()).unwrap();
        assert_eq!(RegistryFile::read(&path).unwrap(), file);
    }

    #[test]
    fn damage_and_newer_formats_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("registry.json");
        let mut file = RegistryFile::default();
        file.promote(&id(1), Timestamp::EPOCH);
        file.replace(&path, &mut |_| ()).unwrap();
        let whole = fs_err::read(&path).unwrap();
        for length in 0..whole.len() {
            fs_err::write(&path, &whole[..length]).unwrap();
            assert!(matches!(RegistryFile::read(&path), Err(StoreError::DamagedRegistry { .. })), "{length}");
        }
        let dangling = String::from_utf8(whole).unwrap().replace("b-", "..");
        fs_err::write(&path, dangling).unwrap();
        assert!(matches!(RegistryFile::read(&path), Err(StoreError::DamagedRegistry { .. })));
        fs_err::write(&path, r#"{"format":2}"#).unwrap();
        assert!(matches!(RegistryFile::read(&path), Err(StoreError::NewerFormat { found: 2, .. })));
        fs_err::write(&path, vec![b' '; usize::try_from(REGISTRY_BYTES_MAX).unwrap() + 1]).unwrap();
        assert!(matches!(RegistryFile::read(&path), Err(StoreError::DamagedRegistry { .. })));
    }
}
