use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Number;
use shortlist_recommender::{
    Answer, DEFAULT_SURFACE, Explanation, Expression, Fate, Page, RecentEvent, RecommendedItem, Request, WhyNot,
};
use shortlist_store::Assignment;
use shortlist_types::limits::{EXCLUDE_MAX, GIVEN_MAX, OFFSET_MAX, WHY_NOT_MAX};
use shortlist_types::{InvalidInput, ItemId, RequestId, Timestamp, UserId};
use utoipa::ToSchema;

use super::attribute::{AttributeInput, parse_attributes};
use super::{Moment, finite_f32, k_of, whole_number};

/// Which k items should this user see now?
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct RecommendRequest {
    /// Who asks; absent for a session that is known by `recent` alone. An unknown user is no error.
    #[schema(min_length = 1, max_length = 128)]
    pub user_id: Option<String>,
    /// Where the items will be shown: a surface of the configuration, such as `home`, which is also the default, or
    /// `similar-items`.
    pub surface: Option<String>,
    /// The item that the answer is about, for surfaces that are about one, such as `similar-items`.
    #[schema(min_length = 1, max_length = 128)]
    pub item_id: Option<String>,
    /// What the items must be, by their attributes: `genre in ["Drama", "Crime"] and price < 20 and not adult`.
    #[schema(max_length = 16_384)]
    pub filter: Option<String>,
    /// Items that the caller proposes: candidates beside those that the surface's sources find. Unknown ones are
    /// passed over.
    #[serde(default)]
    #[schema(max_items = 1_000)]
    pub candidates: Vec<String>,
    /// The `request_id` of an answer whose next page this is: the order that was decided then, without what may no
    /// longer be shown. Kept for the latest 10,000 answers.
    pub request_id: Option<String>,
    /// Items of that order before this page; `request_id` and `offset` go together.
    #[schema(value_type = Option<u32>, minimum = 0, maximum = 5_000)]
    pub offset: Option<Number>,
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
    /// Items of which the answer tells why they are not in it, or where they are.
    #[serde(default)]
    #[schema(max_items = 100)]
    pub why_not: Vec<String>,
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
        let page = page_of(self.request_id.as_deref(), self.offset.as_ref())?;
        let recent = self.recent.into_iter().enumerate();
        let recent = recent.map(|(i, event)| event.parse(now).map_err(|error| error.within(format!("recent[{i}]"))));
        Ok(Request {
            surface: self.surface.unwrap_or_else(|| DEFAULT_SURFACE.to_owned()),
            user_id: self.user_id.as_deref().map(UserId::parse).transpose()?,
            k: k_of(self.k.as_ref())?,
            item_id: self.item_id.as_deref().map(ItemId::parse).transpose()?,
            filter: self.filter.as_deref().map(Expression::parse).transpose()?.map(Arc::new),
            candidates: item_ids("candidates", &self.candidates, GIVEN_MAX)?,
            page,
            request_id: None,
            exclude: item_ids("exclude", &self.exclude, EXCLUDE_MAX)?,
            recent: recent.collect::<Result<_, _>>()?,
            context: parse_attributes("context", self.context)?,
            explain: self.explain,
            why_not: item_ids("why_not", &self.why_not, WHY_NOT_MAX)?,
            keep: false,
        })
    }
}

/// The ids of a list; of one that is too long none is looked at.
pub(super) fn item_ids(field: &'static str, ids: &[String], most: usize) -> Result<Vec<ItemId>, InvalidInput> {
    if ids.len() > most {
        return Err(InvalidInput::new(field, format!("must have at most {most} entries, got {}", ids.len())));
    }
    let parse = |(i, id): (usize, &String)| {
        ItemId::parse(id).map_err(|error| InvalidInput::new(format!("{field}[{i}]"), error.reason))
    };
    ids.iter().enumerate().map(parse).collect()
}

fn page_of(request_id: Option<&str>, offset: Option<&Number>) -> Result<Option<Page>, InvalidInput> {
    match (request_id, offset) {
        (None, None) => Ok(None),
        (Some(_), None) => Err(InvalidInput::new("offset", "must come with request_id")),
        (None, Some(_)) => Err(InvalidInput::new("request_id", "must come with offset: of which answer?")),
        (Some(id), Some(offset)) => {
            let offset = whole_number("offset", offset, 0, OFFSET_MAX as u64)?;
            let (request_id, offset) = (RequestId::parse(id)?, usize::try_from(offset).unwrap_or(OFFSET_MAX));
            Ok(Some(Page { request_id, offset }))
        }
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
    /// The experiment that the user is in on this surface, and his variant; absent if he is in none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub experiment: Option<ExperimentView>,
    /// The state that served: all records of the log up to this one.
    pub log_seq: u64,
    /// What was less than asked, and why: `no_bundle`, `source_timeout`, `source_skipped`, `ann_failed`,
    /// `value_uncalibrated`, `ranker_timeout`, `ranker_skipped`, `ranker_failed`, `brownout`, `ranker_not_finite`.
    /// Empty when all went well.
    #[schema(value_type = Vec<String>)]
    pub degraded: Vec<&'static str>,
    /// Milliseconds per stage. `queue` is the wait before the first stage, `total` reaches from the
    /// arrival of the request to the answer.
    #[schema(value_type = BTreeMap<String, f64>)]
    pub timings: BTreeMap<&'static str, f64>,
    /// What the scores are: `relative`, they order these items and mean nothing else; `calibrated`,
    /// beside each stands how likely its item is to be wanted; or `value`, what each is worth by the surface's weights.
    #[schema(value_type = String)]
    pub score_kind: &'static str,
    /// What became of the items that the request asked about; absent if it asked about none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub why_not: Vec<WhyNotView>,
}

/// Which variant of an experiment answered.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Experiment)]
pub struct ExperimentView {
    /// Name of the experiment.
    pub name: String,
    /// Name of the variant.
    pub variant: String,
}

/// What became of one item.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = WhyNot)]
pub struct WhyNotView {
    /// Which item.
    pub item_id: String,
    /// `unknown_item`; `filtered`, `by` says which filter; `not_proposed` by any source; `not_chosen`, proposed where
    /// the shares of the candidates were full; `ranked_behind` the list; or `shown` in it.
    #[schema(value_type = String)]
    pub fate: &'static str,
    /// The filter that kept it out: `unavailable`, `excluded`, `seen`, `safety`, `where` or `filter`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub by: Option<&'static str>,
    /// Its place in the whole order, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rank: Option<u32>,
    /// What it was ranked by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<f32>,
    /// Its place by the ranker alone, from 0, if it is `ranked_behind`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_rank: Option<u32>,
    /// The surface's rules that kept it from the list; absent if its rank did.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub moved_by: Vec<String>,
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
    /// What it scored the item by; absent of a source that only orders.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<f32>,
}

/// Why an item stands where it stands.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Explanation)]
pub struct ExplanationView {
    /// Inner product with the user's vector; `null` when one of them has none.
    pub retrieval_score: Option<f32>,
    /// Rank by that score among the candidates, from 0.
    pub retrieval_rank: u32,
    /// Place in the ranker's order, from 0, before the surface's rules moved items.
    pub order_rank: u32,
    /// The score of a row with every feature at its average: with `contributions` it adds up to the ranker's score.
    /// Absent if they do not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_score: Option<f32>,
    /// What each input of the ranker does for the score, largest first: with a `base_score` what it adds to that,
    /// exactly; without one, for networks, an approximation: what the score would lose without this input alone.
    pub contributions: Vec<Contribution>,
    /// The surface's rules that moved it.
    pub moved_by: Vec<String>,
    /// The probability that it stands here, given the items above it; below 1 where places are drawn at random.
    pub propensity: f32,
    /// All of it for a person to read.
    pub sentence: String,
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
                .map(|hit| SourceView { source: hit.source.0, rank: count(hit.rank), score: hit.score })
                .collect(),
            explanation: item.explanation.as_ref().map(|explanation| ExplanationView::of(item, explanation)),
        });
        Self {
            request_id,
            items: items.collect(),
            bundle: answer.bundle.as_ref().map(ToString::to_string),
            experiment: answer
                .assignment
                .clone()
                .map(|Assignment { experiment, variant }| ExperimentView { name: experiment, variant }),
            log_seq: answer.log_seq.0,
            degraded: answer.degraded.iter().map(|reason| reason.as_str()).collect(),
            timings,
            score_kind: answer.score_kind.as_str(),
            why_not: answer.why_not.iter().map(WhyNotView::from).collect(),
        }
    }
}

impl From<&WhyNot> for WhyNotView {
    fn from(WhyNot { item_id, fate }: &WhyNot) -> Self {
        let plain = Self {
            item_id: item_id.to_string(),
            fate: fate.as_str(),
            by: None,
            rank: None,
            score: None,
            order_rank: None,
            moved_by: Vec::new(),
        };
        match fate {
            Fate::Unknown | Fate::NotProposed | Fate::NotChosen => plain,
            Fate::Filtered(filter) => Self { by: Some(filter.0), ..plain },
            Fate::Shown { rank } => Self { rank: Some(count(*rank)), ..plain },
            Fate::Behind { rank, score, order_rank, moved_by } => Self {
                rank: Some(count(*rank)),
                score: Some(score.get()),
                order_rank: Some(count(*order_rank)),
                moved_by: moved_by.clone(),
                ..plain
            },
        }
    }
}

impl ExplanationView {
    fn of(item: &RecommendedItem, explanation: &Explanation) -> Self {
        let contributions = explanation.contributions.iter();
        Self {
            retrieval_score: explanation.retrieval_score.map(shortlist_types::Score::get),
            retrieval_rank: count(explanation.retrieval_rank),
            order_rank: count(explanation.order_rank),
            base_score: explanation.base_score,
            contributions: contributions
                .map(|(feature, contribution)| Contribution { feature: feature.clone(), contribution: *contribution })
                .collect(),
            moved_by: explanation.moved_by.clone(),
            propensity: explanation.propensity,
            sentence: item.sentence().unwrap_or_default(),
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
