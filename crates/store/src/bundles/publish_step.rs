use crate::BundleId;

/// What a publish or promote has just done. After each of them a crash leaves the old state or the
/// new one, never something between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublishStep {
    /// The registry is locked, and what a crashed publish left behind is gone.
    Started {
        /// The bundle to be.
        id: BundleId,
    },
    /// A file is written and synced in the staging folder.
    Staged {
        /// Its name; the manifest comes last.
        file: String,
    },
    /// The names in the staging folder are synced.
    Synced,
    /// The folder has its final name, which is synced.
    Renamed,
    /// The new registry file is written and synced beside the old one.
    RegistryStaged,
    /// The registry lists the bundle.
    Recorded,
    /// The registry says that the bundle is current.
    Promoted,
}
