//! Computes answers again, offline: from the log up to the record that an answer names, the bundle that it names, and the
//! question, at the time that the request's name tells.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use shortlist_recommender::{Bundle, DurableState, Recommender, Request, Surfaces};
use shortlist_store::{BundleId, LogReader, Store, StoreError};
use shortlist_types::{LogRecord, LogSeq, Timestamp, Unlimited};

/// A list that was served, and to whom.
pub struct Heard {
    pub user: usize,
    pub body: Value,
}

impl Heard {
    pub fn log_seq(&self) -> LogSeq {
        LogSeq(self.body["log_seq"].as_u64().expect("a log_seq"))
    }

    pub fn bundle(&self) -> BundleId {
        BundleId::parse(self.body["bundle"].as_str().expect("a bundle")).expect("the name of a bundle")
    }

    /// When it was asked: the first 48 bits of its name are milliseconds.
    fn asked_at(&self) -> Timestamp {
        let name = self.body["request_id"].as_str().expect("a name").replace('-', "");
        let millis = i64::from_str_radix(&name[..12], 16).expect("a time");
        Timestamp::from_micros(millis * 1_000).expect("a time of this age")
    }
}

pub struct Oracle {
    recommender: Recommender,
    log: LogReader,
    bundles: BTreeMap<BundleId, Arc<Bundle>>,
    at: LogSeq,
}

impl Oracle {
    /// Over all bundles of a store that is not served any more.
    pub fn new(store: &Store) -> Self {
        let state = DurableState::new(store.clone(), Arc::default()).first().unwrap();
        let (log, registry) = (store.reader().unwrap(), store.registry());
        let load = |id: BundleId| (id.clone(), Arc::new(Bundle::load(&registry, &log, &id).unwrap()));
        let bundles = registry.list().unwrap().into_iter().map(|bundle| load(bundle.id)).collect();
        let at = state.log_seq();
        Self { recommender: Recommender::new(state, &Surfaces::default()).unwrap(), log, bundles, at }
    }

    /// Panics unless each list is what it must be, item by item and bit by bit, or names a bundle that was never
    /// published; how many lists each bundle gave.
    pub fn check(&mut self, mut heard: Vec<Heard>, k: u32) -> BTreeMap<BundleId, u64> {
        heard.sort_by_cached_key(|heard| (heard.log_seq(), heard.bundle()));
        let mut of_bundle = BTreeMap::new();
        for heard in heard {
            self.move_to(heard.log_seq());
            let id = heard.bundle();
            let bundle = self.bundles.get(&id).unwrap_or_else(|| panic!("no bundle {id} was published"));
            if self.recommender.snapshot().bundle.as_ref().is_none_or(|serving| serving.id != id) {
                self.recommender.swap(Some(Arc::clone(bundle)));
            }
            let user = crate::world::user_id(heard.user).unwrap();
            let request = Request::of(user, k as usize);
            let answer = self.recommender.recommend(&request, heard.asked_at(), &Unlimited).unwrap();
            // By way of a text, as served ones came: each text is one number, to the last bit.
            let due = serde_json::to_string(&shortlist_gateway::answer_as_json(&answer)).unwrap();
            let due: Value = serde_json::from_str(&due).unwrap();
            for field in ["items", "log_seq", "bundle", "degraded", "score_kind"] {
                assert_eq!(heard.body[field], due[field], "{field} of {} for user {}", heard.body, heard.user);
            }
            *of_bundle.entry(id).or_default() += 1;
        }
        of_bundle
    }

    fn move_to(&mut self, log_seq: LogSeq) {
        let mut records: Vec<(LogSeq, LogRecord)> = Vec::new();
        let read = self.log.read(self.at, log_seq, |log_seq, record| {
            records.push((log_seq, record));
            Ok::<_, StoreError>(())
        });
        read.unwrap();
        self.recommender.apply(&records).unwrap();
        self.at = log_seq;
    }
}
