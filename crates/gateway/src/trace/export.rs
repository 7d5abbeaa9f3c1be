use std::mem::take;

use metrics::counter;
use opentelemetry::KeyValue;
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::TelemetryConfig;
use crate::GatewayError;
use crate::limits::{EXPORT_EVERY, EXPORT_TIMEOUT, EXPORT_TRACES_MAX, FLUSH_TIMEOUT, TRACES_WAITING_MAX};
use crate::metric::SPANS;

/// Traces that wait to be sent, each its spans. It never makes a request wait: what does not fit is dropped and counted.
#[derive(Debug)]
pub(super) struct SpanQueue {
    sender: mpsc::Sender<Vec<SpanData>>,
    receiver: Mutex<Option<mpsc::Receiver<Vec<SpanData>>>>,
}

impl Default for SpanQueue {
    fn default() -> Self {
        let (sender, receiver) = mpsc::channel(TRACES_WAITING_MAX);
        Self { sender, receiver: Mutex::new(Some(receiver)) }
    }
}

impl SpanQueue {
    pub(super) fn send(&self, spans: Vec<SpanData>) {
        if let Err(error) = self.sender.try_send(spans) {
            count("dropped", error.into_inner().len());
        }
    }
}

/// What sends traces to the collector.
pub(crate) struct Export {
    finish: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Export {
    /// Connects when there is something to send, and again whenever the connection is lost.
    pub(super) fn start(config: &TelemetryConfig, queue: &SpanQueue) -> Result<Self, GatewayError> {
        let Some(traces) = queue.receiver.lock().take() else {
            return Err(GatewayError::Telemetry("is sent already".to_owned()));
        };
        let endpoint = config.otlp_endpoint.clone().unwrap_or_default();
        let exporter =
            SpanExporter::builder().with_tonic().with_endpoint(endpoint).with_timeout(EXPORT_TIMEOUT).build();
        let mut exporter = exporter.map_err(|error| GatewayError::Telemetry(error.to_string()))?;
        let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
        let resource = Resource::builder().with_service_name(config.service_name.clone()).with_attribute(version);
        exporter.set_resource(&resource.build());
        let (finish, finished) = oneshot::channel();
        Ok(Self { finish, task: tokio::spawn(send_all(traces, exporter, finished)) })
    }

    /// Sends what waits, for a moment at most.
    pub(crate) async fn finish(self) {
        drop(self.finish);
        let mut task = self.task;
        if timeout(FLUSH_TIMEOUT, &mut task).await.is_err() {
            tracing::warn!("the collector did not take the last traces in time");
            task.abort();
        }
    }
}

/// Sends traces, many at once, until nobody makes any more or `finished` comes.
async fn send_all(
    mut traces: mpsc::Receiver<Vec<SpanData>>,
    exporter: SpanExporter,
    mut finished: oneshot::Receiver<()>,
) {
    let (mut batch, mut is_refused, mut is_finishing) = (Vec::new(), false, false);
    loop {
        let received = tokio::select! {
            received = traces.recv_many(&mut batch, EXPORT_TRACES_MAX) => received,
            _ = &mut finished, if !is_finishing => {
                // What waits is still taken, and nothing more.
                traces.close();
                is_finishing = true;
                continue;
            }
        };
        if received == 0 {
            return;
        }
        let spans: Vec<SpanData> = take(&mut batch).into_iter().flatten().collect();
        let in_batch = spans.len();
        let refusal = match timeout(EXPORT_TIMEOUT, exporter.export(spans)).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some("it does not answer".to_owned()),
        };
        count(if refusal.is_some() { "failed" } else { "exported" }, in_batch);
        // Once, not with every batch.
        match &refusal {
            Some(refusal) if !is_refused => tracing::warn!(refusal, "the collector takes no traces; they are dropped"),
            None if is_refused => tracing::info!("the collector takes traces again"),
            _ => {}
        }
        is_refused = refusal.is_some();
        if !is_finishing {
            // A batch of many is cheaper than many.
            tokio::select! {
                () = sleep(EXPORT_EVERY) => {}
                _ = &mut finished => {
                    traces.close();
                    is_finishing = true;
                }
            }
        }
    }
}

fn count(outcome: &'static str, spans: usize) {
    counter!(SPANS, "outcome" => outcome).increment(spans as u64);
}
