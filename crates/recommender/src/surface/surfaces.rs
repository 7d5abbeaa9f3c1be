use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeSeed, Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::SurfaceConfig;
use super::surface_config::Changes;
use crate::{DEFAULT_SURFACE, RANK_SURFACE, SIMILAR_ITEMS_SURFACE};

/// Most surfaces of a configuration.
const SURFACES_MAX: usize = 64;
const NAME_BYTES_MAX: usize = 64;

/// `[surfaces]`: all surfaces by name; `home`, `similar-items` and `rank` are always there.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Surfaces(BTreeMap<String, SurfaceConfig>);

impl Default for Surfaces {
    fn default() -> Self {
        Self(shipped())
    }
}

fn shipped() -> BTreeMap<String, SurfaceConfig> {
    let all = [
        (DEFAULT_SURFACE, SurfaceConfig::home()),
        (SIMILAR_ITEMS_SURFACE, SurfaceConfig::similar_items()),
        (RANK_SURFACE, SurfaceConfig::rank()),
    ];
    all.map(|(name, config)| (name.to_owned(), config)).into()
}

impl Surfaces {
    /// The surface that rankers are trained for.
    pub fn home(&self) -> &SurfaceConfig {
        &self.0[DEFAULT_SURFACE]
    }

    /// All of them in order of name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &SurfaceConfig)> {
        self.0.iter().map(|(name, config)| (name.as_str(), config))
    }
}

impl From<SurfaceConfig> for Surfaces {
    /// `home` as given, the others as shipped.
    fn from(home: SurfaceConfig) -> Self {
        let mut all = shipped();
        all.insert(DEFAULT_SURFACE.to_owned(), home);
        Self(all)
    }
}

impl<'de> Deserialize<'de> for Surfaces {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ByName)
    }
}

/// Surfaces by name, each a change of the shipped one of that name, or of `home`.
struct ByName;

impl<'de> Visitor<'de> for ByName {
    type Value = Surfaces;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table per surface, such as [surfaces.home]")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Surfaces, A::Error> {
        let mut all = shipped();
        while let Some(name) = map.next_key::<String>()? {
            if !is_name(&name) {
                return Err(A::Error::custom(format!(
                    "names of surfaces are 1 to 64 of a-z, 0-9, - and _, got {name:?}"
                )));
            }
            let base = all.get(&name).cloned().unwrap_or_default();
            all.insert(name, map.next_value_seed(ChangeOf(base))?);
            if all.len() > SURFACES_MAX {
                return Err(A::Error::custom(format!("there may be at most {SURFACES_MAX} surfaces")));
            }
        }
        Ok(Surfaces(all))
    }
}

/// Whether a surface or an experiment may be called so.
pub(crate) fn is_name(name: &str) -> bool {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_');
    (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(fits)
}

/// One surface, as it changes another.
struct ChangeOf(SurfaceConfig);

impl<'de> DeserializeSeed<'de> for ChangeOf {
    type Value = SurfaceConfig;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<SurfaceConfig, D::Error> {
        self.0.changed(Changes::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
