//! `audit skew`: whether what serving read is what the log says that it should have read.
//!
//! The log is folded once more; at each state that served, the features of what was shown are computed
//! again, by the code that trains, and compared with what the served log kept, bit by bit.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use shortlist_embedding::EncoderScratch;
use shortlist_features::{FeatureSchema, FeatureState};
use shortlist_recommender::{Bundle, BundleError, DurableState, Pipeline, Scratch};
use shortlist_store::{BundleId, LogReader, ServedRequest, Store, StoreError};
use shortlist_types::{LogRecord, LogSeq};

use crate::{Progress, Settings, TrainingError};

/// What became of the requests of the served log.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct SkewReport {
    /// Requests that it holds.
    pub requests: u64,
    /// Those whose features were computed again.
    pub verified: u64,
    /// Those that the ranker was not asked for: nothing was read.
    pub unranked: u64,
    /// Those of which it cannot be said, by reason.
    pub unverifiable: BTreeMap<&'static str, u64>,
    /// Numbers that were compared.
    pub values: u64,
    /// Numbers that differ.
    pub differences: u64,
    /// The first of them.
    pub first: Option<SkewDifference>,
}

/// A number that serving read and the log does not say.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SkewDifference {
    /// The request.
    pub request_id: String,
    /// The record that its state followed.
    pub log_seq: u64,
    /// The candidate.
    pub item_id: String,
    /// Name of the feature.
    pub feature: String,
    /// What was read.
    pub served: f32,
    /// What the log says.
    pub recomputed: f32,
}

/// Folds the log to each state that served and compares what was read there.
///
/// **Cost**: one pass over the log, and the features of each request that was kept.
///
/// # Errors
/// [`TrainingError::NothingServed`]; the store or the served log cannot be read.
pub fn audit_skew(
    store: &Store,
    settings: &Settings<'_>,
    progress: &mut dyn Progress,
) -> Result<SkewReport, TrainingError> {
    let served = store.served()?.ok_or(TrainingError::NothingServed)?;
    let log = store.reader()?;
    let durable = DurableState::new(store.clone(), Arc::clone(settings.events));
    let state = durable.first()?;
    let _pin = store.pin("audit", state.log_seq())?;
    let (start, head) = (state.log_seq(), log.head()?.log_seq);
    let mut audit = Audit {
        store,
        log: &log,
        pipeline: Pipeline::new(settings.surfaces.home().clone())?,
        state_schema: durable.schema(),
        erasures: store.erasures()?,
        state,
        last_served: served.bundles()?,
        models: BTreeMap::new(),
        scratch: Scratch::default(),
        encoder: EncoderScratch::default(),
        report: SkewReport::default(),
    };
    let states = served.states()?;
    progress.begin("folding to what served", Some(head.0));
    for (log_seq, requests) in states {
        audit.report.requests += requests;
        if log_seq < start {
            audit.cannot_tell("the log was cut", requests);
        } else if log_seq > head {
            audit.cannot_tell("the log ends before", requests);
        } else {
            audit.fold_to(log_seq)?;
            served.of_state(log_seq)?.iter().try_for_each(|request| audit.check(request))?;
            progress.at(log_seq.0);
        }
    }
    progress.end(&format!("{} requests, {} numbers compared", audit.report.requests, audit.report.values));
    Ok(audit.report)
}

struct Audit<'a> {
    store: &'a Store,
    log: &'a LogReader,
    pipeline: Pipeline,
    state_schema: String,
    erasures: u64,
    state: FeatureState,
    /// The last state that each bundle served with.
    last_served: BTreeMap<BundleId, LogSeq>,
    /// The bundles that serve about here; none for one that was removed.
    models: BTreeMap<BundleId, Option<Bundle>>,
    scratch: Scratch,
    encoder: EncoderScratch,
    report: SkewReport,
}

impl Audit<'_> {
    /// Moves the state, and with it the places that the bundles give to items that they do not know: those
    /// follow from the items' attributes, which the state keeps.
    fn fold_to(&mut self, log_seq: LogSeq) -> Result<(), TrainingError> {
        let Self { log, state, models, encoder, last_served, .. } = self;
        models.retain(|id, _| last_served.get(id).is_some_and(|last| *last >= log_seq));
        log.read(state.log_seq(), log_seq, |log_seq, record: LogRecord| {
            state.apply(log_seq, &record)?;
            for bundle in models.values().flatten() {
                bundle.models.follow(state, &record, encoder);
            }
            Ok::<_, TrainingError>(())
        })
    }

    /// Loads a bundle; none if it was removed.
    fn load(&self, id: &BundleId) -> Result<Option<Bundle>, TrainingError> {
        match Bundle::load(&self.store.registry(), self.log, id) {
            Ok(bundle) => {
                bundle.models.meet_new_items(&self.state);
                Ok(Some(bundle))
            }
            Err(BundleError::Store(StoreError::BundleNotFound { .. } | StoreError::DamagedBundle { .. })) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn check(&mut self, request: &ServedRequest) -> Result<(), TrainingError> {
        if request.features.is_empty() {
            self.report.unranked += 1;
            return Ok(());
        }
        if request.state_schema != self.state_schema {
            self.cannot_tell("other event types, or another version", 1);
            return Ok(());
        }
        if request.erasures != self.erasures {
            self.cannot_tell("a user was erased since", 1);
            return Ok(());
        }
        let Some(id) = &request.bundle else {
            self.cannot_tell("there was no bundle", 1);
            return Ok(());
        };
        if !self.models.contains_key(id) {
            let bundle = self.load(id)?;
            self.models.insert(id.clone(), bundle);
        }
        let Some(Some(bundle)) = self.models.get(id) else {
            self.cannot_tell("its bundle was removed", 1);
            return Ok(());
        };
        let recomputed = self.pipeline.features_of(&self.state, &bundle.models, request, &mut self.scratch)?;
        let features = bundle.models.features.clone();
        self.compare(request, &features, &recomputed);
        Ok(())
    }

    fn compare(&mut self, request: &ServedRequest, features: &FeatureSchema, recomputed: &[f32]) {
        self.report.verified += 1;
        self.report.values += request.features.len() as u64;
        // A missing number is none that could be equal.
        let padded = recomputed.iter().copied().chain(std::iter::repeat(f32::NAN));
        let names: Vec<_> = features.names().collect();
        for (place, (served, recomputed)) in request.features.iter().copied().zip(padded).enumerate() {
            if served.to_bits() == recomputed.to_bits() {
                continue;
            }
            self.report.differences += 1;
            let item = request.candidates.get(place / names.len()).and_then(|one| self.state.catalog().get(one.item));
            self.report.first.get_or_insert_with(|| SkewDifference {
                request_id: request.request_id.to_string(),
                log_seq: request.log_seq.0,
                item_id: item.map_or_else(String::new, |item| item.id.to_string()),
                feature: names[place % names.len()].to_owned(),
                served,
                recomputed,
            });
        }
    }

    fn cannot_tell(&mut self, reason: &'static str, requests: u64) {
        *self.report.unverifiable.entry(reason).or_default() += requests;
    }
}
