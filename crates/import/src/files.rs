use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::ImportError;
use crate::lines::Lines;

/// Bytes per read, and so between two reports of progress.
pub(crate) const BLOCK_BYTES: usize = 256 * 1024;

/// The files of one import and how far it has come in them.
pub(crate) struct Files<'p> {
    folder: PathBuf,
    progress: Progress<'p>,
}

/// Bytes read so far, bytes in all, and who hears of it.
struct Progress<'p> {
    done: u64,
    total: u64,
    report: &'p mut dyn FnMut(u64, u64),
}

impl Progress<'_> {
    fn advance(&mut self, bytes: u64) {
        if bytes > 0 {
            self.done += bytes;
            // A file that grows while it is read must not pass the end of the bar.
            self.total = self.total.max(self.done);
            (self.report)(self.done, self.total);
        }
    }
}

impl<'p> Files<'p> {
    /// The files called `names` in `folder`, each of which will be read `passes` times.
    ///
    /// # Errors
    /// One of them is missing.
    pub(crate) fn new<'n>(
        folder: &Path,
        names: impl IntoIterator<Item = &'n str>,
        passes: u64,
        report: &'p mut dyn FnMut(u64, u64),
    ) -> Result<Self, ImportError> {
        let mut total = 0;
        for name in names {
            let path = folder.join(name);
            if !path.is_file() {
                return Err(ImportError::MissingFile { expected: name.to_owned(), folder: folder.to_owned() });
            }
            total += fs_err::metadata(path)?.len() * passes;
        }
        Ok(Self { folder: folder.to_owned(), progress: Progress { done: 0, total, report } })
    }

    /// The files at `paths`, each of which will be read once, wherever they lie.
    ///
    /// # Errors
    /// One of them cannot be looked at.
    pub(crate) fn at<'n>(
        paths: impl IntoIterator<Item = &'n Path>,
        report: &'p mut dyn FnMut(u64, u64),
    ) -> Result<Self, ImportError> {
        let mut total = 0;
        for path in paths {
            total += fs_err::metadata(path)?.len();
        }
        // Joined to an empty folder, a path stays what it is.
        Ok(Self { folder: PathBuf::new(), progress: Progress { done: 0, total, report } })
    }

    /// The lines of the file called `name`.
    ///
    /// # Errors
    /// It cannot be opened.
    pub(crate) fn lines(&mut self, name: &str) -> Result<Lines<CountedFile<'_, 'p>>, ImportError> {
        Ok(Lines::new(self.open(name)?))
    }

    /// The bytes of the file called `name`.
    ///
    /// # Errors
    /// It cannot be opened.
    pub(crate) fn open(&mut self, name: impl AsRef<Path>) -> Result<CountedFile<'_, 'p>, ImportError> {
        let file = fs_err::File::open(self.folder.join(name))?;
        let unread = file.metadata()?.len();
        Ok(CountedFile { file, progress: &mut self.progress, unread, allowance: usize::MAX, at_end: false })
    }
}

/// A file that reports progress, and that stops one whose rows do not end.
pub(crate) struct CountedFile<'f, 'p> {
    file: fs_err::File,
    progress: &'f mut Progress<'p>,
    unread: u64,
    allowance: usize,
    at_end: bool,
}

impl CountedFile<'_, '_> {
    /// Lets at most `bytes` more be read, to the end of a block, before reads fail.
    pub(crate) fn allow(&mut self, bytes: usize) {
        self.allowance = bytes;
    }

    /// Counts what was not read as if it had been: it is not wanted.
    pub(crate) fn skip_rest(&mut self) {
        self.progress.advance(std::mem::take(&mut self.unread));
    }

    /// Whether the allowance is used up.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.allowance == 0
    }

    /// Whether a read has met the end of the file.
    pub(crate) fn is_at_end(&self) -> bool {
        self.at_end
    }
}

impl Read for CountedFile<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.allowance == 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the row does not end"));
        }
        let read = self.file.read(buffer)?;
        self.allowance = self.allowance.saturating_sub(read);
        self.at_end |= read == 0 && !buffer.is_empty();
        self.unread = self.unread.saturating_sub(read as u64);
        self.progress.advance(read as u64);
        Ok(read)
    }
}
