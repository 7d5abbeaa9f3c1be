use std::sync::Arc;

use shortlist_recommender::SurfaceConfig;
use shortlist_simulator::{MarketConfig, Marketplace};
use shortlist_store::{ServedCandidate, ServedLog, ServedRequest, Store, StoreConfig, StoreError};
use shortlist_types::{Attributes, Event, ItemId, ItemIdx, LogRecord, LogSeq, Timestamp};

use shortlist_ranking::ModelKind;
use shortlist_types::EventTypes;

use super::*;
use crate::NoProgress;
use crate::RankerConfig;
use crate::decision::Decision;

struct Made {
    stage: FirstStage,
    decision: Decision,
    split: Split,
}

fn market() -> Vec<LogRecord> {
    let end = Timestamp::parse("2026-06-01T00:00:00Z").unwrap();
    let config = MarketConfig { users: 60, items: 120, events: 12_000, ..MarketConfig::new(5, end) };
    Marketplace::generate(&config).unwrap().records
}

/// The first stage with the rows of one decision, drawn by `seed`; all its candidates are kept.
fn make(records: &[LogRecord], seed: u64) -> Made {
    make_with(records, seed, TrainingConfig { random_per_decision: 1, ..TrainingConfig::default() }).unwrap()
}

fn make_with(records: &[LogRecord], seed: u64, config: TrainingConfig) -> Result<Made, TrainingError> {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open_or_create(folder.path()).unwrap();
    let records = records.iter().cloned().map(Ok::<_, StoreError>);
    store.lock_log().unwrap().append_all(records, &mut |_| ()).unwrap();
    make_in(&store, seed, config)
}

fn make_in(store: &Store, seed: u64, config: TrainingConfig) -> Result<Made, TrainingError> {
    make_of(store, seed, config, &CategorySchema::default())
}

fn make_of(
    store: &Store,
    seed: u64,
    config: TrainingConfig,
    categories: &CategorySchema,
) -> Result<Made, TrainingError> {
    let log = store.reader().unwrap();
    let until = log.head().unwrap().log_seq;
    let first = FeatureState::new(Arc::default());
    let timeline = Timeline::read(&log, until, first.clone(), &mut NoProgress).unwrap();
    let config = TrainingConfig { negatives_per_decision: 5_000, decisions_max: 1, ..config };
    let split = Split::of(&timeline, until, &config).unwrap();
    let slice = timeline.between(split.ranker_from, split.evaluation_from);
    let draw = Draw { per_user: config.decisions_per_user, max: 1, label_days: None, seed };
    let decision = training_decisions(slice, draw).remove(0);
    let pipeline = Pipeline::new(SurfaceConfig { candidates_share: 0.5, ..SurfaceConfig::default() }).unwrap();
    let features = &FeatureSchema::default();
    let setting = Setting {
        store,
        log: &log,
        timeline: &timeline,
        split: &split,
        pipeline: &pipeline,
        features,
        categories,
        outcomes: &config.ranker.event_types(&EventTypes::default()).unwrap(),
        config: &config,
        seed,
    };
    Ok(Made { stage: setting.first_stage(first, &mut NoProgress)?, decision, split })
}

/// A decision of which much is wanted later, and its seed.
fn a_decision(records: &[LogRecord]) -> (u64, Made) {
    let seeds = (0..50).map(|seed| (seed, make(records, seed)));
    seeds.into_iter().find(|(_, made)| made.decision.wanted_later.len() > 3).unwrap()
}

/// The same log, but what `user` did with `item` from `decision` on is no more than an impression.
fn without_label(records: &[LogRecord], made: &Made, item: ItemIdx) -> Vec<LogRecord> {
    let state = &made.stage.state;
    let user = state.user_id(made.decision.user).unwrap();
    let item = &state.catalog().get(item).unwrap().id;
    let mut planted = records.to_vec();
    for (log_seq, record) in (1..).map(LogSeq).zip(&mut planted) {
        if let LogRecord::Event(event) = record
            && log_seq >= made.decision.before
            && (&event.user_id, &event.item_id) == (user, item)
        {
            (event.event_type, event.value) = ("impression".to_owned(), None);
        }
    }
    planted
}

#[test]
fn an_items_own_label_cannot_move_what_the_ranker_reads() {
    let records = market();
    let (seed, honest) = a_decision(&records);
    let mut labels_moved = 0;
    for item in &honest.decision.wanted_later {
        let planted = make(&without_label(&records, &honest, *item), seed);
        let (honest, planted) = (&honest.stage, &planted.stage);
        let joined = |stage: &FirstStage| stage.models.blend.joined_vectors().unwrap();
        assert_eq!(joined(honest), joined(planted));
        assert_eq!(honest.models.blend.item_to_item(), planted.models.blend.item_to_item());
        assert_eq!(honest.rows.numbers(), planted.rows.numbers());
        labels_moved += usize::from(honest.rows.labels() != planted.rows.labels());
    }
    assert!(labels_moved > 0, "no wanted item was a candidate: the test shows nothing");
}

/// From the decision on, everybody does what he does with another item.
fn with_another_future(records: &[LogRecord], from: LogSeq) -> Vec<LogRecord> {
    let ids: Vec<ItemId> = records
        .iter()
        .filter_map(|record| match record {
            LogRecord::ItemPut { item, .. } => Some(item.item_id.clone()),
            _ => None,
        })
        .collect();
    let mut planted = records.to_vec();
    for (log_seq, record) in (1..).map(LogSeq).zip(&mut planted) {
        if let LogRecord::Event(event) = record
            && log_seq >= from
        {
            let place = ids.iter().position(|id| *id == event.item_id).unwrap();
            event.item_id = ids[(place + 7) % ids.len()].clone();
        }
    }
    planted
}

#[test]
fn nothing_from_the_decision_on_moves_what_the_ranker_reads() {
    let records = market();
    let (seed, honest) = a_decision(&records);
    let planted = make(&with_another_future(&records, honest.decision.before), seed);
    assert_eq!(honest.decision.before, planted.decision.before);
    assert_ne!(honest.decision.wanted_later, planted.decision.wanted_later);
    // The last row may be the item at random, which must not be one that is wanted later.
    let candidates = |made: &Made| made.stage.rows.numbers()[..(made.stage.rows.len() - 1) * width()].to_vec();
    let (honest, planted) = (candidates(&honest), candidates(&planted));
    let shared = honest.len().min(planted.len());
    assert!(shared > 20 * width());
    assert_eq!(honest[..shared], planted[..shared]);
}

fn width() -> usize {
    FeatureSchema::default().width()
}

#[test]
fn rows_hold_only_what_could_have_been_shown_at_that_moment() {
    let mut records = market();
    let (seed, decision) = {
        let (seed, made) = a_decision(&records);
        (seed, made.decision)
    };
    // A third of the items are withdrawn from the begin.
    let mut puts = 0;
    for record in &mut records {
        if let LogRecord::ItemPut { item, .. } = record {
            item.available = puts % 3 != 0;
            puts += 1;
        }
    }
    // Enough draws at random to meet every item.
    let config = TrainingConfig { random_per_decision: 5_000, ..TrainingConfig::default() };
    let made = make_with(&records, seed, config).unwrap();
    assert_eq!(made.decision.before, decision.before);
    let mut state = FeatureState::new(Arc::default());
    for (log_seq, record) in (1..decision.before.0).map(LogSeq).zip(&records) {
        state.apply(log_seq, record).unwrap();
    }
    let user = state.user(state.user_id(decision.user).unwrap().as_str()).unwrap();
    let mut allowed = state.catalog().recommendable().clone();
    user.seen(decision.now).for_each(|item| {
        allowed.remove(item.0);
    });
    let hidden = state.catalog().len() - usize::try_from(allowed.len()).unwrap();
    assert!(hidden > 40, "{hidden}");
    // What is wanted later and was not retrieved makes no row, so there may be fewer.
    let rows = made.stage.rows.len();
    assert!(rows <= usize::try_from(allowed.len()).unwrap() && rows > 40, "{rows} of {}", allowed.len());
}

/// A request as the served log keeps it: it showed these items, whose features are their numbers.
fn served(log_seq: LogSeq, event: &Event, items: &[ItemIdx]) -> ServedRequest {
    let candidate = |(position, item): (u32, &ItemIdx)| ServedCandidate {
        item: *item,
        retrieval_score: None,
        score: 0.0,
        position: Some(position),
        propensity: if position == 0 { 0.5 } else { 1.0 },
    };
    let hidden = ServedCandidate { position: None, propensity: 0.0, ..candidate((0, &ItemIdx(0))) };
    let candidates: Vec<_> = (0..).zip(items).map(candidate).chain([hidden]).collect();
    let features = candidates.iter().flat_map(|one| vec![one.item.0 as f32; width()]).collect();
    ServedRequest {
        request_id: event.request_id.clone().unwrap(),
        now: event.timestamp,
        log_seq: LogSeq(log_seq.0 - 1),
        erasures: 0,
        state_schema: String::new(),
        bundle: None,
        assignment: None,
        surface: "home".to_owned(),
        user_id: Some(event.user_id.clone()),
        k: 10,
        exclude: Vec::new(),
        recent: Vec::new(),
        context: Attributes::default(),
        degraded: Vec::new(),
        candidates,
        feature_schema: FeatureSchema::default().fingerprint(),
        features,
    }
}

#[test]
fn what_was_shown_becomes_rows_with_what_came_of_it() {
    let records = market();
    let (seed, made) = a_decision(&records);
    let (catalog, event_types) = (made.stage.state.catalog(), made.stage.state.event_types());
    let find = |event: &Event| catalog.find(event.item_id.as_str()).unwrap();
    let events = |from: LogSeq, until: LogSeq| {
        let numbered = (1..).map(LogSeq).zip(&records).filter(move |(seq, _)| (from..until).contains(seq));
        numbered.filter_map(|(seq, record)| match record {
            LogRecord::Event(event) => Some((seq, event)),
            _ => None,
        })
    };
    // The first page of the slice, with what it led to.
    let (from, until) = (made.split.ranker_from, made.split.evaluation_from);
    let is_positive = |event: &Event| {
        let kind = event_types.get(event_types.find(&event.event_type).unwrap());
        matches!(kind.outcome(event.value), shortlist_types::Outcome::Positive(_))
    };
    let (log_seq, first) = events(from, until).find(|(_, event)| is_positive(event)).unwrap();
    let of_page: Vec<&Event> =
        events(from, until).map(|(_, event)| event).filter(|event| event.request_id == first.request_id).collect();
    let mut items: Vec<ItemIdx> = of_page.iter().map(|event| find(event)).collect();
    items.sort_unstable();
    items.dedup();
    let wanted: Vec<bool> =
        items.iter().map(|item| of_page.iter().any(|event| is_positive(event) && find(event) == *item)).collect();

    let folder = tempfile::tempdir().unwrap();
    let store = Store::open_or_create(folder.path()).unwrap();
    let log = records.iter().cloned().map(Ok::<_, StoreError>);
    store.lock_log().unwrap().append_all(log, &mut |_| ()).unwrap();
    let config = TrainingConfig { rows: RowSource::Served, ..TrainingConfig::default() };
    let error = make_in(&store, seed, config.clone()).err().unwrap();
    assert!(matches!(error, TrainingError::NothingServed), "{error}");

    let keep = |request: ServedRequest| {
        let served = ServedLog::start(&store, &StoreConfig { served_share: 1.0, ..StoreConfig::default() }).unwrap();
        served.keep(request);
        served.flush();
    };
    // Not of this schema; never named by an event; of the slice before.
    let request = served(log_seq, first, &items);
    let name = |text: &str| shortlist_types::RequestId::parse(text).unwrap();
    keep(ServedRequest { request_id: name("other-features"), feature_schema: 1, ..request.clone() });
    keep(ServedRequest { request_id: name("nobody-knows-me"), ..request.clone() });
    keep(ServedRequest { request_id: name("early"), log_seq: LogSeq(from.0 - 2), ..request.clone() });
    keep(ServedRequest { request_id: name("unranked"), features: Vec::new(), ..request.clone() });
    let one = TrainingConfig { decisions_max: 1, ..config.clone() };
    let error = make_in(&store, seed, one.clone()).err().unwrap().to_string();
    assert!(error.contains("1 read other features") && error.contains("1 were ranked by no model"), "{error}");
    assert!(error.contains("no event carries the request_id of 1;"), "{error}");

    store.erase_served(&first.user_id).unwrap();
    keep(request);
    let rows = make_in(&store, seed, one).unwrap().stage.rows;
    assert_eq!(rows.labels(), wanted);
    let first_feature: Vec<u32> = rows.numbers().chunks_exact(width()).map(|row| row[0] as u32).collect();
    assert_eq!(first_feature, items.iter().map(|item| item.0).collect::<Vec<_>>());
    assert_eq!((rows.weights()[0].to_bits(), rows.weights()[1].to_bits()), (2.0_f32.to_bits(), 1.0_f32.to_bits()));

    // With texts and a second outcome: each row has its item's, as the state that served had it.
    let category = r#"{"kind_of_item": {"of": "item", "attribute": "category", "count_min": 1}}"#;
    let categories = serde_json::from_str(category).unwrap();
    let ranker = RankerConfig { kind: ModelKind::Mlp, outcomes: vec!["click".to_owned()], ..RankerConfig::default() };
    let stage =
        make_of(&store, seed, TrainingConfig { decisions_max: 1, ranker, ..config }, &categories).unwrap().stage;
    let rows = stage.rows;
    assert_eq!(rows.labels().iter().step_by(2).copied().collect::<Vec<_>>(), wanted);
    let clicked: Vec<bool> = items
        .iter()
        .map(|item| of_page.iter().any(|event| event.event_type == "click" && find(event) == *item))
        .collect();
    assert_eq!(rows.labels().iter().skip(1).step_by(2).copied().collect::<Vec<_>>(), clicked);
    let text = |item: &ItemIdx| catalog.get(*item).unwrap().attributes.labels("category").next().unwrap();
    let mut texts: Vec<&str> = items.iter().map(text).collect();
    let ids: Vec<u32> = (0..rows.len()).map(|row| *rows.ids(0, row).first().unwrap()).collect();
    for (a, b) in (0..ids.len()).flat_map(|a| (0..a).map(move |b| (a, b))) {
        assert_eq!(ids[a] == ids[b], texts[a] == texts[b], "{texts:?} {ids:?}");
    }
    texts.sort_unstable();
    texts.dedup();
    assert_eq!(stage.categories.categories()[0].ids, texts.len() + 1);
}
