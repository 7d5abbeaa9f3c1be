use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// What goes wrong, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The write after so many others fails with an I/O error; those behind it succeed.
    NthWriteFails(u64),
    /// From the write after so many others on, the disk is full, until the fault is taken away.
    FullAfterWrites(u64),
    /// The sync after so many others fails, once; what it did to the bytes is not known.
    NthSyncFails(u64),
}

/// What SQLite hears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    Full,
    Write,
    Sync,
}

/// Files of one folder as a disk with a volatile cache holds them.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    files: BTreeMap<PathBuf, Cached>,
    pub(crate) fault: Option<Fault>,
    writes: u64,
    syncs: u64,
}

/// One file: what is safe, and what the cache holds of it.
#[derive(Debug, Default)]
struct Cached {
    durable: Vec<u8>,
    pending: Vec<Change>,
}

#[derive(Debug, Clone)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Truncate(usize),
}

impl Change {
    fn apply(&self, file: &mut Vec<u8>) {
        match self {
            Self::Write { offset, bytes } => {
                if file.len() < offset + bytes.len() {
                    file.resize(offset + bytes.len(), 0);
                }
                file[*offset..offset + bytes.len()].copy_from_slice(bytes);
            }
            Self::Truncate(length) => file.resize(*length, 0),
        }
    }

    /// What is left of it when the power goes while it is under way.
    fn torn(&self, keep: usize) -> Option<Self> {
        match self {
            Self::Write { offset, bytes } => {
                Some(Self::Write { offset: *offset, bytes: bytes[..keep % bytes.len().max(1)].to_vec() })
            }
            Self::Truncate(_) => None,
        }
    }
}

impl Disk {
    /// A file is opened; what it holds already is safe.
    pub(crate) fn open(&mut self, path: &Path) -> io::Result<()> {
        if !self.files.contains_key(path) {
            let durable = if path.exists() { std::fs::read(path)? } else { Vec::new() };
            self.files.insert(path.to_owned(), Cached { durable, pending: Vec::new() });
        }
        Ok(())
    }

    pub(crate) fn delete(&mut self, path: &Path) {
        self.files.remove(path);
    }

    /// Whether this write may happen.
    pub(crate) fn may_write(&mut self) -> Result<(), Refusal> {
        let number = self.writes;
        self.writes += 1;
        match self.fault {
            Some(Fault::NthWriteFails(n)) if n == number => Err(Refusal::Write),
            Some(Fault::FullAfterWrites(n)) if number >= n => Err(Refusal::Full),
            _ => Ok(()),
        }
    }

    pub(crate) fn wrote(&mut self, path: &Path, offset: usize, bytes: &[u8]) {
        if let Some(file) = self.files.get_mut(path) {
            file.pending.push(Change::Write { offset, bytes: bytes.to_vec() });
        }
    }

    pub(crate) fn truncated(&mut self, path: &Path, length: usize) {
        if let Some(file) = self.files.get_mut(path) {
            file.pending.push(Change::Truncate(length));
        }
    }

    /// Whether this sync succeeds.
    pub(crate) fn may_sync(&mut self) -> Result<(), Refusal> {
        let number = self.syncs;
        self.syncs += 1;
        if self.fault == Some(Fault::NthSyncFails(number)) { Err(Refusal::Sync) } else { Ok(()) }
    }

    pub(crate) fn synced(&mut self, path: &Path) {
        if let Some(Cached { durable, pending, .. }) = self.files.get_mut(path) {
            pending.drain(..).for_each(|change| change.apply(durable));
        }
    }

    pub(crate) fn set_fault(&mut self, fault: Option<Fault>) {
        (self.fault, self.writes, self.syncs) = (fault, 0, 0);
    }

    /// What a power loss leaves of each file: what was synced, a prefix of the changes since, and a
    /// part of the one after it. `draw(n)` gives a random number below n.
    pub(crate) fn after_power_loss(&self, draw: &mut dyn FnMut(usize) -> usize) -> BTreeMap<PathBuf, Vec<u8>> {
        let left = self.files.iter().map(|(path, file)| {
            let mut bytes = file.durable.clone();
            let kept = draw(file.pending.len() + 1);
            file.pending[..kept].iter().for_each(|change| change.apply(&mut bytes));
            let torn = file.pending.get(kept).and_then(|change| change.torn(draw(1 << 20)));
            torn.iter().for_each(|change| change.apply(&mut bytes));
            (path.clone(), bytes)
        });
        left.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_synced_survives_as_a_prefix_with_a_torn_end() {
        let mut disk = Disk::default();
        let path = Path::new("/no/such/file");
        disk.open(path).unwrap();
        disk.wrote(path, 0, b"safe");
        disk.synced(path);
        disk.wrote(path, 4, b"maybe");
        disk.wrote(path, 9, b"lost");
        let left = |kept, torn| {
            let mut draws = [kept, torn].into_iter();
            let mut left = disk.after_power_loss(&mut |_| draws.next().unwrap());
            String::from_utf8(left.remove(path).unwrap()).unwrap()
        };
        assert_eq!(
            [left(0, 2), left(1, 0), left(1, 3), left(2, 0)],
            ["safema", "safemaybe", "safemaybelos", "safemaybelost"]
        );
    }
}
