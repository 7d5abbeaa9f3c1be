use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use shortlist_types::InvalidInput;

use crate::RowSchema;

const DIMENSIONS_MAX: usize = 256;
const UNITS_MAX: usize = 4_096;
const LAYERS_MAX: usize = 8;

/// The kinds of models, from the simplest to the most capable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ModelKind {
    /// A weight per number and id.
    LogisticRegression,
    /// And an inner product for each pair of categories.
    FactorizationMachine,
    /// Hidden layers over embeddings.
    Mlp,
    /// Hidden layers beside a cross network.
    #[serde(rename = "dcn-v2")]
    DcnV2,
    /// Two gated networks joined by a bilinear form.
    TwoStream,
}

impl ModelKind {
    /// All, from the simplest to the most capable.
    pub const ALL: [Self; 5] =
        [Self::LogisticRegression, Self::FactorizationMachine, Self::Mlp, Self::DcnV2, Self::TwoStream];

    /// The name on the command line and in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::LogisticRegression => "logistic-regression",
            Self::FactorizationMachine => "factorization-machine",
            Self::Mlp => "mlp",
            Self::DcnV2 => "dcn-v2",
            Self::TwoStream => "two-stream",
        }
    }
}

impl fmt::Display for ModelKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for ModelKind {
    type Err = InvalidInput;
    fn from_str(text: &str) -> Result<Self, InvalidInput> {
        let known = Self::ALL.map(Self::name).join(", ");
        let named = Self::ALL.into_iter().find(|kind| kind.name() == text);
        named.ok_or_else(|| InvalidInput::new("kind", format!("must be one of {known}, got {text:?}")))
    }
}

/// The shape of a model. Kinds ignore what they have no use for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkConfig {
    /// Which kind.
    pub kind: ModelKind,
    /// Numbers in the vector of each id.
    pub embedding_dimensions: usize,
    /// Units of the hidden layers, from the input on; of a two-stream model, of its first stream.
    pub hidden: Vec<usize>,
    /// Units of the second stream.
    pub second_hidden: Vec<usize>,
    /// Layers of the cross network.
    pub cross_layers: usize,
    /// Chunks of the bilinear form; each stream's last layer is divided into so many.
    pub fusion_chunks: usize,
    /// Units between a category and the gate that it opens; 0 for no gates.
    pub gate_units: usize,
    /// Whether hidden layers are normalised by batch.
    pub batch_norm: bool,
    /// Share of a hidden layer's units that a training step leaves out.
    pub dropout: f32,
}

impl Default for NetworkConfig {
    fn default() -> Self {
        Self {
            kind: ModelKind::Mlp,
            embedding_dimensions: 10,
            hidden: vec![400, 400, 400],
            second_hidden: vec![400, 400, 400],
            cross_layers: 3,
            fusion_chunks: 10,
            gate_units: 32,
            batch_norm: true,
            dropout: 0.2,
        }
    }
}

impl NetworkConfig {
    /// The usual shape of a kind.
    pub fn of(kind: ModelKind) -> Self {
        Self { kind, ..Self::default() }
    }

    /// Columns of what the hidden layers read.
    pub(crate) fn inputs(&self, schema: &RowSchema) -> usize {
        schema.categories.len() * self.embedding_dimensions + schema.numbers.len()
    }

    /// Checks every field.
    ///
    /// # Errors
    /// Names the first field out of range.
    pub fn check(&self) -> Result<(), InvalidInput> {
        let within = |name: &'static str, value: usize, least: usize, most: usize| {
            let reason = || format!("must lie in {least} to {most}, got {value}");
            if (least..=most).contains(&value) { Ok(()) } else { Err(InvalidInput::new(name, reason())) }
        };
        within("embedding_dimensions", self.embedding_dimensions, 1, DIMENSIONS_MAX)?;
        within("cross_layers", self.cross_layers, 1, LAYERS_MAX)?;
        within("gate_units", self.gate_units, 0, UNITS_MAX)?;
        within("fusion_chunks", self.fusion_chunks, 1, UNITS_MAX)?;
        for (name, hidden) in [("hidden", &self.hidden), ("second_hidden", &self.second_hidden)] {
            within(name, hidden.len(), 1, LAYERS_MAX)?;
            for units in hidden {
                within(name, *units, 1, UNITS_MAX)?;
            }
            let last = hidden.last().copied().unwrap_or(1);
            if self.kind == ModelKind::TwoStream && last % self.fusion_chunks != 0 {
                let reason = format!("must divide the last layer of {name}, {last}, got {}", self.fusion_chunks);
                return Err(InvalidInput::new("fusion_chunks", reason));
            }
        }
        if !(0.0..=0.9).contains(&self.dropout) {
            return Err(InvalidInput::new("dropout", format!("must lie in 0 to 0.9, got {}", self.dropout)));
        }
        Ok(())
    }
}
