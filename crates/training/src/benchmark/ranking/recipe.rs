use shortlist_ranking::{FitConfig, ModelKind, NetworkConfig};

/// Which model is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RankingChoice {
    /// This kind.
    One(ModelKind),
    /// The kind, or the average of kinds, that does best on validation.
    Best,
}

impl RankingChoice {
    /// All, as the command line lists them.
    pub const ALL: [Self; 6] = [
        Self::One(ModelKind::LogisticRegression),
        Self::One(ModelKind::FactorizationMachine),
        Self::One(ModelKind::Mlp),
        Self::One(ModelKind::DcnV2),
        Self::One(ModelKind::TwoStream),
        Self::Best,
    ];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::One(kind) => kind.name(),
            Self::Best => "best",
        }
    }

    /// The kinds that are fitted for it.
    pub(super) fn kinds(self) -> Vec<ModelKind> {
        match self {
            Self::One(kind) => vec![kind],
            Self::Best => vec![ModelKind::Mlp, ModelKind::DcnV2, ModelKind::TwoStream],
        }
    }
}

/// Fewest steps of one pass: a small table in few large batches ends before it has learned how likely
/// anything is.
const STEPS_MIN: usize = 48;
/// Fewest rows of a batch; their means and deviations are noise below.
const BATCH_ROWS_MIN: usize = 128;

/// The shape and the fit of a kind that did well on tables of categories.
///
/// Weights without hidden layers above them want larger steps, more patience and no penalty: early
/// stopping holds them.
pub(super) fn recipe(kind: ModelKind, rows: usize) -> (NetworkConfig, FitConfig) {
    let network = NetworkConfig { dropout: 0.4, gate_units: 0, ..NetworkConfig::of(kind) };
    let usual = FitConfig::default();
    let batch_rows = (rows / STEPS_MIN).clamp(BATCH_ROWS_MIN, usual.batch_rows);
    let fit = FitConfig { batch_rows, ..usual };
    let plain = FitConfig { embedding_l2: 0.0, patience: 3, ..fit.clone() };
    let fit = match kind {
        ModelKind::LogisticRegression => FitConfig { learning_rate: 0.02, ..plain },
        ModelKind::FactorizationMachine => FitConfig { learning_rate: 0.01, ..plain },
        ModelKind::Mlp | ModelKind::DcnV2 | ModelKind::TwoStream => fit,
    };
    (network, fit)
}
