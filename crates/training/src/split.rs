use shortlist_types::{LogSeq, Timestamp};

use crate::timeline::Timeline;
use crate::{TrainingConfig, TrainingError};

/// Where the log is cut: embeddings learn before T1, the ranker in [T1, T2), evaluation from T2 on.
///
/// Each cut is a position of the log: the first record that is not earlier than the time. Records
/// that came late are on the side on which they arrived, as in life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Split {
    /// First record from which the ranker learns, and its time.
    pub(crate) ranker_from: LogSeq,
    pub(crate) ranker_from_time: Timestamp,
    /// First record of the evaluation, and its time.
    pub(crate) evaluation_from: LogSeq,
    pub(crate) evaluation_from_time: Timestamp,
    /// Last record that is read.
    pub(crate) until: LogSeq,
    pub(crate) until_time: Timestamp,
    /// Time of the first event.
    pub(crate) log_from_time: Timestamp,
}

impl Split {
    /// Cuts the log: T2 lies the stated share of the log's time before its end, T1 the stated share of
    /// the events before T2.
    pub(crate) fn of(timeline: &Timeline, until: LogSeq, config: &TrainingConfig) -> Result<Self, TrainingError> {
        let (evaluation_from, evaluation_from_time) = evaluation_start(timeline, config.evaluation_share)?;
        let before = timeline.between(LogSeq::default(), evaluation_from);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a share of a length
        let kept = (before.len() as f64 * (1.0 - config.ranker_share)) as usize;
        let first = before.get(kept).or(before.last()).ok_or(TrainingError::NoEvents)?;
        let times = timeline.steps.iter().map(|step| step.time);
        Ok(Self {
            ranker_from: first.log_seq,
            ranker_from_time: first.time,
            evaluation_from,
            evaluation_from_time,
            until,
            until_time: times.clone().max().ok_or(TrainingError::NoEvents)?,
            log_from_time: times.min().ok_or(TrainingError::NoEvents)?,
        })
    }
}

/// The first record of the latest slice of the log's time that takes `share` of it.
pub(crate) fn evaluation_start(timeline: &Timeline, share: f64) -> Result<(LogSeq, Timestamp), TrainingError> {
    let times = timeline.steps.iter().map(|step| step.time);
    let (first, last) = times.clone().min().zip(times.max()).ok_or(TrainingError::NoEvents)?;
    #[allow(clippy::cast_possible_truncation)] // a share of a span that fits
    let cut = last.plus_seconds(-((last.seconds_since(first) * share) as i64));
    let step = timeline.steps.iter().find(|step| step.time >= cut).ok_or(TrainingError::NoEvents)?;
    Ok((step.log_seq, cut))
}
