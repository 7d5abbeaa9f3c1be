//! Files that are on disk when a function returns.

use std::io::{self, Read, Write};
use std::path::Path;

use fs_err::File;

/// Writes a whole file, in place of what was there, and syncs it; its name still needs [`sync_dir`].
pub(crate) fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Moves `from` to `to` so that a crash leaves the one or the other.
pub(crate) fn rename_synced(from: &Path, to: &Path) -> io::Result<()> {
    fs_err::rename(from, to)?;
    match to.parent() {
        Some(parent) => sync_dir(parent),
        None => Ok(()),
    }
}

/// Makes the names in a folder durable. Only Unix can open a folder to sync it.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(dir)?.sync_all() } else { Ok(()) }
}

/// A file of at most `limit` bytes, or its length if it is longer.
pub(crate) fn read_bounded(path: &Path, limit: u64) -> io::Result<Result<Vec<u8>, u64>> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    if length > limit {
        return Ok(Err(length));
    }
    let mut bytes = Vec::new();
    // One more byte than the limit shows a file that grew since.
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    let got = bytes.len() as u64;
    Ok(if got > limit { Err(got) } else { Ok(bytes) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_beyond_the_limit_is_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        write_synced(&path, b"12345").unwrap();
        assert_eq!(read_bounded(&path, 5).unwrap().unwrap(), b"12345");
        assert_eq!(read_bounded(&path, 4).unwrap().unwrap_err(), 5);
    }
}
