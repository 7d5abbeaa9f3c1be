use shortlist_types::{ItemId, UserId};

use crate::BenchmarkReport;

/// A data set with its split, users and items as numbers.
///
/// Numbers are dense from 0 and do not depend on the order of lines: ascending by value if all ids of the kind are
/// digits, else ascending by the bytes of the text. So a list sorted by number is in id order.
#[derive(Debug, Clone, PartialEq)]
pub struct Benchmark {
    /// Users by number: all that any file names, with or without items.
    pub users: Vec<UserId>,
    /// Items by number: all that any file names. Every one of them may be recommended.
    pub items: Vec<ItemId>,
    /// What is trained on and masked: (user, item), ascending, each once.
    pub train: Vec<(u32, u32)>,
    /// What hyper-parameters are chosen on, the same way; absent if no file told.
    pub valid: Option<Vec<(u32, u32)>>,
    /// What is judged, the same way.
    pub test: Vec<(u32, u32)>,
    /// For each pair of `test` the items among which its own is ranked, in the order of the file and as they are:
    /// repeats stay, and so does the test item itself. If absent, it is ranked among all items.
    pub negatives: Option<Vec<Vec<u32>>>,
    /// What the reader noticed.
    pub report: BenchmarkReport,
}
