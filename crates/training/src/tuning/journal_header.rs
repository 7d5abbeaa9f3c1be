use serde::{Deserialize, Serialize};

use super::{Parameter, SearchSpace, StudyConfig};

/// The format of journals and the way trials are proposed; with another one, a journal's trials are
/// not those that this study would make.
const VERSION: u32 = 1;

/// The first line of a journal: what its trials belong to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct JournalHeader {
    /// Format and strategy.
    shortlist_study: u32,
    metric: String,
    data: String,
    seed: u64,
    space: Vec<Parameter>,
}

/// What differs between two headers, and the two values.
pub(super) struct Difference {
    pub(super) what: String,
    pub(super) found: String,
    pub(super) expected: String,
}

impl JournalHeader {
    /// The header of a study.
    pub(super) fn new(space: &SearchSpace, config: &StudyConfig) -> Self {
        let (metric, data) = (config.metric.clone(), config.data_fingerprint.clone());
        Self { shortlist_study: VERSION, metric, data, seed: config.seed, space: space.parameters().to_vec() }
    }

    /// How the journal's header `found` differs from this one; the first difference.
    pub(super) fn difference(&self, found: &Self) -> Option<Difference> {
        let texts = |header: &Self| {
            let Self { shortlist_study, metric, data, seed, space } = header;
            let names: Vec<&str> = space.iter().map(|parameter| parameter.name.as_str()).collect();
            let fixed = [
                ("the journal's version".to_owned(), shortlist_study.to_string()),
                ("the metric".to_owned(), metric.clone()),
                ("the data".to_owned(), data.clone()),
                ("the seed".to_owned(), seed.to_string()),
                ("the list of parameters".to_owned(), names.join(", ")),
            ];
            let parameters = space.iter().map(|Parameter { name, domain, default }| {
                let domain = serde_json::to_string(domain).unwrap_or_default();
                (format!("the parameter {name}"), format!("{domain}, by default {default}"))
            });
            fixed.into_iter().chain(parameters).collect::<Vec<_>>()
        };
        let pairs = texts(found).into_iter().zip(texts(self));
        let differs = pairs.into_iter().find(|(found, expected)| found.1 != expected.1);
        differs.map(|((_, found), (what, expected))| Difference { what, found, expected })
    }
}
