use std::path::{Path, PathBuf};

use crate::{BenchmarkFormat, ImportError};

/// Where the files of a benchmark lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BenchmarkFiles {
    /// How they are written.
    pub format: BenchmarkFormat,
    /// What is trained on; for `sequence` the one file that holds everything.
    pub train: PathBuf,
    /// What hyper-parameters are chosen on.
    pub valid: Option<PathBuf>,
    /// What is judged; needed but for `sequence`.
    pub test: Option<PathBuf>,
    /// The items among which each test item is ranked; only for `leave-one-out`, and without it among all.
    pub negatives: Option<PathBuf>,
}

/// What is left to open once the format has been asked.
pub(super) struct CheckedFiles<'f> {
    pub(super) train: &'f Path,
    pub(super) valid: Option<&'f Path>,
    /// None for `sequence` alone.
    pub(super) test: Option<&'f Path>,
    pub(super) negatives: Option<&'f Path>,
}

impl BenchmarkFiles {
    /// The files that the format reads. To `sequence` its one file may be given again as `--valid` or `--test`.
    ///
    /// # Errors
    /// One that it needs is absent, or one is given that it would not read.
    pub(super) fn check(&self) -> Result<CheckedFiles<'_>, ImportError> {
        let train = self.train.as_path();
        let [mut valid, mut test, negatives] = [&self.valid, &self.test, &self.negatives].map(Option::as_deref);
        let format = self.format;
        let refuse = |option, path: Option<&Path>| match path {
            Some(path) => Err(ImportError::FileNotTaken { format, option, path: path.to_owned() }),
            None => Ok(()),
        };
        if format == BenchmarkFormat::Sequence {
            valid = valid.filter(|path| !is_same(path, train));
            test = test.filter(|path| !is_same(path, train));
            refuse("--valid", valid)?;
            refuse("--test", test)?;
        } else if test.is_none() {
            return Err(ImportError::FileNeeded { format, option: "--test" });
        }
        if format != BenchmarkFormat::LeaveOneOut {
            refuse("--negatives", negatives)?;
        }
        Ok(CheckedFiles { train, valid, test, negatives })
    }
}

impl<'f> CheckedFiles<'f> {
    /// All of them.
    pub(super) fn paths(&self) -> impl Iterator<Item = &'f Path> {
        std::iter::once(self.train).chain([self.valid, self.test, self.negatives].into_iter().flatten())
    }
}

/// Whether two paths lead to one file, whatever they are called; if that cannot be told, they do not.
fn is_same(a: &Path, b: &Path) -> bool {
    a == b || matches!((fs_err::canonicalize(a), fs_err::canonicalize(b)), (Ok(a), Ok(b)) if a == b)
}
