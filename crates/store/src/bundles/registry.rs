use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use shortlist_types::Timestamp;

use crate::bundles::folder;
use crate::bundles::manifest::BundleManifest;
use crate::bundles::registry_file::RegistryFile;
use crate::file_lock::FileLock;
use crate::limits::{BUNDLES_MAX, REGISTRY_WAIT};
use crate::{BundleFolder, BundleId, PublishStep, StoreError};

const REGISTRY_FILE: &str = "registry.json";
const LOCK_FILE: &str = "registry.lock";
const BUNDLES_DIR: &str = "bundles";

/// One line of the list of bundles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundleInfo {
    /// Its name.
    pub id: BundleId,
    /// When it was first published.
    pub published_at: Timestamp,
    /// Whether servers serve it.
    pub current: bool,
}

/// The bundles of one store, and which of them is current. Reading takes no lock: bundles never
/// change, and the registry file is replaced as a whole.
#[derive(Debug, Clone)]
pub struct Registry {
    bundles: PathBuf,
    file: PathBuf,
    lock: PathBuf,
}

impl Registry {
    /// Of the store in the folder `dir`, which is not opened and need not be there.
    pub fn of(dir: &Path) -> Self {
        Self { bundles: dir.join(BUNDLES_DIR), file: dir.join(REGISTRY_FILE), lock: dir.join(LOCK_FILE) }
    }

    pub(crate) fn create_folder(&self) -> Result<(), StoreError> {
        Ok(fs_err::create_dir_all(&self.bundles)?)
    }

    pub(crate) fn lock(&self) -> Result<FileLock, StoreError> {
        FileLock::acquire_within(&self.lock, REGISTRY_WAIT)?.ok_or(StoreError::RegistryBusy)
    }

    /// Writes a bundle and lists it; it is not current yet. The id comes from the content: the
    /// same files again are a success that changes nothing. `on_step` hears of each step.
    ///
    /// **Cost**: one sha256 over all files, one write and one fsync per file; a bundle that is
    /// already there is read and checked instead, and written anew if it is damaged.
    ///
    /// # Errors
    /// Names or sizes that are not allowed, [`StoreError::TooManyBundles`],
    /// [`StoreError::RegistryBusy`], or the disk; what was current before is current after.
    pub fn publish(
        &self,
        files: &BTreeMap<String, Vec<u8>>,
        now: Timestamp,
        on_step: &mut dyn FnMut(PublishStep),
    ) -> Result<BundleId, StoreError> {
        let manifest = BundleManifest::of(files)?.to_bytes()?;
        let id = BundleId::of_manifest(&manifest);
        self.create_folder()?;
        let _lock = self.lock()?;
        folder::remove_staging(&self.bundles)?;
        on_step(PublishStep::Started { id: id.clone() });
        let mut registry = RegistryFile::read(&self.file)?;
        // Bundles whose folder was removed by hand are forgotten.
        registry.published.retain(|known, _| folder::path_of(&self.bundles, known).is_dir());
        if registry.published.len() >= BUNDLES_MAX && !registry.published.contains_key(&id) {
            return Err(StoreError::TooManyBundles);
        }
        if self.open(&id).and_then(|folder| folder.verify()).is_err() {
            folder::write(&self.bundles, &id, files, &manifest, on_step)?;
        }
        if !registry.published.contains_key(&id) {
            registry.published.insert(id.clone(), now);
            registry.replace(&self.file, on_step)?;
        }
        on_step(PublishStep::Recorded);
        tracing::info!(bundle = %id, files = files.len(), "published");
        Ok(id)
    }

    /// Makes a bundle current, after checking that it loads. Promoting the current one again
    /// changes nothing.
    ///
    /// # Errors
    /// [`StoreError::BundleNotFound`], [`StoreError::DamagedBundle`]; what was current stays so.
    pub fn promote(&self, id: &BundleId, now: Timestamp) -> Result<(), StoreError> {
        self.promote_with_steps(id, now, &mut |_| ())
    }

    /// As [`Self::promote`]; `on_step` hears of each step.
    ///
    /// # Errors
    /// As [`Self::promote`].
    pub fn promote_with_steps(
        &self,
        id: &BundleId,
        now: Timestamp,
        on_step: &mut dyn FnMut(PublishStep),
    ) -> Result<(), StoreError> {
        let _lock = self.lock()?;
        self.open(id)?.verify()?;
        let before = RegistryFile::read(&self.file)?;
        let mut after = before.clone();
        after.promote(id, now);
        if after != before {
            after.replace(&self.file, on_step)?;
        }
        on_step(PublishStep::Promoted);
        tracing::info!(bundle = %id, "promoted");
        Ok(())
    }

    /// Makes current again what was so before, and says which that is; once more goes further back.
    ///
    /// # Errors
    /// [`StoreError::NothingToRollBack`]; a previous bundle that is gone or damaged, in which case
    /// the current one stays and another can be promoted by its id.
    pub fn rollback(&self, now: Timestamp) -> Result<BundleId, StoreError> {
        let _lock = self.lock()?;
        let mut registry = RegistryFile::read(&self.file)?;
        let mut previous = registry.previous.pop().ok_or(StoreError::NothingToRollBack)?;
        let id = previous.bundle.clone();
        self.open(&id)?.verify()?;
        previous.at = now;
        registry.current = Some(previous);
        registry.replace(&self.file, &mut |_| ())?;
        tracing::info!(bundle = %id, "rolled back");
        Ok(id)
    }

    /// Removes the oldest bundles beyond `kept`; the current one, the one before it, the newest, which may
    /// be about to be promoted, and those that are `spared` stay. Says which.
    ///
    /// # Errors
    /// [`StoreError::RegistryBusy`], a damaged registry file, or the disk.
    pub fn prune(&self, kept: usize, spared: &BTreeSet<BundleId>) -> Result<Vec<BundleId>, StoreError> {
        if self.list()?.len() <= kept {
            return Ok(Vec::new());
        }
        let _lock = self.lock()?;
        let registry = RegistryFile::read(&self.file)?;
        let previous = registry.previous.last().map(|promotion| promotion.bundle.clone());
        let list = self.list()?;
        let surplus = list.len().saturating_sub(kept);
        let old = list.split_last().map_or(&list[..], |(_, old)| old);
        let is_needed =
            |info: &BundleInfo| info.current || Some(&info.id) == previous.as_ref() || spared.contains(&info.id);
        let removable = old.iter().filter(|info| !is_needed(info));
        let removed: Vec<_> = removable.take(surplus).map(|info| info.id.clone()).collect();
        for id in &removed {
            folder::remove(&self.bundles, id)?;
            tracing::info!(bundle = %id, "removed an old bundle");
        }
        Ok(removed)
    }

    /// Copies all bundles, each checked, and which of them is current; says how many there are. What is
    /// damaged is `left_out`, unless it is current.
    pub(crate) fn copy_to(&self, target: &Self, left_out: &mut Vec<String>) -> Result<usize, StoreError> {
        target.create_folder()?;
        // What is copied does not change meanwhile: bundles never do, and nothing is promoted or removed.
        let _lock = self.lock()?;
        let mut copied = 0;
        for BundleInfo { id, current, .. } in self.list()? {
            match self.open(&id).and_then(|folder| folder.copy_to(&target.bundles)) {
                Ok(()) => copied += 1,
                Err(error @ StoreError::DamagedBundle { .. }) if !current => {
                    left_out.push(error.to_string());
                    folder::remove_staging(&target.bundles)?;
                }
                Err(error) => return Err(error),
            }
        }
        if self.file.is_file() {
            RegistryFile::read(&self.file)?.replace(&target.file, &mut |_| ())?;
        }
        Ok(copied)
    }

    /// Bytes of all bundles on disk, damaged ones included.
    pub(crate) fn bytes(&self) -> Result<u64, StoreError> {
        let sizes = self.list()?.into_iter().map(|info| Ok(folder::bytes_on_disk(&self.bundles, &info.id)?));
        sizes.sum()
    }

    /// The bundle to serve, if one was ever promoted.
    ///
    /// **Cost**: one small file; servers ask every second.
    ///
    /// # Errors
    /// The registry file is damaged or of a newer format.
    pub fn current(&self) -> Result<Option<BundleId>, StoreError> {
        Ok(RegistryFile::read(&self.file)?.current.map(|promotion| promotion.bundle))
    }

    /// All published bundles, the oldest first.
    ///
    /// # Errors
    /// The registry file is damaged or of a newer format.
    pub fn list(&self) -> Result<Vec<BundleInfo>, StoreError> {
        let registry = RegistryFile::read(&self.file)?;
        let current = registry.current.map(|promotion| promotion.bundle);
        let published = registry.published.into_iter();
        let mut list: Vec<_> = published
            .filter(|(id, _)| folder::path_of(&self.bundles, id).is_dir())
            .map(|(id, published_at)| BundleInfo { current: current.as_ref() == Some(&id), id, published_at })
            .collect();
        list.sort_by(|a, b| a.published_at.cmp(&b.published_at).then_with(|| a.id.cmp(&b.id)));
        Ok(list)
    }

    /// Opens a published bundle, to read its files one by one or to map them.
    ///
    /// # Errors
    /// [`StoreError::BundleNotFound`]; [`StoreError::DamagedBundle`] names the file and the damage.
    pub fn open(&self, id: &BundleId) -> Result<BundleFolder, StoreError> {
        BundleFolder::open(&self.bundles, id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::time;

    fn files(content: u8) -> BTreeMap<String, Vec<u8>> {
        BTreeMap::from([("a".to_owned(), vec![content; 10]), ("b".to_owned(), vec![1])])
    }

    fn registry() -> (tempfile::TempDir, Registry) {
        let dir = tempfile::tempdir().unwrap();
        let registry = Registry::of(dir.path());
        (dir, registry)
    }

    fn publish(registry: &Registry, content: u8) -> BundleId {
        registry.publish(&files(content), time(i64::from(content)), &mut |_| ()).unwrap()
    }

    #[test]
    fn a_bundle_comes_back_and_the_same_content_has_the_same_id() {
        let (_dir, registry) = registry();
        let id = publish(&registry, 1);
        assert_eq!(registry.open(&id).unwrap().read_all().unwrap(), files(1));
        assert_ne!(publish(&registry, 2), id);
        let mut steps = Vec::new();
        let again = registry.publish(&files(1), time(100), &mut |step| steps.push(step)).unwrap();
        assert_eq!(again, id);
        assert_eq!(steps, [PublishStep::Started { id: id.clone() }, PublishStep::Recorded]);
        let list = registry.list().unwrap();
        assert_eq!(list[0], BundleInfo { id, published_at: time(1), current: false });
        assert_eq!(list.len(), 2);
    }

    #[test]
    fn each_step_is_told_in_order() {
        let (_dir, registry) = registry();
        let mut steps = Vec::new();
        let id = registry.publish(&files(1), time(0), &mut |step| steps.push(step)).unwrap();
        registry.promote_with_steps(&id, time(0), &mut |step| steps.push(step)).unwrap();
        let staged = ["a", "b", "manifest.json"].map(|file| PublishStep::Staged { file: file.to_owned() });
        let mut expected = vec![PublishStep::Started { id }];
        expected.extend(staged);
        expected.extend([PublishStep::Synced, PublishStep::Renamed, PublishStep::RegistryStaged]);
        expected.extend([PublishStep::Recorded, PublishStep::RegistryStaged, PublishStep::Promoted]);
        assert_eq!(steps, expected);
    }

    #[test]
    fn rollback_goes_back_promotion_by_promotion() {
        let (_dir, registry) = registry();
        assert_eq!(registry.current().unwrap(), None);
        let ids = [1, 2, 3].map(|content| publish(&registry, content));
        for id in &ids {
            registry.promote(id, time(10)).unwrap();
            registry.promote(id, time(11)).unwrap();
            assert_eq!(registry.current().unwrap().as_ref(), Some(id));
        }
        assert_eq!(registry.rollback(time(12)).unwrap(), ids[1]);
        assert_eq!(registry.rollback(time(13)).unwrap(), ids[0]);
        assert_eq!(registry.current().unwrap().as_ref(), Some(&ids[0]));
        assert!(matches!(registry.rollback(time(14)), Err(StoreError::NothingToRollBack)));
        let current: Vec<_> = registry.list().unwrap().into_iter().filter(|info| info.current).collect();
        assert_eq!(current, [BundleInfo { id: ids[0].clone(), published_at: time(1), current: true }]);
    }

    #[test]
    fn the_oldest_bundles_are_removed_but_never_one_to_roll_back_to() {
        let (_dir, registry) = registry();
        let ids: Vec<_> = (1..=6).map(|content| publish(&registry, content)).collect();
        registry.promote(&ids[0], time(10)).unwrap();
        registry.promote(&ids[1], time(11)).unwrap();
        let none = BTreeSet::new();
        assert!(registry.prune(6, &none).unwrap().is_empty());
        let spared = registry.prune(3, &ids[2..5].iter().cloned().collect()).unwrap();
        assert!(ids[2..5].iter().all(|id| !spared.contains(id)), "{spared:?}");
        assert_eq!(registry.prune(3, &none).unwrap(), ids[2..5]);
        let left: Vec<_> = registry.list().unwrap().into_iter().map(|info| info.id).collect();
        assert_eq!(left, [ids[0].clone(), ids[1].clone(), ids[5].clone()]);
        assert_eq!(registry.rollback(time(12)).unwrap(), ids[0]);
    }

    #[test]
    fn a_bundle_that_was_just_published_is_not_removed_before_it_can_be_promoted() {
        let (_dir, registry) = registry();
        let ids: Vec<_> = (1..=3).map(|content| publish(&registry, content)).collect();
        registry.promote(&ids[0], time(10)).unwrap();
        registry.promote(&ids[1], time(11)).unwrap();
        assert!(registry.prune(2, &BTreeSet::new()).unwrap().is_empty());
        registry.promote(&ids[2], time(12)).unwrap();
        assert_eq!(registry.prune(2, &BTreeSet::new()).unwrap(), ids[..1]);
    }

    #[test]
    fn a_damaged_or_unknown_bundle_is_not_promoted_and_current_stays() {
        let (dir, registry) = registry();
        let (good, bad) = (publish(&registry, 1), publish(&registry, 2));
        registry.promote(&good, time(10)).unwrap();
        fs_err::write(dir.path().join("bundles").join(bad.as_str()).join("b"), [2]).unwrap();
        assert!(matches!(registry.promote(&bad, time(11)), Err(StoreError::DamagedBundle { .. })));
        let unknown = BundleId::parse("b-0000000000000000").unwrap();
        assert!(matches!(registry.promote(&unknown, time(11)), Err(StoreError::BundleNotFound { .. })));
        assert_eq!(registry.current().unwrap(), Some(good));
    }

    #[test]
    fn a_damaged_bundle_is_healed_by_publishing_it_again() {
        let (dir, registry) = registry();
        let id = publish(&registry, 1);
        registry.promote(&id, time(10)).unwrap();
        fs_err::write(dir.path().join("bundles").join(id.as_str()).join("b"), [2]).unwrap();
        assert!(registry.open(&id).unwrap().verify().is_err());
        assert_eq!(publish(&registry, 1), id);
        assert_eq!(registry.open(&id).unwrap().read_all().unwrap(), files(1));
    }

    #[test]
    fn a_name_that_is_not_allowed_writes_nothing() {
        let (dir, registry) = registry();
        let bad = BTreeMap::from([("../a".to_owned(), vec![1])]);
        assert!(matches!(registry.publish(&bad, time(0), &mut |_| ()), Err(StoreError::Invalid(_))));
        assert_eq!(fs_err::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn two_publishers_at_once_both_end_up_in_the_list() {
        let (_dir, registry) = registry();
        std::thread::scope(|scope| {
            for content in 0..6 {
                let registry = &registry;
                scope.spawn(move || publish(registry, content));
            }
        });
        assert_eq!(registry.list().unwrap().len(), 6);
    }
}
