//! The gateway in this process, over a store whose disk a test can break.

use std::sync::{Arc, OnceLock};

use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::Value;
use shortlist_features::FeatureState;
use shortlist_gateway::{GatewayConfig, Parts, Service};
use shortlist_recommender::{DurableState, Recommender, Surfaces};
use shortlist_store::{LogWriter, Store};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use crate::harness::{get_json, post_json};

/// A service on a port of its own, until it is dropped.
pub struct Gateway {
    url: String,
    stop: Option<oneshot::Sender<()>>,
    runtime: Option<Runtime>,
}

impl Gateway {
    /// Serves a store from its log.
    pub fn start(store: &Store) -> Self {
        Self::start_with(store, |recommender| recommender)
    }

    /// The same, with a recommender that was changed.
    pub fn start_with(store: &Store, change: impl FnOnce(Recommender) -> Recommender) -> Self {
        let state = DurableState::new(store.clone(), Arc::default());
        let appender = store.lock_log().unwrap();
        let folded: FeatureState = state.restore(&mut |_| ()).unwrap();
        let recommender = Arc::new(change(Recommender::new(folded, &Surfaces::default()).unwrap()));
        let applied_to = Arc::clone(&recommender);
        let apply = Box::new(move |records: &[_]| applied_to.apply(records).unwrap());
        let writer = Arc::new(LogWriter::start(appender, 10_000, apply).unwrap());
        let service = Arc::new(
            Service::new(Parts { recommender, writer, state, served: None }, &GatewayConfig::default()).unwrap(),
        );
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel::<()>();
        let metrics = metrics();
        runtime.spawn(async move {
            let shutdown = async { drop(stopped.await) };
            shortlist_gateway::serve(listener, service, metrics, shutdown).await.unwrap();
        });
        Self { url, stop: Some(stop), runtime: Some(runtime) }
    }

    pub fn get(&self, path: &str) -> (u16, Value) {
        get_json(&format!("{}{path}", self.url))
    }

    pub fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        post_json(&format!("{}{path}", self.url), body)
    }
}

/// Metrics are the process's, however many servers there are.
fn metrics() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE.get_or_init(|| shortlist_gateway::install_metrics().unwrap()).clone()
}

impl Drop for Gateway {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(std::time::Duration::from_secs(5));
        }
    }
}
