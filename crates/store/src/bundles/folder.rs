//! One bundle on disk: `bundles/<id>/`, or `bundles/.tmp-<id>/` while it is written. Every path is
//! built from a parsed [`BundleId`] and from file names that a manifest allowed.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::bundles::manifest::{BundleFile, BundleManifest, MANIFEST_FILE, MANIFEST_FORMAT};
use crate::durable_file::{read_bounded, rename_synced, sync_dir, write_synced};
use crate::limits::MANIFEST_BYTES_MAX;
use crate::sha256::{sha256_hex, sha256_of_file};
use crate::{BundleDamage, BundleId, PublishStep, StoreError};

const STAGING_PREFIX: &str = ".tmp-";

/// Where bundle `id` is.
pub(crate) fn path_of(bundles: &Path, id: &BundleId) -> PathBuf {
    bundles.join(id.as_str())
}

/// Writes a bundle so that it appears whole or not at all. The caller holds the registry's lock.
pub(crate) fn write(
    bundles: &Path,
    id: &BundleId,
    files: &BTreeMap<String, Vec<u8>>,
    manifest: &[u8],
    on_step: &mut dyn FnMut(PublishStep),
) -> Result<(), StoreError> {
    let staging = bundles.join(format!("{STAGING_PREFIX}{id}"));
    fs_err::create_dir(&staging)?;
    let content = files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice()));
    for (name, bytes) in content.chain([(MANIFEST_FILE, manifest)]) {
        write_synced(&staging.join(name), bytes)?;
        on_step(PublishStep::Staged { file: name.to_owned() });
    }
    sync_dir(&staging)?;
    on_step(PublishStep::Synced);
    let path = path_of(bundles, id);
    // Only a damaged folder can be here, or the caller would not have come: the whole one replaces it.
    if path.try_exists()? {
        fs_err::remove_dir_all(&path)?;
    }
    rename_synced(&staging, &path)?;
    on_step(PublishStep::Renamed);
    Ok(())
}

/// Removes a bundle so that a crash leaves it whole or out of sight. The caller holds the registry's lock.
pub(crate) fn remove(bundles: &Path, id: &BundleId) -> io::Result<()> {
    let staging = bundles.join(format!("{STAGING_PREFIX}{id}"));
    rename_synced(&path_of(bundles, id), &staging)?;
    fs_err::remove_dir_all(&staging)
}

/// Bytes of all files in a bundle's folder, whatever they are.
pub(crate) fn bytes_on_disk(bundles: &Path, id: &BundleId) -> io::Result<u64> {
    fs_err::read_dir(path_of(bundles, id))?.map(|entry| Ok(entry?.metadata()?.len())).sum()
}

/// Removes what crashed publishes left. The caller holds the registry's lock, so none is under way.
pub(crate) fn remove_staging(bundles: &Path) -> io::Result<()> {
    for entry in fs_err::read_dir(bundles)? {
        let name = entry?.file_name();
        let id = name.to_str().and_then(|name| name.strip_prefix(STAGING_PREFIX));
        if let Some(id) = id.and_then(|id| BundleId::parse(id).ok()) {
            fs_err::remove_dir_all(bundles.join(format!("{STAGING_PREFIX}{id}")))?;
        }
    }
    Ok(())
}

/// A published bundle whose manifest belongs to its id and whose files have their lengths. Each file is
/// checked when it is asked for; files that the manifest does not name are not looked at.
#[derive(Debug, Clone)]
pub struct BundleFolder {
    id: BundleId,
    dir: PathBuf,
    files: BTreeMap<String, BundleFile>,
}

impl BundleFolder {
    pub(crate) fn open(bundles: &Path, id: &BundleId) -> Result<Self, StoreError> {
        let dir = path_of(bundles, id);
        match fs_err::symlink_metadata(&dir) {
            Ok(metadata) if metadata.is_dir() => {}
            Ok(_) => return Err(damaged(id, ".", BundleDamage::NotAFile)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(StoreError::BundleNotFound { id: id.clone() });
            }
            Err(error) => return Err(error.into()),
        }
        let manifest = read_manifest(&dir, id)?;
        // All lengths before the first allocation.
        for (name, BundleFile { bytes, .. }) in &manifest.files {
            let got = length_of(&dir, id, name)?;
            if got != *bytes {
                return Err(damaged(id, name, BundleDamage::Length { expected: *bytes, got }));
            }
        }
        Ok(Self { id: id.clone(), dir, files: manifest.files })
    }

    /// The bytes of a file, exactly those that were published; nothing if there is no such file.
    ///
    /// **Cost**: reads the file into memory and hashes it.
    ///
    /// # Errors
    /// [`StoreError::DamagedBundle`] names the file and the damage.
    pub fn read(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(BundleFile { bytes: expected, sha256 }) = self.files.get(name) else { return Ok(None) };
        let read = read_bounded(&self.dir.join(name), *expected)?;
        let bytes = read.map_err(|got| damaged(&self.id, name, BundleDamage::Length { expected: *expected, got }))?;
        if sha256_hex(&bytes) != *sha256 {
            return Err(damaged(&self.id, name, BundleDamage::Checksum));
        }
        Ok(Some(bytes))
    }

    /// Where a file is, once it was checked: for those that are mapped rather than read.
    ///
    /// **Cost**: reads the file in pieces and hashes it.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn path(&self, name: &str) -> Result<Option<PathBuf>, StoreError> {
        let Some(BundleFile { bytes: expected, sha256 }) = self.files.get(name) else { return Ok(None) };
        let path = self.dir.join(name);
        let (got, hash) = sha256_of_file(&path)?;
        if got != *expected {
            return Err(damaged(&self.id, name, BundleDamage::Length { expected: *expected, got }));
        }
        if hash != *sha256 {
            return Err(damaged(&self.id, name, BundleDamage::Checksum));
        }
        Ok(Some(path))
    }

    /// Checks every file.
    ///
    /// # Errors
    /// As [`Self::read`], for the first that is damaged.
    pub fn verify(&self) -> Result<(), StoreError> {
        self.files.keys().try_for_each(|name| self.path(name).map(|_| ()))
    }

    /// Checks every file and copies it into another folder of bundles, which has no such bundle.
    pub(crate) fn copy_to(&self, bundles: &Path) -> Result<(), StoreError> {
        let staging = bundles.join(format!("{STAGING_PREFIX}{}", self.id));
        fs_err::create_dir(&staging)?;
        for name in self.files.keys().map(String::as_str).chain([MANIFEST_FILE]) {
            self.path(name)?;
            let to = staging.join(name);
            fs_err::copy(self.dir.join(name), &to)?;
            fs_err::File::open(&to)?.sync_all()?;
        }
        sync_dir(&staging)?;
        Ok(rename_synced(&staging, &path_of(bundles, &self.id))?)
    }

    /// All files by name.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_all(&self) -> Result<BTreeMap<String, Vec<u8>>, StoreError> {
        let mut all = BTreeMap::new();
        for name in self.files.keys() {
            all.extend(self.read(name)?.map(|bytes| (name.clone(), bytes)));
        }
        Ok(all)
    }
}

fn read_manifest(dir: &Path, id: &BundleId) -> Result<BundleManifest, StoreError> {
    let path = dir.join(MANIFEST_FILE);
    let expected = MANIFEST_BYTES_MAX;
    // Looks that it is a file at all: opening a pipe would wait.
    length_of(dir, id, MANIFEST_FILE)?;
    let bytes = read_bounded(&path, expected)?
        .map_err(|got| damaged(id, MANIFEST_FILE, BundleDamage::Length { expected, got }))?;
    if BundleId::of_manifest(&bytes) != *id {
        return Err(damaged(id, MANIFEST_FILE, BundleDamage::Checksum));
    }
    match BundleManifest::format_of(&bytes) {
        Some(found) if found > MANIFEST_FORMAT => {
            Err(StoreError::NewerFormat { path, found, supported: MANIFEST_FORMAT })
        }
        _ => BundleManifest::parse(&bytes).ok_or_else(|| damaged(id, MANIFEST_FILE, BundleDamage::Manifest)),
    }
}

/// The length of a regular file of a bundle; a link is not followed.
fn length_of(dir: &Path, id: &BundleId, file: &str) -> Result<u64, StoreError> {
    match fs_err::symlink_metadata(dir.join(file)) {
        Ok(metadata) if metadata.is_file() => Ok(metadata.len()),
        Ok(_) => Err(damaged(id, file, BundleDamage::NotAFile)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(damaged(id, file, BundleDamage::Missing)),
        Err(error) => Err(error.into()),
    }
}

fn damaged(id: &BundleId, file: &str, damage: BundleDamage) -> StoreError {
    StoreError::DamagedBundle { id: id.clone(), file: file.to_owned(), damage }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn published(files: &BTreeMap<String, Vec<u8>>) -> (tempfile::TempDir, BundleId) {
        let dir = tempfile::tempdir().unwrap();
        let manifest = BundleManifest::of(files).unwrap().to_bytes().unwrap();
        let id = BundleId::of_manifest(&manifest);
        write(dir.path(), &id, files, &manifest, &mut |_| ()).unwrap();
        (dir, id)
    }

    fn two_files() -> BTreeMap<String, Vec<u8>> {
        BTreeMap::from([("a.bin".to_owned(), (0..200).collect()), ("empty".to_owned(), Vec::new())])
    }

    fn read_all(dir: &Path, id: &BundleId) -> Result<BTreeMap<String, Vec<u8>>, StoreError> {
        BundleFolder::open(dir, id)?.read_all()
    }

    /// What is said of a damaged bundle, the same by every way of reading it.
    fn damage_of(dir: &Path, id: &BundleId) -> (String, BundleDamage) {
        let verified = BundleFolder::open(dir, id).and_then(|folder| folder.verify());
        match (verified, read_all(dir, id)) {
            (Err(StoreError::DamagedBundle { file, damage, .. }), Err(error)) => {
                let same = StoreError::DamagedBundle { id: id.clone(), file: file.clone(), damage };
                assert_eq!(error.to_string(), same.to_string());
                (file, damage)
            }
            other => panic!("expected damage, got {other:?}"),
        }
    }

    #[cfg(unix)]
    #[test]
    fn every_flipped_bit_of_every_file_is_refused() {
        let (dir, id) = published(&two_files());
        use std::os::unix::fs::FileExt;
        for name in ["a.bin", MANIFEST_FILE] {
            let path = path_of(dir.path(), &id).join(name);
            let whole = fs_err::read(&path).unwrap();
            // In place: to truncate and write anew makes some file systems sync each time.
            let file = fs_err::OpenOptions::new().write(true).open(&path).unwrap();
            let put = |i: usize, byte: u8| file.file().write_all_at(&[byte], i as u64).unwrap();
            for bit in 0..whole.len() * 8 {
                let i = bit / 8;
                put(i, whole[i] ^ (1 << (bit % 8)));
                assert_eq!(damage_of(dir.path(), &id), (name.to_owned(), BundleDamage::Checksum), "bit {bit}");
                put(i, whole[i]);
            }
        }
        assert_eq!(read_all(dir.path(), &id).unwrap(), two_files());
    }

    #[test]
    fn every_other_length_is_refused_before_it_is_read() {
        let (dir, id) = published(&two_files());
        let path = path_of(dir.path(), &id).join("a.bin");
        let file = fs_err::OpenOptions::new().write(true).open(&path).unwrap();
        for length in (0..200).chain([201, 4_296]) {
            file.set_len(length).unwrap();
            let expected = BundleDamage::Length { expected: 200, got: length };
            assert_eq!(damage_of(dir.path(), &id), ("a.bin".to_owned(), expected));
        }
    }

    #[test]
    fn a_manifest_that_fits_its_id_is_still_checked() {
        let sha256 = "0".repeat(64);
        let files = |name: &str, bytes: &str| {
            format!(r#"{{"format":1,"files":{{"{name}":{{"bytes":{bytes},"sha256":"{sha256}"}}}}}}"#)
        };
        let (max, over) = (u64::MAX.to_string(), "18446744073709551616");
        let crafted = [files("../x", "1"), files("a", &max), files("a", over), files("a", "-1"), "{}".to_owned()];
        for manifest in crafted.into_iter().chain(["[".repeat(10_000), r#"{"format":0,"files":{}}"#.to_owned()]) {
            let dir = tempfile::tempdir().unwrap();
            let id = BundleId::of_manifest(manifest.as_bytes());
            write(dir.path(), &id, &BTreeMap::new(), manifest.as_bytes(), &mut |_| ()).unwrap();
            assert_eq!(
                damage_of(dir.path(), &id),
                (MANIFEST_FILE.to_owned(), BundleDamage::Manifest),
                "{manifest:.60}"
            );
        }
    }

    #[test]
    fn a_length_that_only_the_manifest_has_is_never_allocated() {
        let (dir, id) = published(&two_files());
        let manifest = format!(r#"{{"format":1,"files":{{"a":{{"bytes":{},"sha256":"0"}}}}}}"#, 1_u64 << 35);
        let crafted = BundleId::of_manifest(manifest.as_bytes());
        let files = BTreeMap::from([("a".to_owned(), vec![1])]);
        write(dir.path(), &crafted, &files, manifest.as_bytes(), &mut |_| ()).unwrap();
        let expected = BundleDamage::Length { expected: 1 << 35, got: 1 };
        assert_eq!(damage_of(dir.path(), &crafted), ("a".to_owned(), expected));
        read_all(dir.path(), &id).unwrap();
    }

    #[test]
    fn a_newer_format_is_told_from_damage() {
        let dir = tempfile::tempdir().unwrap();
        let manifest = br#"{"format":2,"files":{},"more":1}"#;
        let id = BundleId::of_manifest(manifest);
        write(dir.path(), &id, &BTreeMap::new(), manifest, &mut |_| ()).unwrap();
        let error = read_all(dir.path(), &id).unwrap_err();
        assert!(matches!(error, StoreError::NewerFormat { found: 2, supported: 1, .. }), "{error}");
    }

    #[test]
    fn missing_files_are_named_and_files_beside_the_manifest_are_not_used() {
        let (dir, id) = published(&two_files());
        fs_err::write(path_of(dir.path(), &id).join("extra"), b"x").unwrap();
        assert_eq!(read_all(dir.path(), &id).unwrap(), two_files());
        fs_err::remove_file(path_of(dir.path(), &id).join("empty")).unwrap();
        assert_eq!(damage_of(dir.path(), &id), ("empty".to_owned(), BundleDamage::Missing));
        fs_err::remove_file(path_of(dir.path(), &id).join(MANIFEST_FILE)).unwrap();
        assert_eq!(damage_of(dir.path(), &id), (MANIFEST_FILE.to_owned(), BundleDamage::Missing));
    }

    #[cfg(unix)]
    #[test]
    fn links_are_not_followed() {
        let (dir, id) = published(&two_files());
        let outside = dir.path().join("outside");
        let path = path_of(dir.path(), &id);
        fs_err::rename(path.join("a.bin"), &outside).unwrap();
        std::os::unix::fs::symlink(&outside, path.join("a.bin")).unwrap();
        assert_eq!(damage_of(dir.path(), &id), ("a.bin".to_owned(), BundleDamage::NotAFile));
        fs_err::rename(&path, dir.path().join("moved")).unwrap();
        std::os::unix::fs::symlink(dir.path().join("moved"), &path).unwrap();
        assert_eq!(damage_of(dir.path(), &id), (".".to_owned(), BundleDamage::NotAFile));
    }
}
