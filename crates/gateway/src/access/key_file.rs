use std::io::{Read, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::api_key::{hex, unhex};
use super::{ApiKey, Role};
use crate::limits::{KEY_FILE_BYTES_MAX, KEY_NAME_BYTES_MAX, KEY_RATE_MAX, KEYS_MAX};
use crate::priority::Priority;

/// Why a file of keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It is not there, or may not be read.
    #[error("{file} cannot be read: {error}; `shortlist keys new --role write --file {file}` makes it")]
    Unreadable {
        /// Which file.
        file: String,
        /// What the system said.
        error: std::io::Error,
    },
    /// It could not be written.
    #[error("{file} cannot be written: {error}")]
    Unwritable {
        /// Which file.
        file: String,
        /// What the system said.
        error: std::io::Error,
    },
    /// It holds something else.
    #[error("{file} is no file of keys: {reason}")]
    Malformed {
        /// Which file.
        file: String,
        /// What was expected and what was got.
        reason: String,
    },
}

/// What is kept of one key: never its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyEntry {
    /// What names it, 16 hex digits.
    pub id: String,
    /// Whose it is, for people.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Requests that it may make in a second; as many as it likes, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests_per_second: Option<u32>,
    /// `low`: its requests are of low priority, whatever they say; what they say, if absent.
    #[serde(default, skip_serializing_if = "is_high")]
    pub priority: Priority,
    /// SHA-256 of its secret, in hex.
    pub sha256: String,
}

/// A TOML file of keys: a table `[[keys]]` each.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyFile {
    /// The keys, in the order of the file.
    #[serde(default)]
    pub keys: Vec<KeyEntry>,
}

impl KeyEntry {
    /// What to keep of `key`.
    pub fn new(name: &str, role: Role, requests_per_second: Option<u32>, key: &ApiKey) -> Self {
        let (id, name, sha256) = (key.id().to_owned(), name.to_owned(), hex(&key.hash()));
        Self { id, name, role, requests_per_second, priority: Priority::High, sha256 }
    }

    /// The same, with this priority at most.
    #[must_use]
    pub fn at_most(self, priority: Priority) -> Self {
        Self { priority, ..self }
    }

    pub(crate) fn hash(&self) -> Option<[u8; 32]> {
        unhex(&self.sha256)
    }

    fn check(&self) -> Result<(), String> {
        let Self { id, name, requests_per_second, .. } = self;
        if id.len() != 16 || !id.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(format!("id must be 16 hex digits, got {id:?}"));
        }
        if !(1..=KEY_NAME_BYTES_MAX).contains(&name.len()) || name.chars().any(char::is_control) {
            return Err(format!(
                "name must be 1 to {KEY_NAME_BYTES_MAX} bytes without control characters, got {name:?}"
            ));
        }
        if requests_per_second.is_some_and(|rate| !(1..=KEY_RATE_MAX).contains(&rate)) {
            return Err(format!("requests_per_second must be 1 to {KEY_RATE_MAX}"));
        }
        if self.hash().is_none() {
            return Err("sha256 must be 64 hex digits".to_owned());
        }
        Ok(())
    }
}

impl KeyFile {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// It cannot be read, or is no file of keys: the error names the line or the key.
    pub fn read(path: &Path) -> Result<Self, KeyFileError> {
        let file = path.display().to_string();
        let mut text = String::new();
        let opened = std::fs::File::open(path).and_then(|opened| {
            opened.take(KEY_FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
            Ok(())
        });
        opened.map_err(|error| KeyFileError::Unreadable { file: file.clone(), error })?;
        Self::parse(&text).map_err(|reason| KeyFileError::Malformed { file, reason })
    }

    fn parse(text: &str) -> Result<Self, String> {
        if text.len() as u64 > KEY_FILE_BYTES_MAX {
            return Err(format!("must have at most {KEY_FILE_BYTES_MAX} bytes"));
        }
        let read: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        if read.keys.len() > KEYS_MAX {
            return Err(format!("must have at most {KEYS_MAX} keys, has {}", read.keys.len()));
        }
        for (i, entry) in read.keys.iter().enumerate() {
            entry.check().map_err(|reason| format!("keys[{i}]: {reason}"))?;
            if read.keys[..i].iter().any(|other| other.id == entry.id) {
                return Err(format!("keys[{i}]: another key has the id {:?}", entry.id));
            }
        }
        Ok(read)
    }

    /// Appends a key to a file, which is made if it is not there, for its owner's eyes alone.
    ///
    /// # Errors
    /// What is there is no file of keys, the entry cannot be taken, or the disk refuses it.
    pub fn add(path: &Path, entry: KeyEntry) -> Result<(), KeyFileError> {
        let file = path.display().to_string();
        let mut all = if path.exists() { Self::read(path)? } else { Self::default() };
        all.keys.push(entry);
        let write = || -> Result<String, String> {
            let text = toml::to_string(&all).map_err(|error| error.to_string())?;
            Self::parse(&text)?;
            Ok(text)
        };
        let text = write().map_err(|reason| KeyFileError::Malformed { file: file.clone(), reason })?;
        replace(path, &text).map_err(|error| KeyFileError::Unwritable { file, error })
    }
}

fn is_high(priority: &Priority) -> bool {
    *priority == Priority::High
}

/// Puts a file in place of another, whole or not at all: a server may read it at any moment.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let aside = path.with_extension("toml.new");
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&aside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&aside, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_is_read_and_holds_no_secret() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.toml");
        let key = ApiKey::draw().unwrap();
        let entry = KeyEntry::new("shop", Role::Write, Some(50), &key);
        KeyFile::add(&path, entry.clone()).unwrap();
        KeyFile::add(&path, KeyEntry::new("dashboard", Role::Read, None, &ApiKey::draw().unwrap())).unwrap();
        let read = KeyFile::read(&path).unwrap();
        assert_eq!((read.keys.len(), &read.keys[0]), (2, &entry));
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains(&key.reveal()[21..]), "{text}");
        let twice = KeyFile::add(&path, entry).unwrap_err().to_string();
        assert!(twice.contains("keys[2]: another key has the id"), "{twice}");
    }

    #[test]
    fn a_file_that_cannot_be_used_says_where_it_is_wrong() {
        let entry = |change: &str| {
            let lines = [
                ("id", "id = \"0123456789abcdef\"".to_owned()),
                ("name", "name = \"shop\"".to_owned()),
                ("role", "role = \"read\"".to_owned()),
                ("sha256", format!("sha256 = \"{}\"", "0".repeat(64))),
            ];
            let field = change.split(' ').next().unwrap_or_default();
            let kept = lines.iter().filter(|(name, _)| *name != field).map(|(_, line)| line.as_str());
            kept.chain([change]).fold("[[keys]]".to_owned(), |text, line| format!("{text}\n{line}"))
        };
        assert_eq!(KeyFile::parse(&entry("role = \"admin\"")).unwrap().keys[0].role, Role::Admin);
        for (change, expected) in [
            ("id = \"x\"", "keys[0]: id must be 16 hex digits, got \"x\""),
            ("name = \"\"", "keys[0]: name must be 1 to 128 bytes"),
            ("requests_per_second = 0", "keys[0]: requests_per_second must be 1 to"),
            ("sha256 = \"00\"", "keys[0]: sha256 must be 64 hex digits"),
            ("role = \"root\"", "unknown variant `root`, expected one of `read`, `write`, `admin`"),
            ("priority = \"first\"", "unknown variant `first`, expected `low` or `high`"),
            ("secret = \"x\"", "unknown field `secret`"),
        ] {
            let error = KeyFile::parse(&entry(change)).unwrap_err();
            assert!(error.contains(expected), "{change}: {error}");
        }
        let twice = format!("{}\n{}", entry("role = \"read\""), entry("role = \"write\""));
        assert_eq!(KeyFile::parse(&twice).unwrap_err(), "keys[1]: another key has the id \"0123456789abcdef\"");
    }
}
