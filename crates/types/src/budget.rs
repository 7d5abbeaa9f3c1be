/// Says when work must stop. The clock stays with the caller: crates below the pipeline ask, they
/// never read the time.
pub trait Budget: Sync {
    /// Whether the caller no longer waits. Asked every 100 microseconds of work or so.
    fn exhausted(&self) -> bool;
}

/// A budget that never ends: training, evaluation, tests.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unlimited;

impl Budget for Unlimited {
    fn exhausted(&self) -> bool {
        false
    }
}
