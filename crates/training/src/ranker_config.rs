use serde::{Deserialize, Serialize};
use shortlist_ranking::{FitConfig, HEADS_MAX, LogisticConfig, Loss, ModelKind, NetworkConfig, Precision};
use shortlist_recommender::{CategorySchema, WANTED};
use shortlist_types::{EventTypeIdx, EventTypes, InvalidInput, Signal};

/// Most event types that a ranker tells apart.
const OUTCOMES_MAX: usize = HEADS_MAX - 1;

/// `[training.ranker]`: which model is the second stage, and how it is fitted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct RankerConfig {
    /// Which model.
    pub kind: ModelKind,
    /// Event types that it tells apart beside `wanted`, which orders lists.
    pub outcomes: Vec<String>,
    /// How logistic regression is fitted.
    #[serde(flatten)]
    pub logistic: LogisticConfig,
    /// What a network minimises.
    pub loss: Loss,
    /// Units of a network's hidden layers.
    pub hidden: Vec<usize>,
    /// Share of the hidden units that a training step leaves out.
    pub dropout: f32,
    /// A network's first step size.
    pub learning_rate: f32,
    /// Rows of a network's steps, about.
    pub batch_rows: usize,
    /// In what a network's weights are kept while they serve.
    pub precision: Precision,
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Unchecked {
    kind: String,
    outcomes: Vec<String>,
    l2: f64,
    iterations_max: usize,
    loss: Loss,
    hidden: Vec<usize>,
    dropout: f32,
    learning_rate: f32,
    batch_rows: usize,
    precision: Precision,
}

impl Default for Unchecked {
    fn default() -> Self {
        let LogisticConfig { l2, iterations_max } = LogisticConfig::default();
        Self {
            kind: ModelKind::LogisticRegression.name().to_owned(),
            outcomes: Vec::new(),
            l2,
            iterations_max,
            loss: Loss::Listwise,
            hidden: vec![64, 32],
            dropout: 0.1,
            learning_rate: 1e-3,
            batch_rows: 2_048,
            precision: Precision::F32,
        }
    }
}

impl Default for RankerConfig {
    fn default() -> Self {
        let Unchecked { loss, hidden, dropout, learning_rate, batch_rows, precision, .. } = Unchecked::default();
        let (kind, logistic) = (ModelKind::LogisticRegression, LogisticConfig::default());
        Self { kind, outcomes: Vec::new(), logistic, loss, hidden, dropout, learning_rate, batch_rows, precision }
    }
}

impl TryFrom<Unchecked> for RankerConfig {
    type Error = InvalidInput;
    fn try_from(unchecked: Unchecked) -> Result<Self, InvalidInput> {
        let Unchecked {
            kind,
            outcomes,
            l2,
            iterations_max,
            loss,
            hidden,
            dropout,
            learning_rate,
            batch_rows,
            precision,
        } = unchecked;
        let kind: ModelKind = kind.parse()?;
        if outcomes.len() > OUTCOMES_MAX {
            let reason = format!("must be at most {OUTCOMES_MAX}, got {}", outcomes.len());
            return Err(InvalidInput::new("outcomes", reason));
        }
        for (place, name) in outcomes.iter().enumerate() {
            if name == WANTED || outcomes[..place].contains(name) {
                return Err(InvalidInput::new("outcomes", format!("names {name:?} twice; {WANTED} is always told")));
            }
        }
        let logistic = LogisticConfig { l2, iterations_max };
        let config = Self { kind, outcomes, logistic, loss, hidden, dropout, learning_rate, batch_rows, precision };
        config.logistic.check()?;
        config.fit().check()?;
        config.network().check()?;
        Ok(config)
    }
}

impl RankerConfig {
    /// Checks what this can only be told beside the other tables of a configuration: that its outcomes are event
    /// types, and that its kind can read what there is to read.
    ///
    /// # Errors
    /// Names the key that is at fault.
    pub fn check_beside(&self, events: &EventTypes, categories: &CategorySchema) -> Result<(), InvalidInput> {
        self.event_types(events)?;
        let refuse = |reason: &str| Err(InvalidInput::new("training.ranker.kind", reason));
        match self.kind {
            ModelKind::FactorizationMachine if categories.is_empty() => refuse(
                "factorization-machine multiplies categories, and [categories] names none; name some, or choose \
                 logistic-regression, mlp, dcn-v2 or two-stream",
            ),
            ModelKind::LogisticRegression if !categories.is_empty() => refuse(
                "logistic-regression reads numbers alone, and [categories] names texts; choose factorization-machine, \
                 mlp, dcn-v2 or two-stream, or tell it of texts by features such as affinity and item_has",
            ),
            _ => Ok(()),
        }
    }

    /// The event types of its outcomes.
    pub(crate) fn event_types(&self, events: &EventTypes) -> Result<Vec<EventTypeIdx>, InvalidInput> {
        let within = |reason: String| InvalidInput::new("training.ranker.outcomes", reason);
        let outcomes = self.outcomes.iter().map(|name| {
            let event_type = events.resolve(name).map_err(|error| within(error.reason))?;
            if events.get(event_type).signal == Signal::Impression {
                return Err(within(format!("{name:?} is an impression: that an item was shown is no outcome")));
            }
            Ok(event_type)
        });
        outcomes.collect()
    }

    /// The names of its outcomes, the first of which orders lists.
    pub(crate) fn heads(&self) -> Vec<String> {
        std::iter::once(WANTED.to_owned()).chain(self.outcomes.iter().cloned()).collect()
    }

    /// The shape of its network.
    pub(crate) fn network(&self) -> NetworkConfig {
        NetworkConfig {
            hidden: self.hidden.clone(),
            second_hidden: self.hidden.clone(),
            dropout: self.dropout,
            gate_units: 0,
            fusion_chunks: 1,
            ..NetworkConfig::of(self.kind)
        }
    }

    /// How its network learns.
    pub(crate) fn fit(&self) -> FitConfig {
        FitConfig {
            loss: self.loss,
            learning_rate: self.learning_rate,
            batch_rows: self.batch_rows,
            ..FitConfig::default()
        }
    }
}
