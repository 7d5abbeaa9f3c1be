use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use shortlist_types::InvalidInput;

use crate::limits::{BUNDLE_BYTES_MAX, BUNDLE_FILES_MAX, MANIFEST_BYTES_MAX};
use crate::sha256::sha256_hex;

/// Name of the manifest in a bundle's folder; no file of the content may have it.
pub(crate) const MANIFEST_FILE: &str = "manifest.json";
/// The format that this release writes, and the latest that it reads.
pub(crate) const MANIFEST_FORMAT: u32 = 1;
const NAME_BYTES_MAX: usize = 64;

/// What a bundle holds: its bytes are written once, and their sha256 names the bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BundleManifest {
    format: u32,
    pub(crate) files: BTreeMap<String, BundleFile>,
}

/// One file of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BundleFile {
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
}

/// The part of a manifest that every format has.
#[derive(Deserialize)]
struct FormatOnly {
    format: u32,
}

impl BundleManifest {
    /// The manifest of these files.
    ///
    /// # Errors
    /// No file, too many, too large, or a name that is not allowed.
    pub(crate) fn of(files: &BTreeMap<String, Vec<u8>>) -> Result<Self, InvalidInput> {
        let describe = |bytes: &Vec<u8>| BundleFile { bytes: bytes.len() as u64, sha256: sha256_hex(bytes) };
        let files = files.iter().map(|(name, bytes)| (name.clone(), describe(bytes))).collect();
        let manifest = Self { format: MANIFEST_FORMAT, files };
        manifest.check()?;
        Ok(manifest)
    }

    /// The bytes on disk; the same content gives the same bytes.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, InvalidInput> {
        serde_json::to_vec_pretty(self).map_err(|error| InvalidInput::new("manifest", error.to_string()))
    }

    /// The format that a manifest says it has.
    pub(crate) fn format_of(bytes: &[u8]) -> Option<u32> {
        serde_json::from_slice(bytes).ok().map(|FormatOnly { format }| format)
    }

    /// The manifest in these bytes, if they are one of this format and within the limits.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let manifest: Self = serde_json::from_slice(bytes).ok()?;
        (manifest.format == MANIFEST_FORMAT && manifest.check().is_ok()).then_some(manifest)
    }

    fn check(&self) -> Result<(), InvalidInput> {
        let count = self.files.len();
        if count == 0 || count > BUNDLE_FILES_MAX {
            return Err(InvalidInput::new("files", format!("must be 1 to {BUNDLE_FILES_MAX}, got {count}")));
        }
        self.files.keys().try_for_each(|name| check_file_name(name))?;
        let total = self.files.values().try_fold(0_u64, |sum, file| sum.checked_add(file.bytes));
        match total {
            Some(total) if total <= BUNDLE_BYTES_MAX => Ok(()),
            _ => Err(InvalidInput::new("files", format!("must be at most {BUNDLE_BYTES_MAX} bytes together"))),
        }
    }
}

// The largest manifest: each entry is a name, a length, 64 hex digits, and less than 80 bytes of JSON around them.
const _: () = assert!((BUNDLE_FILES_MAX * (NAME_BYTES_MAX + 20 + 64 + 80) + 80) as u64 <= MANIFEST_BYTES_MAX);

/// Names that are safe in a path on every system: `[a-z0-9][a-z0-9_.-]{0,63}`, and not the manifest's.
fn check_file_name(name: &str) -> Result<(), InvalidInput> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let starts_plain = name.bytes().next().is_some_and(plain);
    let allowed = name.bytes().all(|b| plain(b) || matches!(b, b'_' | b'.' | b'-'));
    if !starts_plain || !allowed || name.len() > NAME_BYTES_MAX || name == MANIFEST_FILE {
        let reason = format!(
            "names are 1 to {NAME_BYTES_MAX} of a-z, 0-9, `_`, `.` and `-`, begin with a letter or digit, \
             and are not {MANIFEST_FILE}; got {name:?}"
        );
        return Err(InvalidInput::new("files", reason));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_name(name: &str) -> BTreeMap<String, Vec<u8>> {
        BTreeMap::from([(name.to_owned(), vec![1])])
    }

    #[test]
    fn names_that_could_leave_the_folder_are_refused() {
        for name in
            ["", ".", "..", "../x", "a/b", "a\\b", "/a", ".hidden", "-x", "A", "ü", "a\0", "a:b", "manifest.json"]
        {
            assert!(BundleManifest::of(&with_name(name)).is_err(), "{name:?}");
        }
        assert!(BundleManifest::of(&with_name(&"x".repeat(65))).is_err());
        for name in ["a", "0", "ranker.safetensors", "item-factors_v2.bin", &"x".repeat(64)] {
            assert!(BundleManifest::of(&with_name(name)).is_ok(), "{name:?}");
        }
    }

    #[test]
    fn the_same_names_are_refused_when_read() {
        let entry = BundleFile { bytes: 1, sha256: String::new() };
        let manifest = BundleManifest { format: 1, files: BTreeMap::from([("../x".to_owned(), entry)]) };
        assert_eq!(BundleManifest::parse(&manifest.to_bytes().unwrap()), None);
    }

    #[test]
    fn lengths_that_overflow_are_refused() {
        let entry = |bytes| BundleFile { bytes, sha256: String::new() };
        let files = BTreeMap::from([("a".to_owned(), entry(u64::MAX)), ("b".to_owned(), entry(2))]);
        assert_eq!(BundleManifest::parse(&BundleManifest { format: 1, files }.to_bytes().unwrap()), None);
    }

    #[test]
    fn the_number_of_files_is_bounded() {
        assert!(BundleManifest::of(&BTreeMap::new()).is_err());
        let many = |n: usize| (0..n).map(|i| (format!("{i:0>64}"), Vec::new())).collect();
        let manifest = BundleManifest::of(&many(BUNDLE_FILES_MAX)).unwrap();
        assert!(manifest.to_bytes().unwrap().len() as u64 <= MANIFEST_BYTES_MAX);
        assert!(BundleManifest::of(&many(BUNDLE_FILES_MAX + 1)).is_err());
    }

    #[test]
    fn a_manifest_comes_back() {
        let manifest = BundleManifest::of(&with_name("a")).unwrap();
        let bytes = manifest.to_bytes().unwrap();
        assert_eq!(BundleManifest::format_of(&bytes), Some(1));
        assert_eq!(BundleManifest::parse(&bytes), Some(manifest));
    }
}
