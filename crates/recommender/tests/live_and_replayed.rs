//! The state that a server builds as events arrive is the one that a replay of its log builds, bit for bit:
//! whatever came, in whatever batches, late, twice, from the future, over restarts and checkpoints.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "functions beside the tests are tests too")]

use std::sync::{Arc, mpsc};

use proptest::prelude::*;
use shortlist_features::FeatureState;
use shortlist_recommender::{DurableState, Recommender, Surfaces};
use shortlist_store::{LogWriter, Store};
use shortlist_types::{
    Attributes, Event, EventId, EventTypes, Item, ItemId, LogRecord, LogSeq, RequestId, Timestamp, User, UserId,
};

/// What happens to a server.
#[derive(Debug, Clone)]
enum Step {
    Batch(Vec<LogRecord>),
    Checkpoint,
    Restart,
}

fn attributes(json: &str) -> Attributes {
    serde_json::from_str(json).unwrap()
}

/// Times in no order: mostly of this year, some ancient, some far ahead.
fn any_time() -> impl Strategy<Value = Timestamp> {
    let seconds =
        prop_oneof![8 => 1_760_000_000..1_790_000_000_i64, 1 => 0..10_i64, 1 => 4_000_000_000..4_100_000_000_i64];
    (seconds, 0..1_000_000_i64)
        .prop_map(|(second, micros)| Timestamp::from_micros(second * 1_000_000 + micros).unwrap())
}

fn any_event() -> impl Strategy<Value = LogRecord> {
    let mut types: Vec<String> = EventTypes::default().iter().map(|(name, _)| name.to_owned()).collect();
    types.push("sneeze".to_owned());
    let event_type = prop::sample::select(types);
    // Few ids, so that many events come twice.
    (0..9_u8, 0..12_u8, event_type, any_time(), prop::option::of(0..40_u8), prop::option::of(0.0..6.0_f32)).prop_map(
        |(user, item, event_type, timestamp, id, value)| {
            LogRecord::Event(Event {
                event_id: id.map(|id| EventId::parse(&format!("e{id}")).unwrap()),
                user_id: UserId::parse(&format!("u{user}")).unwrap(),
                item_id: ItemId::parse(&format!("i{item}")).unwrap(),
                event_type,
                value,
                timestamp,
                request_id: id.map(|id| RequestId::parse(&format!("r{id}")).unwrap()),
                position: None,
                context: attributes(r#"{"device":"phone"}"#),
            })
        },
    )
}

fn any_record() -> impl Strategy<Value = LogRecord> {
    let put_item = (0..12_u8, "[a-d]", -9.0..9.0_f64, any_time()).prop_map(|(id, genre, price, timestamp)| {
        let item = Item {
            item_id: ItemId::parse(&format!("i{id}")).unwrap(),
            attributes: attributes(&format!(r#"{{"genre":["{genre}","x"],"price":{price:?}}}"#)),
            available: price > -5.0,
            embedding: None,
        };
        LogRecord::ItemPut { timestamp, item }
    });
    let put_user = (0..9_u8, "[a-c]", any_time()).prop_map(|(id, country, timestamp)| {
        let user_id = UserId::parse(&format!("u{id}")).unwrap();
        let attributes = attributes(&format!(r#"{{"country":"{country}"}}"#));
        LogRecord::UserPut { timestamp, user: User { user_id, attributes } }
    });
    let delete = (0..12_u8, any_time()).prop_map(|(id, timestamp)| LogRecord::ItemDelete {
        timestamp,
        item_id: ItemId::parse(&format!("i{id}")).unwrap(),
    });
    prop_oneof![12 => any_event(), 2 => put_item, 1 => put_user, 1 => delete]
}

fn any_step() -> impl Strategy<Value = Step> {
    let batch = prop::collection::vec(any_record(), 1..30).prop_map(Step::Batch);
    prop_oneof![6 => batch, 1 => Just(Step::Checkpoint), 1 => Just(Step::Restart)]
}

/// A server as `serve` starts it, without its doors.
struct Life {
    recommender: Arc<Recommender>,
    writer: LogWriter,
}

impl Life {
    fn start(store: &Store, durable: &DurableState) -> Self {
        let appender = store.lock_log().unwrap();
        let state = durable.restore(&mut |_| ()).unwrap();
        let recommender = Arc::new(Recommender::new(state, &Surfaces::default()).unwrap());
        let applied_to = Arc::clone(&recommender);
        let apply = Box::new(move |records: &[_]| applied_to.apply(records).unwrap());
        Self { recommender, writer: LogWriter::start(appender, 10_000, apply).unwrap() }
    }

    fn take(&self, records: Vec<LogRecord>) {
        let (sender, done) = mpsc::channel();
        self.writer.submit(records, Box::new(move |result| sender.send(result).unwrap())).unwrap();
        done.recv().unwrap().unwrap();
    }

    fn bytes(&self) -> Vec<u8> {
        self.recommender.read(bytes_of)
    }
}

fn bytes_of(state: &FeatureState) -> Vec<u8> {
    let mut bytes = Vec::new();
    state.write_to(&mut bytes).unwrap();
    bytes
}

/// All records of the log, folded from the first one.
fn replayed(store: &Store) -> Vec<u8> {
    let mut state = FeatureState::new(Arc::default());
    let apply = |log_seq: LogSeq, record: LogRecord| {
        state.apply(log_seq, &record).unwrap();
        Ok::<_, shortlist_store::StoreError>(())
    };
    store.reader().unwrap().read(LogSeq::default(), LogSeq(u64::MAX), apply).unwrap();
    bytes_of(&state)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn the_live_state_is_the_replayed_one(steps in prop::collection::vec(any_step(), 1..14)) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_or_create(folder.path()).unwrap();
        let durable = DurableState::new(store.clone(), Arc::default());
        let mut life = Life::start(&store, &durable);
        for step in steps {
            match step {
                Step::Batch(records) => life.take(records),
                Step::Checkpoint => {
                    let head = life.recommender.read(FeatureState::log_seq);
                    if head > LogSeq::default() {
                        durable.hold_checkpoints().make(head, &|| false).unwrap();
                    }
                }
                Step::Restart => {
                    let before = life.bytes();
                    life.writer.close().unwrap();
                    life = Life::start(&store, &durable);
                    prop_assert!(life.bytes() == before, "a restart changed the state");
                }
            }
        }
        prop_assert!(life.bytes() == replayed(&store), "the replay gives another state");
    }
}
