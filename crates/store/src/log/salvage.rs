use shortlist_types::LogSeq;

use crate::limits::DAMAGES_TOLD_MAX;
use crate::log::verify::Found;
use crate::{LogReader, RecordDamage, Store, StoreError};

/// What was saved of a damaged log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Salvaged {
    /// Records that are what was written.
    pub whole: u64,
    /// Records that can be read and stand behind a damaged one, so that nothing says whether they are
    /// what was written.
    pub unchecked: u64,
    /// Records that are gone.
    pub lost: u64,
    /// The first of them, with what is wrong with them.
    pub first_lost: Vec<(LogSeq, RecordDamage)>,
}

impl LogReader {
    /// Copies every record that can be read into a store that has none, in order; they are numbered and
    /// chained anew, so that bundles of the damaged log do not fit. `progress` hears how far it is.
    ///
    /// # Errors
    /// A target that has records; the damaged database cannot be read at all; the target's disk.
    pub fn salvage(&self, target: &Store, progress: &mut dyn FnMut(LogSeq)) -> Result<Salvaged, StoreError> {
        let mut appender = target.lock_log()?;
        if appender.head().log_seq.0 > 0 {
            return Err(StoreError::NotEmpty { dir: target.dir().to_owned() });
        }
        let mut salvaged = Salvaged::default();
        let mut waiting = Vec::new();
        self.read_damaged(&mut |log_seq, found| {
            match found {
                Found::Whole(_, record) => {
                    salvaged.whole += 1;
                    waiting.push(record);
                }
                Found::Unchecked(_, record) => {
                    salvaged.unchecked += 1;
                    waiting.push(record);
                }
                Found::Damaged(damage, last) => {
                    let records = last.0.saturating_sub(log_seq.0).saturating_add(1);
                    salvaged.lost = salvaged.lost.saturating_add(records);
                    if salvaged.first_lost.len() < DAMAGES_TOLD_MAX {
                        salvaged.first_lost.push((log_seq, damage));
                    }
                }
            }
            if waiting.len() >= SALVAGED_TOGETHER {
                appender.append_judged(&waiting)?;
                waiting.clear();
                progress(log_seq);
            }
            Ok(())
        })?;
        appender.append_judged(&waiting)?;
        drop(appender);
        target.empty_wal()?;
        Ok(salvaged)
    }
}

/// Records in one transaction of a salvage.
const SALVAGED_TOGETHER: usize = 8_192;
