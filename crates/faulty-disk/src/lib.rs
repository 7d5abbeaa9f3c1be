//! A disk that loses, refuses and runs out, below SQLite: for the tests of what is durable.
//!
//! Floor 0, and named by tests alone. [`FaultyDisk::under`] takes the place of SQLite's file system for
//! one folder of this process: reads and locks go through, writes and syncs are recorded, and fail when
//! a [`Fault`] says so. [`FaultyDisk::power_loss`] writes what a disk that lost its power would hold. The product
//! knows nothing of it: it registers itself as SQLite's default VFS.

mod disk;
mod vfs;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::disk::Disk;
pub use crate::disk::Fault;

/// All folders that are watched.
static DISKS: Mutex<BTreeMap<PathBuf, Disk>> = Mutex::new(BTreeMap::new());

fn disks() -> MutexGuard<'static, BTreeMap<PathBuf, Disk>> {
    DISKS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The disk under the SQLite files of one folder, from now until this is dropped.
#[derive(Debug)]
pub struct FaultyDisk {
    folder: PathBuf,
}

impl FaultyDisk {
    /// Watches `folder`, which exists. What its files hold now counts as synced.
    ///
    /// # Errors
    /// SQLite does not take the file system, or the folder cannot be resolved.
    pub fn under(folder: &Path) -> io::Result<Self> {
        vfs::register()?;
        let folder = folder.canonicalize()?;
        disks().insert(folder.clone(), Disk::default());
        Ok(Self { folder })
    }

    /// From now on this goes wrong; `None` mends the disk. Counts begin anew.
    pub fn set_fault(&self, fault: Option<Fault>) {
        self.with(|disk| disk.set_fault(fault));
    }

    /// Writes into the folder `into` what would be on the disk if the power went now: what was synced, and
    /// of the rest a random prefix per file, torn in the middle of a write. `draw(n)` gives a random number
    /// below n.
    ///
    /// # Errors
    /// `into` cannot be written.
    pub fn power_loss(&self, into: &Path, draw: &mut dyn FnMut(usize) -> usize) -> io::Result<()> {
        let left = self.with(|disk| disk.after_power_loss(draw));
        for (path, bytes) in left {
            std::fs::write(into.join(path.file_name().unwrap_or_default()), bytes)?;
        }
        Ok(())
    }

    fn with<T: Default>(&self, work: impl FnOnce(&mut Disk) -> T) -> T {
        disks().get_mut(&self.folder).map(work).unwrap_or_default()
    }
}

impl Drop for FaultyDisk {
    fn drop(&mut self) {
        disks().remove(&self.folder);
    }
}
