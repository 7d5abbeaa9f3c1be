/// Hears how far long work has come; the command line draws it.
pub trait Progress {
    /// A stage begins; `total` is its length if it is known.
    fn begin(&mut self, stage: &'static str, total: Option<u64>);
    /// So much of the stage is done.
    fn at(&mut self, done: u64);
    /// The stage is over; `outcome` says what came of it.
    fn end(&mut self, outcome: &str);
}

/// Hears nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoProgress;

impl Progress for NoProgress {
    fn begin(&mut self, _stage: &'static str, _total: Option<u64>) {}
    fn at(&mut self, _done: u64) {}
    fn end(&mut self, _outcome: &str) {}
}
