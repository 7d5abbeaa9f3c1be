use shortlist_types::{LogSeq, Timestamp};

use crate::timeline::{Step, Timeline};
use crate::{TrainingConfig, TrainingError};

/// Where the log is cut: embeddings learn before T1, the ranker in [T1, T2), evaluation from T2 on.
/// The end of what comes before T1 first serves to choose between embeddings.
///
/// Each cut is a position of the log: the first record that is not earlier than the time. Records
/// that came late are on the side on which they arrived, as in life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Split {
    /// First record on which embeddings fitted on the records before it are compared.
    pub(crate) search_from: LogSeq,
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
        let ranker_from = last_share(timeline, evaluation_from, config.ranker_share)?;
        let search_from = last_share(timeline, ranker_from.log_seq, config.ranker_share)?;
        let times = timeline.steps.iter().map(|step| step.time);
        Ok(Self {
            search_from: search_from.log_seq,
            ranker_from: ranker_from.log_seq,
            ranker_from_time: ranker_from.time,
            evaluation_from,
            evaluation_from_time,
            until,
            until_time: times.clone().max().ok_or(TrainingError::NoEvents)?,
            log_from_time: times.min().ok_or(TrainingError::NoEvents)?,
        })
    }

    /// Last record that embeddings learn from while they are compared.
    pub(crate) fn search_until(&self) -> LogSeq {
        LogSeq(self.search_from.0.saturating_sub(1))
    }

    /// Last record that the embeddings learn from.
    pub(crate) fn embeddings_until(&self) -> LogSeq {
        LogSeq(self.ranker_from.0.saturating_sub(1))
    }

    /// Last record that the ranker learns from.
    pub(crate) fn ranker_until(&self) -> LogSeq {
        LogSeq(self.evaluation_from.0.saturating_sub(1))
    }

    /// The error of a slice with nothing to learn from.
    pub(crate) fn too_little(&self, what: &'static str, from: Timestamp, until: Timestamp) -> TrainingError {
        let (log_from, log_until) = (self.log_from_time, self.until_time);
        TrainingError::TooLittle { what, from, until, log_from, log_until }
    }
}

/// The event with which the last `share` of the events before `until` begins.
fn last_share(timeline: &Timeline, until: LogSeq, share: f64) -> Result<Step, TrainingError> {
    let before = timeline.between(LogSeq::default(), until);
    let times = timeline.steps.iter().map(|step| step.time);
    let (log_from, log_until) = times.clone().min().zip(times.max()).ok_or(TrainingError::NoEvents)?;
    let what = "no event before it";
    let too_little = TrainingError::TooLittle { what, from: log_from, until: log_until, log_from, log_until };
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a share of a length
    let kept = (before.len() as f64 * (1.0 - share)) as usize;
    before.get(kept).or(before.last()).copied().ok_or(too_little)
}

/// Smallest part of the events that the latest slice of time must hold to be the slice.
const SLICE_EVENTS_MIN: f64 = 0.01;

/// The first record of the latest slice of the log's time that takes `share` of it.
///
/// Where hardly any event lies in that slice, because the log's clock jumped (an old import, then a
/// first live event), the slice is the same share of the events instead.
pub(crate) fn evaluation_start(timeline: &Timeline, share: f64) -> Result<(LogSeq, Timestamp), TrainingError> {
    let times = timeline.steps.iter().map(|step| step.time);
    let (first, last) = times.clone().min().zip(times.max()).ok_or(TrainingError::NoEvents)?;
    #[allow(clippy::cast_possible_truncation)] // a share of a span that fits
    let cut = last.plus_seconds(-((last.seconds_since(first) * share) as i64));
    let position = timeline.steps.iter().position(|step| step.time >= cut).ok_or(TrainingError::NoEvents)?;
    let events = timeline.steps.len() - position;
    if (events as f64) < timeline.steps.len() as f64 * SLICE_EVENTS_MIN {
        let step = last_share(timeline, timeline.steps[timeline.steps.len() - 1].log_seq.next(), share)?;
        return Ok((step.log_seq, step.time));
    }
    Ok((timeline.steps[position].log_seq, cut))
}

#[cfg(test)]
mod tests {
    use shortlist_types::{EventTypeIdx, ItemIdx, UserIdx};

    use super::*;
    use crate::timeline::StepKind;

    fn timeline(seconds: impl Iterator<Item = i64>) -> Timeline {
        let step = |(log_seq, second)| Step {
            log_seq: LogSeq(log_seq),
            user: UserIdx(0),
            item: ItemIdx(0),
            time: Timestamp::from_seconds(second).unwrap(),
            kind: StepKind::Positive,
            event_type: EventTypeIdx(0),
            says_its_type: true,
            page_start: true,
        };
        Timeline { steps: (1..).zip(seconds).map(step).collect() }
    }

    #[test]
    fn the_slice_is_the_latest_share_of_the_time() {
        let (from, time) = evaluation_start(&timeline(0..=1000), 0.2).unwrap();
        assert_eq!((from, time.as_micros()), (LogSeq(801), 800_000_000));
    }

    #[test]
    fn one_event_years_later_does_not_empty_the_slice() {
        let (from, _) = evaluation_start(&timeline((0..1000).chain([1_000_000_000])), 0.2).unwrap();
        assert_eq!(from, LogSeq(801));
    }

    #[test]
    fn events_of_one_instant_are_told_apart_from_none() {
        let same = timeline(std::iter::repeat_n(5, 50));
        let error = Split::of(&same, LogSeq(50), &TrainingConfig::default()).unwrap_err();
        assert!(error.to_string().contains("no event before it"), "{error}");
        assert!(matches!(
            Split::of(&Timeline::default(), LogSeq(0), &TrainingConfig::default()),
            Err(TrainingError::NoEvents)
        ));
    }
}
