use std::sync::Arc;

use shortlist_embedding::{Blend, IalsConfig, IalsModel};
use shortlist_features::FeatureSchema;
use shortlist_ranking::Platt;
use shortlist_recommender::{Bundle, FittedRanker, Models, Provenance};
use shortlist_retrieval::IndexConfig;
use shortlist_store::BundleId;
use shortlist_types::{EmbeddingTable, ItemIdx, LogSeq, Timestamp};

/// A bundle over the first 25 items: four dimensions, made by a formula instead of by training.
pub(crate) fn bundle() -> Arc<Bundle> {
    let values = (0..25 * 4_u16).map(|i| f32::from(i * 37 % 23) / 11.5 - 1.0).collect();
    let table = EmbeddingTable::parse(4, (0..25).map(ItemIdx).collect(), values).unwrap();
    let config = IalsConfig { dimensions: 4, ..IalsConfig::default() };
    let width = FeatureSchema::default().width();
    let ranker = serde_json::json!({
        "features": width,
        "intercept": -1.0,
        "weights": vec![0.25; width],
        "means": vec![0.5; width],
        "deviations": vec![1.0; width],
    });
    let blend = Blend::of_model(Box::new(IalsModel::of_vectors(&table, &config).unwrap()));
    let first_stage = Models::of_blend(blend, &IndexConfig::default(), &mut |_| ()).unwrap();
    let mut ranker = FittedRanker::logistic(serde_json::from_value(ranker).unwrap());
    ranker.outcomes[0].calibration = Some(Platt { slope: 0.5, intercept: -1.0 });
    let models = Models { ranker: Some(ranker), ..first_stage };
    let provenance = Provenance {
        code_version: "test".to_owned(),
        arithmetic: "test".to_owned(),
        seed: 0,
        log_seq: LogSeq(0),
        log_chain: Provenance::chain_text(0),
        embeddings_until: Timestamp::EPOCH,
        ranker_until: Timestamp::EPOCH,
        trained_log_seq: LogSeq(0),
        config: serde_json::Value::Null,
    };
    let id = BundleId::parse("b-0123456789abcdef").unwrap();
    Arc::new(Bundle { id, models, provenance, report: serde_json::Value::Null })
}
