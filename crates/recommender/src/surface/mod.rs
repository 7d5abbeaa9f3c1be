//! Surfaces: the places where items are shown. Each is a table of the configuration that says where candidates come
//! from, what may be shown, and what orders it.

mod filter_config;
mod source_config;
mod surface_config;
mod surfaces;
mod value;

pub use filter_config::FilterConfig;
pub use source_config::{SourceConfig, SourceKind};
pub use surface_config::{About, RankBy, SurfaceConfig};
pub(crate) use surface_config::{Changes, portion};
pub use surfaces::Surfaces;
pub(crate) use surfaces::is_name;
pub(crate) use value::ValueModel;
