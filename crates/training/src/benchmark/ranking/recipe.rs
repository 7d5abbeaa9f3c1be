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

/// The shape and the fit of a kind that did well on tables of categories.
///
/// Weights without hidden layers above them want larger steps, more patience and no penalty: early
/// stopping holds them.
pub(super) fn recipe(kind: ModelKind) -> (NetworkConfig, FitConfig) {
    let network = NetworkConfig { dropout: 0.4, gate_units: 0, ..NetworkConfig::of(kind) };
    let fit = FitConfig::default();
    let plain = FitConfig { embedding_l2: 0.0, patience: 3, ..fit.clone() };
    let fit = match kind {
        ModelKind::LogisticRegression => FitConfig { learning_rate: 0.02, ..plain },
        ModelKind::FactorizationMachine => FitConfig { learning_rate: 0.01, ..plain },
        ModelKind::Mlp | ModelKind::DcnV2 | ModelKind::TwoStream => fit,
    };
    (network, fit)
}
