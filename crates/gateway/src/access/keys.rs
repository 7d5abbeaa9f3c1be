use std::collections::HashMap;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use governor::{DefaultDirectRateLimiter, Quota};
use parking_lot::Mutex;
use subtle::ConstantTimeEq;

use super::key_file::{KeyFile, KeyFileError};
use super::{ApiKey, KeyEntry, Role};
use crate::priority::Priority;

/// The keys that are known now; they follow their file.
#[derive(Clone)]
pub(crate) struct Keys(Arc<Shared>);

struct Shared {
    path: PathBuf,
    known: ArcSwap<HashMap<String, Arc<Known>>>,
    /// Of the file as it was read last.
    stamp: Mutex<Option<Stamp>>,
}

type Stamp = (SystemTime, u64);

/// One key.
pub(crate) struct Known {
    entry: KeyEntry,
    hash: [u8; 32],
    rate: Option<DefaultDirectRateLimiter>,
}

impl Keys {
    /// The keys of a file.
    pub(crate) fn open(path: &Path) -> Result<Self, KeyFileError> {
        let stamp = stamp(path);
        let known = known(KeyFile::read(path)?, &HashMap::new());
        let shared = Shared { path: path.to_owned(), known: ArcSwap::from_pointee(known), stamp: Mutex::new(stamp) };
        Ok(Self(Arc::new(shared)))
    }

    /// Whether some key has this role or a greater one.
    pub(crate) fn have_role(&self, role: Role) -> bool {
        self.0.known.load().values().any(|known| known.entry.role >= role)
    }

    /// Whose key a text is; none of one that is not known.
    ///
    /// The time that it takes says nothing of the secret: the hash is compared whole, and one is compared for an id
    /// that nobody has, too.
    pub(crate) fn find(&self, text: &str) -> Option<Arc<Known>> {
        let key = ApiKey::parse(text)?;
        let known = self.0.known.load().get(key.id()).cloned();
        let expected = known.as_ref().map_or([0; 32], |known| known.hash);
        let is_same = bool::from(key.hash().ct_eq(&expected));
        known.filter(|_| is_same)
    }

    /// Reads the file again if it is another than it was; one that cannot be used is said, and what was known stays.
    pub(crate) fn follow_file(&self) {
        let now = stamp(&self.0.path);
        let mut last = self.0.stamp.lock();
        if *last == now {
            return;
        }
        *last = now;
        match KeyFile::read(&self.0.path) {
            Ok(file) => {
                let keys = file.keys.len();
                self.0.known.store(Arc::new(known(file, &self.0.known.load())));
                tracing::info!(keys, "read the keys again");
            }
            Err(error) => {
                let error = error.to_string().replace('\n', " ");
                tracing::error!(error, "the file of keys cannot be used; the keys that were known before stay");
            }
        }
    }
}

impl Known {
    pub(crate) fn role(&self) -> Role {
        self.entry.role
    }

    pub(crate) fn name(&self) -> &str {
        &self.entry.name
    }

    /// What its requests have at most.
    pub(crate) fn priority(&self) -> Priority {
        self.entry.priority
    }

    /// Whether the key may make a request now, by its rate.
    pub(crate) fn is_within_rate(&self) -> bool {
        self.rate.as_ref().is_none_or(|rate| rate.check().is_ok())
    }
}

/// The keys of a file by id. Those that did not change keep what they used of their rates.
fn known(file: KeyFile, before: &HashMap<String, Arc<Known>>) -> HashMap<String, Arc<Known>> {
    let keys = file.keys.into_iter().filter_map(|entry| {
        let unchanged = before.get(&entry.id).filter(|known| known.entry == entry);
        let known = unchanged.cloned().or_else(|| {
            let rate = entry.requests_per_second.and_then(NonZeroU32::new);
            let rate = rate.map(|rate| DefaultDirectRateLimiter::direct(Quota::per_second(rate)));
            Some(Arc::new(Known { hash: entry.hash()?, entry: entry.clone(), rate }))
        });
        Some((entry.id, known?))
    });
    keys.collect()
}

fn stamp(path: &Path) -> Option<Stamp> {
    let data = std::fs::metadata(path).ok()?;
    Some((data.modified().ok()?, data.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_follow_their_file_and_a_broken_one_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.toml");
        let [first, second] = [(); 2].map(|()| ApiKey::draw().unwrap());
        KeyFile::add(&path, KeyEntry::new("first", Role::Read, Some(2), &first)).unwrap();
        let keys = Keys::open(&path).unwrap();
        let one = keys.find(&first.reveal()).unwrap();
        assert_eq!((one.role(), one.name()), (Role::Read, "first"));
        assert!(keys.find(&second.reveal()).is_none());
        assert!(one.is_within_rate() && one.is_within_rate() && !one.is_within_rate());

        KeyFile::add(&path, KeyEntry::new("second", Role::Admin, None, &second)).unwrap();
        keys.follow_file();
        assert!(keys.find(&second.reveal()).is_some() && keys.have_role(Role::Admin));
        // Reading the file again gives nobody a new second.
        assert!(!keys.find(&first.reveal()).unwrap().is_within_rate());

        std::fs::write(&path, "[[keys]]\nid = 7\n").unwrap();
        keys.follow_file();
        assert!(keys.find(&second.reveal()).is_some());
        std::fs::write(&path, "").unwrap();
        keys.follow_file();
        assert!(keys.find(&second.reveal()).is_none() && keys.find(&first.reveal()).is_none());
    }

    #[test]
    fn a_wrong_secret_of_a_known_key_finds_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.toml");
        let key = ApiKey::draw().unwrap();
        KeyFile::add(&path, KeyEntry::new("one", Role::Read, None, &key)).unwrap();
        let keys = Keys::open(&path).unwrap();
        let other = ApiKey::draw().unwrap().reveal();
        let mixed = format!("slk_{}_{}", key.id(), &other[21..]);
        assert!(ApiKey::parse(&mixed).is_some() && keys.find(&mixed).is_none());
    }
}
