use shortlist_types::{LogRecord, LogSeq};

use crate::limits::{DAMAGES_TOLD_MAX, READ_RECORDS_MAX};
use crate::log::chain::LogHead;
use crate::log::encoded_record::EncodedRecord;
use crate::log::event_hash::EventHash;
use crate::log::reader::{Checked, LogReader, bound, check};
use crate::{RecordDamage, StoreError};

/// What is wrong with a log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogReport {
    /// Records that were looked at.
    pub records: u64,
    /// The first [`DAMAGES_TOLD_MAX`] records that are not what was written.
    pub damages: Vec<(LogSeq, RecordDamage)>,
    /// Records that are damaged, those that are not told included.
    pub damaged: u64,
    /// Events whose id would not be known again, though it is within the window.
    pub unknown_ids: u64,
    /// What SQLite says of its own pages.
    pub pages: Vec<String>,
}

impl LogReport {
    /// Whether all is as it was written.
    pub fn is_whole(&self) -> bool {
        self.damaged == 0 && self.unknown_ids == 0 && self.pages.is_empty()
    }

    fn add(&mut self, log_seq: LogSeq, damage: RecordDamage, records: u64) {
        self.damaged = self.damaged.saturating_add(records);
        if self.damages.len() < DAMAGES_TOLD_MAX {
            self.damages.push((log_seq, damage));
        }
    }
}

/// What is at one position of a damaged log.
pub(crate) enum Found {
    /// What was written; the position after it.
    Whole(LogHead, LogRecord),
    /// A record whose own checksum cannot be judged, because the one before it is gone.
    Unchecked(LogHead, LogRecord),
    /// Nothing that can be used, here and up to and with another position.
    Damaged(RecordDamage, LogSeq),
}

impl LogReader {
    /// Looks at every record, every event id that must be known, and every page of the database, and
    /// goes on behind damage. `progress` hears how far it is.
    ///
    /// **Cost**: about 5 us per event, and a pass over the file.
    ///
    /// # Errors
    /// The database cannot be read at all.
    pub fn verify(&self, progress: &mut dyn FnMut(LogSeq)) -> Result<LogReport, StoreError> {
        let mut report = LogReport { pages: self.damaged_pages()?, ..LogReport::default() };
        let ids_after: i64 = self.connection().query_row("SELECT ids_after FROM log_bounds", [], |row| row.get(0))?;
        let mut known = self.connection().prepare("SELECT 1 FROM event_ids WHERE hash = ?1")?;
        self.read_damaged(&mut |log_seq, found| {
            let records = match &found {
                Found::Damaged(_, last) => last.0.saturating_sub(log_seq.0).saturating_add(1),
                Found::Whole(..) | Found::Unchecked(..) => 1,
            };
            report.records = report.records.saturating_add(records);
            match found {
                Found::Whole(_, LogRecord::Event(event)) if bound(log_seq) > ids_after => {
                    let hash = event.event_id.as_ref().map(EventHash::of);
                    if let Some(hash) = hash
                        && !known.exists([hash.0])?
                    {
                        report.unknown_ids += 1;
                    }
                }
                Found::Whole(..) => {}
                Found::Unchecked(..) => report.add(log_seq, RecordDamage::Unchecked, records),
                Found::Damaged(damage, _) => report.add(log_seq, damage, records),
            }
            progress(log_seq);
            Ok(())
        })?;
        Ok(report)
    }

    /// What SQLite finds wrong with the structure of its file; nothing if it is whole.
    fn damaged_pages(&self) -> Result<Vec<String>, StoreError> {
        let sql = format!("PRAGMA integrity_check({DAMAGES_TOLD_MAX})");
        let mut statement = self.connection().prepare(&sql)?;
        let lines = statement.query_map([], |row| row.get::<_, String>(0))?;
        let lines: Vec<_> = lines.map(|line| line.unwrap_or_else(|error| error.to_string())).collect();
        Ok(lines.into_iter().filter(|line| line != "ok").collect())
    }

    /// Gives what is at each position, in order, through damage to the end of the log; a gap is given once.
    ///
    /// After a record that cannot be used, the next one's checksum has nothing to start from: it is
    /// given unchecked if it can be read, and the chain is taken up behind it.
    pub(crate) fn read_damaged(
        &self,
        each: &mut dyn FnMut(LogSeq, Found) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut position = self.start()?;
        let mut is_known = true;
        let mut snapshot = None;
        for looked_at in 0_usize.. {
            if looked_at.is_multiple_of(READ_RECORDS_MAX) {
                // To begin a transaction takes longer than to look at a record; one that lasts keeps the WAL from
                // shrinking.
                drop(snapshot.take());
                snapshot = Some(self.connection().unchecked_transaction()?);
            }
            let log_seq = position.log_seq.next();
            let found = match self.find(position, is_known)? {
                Ok(found) => found,
                Err(damage) => {
                    let next = self.next_readable(position.log_seq)?;
                    let Some(next) = next else { return self.end(position.log_seq, damage, each) };
                    // What stands right there cannot be read after all: it alone.
                    Found::Damaged(damage, LogSeq(next.0 - 1).max(log_seq))
                }
            };
            (position, is_known) = match &found {
                Found::Whole(next, _) | Found::Unchecked(next, _) => (*next, true),
                Found::Damaged(_, last) => (LogHead { log_seq: *last, chain: 0 }, false),
            };
            each(log_seq, found)?;
        }
        Ok(())
    }

    /// Behind `position` nothing can be read: the log ends there, or what the other tables speak of is lost,
    /// and at least the record that cannot be read.
    fn end(
        &self,
        position: LogSeq,
        damage: RecordDamage,
        each: &mut dyn FnMut(LogSeq, Found) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let (next, noted) = (position.next(), self.noted().unwrap_or_default());
        if damage == RecordDamage::Missing && noted <= position {
            return Ok(());
        }
        each(next, Found::Damaged(damage, noted.max(next)))
    }

    /// The first record after `position` that can be reached.
    fn next_readable(&self, position: LogSeq) -> Result<Option<LogSeq>, StoreError> {
        let sql = "SELECT min(log_seq) FROM log WHERE log_seq > ?1";
        let next =
            self.connection().prepare_cached(sql)?.query_row([bound(position)], |row| row.get::<_, Option<i64>>(0));
        match next {
            Ok(None) => return Ok(None),
            Ok(Some(next)) if next > bound(position) => return Ok(Some(LogSeq(next.cast_unsigned()))),
            // Pages out of order lead back.
            Ok(Some(_)) => {}
            Err(error) if is_damage(&error) => {}
            Err(error) => return Err(error.into()),
        }
        let near = (1..=LOOKED_AHEAD_MAX).map(|step| LogSeq(position.0.saturating_add(step)));
        Ok(near.into_iter().find(|log_seq| self.row_exists(*log_seq)))
    }

    fn row_exists(&self, log_seq: LogSeq) -> bool {
        let sql = "SELECT 1 FROM log WHERE log_seq = ?1";
        self.connection().prepare_cached(sql).and_then(|mut row| row.exists([bound(log_seq)])).unwrap_or(false)
    }

    /// What is at the position after `before`, or why there is nothing; `is_known` says whether its chain is.
    fn find(&self, before: LogHead, is_known: bool) -> Result<Result<Found, RecordDamage>, StoreError> {
        let sql = "SELECT log_seq, kind, time, payload, checksum FROM log WHERE log_seq = ?1";
        let mut statement = self.connection().prepare_cached(sql)?;
        let log_seq = before.log_seq.next();
        let mut rows = statement.query([bound(log_seq)])?;
        let row = match rows.next() {
            Ok(Some(row)) => row,
            Ok(None) => return Ok(Err(RecordDamage::Missing)),
            Err(error) if is_damage(&error) => return Ok(Err(RecordDamage::Unreadable)),
            Err(error) => return Err(error.into()),
        };
        Ok(Ok(match check(row, before) {
            Ok(Checked { next, record, .. }) => Found::Whole(next, record),
            Err(RecordDamage::Checksum) if !is_known => unchecked(row, log_seq),
            Err(damage) => Found::Damaged(damage, log_seq),
        }))
    }
}

/// Rows that are looked for one by one where the end of the table cannot be reached.
const LOOKED_AHEAD_MAX: u64 = 100_000;

/// A record as it stands, with the chain that it says.
fn unchecked(row: &rusqlite::Row<'_>, log_seq: LogSeq) -> Found {
    let columns = (row.get_ref(1), row.get_ref(3), row.get::<_, i64>(4));
    let (Ok(kind), Ok(payload), Ok(checksum)) = columns else {
        return Found::Damaged(RecordDamage::Unreadable, log_seq);
    };
    let (Ok(kind), Ok(payload)) = (kind.as_bytes(), payload.as_bytes()) else {
        return Found::Damaged(RecordDamage::Unreadable, log_seq);
    };
    match EncodedRecord::decode(kind, payload) {
        Some(decoded) => {
            let chain = decoded.chain.unwrap_or(checksum.cast_unsigned());
            Found::Unchecked(LogHead { log_seq, chain }, decoded.record)
        }
        None => Found::Damaged(RecordDamage::Unreadable, log_seq),
    }
}

fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(rusqlite::ErrorCode::DatabaseCorrupt))
}
