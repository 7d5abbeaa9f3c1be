use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use parking_lot::Mutex;

use crate::limits::{SPACE_LOOK_EVERY, SPACE_MARGIN_BYTES_MAX, SPACE_MARGIN_SHARE};

/// Refuses records from the moment at which the disk was full until it has a margin of free space.
pub(crate) struct SpaceGate {
    dir: PathBuf,
    is_full: AtomicBool,
    /// When the disk was looked at last.
    looked: Mutex<Instant>,
}

impl SpaceGate {
    pub(crate) fn new(dir: PathBuf) -> Self {
        Self { dir, is_full: AtomicBool::new(false), looked: Mutex::new(Instant::now()) }
    }

    /// A write found the disk full.
    pub(crate) fn close(&self) {
        *self.looked.lock() = Instant::now();
        self.is_full.store(true, Ordering::Release);
    }

    /// Whether records are refused. **Cost**: one load while there is space; else the disk is asked,
    /// a few times per second at most.
    pub(crate) fn is_full(&self) -> bool {
        if !self.is_full.load(Ordering::Acquire) {
            return false;
        }
        let mut looked = self.looked.lock();
        if looked.elapsed() < SPACE_LOOK_EVERY {
            return true;
        }
        *looked = Instant::now();
        match self.has_margin() {
            Ok(true) => {
                tracing::info!("the disk has space again; records are taken");
                self.is_full.store(false, Ordering::Release);
                false
            }
            Ok(false) => true,
            Err(error) => {
                tracing::warn!(%error, "cannot ask how much space the disk has");
                true
            }
        }
    }

    fn has_margin(&self) -> io::Result<bool> {
        let (total, free) = (fs4::total_space(&self.dir)?, fs4::available_space(&self.dir)?);
        Ok(free >= margin(total))
    }
}

/// Free bytes that a disk of `total` bytes must have.
fn margin(total: u64) -> u64 {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a share of what fits
    let share = (total as f64 * SPACE_MARGIN_SHARE) as u64;
    share.min(SPACE_MARGIN_BYTES_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_margin_is_a_share_of_a_small_disk_and_bounded_on_a_large_one() {
        assert_eq!(margin(10_000_000), 1_000_000);
        assert_eq!(margin(1 << 50), SPACE_MARGIN_BYTES_MAX);
    }

    #[test]
    fn a_closed_gate_is_not_opened_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let gate = SpaceGate::new(dir.path().to_owned());
        assert!(!gate.is_full());
        gate.close();
        assert!(gate.is_full());
    }
}
