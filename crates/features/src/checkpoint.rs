//! The state as bytes: written by its own structure, read back bit for bit.

use std::io::{self, Write};
use std::sync::Arc;

use shortlist_types::EventTypes;
use xxhash_rust::xxh3::xxh3_64;

use crate::FeatureState;

/// Raised with every change of what the fold computes or keeps; a test holds it. A state of another
/// number is not read: the log gives it again.
const FORMAT: u32 = 4;

/// Why bytes are not a state.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The writer that was given failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The state cannot be written, or the bytes are not one.
    #[error("the state cannot be written or read: {0}")]
    Malformed(postcard::Error),
    /// There are bytes behind the state.
    #[error("{0} bytes follow the state")]
    Trailing(usize),
}

impl FeatureState {
    /// What bytes of a state depend on: the format, and how events are read. States of equal schema can
    /// read each other.
    pub fn schema(event_types: &EventTypes) -> String {
        // Maps and numbers always serialise.
        let types = postcard::to_stdvec(event_types).unwrap_or_default();
        format!("fold-{FORMAT}-{:016x}", xxh3_64(&types))
    }

    /// Writes all that the fold knows; equal states give equal bytes.
    ///
    /// **Cost**: about 10 ns per (user, item) touched, and a sort of each map.
    ///
    /// # Errors
    /// What `out` says.
    pub fn write_to(&self, out: &mut dyn Write) -> Result<(), StateError> {
        let mut sink = Sink { out, error: None };
        match postcard::to_io(self, &mut sink) {
            Ok(_) => Ok(()),
            Err(error) => Err(sink.error.map_or(StateError::Malformed(error), StateError::Io)),
        }
    }

    /// The state that was written with the same [`Self::schema`].
    ///
    /// # Errors
    /// The bytes are not a state.
    pub fn read_from(bytes: &[u8], event_types: Arc<EventTypes>) -> Result<Self, StateError> {
        let (mut state, rest): (Self, _) = postcard::take_from_bytes(bytes).map_err(StateError::Malformed)?;
        if !rest.is_empty() {
            return Err(StateError::Trailing(rest.len()));
        }
        state.complete(event_types);
        Ok(state)
    }
}

/// Keeps the writer's error, of which postcard only says that there was one.
struct Sink<'a> {
    out: &'a mut dyn Write,
    error: Option<io::Error>,
}

impl Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes).inspect_err(|error| {
            self.error = Some(io::Error::new(error.kind(), error.to_string()));
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Maps in order of key, so that equal ones give equal bytes.
pub(crate) mod in_order {
    use std::collections::HashMap;
    use std::hash::{BuildHasher, Hash};

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<K: Ord + Serialize, V: Serialize, H, S: Serializer>(
        map: &HashMap<K, V, H>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let mut entries: Vec<_> = map.iter().collect();
        entries.sort_unstable_by(|a, b| a.0.cmp(b.0));
        serializer.collect_map(entries)
    }

    pub(crate) fn deserialize<'de, K, V, H, D>(deserializer: D) -> Result<HashMap<K, V, H>, D::Error>
    where
        K: Eq + Hash + Deserialize<'de>,
        V: Deserialize<'de>,
        H: BuildHasher + Default,
        D: Deserializer<'de>,
    {
        HashMap::deserialize(deserializer)
    }
}
