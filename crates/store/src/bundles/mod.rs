//! Bundles: immutable folders named by their content, and the registry that says which one serves.

mod folder;
mod id;
mod manifest;
mod publish_step;
mod registry;
mod registry_file;

pub use folder::BundleFolder;
pub use id::BundleId;
pub use publish_step::PublishStep;
pub use registry::{BundleInfo, Registry};
