use serde::{Deserialize, Serialize};
use shortlist_embedding::{GraphFilterConfig, Interactions};

/// `[training.retrieval.graph_filter]`: where the search of the graph filter begins.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GraphFilterStart {
    /// Components of a vector; if absent, by the size of the catalogue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dimensions: Option<usize>,
    /// Subspace iterations.
    pub iterations: usize,
    /// How much less an active user counts: by the power of his degree.
    pub user_exponent: f64,
    /// How much less a popular item says.
    pub item_exponent: f64,
    /// How much more a popular item is proposed.
    pub target_exponent: f64,
}

impl Default for GraphFilterStart {
    fn default() -> Self {
        Self { dimensions: None, iterations: 6, user_exponent: 0.4, item_exponent: 0.4, target_exponent: 0.3 }
    }
}

impl GraphFilterStart {
    /// The hyper-parameters for these interactions.
    pub(crate) fn for_data(&self, interactions: &Interactions) -> GraphFilterConfig {
        self.with_items(interactions.items().len())
    }

    /// The hyper-parameters for so many items.
    pub(crate) fn with_items(&self, items: usize) -> GraphFilterConfig {
        let Self { iterations, user_exponent, item_exponent, target_exponent, .. } = *self;
        let dimensions = self.dimensions.unwrap_or_else(|| usual_dimensions(items));
        let start = GraphFilterConfig { dimensions, iterations, ..GraphFilterConfig::default() };
        GraphFilterConfig { user_exponent, item_exponent, target_exponent, ..start }
    }
}

/// Small catalogues have few directions that are more than noise; in large ones an index holds them for
/// every item.
fn usual_dimensions(items: usize) -> usize {
    match items {
        8_192..100_000 => 512,
        100_000..1_000_000 => 128,
        _ => 64,
    }
}
