use serde::Serialize;
use shortlist_embedding::BlendConfig;

/// How long one model took to fit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelFit {
    /// Which one.
    pub model: &'static str,
    /// Passes over the data, as the model's configuration counts them; 1 for an item-to-item model.
    pub rounds: usize,
    /// Of all rounds.
    pub seconds: f64,
}

impl ModelFit {
    /// Reads each model's share from the time at the begin and after every round of a blend's fit.
    pub(crate) fn of_blend(blend: &BlendConfig, times: &[f64]) -> Vec<Self> {
        let vectors = blend.vectors.iter().map(|part| (part.model.name(), part.model.rounds()));
        let rows = blend.item_to_item.iter().map(|part| (part.model.name(), 1));
        let mut begin = 0;
        let timed = vectors.chain(rows).filter_map(|(model, rounds)| {
            let from = times.get(begin)?;
            begin += rounds;
            Some(Self { model, rounds, seconds: times.get(begin)? - from })
        });
        timed.collect()
    }
}
