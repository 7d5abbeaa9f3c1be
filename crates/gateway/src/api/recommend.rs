use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Number;
use shortlist_recommender::{Answer, DEFAULT_SURFACE, Explanation, RecentEvent, Request};
use shortlist_types::{InvalidInput, ItemId, Timestamp, UserId};
use utoipa::ToSchema;

use super::attribute::{AttributeInput, parse_attributes};
use super::{Moment, finite_f32, k_of};

/// Which k items should this user see now?
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct RecommendRequest {
    /// Who asks; absent for a session that is known by `recent` alone. An unknown user is no error.
    #[schema(min_length = 1, max_length = 128)]
    pub user_id: Option<String>,
    /// Where the items will be shown. Only `home`, which is also the default.
    pub surface: Option<String>,
    /// How many items; 10 if absent.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 500)]
    pub k: Option<Number>,
    /// Items that must not be in the answer.
    #[serde(default)]
    #[schema(max_items = 10_000)]
    pub exclude: Vec<String>,
    /// What the user did just now and was not sent as events, oldest first.
    #[serde(default)]
    #[schema(max_items = 500)]
    pub recent: Vec<RecentBody>,
    /// What the caller knows of the moment, such as the device; features may read it. At most 64 attributes.
    #[serde(default)]
    pub context: BTreeMap<String, AttributeInput>,
    /// How long the caller waits, in milliseconds. A stage that comes late costs quality, and
    /// `degraded` says so.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 10_000)]
    pub deadline_ms: Option<Number>,
    /// Whether each item comes with the reasons for its place.
    #[serde(default)]
    pub explain: bool,
}

/// Something the user did that is not in the log.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct RecentBody {
    /// With which item; an unknown one is passed over.
    #[schema(min_length = 1, max_length = 128)]
    pub item_id: String,
    /// Name of an event type, such as `click`.
    pub event_type: String,
    /// What the type measures, such as the stars of a rating.
    #[schema(value_type = Option<f64>)]
    pub value: Option<Number>,
    /// When; the time of the request if absent. At most 300 seconds in the future.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub timestamp: Option<Moment>,
}

impl RecommendRequest {
    /// The checked question.
    pub(crate) fn parse(self, now: Timestamp) -> Result<Request, InvalidInput> {
        if let Some(surface) = self.surface.filter(|surface| surface != DEFAULT_SURFACE) {
            let reason = format!("unknown surface {surface:?}; known are {DEFAULT_SURFACE}");
            return Err(InvalidInput::new("surface", reason));
        }
        let exclude =
            self.exclude.iter().enumerate().map(|(i, id)| {
                ItemId::parse(id).map_err(|error| InvalidInput::new(format!("exclude[{i}]"), error.reason))
            });
        let recent = self.recent.into_iter().enumerate();
        let recent = recent.map(|(i, event)| event.parse(now).map_err(|error| error.within(format!("recent[{i}]"))));
        Ok(Request {
            user_id: self.user_id.as_deref().map(UserId::parse).transpose()?,
            k: k_of(self.k.as_ref())?,
            exclude: exclude.collect::<Result<_, _>>()?,
            recent: recent.collect::<Result<_, _>>()?,
            context: parse_attributes("context", self.context)?,
            explain: self.explain,
            keep: false,
        })
    }
}

impl RecentBody {
    fn parse(self, now: Timestamp) -> Result<RecentEvent, InvalidInput> {
        Ok(RecentEvent {
            item_id: ItemId::parse(&self.item_id)?,
            event_type: self.event_type,
            value: self.value.as_ref().map(|value| finite_f32("value", value)).transpose()?,
            timestamp: self.timestamp.map(|time| time.parse(now)).transpose()?,
        })
    }
}

/// The answer to "which items?".
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct RecommendResponse {
    /// Name of this answer; events may carry it back.
    #[schema(format = "uuid")]
    pub request_id: String,
    /// Best first; fewer than `k` only when the catalogue has no more to offer.
    pub items: Vec<RecommendedItemView>,
    /// The bundle of models that served; `null` when none is loaded.
    pub bundle: Option<String>,
    /// The state that served: all records of the log up to this one.
    pub log_seq: u64,
    /// What was less than asked, and why: `no_bundle`, `source_timeout`, `ann_failed`,
    /// `ranker_timeout`, `ranker_failed`, `ranker_not_finite`. Empty when all went well.
    #[schema(value_type = Vec<String>)]
    pub degraded: Vec<&'static str>,
    /// Milliseconds per stage. `queue` is the wait before the first stage, `total` reaches from the
    /// arrival of the request to the answer.
    #[schema(value_type = BTreeMap<String, f64>)]
    pub timings: BTreeMap<&'static str, f64>,
    /// What the scores are: `relative`, they order these items and mean nothing else; or `calibrated`,
    /// beside each stands how likely its item is to be wanted.
    #[schema(value_type = String)]
    pub score_kind: &'static str,
}

/// One item of an answer.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = RecommendedItem)]
pub struct RecommendedItemView {
    /// Which item.
    pub item_id: String,
    /// Orders the items of one answer; not a probability.
    pub score: f32,
    /// How likely each outcome is once the item is shown, by name, `wanted` and event types: those that were
    /// calibrated on logged impressions; absent if none was.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub probabilities: BTreeMap<String, f32>,
    /// Place in the list, from 0.
    pub rank: u32,
    /// Which candidate sources proposed it.
    pub sources: Vec<SourceView>,
    /// Why it stands here; only if asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explanation: Option<ExplanationView>,
}

/// That one candidate source proposed an item.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = SourceHit)]
pub struct SourceView {
    /// Name of the source.
    #[schema(value_type = String)]
    pub source: &'static str,
    /// Place in its list, from 0.
    pub rank: u32,
}

/// Why an item stands where it stands.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Explanation)]
pub struct ExplanationView {
    /// Inner product with the user's vector; `null` when one of them has none.
    pub retrieval_score: Option<f32>,
    /// Rank by that score among the candidates, from 0.
    pub retrieval_rank: u32,
    /// What each feature adds to the score, compared with the average training row; largest first.
    pub contributions: Vec<Contribution>,
}

/// What one feature adds to a score.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Contribution {
    /// Name of the feature.
    pub feature: String,
    /// What it adds.
    pub contribution: f32,
}

impl RecommendResponse {
    /// An answer as it goes over the wire. `queue` is the wait before the first stage, `total` the
    /// time until now.
    pub fn new(request_id: String, answer: &Answer, queue: Duration, total: Duration) -> Self {
        let mut timings = timings(queue, total);
        timings.extend(answer.timings.iter().map(|timing| (timing.stage.0, milliseconds(timing.elapsed))));
        let items = answer.items.iter().map(|item| RecommendedItemView {
            item_id: item.item_id.to_string(),
            score: item.score.get(),
            probabilities: item.probabilities.iter().cloned().collect(),
            rank: count(item.rank),
            sources: item
                .sources
                .iter()
                .map(|hit| SourceView { source: hit.source.0, rank: count(hit.rank) })
                .collect(),
            explanation: item.explanation.as_ref().map(ExplanationView::from),
        });
        Self {
            request_id,
            items: items.collect(),
            bundle: answer.bundle.as_ref().map(ToString::to_string),
            log_seq: answer.log_seq.0,
            degraded: answer.degraded.iter().map(|reason| reason.as_str()).collect(),
            timings,
            score_kind: answer.score_kind.as_str(),
        }
    }
}

impl From<&Explanation> for ExplanationView {
    fn from(explanation: &Explanation) -> Self {
        let contributions = explanation.contributions.iter();
        Self {
            retrieval_score: explanation.retrieval_score.map(shortlist_types::Score::get),
            retrieval_rank: count(explanation.retrieval_rank),
            contributions: contributions
                .map(|(feature, contribution)| Contribution { feature: feature.clone(), contribution: *contribution })
                .collect(),
        }
    }
}

pub(super) fn timings(queue: Duration, total: Duration) -> BTreeMap<&'static str, f64> {
    BTreeMap::from([("queue", milliseconds(queue)), ("total", milliseconds(total))])
}

/// Milliseconds to the microsecond: more digits are noise.
fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

/// A place in a list as the wire counts.
pub(super) fn count(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}
