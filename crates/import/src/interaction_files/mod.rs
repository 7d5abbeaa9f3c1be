//! The files on which published recommenders are compared: a split that is given, in plain text.

mod adjacency;
mod benchmark;
mod benchmark_files;
mod benchmark_format;
mod benchmark_report;
mod draft;
mod id_table;
mod leave_one_out;
mod line_reader;
mod numbering;
mod pair_table;
mod sequence;
#[cfg(test)]
mod tests;

use std::path::Path;

pub use self::benchmark::Benchmark;
pub use self::benchmark_files::BenchmarkFiles;
pub use self::benchmark_format::BenchmarkFormat;
pub use self::benchmark_report::BenchmarkReport;
use self::draft::{Draft, Pair, Parts};
use self::line_reader::name;
use crate::ImportError;
use crate::files::Files;

/// Reads a data set with its split.
///
/// - **`adjacency`**: every file has lines `user item item ...`. A user may have no items, and several lines.
/// - **`leave-one-out`**: training has lines `user item [rating [time]]`, perhaps after a header that begins with `user`
///   or `user_id` and `item` or `item_id`; test, and validation if there is any, the same with one item for each user.
///   Any rating is an interaction. The file of negatives has a line `(user,item) negative ...` or `user negative ...`
///   for each test case, in any order.
/// - **`sequence`**: one file of lines `user item item ...` in order of time, one for each user: the last item is test,
///   the one before it validation, the rest training. Of a user with fewer than 3 items all are training.
///
/// Fields are parted by tabs or blanks, so ids, texts of 1 to 128 bytes, hold none. `\r\n`, blank lines and a byte order
/// mark are fine. The items that may be recommended are those of all files together. Users of the test need no training
/// items. What is odd but readable, such as repeated pairs and test pairs in training, is counted in the report.
///
/// `progress` hears the bytes read so far and the bytes to read in all, after every block of 256 KiB.
///
/// **Shapes**: at most [`BENCHMARK_PAIRS_MAX`](crate::limits::BENCHMARK_PAIRS_MAX) pairs and
/// [`BENCHMARK_ENTITIES_MAX`](crate::limits::BENCHMARK_ENTITIES_MAX) users and items each, in lines of at most
/// [`BENCHMARK_LINE_BYTES_MAX`](crate::limits::BENCHMARK_LINE_BYTES_MAX) bytes.
///
/// **Cost**: one pass, two look-ups per pair, and a sort: about 0.15 us per pair where ids are digits and a user's lines
/// stand together, three times that where they do not, and ten times where ids are long texts besides. 8 bytes per pair,
/// up to three times that while it is read, and about 100 bytes per user and item.
///
/// **Errors**: a file that cannot be read, or that the format lacks or does not take; the first line that is not as
/// above, with file and line; a training or test file without any pair.
///
/// **Source**: `adjacency` is how LightGCN (He et al. 2020) publishes its data, `leave-one-out` NCF (He et al. 2017) and
/// `sequence` S3-Rec (Zhou et al. 2020).
///
/// ```no_run
/// use shortlist_import::{BenchmarkFiles, BenchmarkFormat, read_benchmark};
/// let files = BenchmarkFiles {
///     format: BenchmarkFormat::Adjacency,
///     train: "train.txt".into(),
///     valid: None,
///     test: Some("test.txt".into()),
///     negatives: None,
/// };
/// let benchmark = read_benchmark(&files, &mut |_, _| ())?;
/// println!("{} users, {} items", benchmark.users.len(), benchmark.items.len());
/// # Ok::<(), shortlist_import::ImportError>(())
/// ```
pub fn read_benchmark(files: &BenchmarkFiles, progress: &mut dyn FnMut(u64, u64)) -> Result<Benchmark, ImportError> {
    let paths = files.check()?;
    let mut open = Files::at(paths.paths(), progress)?;
    let mut draft = Draft::new();
    let (read, read_held_out): (ReadPairs, ReadPairs) = match files.format {
        BenchmarkFormat::Sequence => {
            let parts = sequence::read(&mut open, paths.train, &mut draft)?;
            expect(&parts.train, paths.train, "items")?;
            expect(&parts.test, paths.train, "a user with at least 3 items")?;
            return Ok(draft.finish(parts));
        }
        BenchmarkFormat::Adjacency => (adjacency::read, adjacency::read),
        BenchmarkFormat::LeaveOneOut => (leave_one_out::read, leave_one_out::read_one_each),
    };
    let mut pairs_of = |path: &Path, read: ReadPairs| -> Result<Vec<Pair>, ImportError> {
        let pairs = read(&mut open, path, &mut draft)?;
        expect(&pairs, path, "pairs of user and item")?;
        Ok(pairs)
    };
    let train = pairs_of(paths.train, read)?;
    let valid = paths.valid.map(|path| pairs_of(path, read_held_out)).transpose()?;
    let test = paths.test.map(|path| pairs_of(path, read_held_out)).transpose()?.unwrap_or_default();
    let negatives = paths.negatives.map(|path| leave_one_out::read_negatives(&mut open, path, &mut draft, &test));
    let negatives = negatives.transpose()?;
    Ok(draft.finish(Parts { train, valid, test, negatives }))
}

/// Reads one file of pairs, by first appearance in the draft.
type ReadPairs = fn(&mut Files<'_>, &Path, &mut Draft) -> Result<Vec<Pair>, ImportError>;

/// # Errors
/// There is nothing in the file at `path`, which is most likely of another format.
fn expect(pairs: &[Pair], path: &Path, expected: &'static str) -> Result<(), ImportError> {
    if pairs.is_empty() { Err(ImportError::NothingThere { file: name(path), expected }) } else { Ok(()) }
}
