use std::sync::OnceLock;
use std::time::Duration;

/// One transaction of the log that is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Commit {
    /// Records that it added.
    pub records: usize,
    /// How long it took, the disk's part included.
    pub elapsed: Duration,
}

/// Called on the writer's thread after each transaction, before its callers hear of it; it must not block.
pub type OnCommit = Box<dyn Fn(Commit) + Send + Sync>;

/// Whoever wants to hear of transactions.
#[derive(Default)]
pub(crate) struct CommitListener(OnceLock<OnCommit>);

impl CommitListener {
    /// The first one is heard, further ones are not.
    pub(crate) fn set(&self, on_commit: OnCommit) {
        let _ = self.0.set(on_commit);
    }

    pub(crate) fn tell(&self, commit: Commit) {
        if let Some(on_commit) = self.0.get() {
            on_commit(commit);
        }
    }
}
