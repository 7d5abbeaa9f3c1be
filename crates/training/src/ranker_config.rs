use serde::{Deserialize, Serialize};
use shortlist_ranking::{FitConfig, LogisticConfig, Loss, ModelKind, NetworkConfig};
use shortlist_types::InvalidInput;

/// `[training.ranker]`: which model is the second stage, and how it is fitted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct RankerConfig {
    /// Which model.
    pub kind: ModelKind,
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
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Unchecked {
    kind: String,
    l2: f64,
    iterations_max: usize,
    loss: Loss,
    hidden: Vec<usize>,
    dropout: f32,
    learning_rate: f32,
    batch_rows: usize,
}

impl Default for Unchecked {
    fn default() -> Self {
        let LogisticConfig { l2, iterations_max } = LogisticConfig::default();
        Self {
            kind: ModelKind::LogisticRegression.name().to_owned(),
            l2,
            iterations_max,
            loss: Loss::Listwise,
            hidden: vec![64, 32],
            dropout: 0.1,
            learning_rate: 1e-3,
            batch_rows: 2_048,
        }
    }
}

impl Default for RankerConfig {
    fn default() -> Self {
        let Unchecked { loss, hidden, dropout, learning_rate, batch_rows, .. } = Unchecked::default();
        let (kind, logistic) = (ModelKind::LogisticRegression, LogisticConfig::default());
        Self { kind, logistic, loss, hidden, dropout, learning_rate, batch_rows }
    }
}

impl TryFrom<Unchecked> for RankerConfig {
    type Error = InvalidInput;
    fn try_from(unchecked: Unchecked) -> Result<Self, InvalidInput> {
        let Unchecked { kind, l2, iterations_max, loss, hidden, dropout, learning_rate, batch_rows } = unchecked;
        let kind: ModelKind = kind.parse()?;
        if kind == ModelKind::FactorizationMachine {
            let reason = "factorization-machine multiplies categories, and the features of a store are numbers; \
                          choose logistic-regression, mlp, dcn-v2 or two-stream";
            return Err(InvalidInput::new("kind", reason));
        }
        let logistic = LogisticConfig { l2, iterations_max };
        let config = Self { kind, logistic, loss, hidden, dropout, learning_rate, batch_rows };
        config.logistic.check()?;
        config.fit().check()?;
        config.network().check()?;
        Ok(config)
    }
}

impl RankerConfig {
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
