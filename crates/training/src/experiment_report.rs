//! `experiment report`: what the variants of an experiment did to what their users did afterwards.
//!
//! Whoever was shown a list by a variant counts from the first one on, whether he looked at it or not: users, who were
//! split at random, are compared, and not the requests that they made.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use shortlist_evaluation::{Effect, Interval, Sample, sample_ratio_p};
use shortlist_recommender::Experiment;
use shortlist_store::Store;
use shortlist_types::{EventTypes, LogRecord, LogSeq, Outcome, Timestamp};

use crate::{Progress, TrainingError};

/// A split as far from its shares as this, or farther, is not by chance.
const SAMPLE_RATIO_P_MIN: f64 = 0.001;

/// What an experiment shows so far.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExperimentReport {
    /// Its name.
    pub experiment: String,
    /// The variant that the others are compared with.
    pub control: String,
    /// The first list that was shown.
    pub from: String,
    /// Users that are left out: lists were shown to them by several variants, because shares were changed meanwhile, or
    /// by one that the configuration no longer has.
    pub left_out: u64,
    /// How probable it is that users fell so on the variants by chance; none if all were left out.
    pub sample_ratio_p: Option<f64>,
    /// Whether that is too improbable: then something adds or loses users of a variant, and no comparison holds.
    pub sample_ratio_mismatch: bool,
    /// The variants in order of name.
    pub variants: Vec<VariantReport>,
}

/// What one variant shows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct VariantReport {
    /// Its name.
    pub variant: String,
    /// Users that it was shown to.
    pub users: usize,
    /// Lists that they were shown.
    pub requests: u64,
    /// In the same order for all variants.
    pub metrics: Vec<MetricReport>,
}

/// One number of a variant.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MetricReport {
    /// What it counts.
    pub metric: String,
    /// Its mean with the 95 % interval; none of fewer than two users.
    pub mean: Option<Interval>,
    /// Against the control; none of the control itself.
    pub effect: Option<Effect>,
}

/// One user of an experiment, and what he did from his first list on.
#[derive(Debug, Clone)]
struct Subject {
    /// None: left out.
    variant: Option<usize>,
    first: Timestamp,
    requests: u64,
    wanted: u32,
    /// By event type.
    events: Vec<u32>,
}

impl ExperimentReport {
    /// Reads who was shown what, and the log.
    ///
    /// **Cost**: one pass over the log without folding it; about 250 bytes of memory per user of the experiment.
    ///
    /// # Errors
    /// [`TrainingError::NothingShown`]; the store or the served log cannot be read.
    pub fn read(
        store: &Store,
        types: &EventTypes,
        (name, experiment): (&str, &Experiment),
        progress: &mut dyn Progress,
    ) -> Result<Self, TrainingError> {
        let nothing = || TrainingError::NothingShown { experiment: name.to_owned() };
        let served = store.served()?.ok_or_else(nothing)?;
        let variants: Vec<&str> = experiment.variants.keys().map(String::as_str).collect();
        let mut subjects: HashMap<String, Subject> = HashMap::new();
        served.exposed(name, &mut |exposed| {
            let variant = variants.iter().position(|known| *known == exposed.variant);
            let subject = subjects.entry(exposed.user_id.as_str().to_owned()).or_insert_with(|| Subject {
                variant,
                first: exposed.first,
                requests: exposed.requests,
                wanted: 0,
                events: vec![0; types.iter().count()],
            });
            if subject.variant != variant {
                subject.variant = None;
            }
        })?;
        let from = subjects.values().map(|subject| subject.first).min().ok_or_else(nothing)?;
        let log = store.reader()?;
        let (start, head) = (log.start()?.log_seq, log.head()?.log_seq);
        let _pin = store.pin("experiment", start)?;
        progress.begin("reading what they did", Some(head.0));
        log.read(start, head, |log_seq: LogSeq, record| {
            progress.at(log_seq.0);
            if let LogRecord::Event(event) = record
                && let Some(subject) = subjects.get_mut(event.user_id.as_str())
                && event.timestamp >= subject.first
                && let Some(index) = types.find(&event.event_type)
            {
                let event_type = types.get(index);
                subject.events[usize::from(index.0)] += u32::from(event_type.happened(event.value));
                let wanted = matches!(event_type.outcome(event.value), Outcome::Positive(_));
                subject.wanted += u32::from(wanted);
            }
            Ok::<_, TrainingError>(())
        })?;
        progress.end(&format!("{} users", subjects.len()));
        Ok(Self::of(name, experiment, types, from, subjects.into_values().collect()))
    }

    fn of(name: &str, experiment: &Experiment, types: &EventTypes, from: Timestamp, all: Vec<Subject>) -> Self {
        let left_out = all.iter().filter(|subject| subject.variant.is_none()).count() as u64;
        let names: Vec<&String> = experiment.variants.keys().collect();
        let mut by_variant: Vec<Vec<Subject>> = vec![Vec::new(); names.len()];
        for subject in all {
            if let Some(variant) = subject.variant {
                by_variant[variant].push(subject);
            }
        }
        // Of the types that nobody did there is nothing to say.
        let happened = |place: &usize| by_variant.iter().flatten().any(|subject| subject.events[*place] > 0);
        let types: Vec<(usize, &str)> =
            types.iter().map(|(name, _)| name).enumerate().filter(|(place, _)| happened(place)).collect();
        let samples: Vec<BTreeMap<String, Option<Sample>>> =
            by_variant.iter().map(|subjects| samples(subjects, &types)).collect();
        let control = names.iter().position(|name| **name == experiment.control).unwrap_or(0);
        let variants = names.iter().enumerate().map(|(place, variant)| {
            let metrics = samples[place].iter().map(|(metric, sample)| MetricReport {
                metric: metric.clone(),
                mean: sample.map(|sample| sample.interval()),
                effect: sample
                    .zip(samples[control][metric])
                    .filter(|_| place != control)
                    .map(|(own, control)| Effect::between(&own, &control)),
            });
            VariantReport {
                variant: (*variant).clone(),
                users: by_variant[place].len(),
                requests: by_variant[place].iter().map(|subject| subject.requests).sum(),
                metrics: metrics.collect(),
            }
        });
        let users: Vec<u64> = by_variant.iter().map(|subjects| subjects.len() as u64).collect();
        let shares: Vec<f64> = experiment.variants.values().map(|variant| variant.share).collect();
        let sample_ratio_p = sample_ratio_p(&users, &shares).ok();
        Self {
            experiment: name.to_owned(),
            control: experiment.control.clone(),
            from: from.to_string(),
            left_out,
            sample_ratio_p,
            sample_ratio_mismatch: sample_ratio_p.is_some_and(|p| p < SAMPLE_RATIO_P_MIN),
            variants: variants.collect(),
        }
    }
}

/// The metrics of the users of one variant, by name.
fn samples(subjects: &[Subject], types: &[(usize, &str)]) -> BTreeMap<String, Option<Sample>> {
    let of = |value: &dyn Fn(&Subject) -> f64| subjects.iter().map(value).collect::<Vec<f64>>();
    let wanted = of(&|subject| f64::from(subject.wanted));
    let requests = of(&|subject| subject.requests as f64);
    let any = of(&|subject| f64::from(u8::from(subject.wanted > 0)));
    let mut samples = BTreeMap::from([
        ("wanted per user".to_owned(), Sample::of(&wanted).ok()),
        ("wanted per request".to_owned(), Sample::ratio(&wanted, &requests).ok()),
        ("users who wanted something".to_owned(), Sample::of(&any).ok()),
    ]);
    for (place, name) in types {
        let counts = of(&|subject| f64::from(subject.events[*place]));
        samples.insert(format!("{name} per user"), Sample::of(&counts).ok());
    }
    samples
}
