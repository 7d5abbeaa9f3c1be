//! Stands where an OpenTelemetry collector would.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

/// Keeps what it is sent.
pub struct Collector {
    pub endpoint: String,
    received: Arc<Mutex<Vec<ExportTraceServiceRequest>>>,
    // It serves for as long as this is held.
    _runtime: Runtime,
}

struct Keeps(Arc<Mutex<Vec<ExportTraceServiceRequest>>>);

#[tonic::async_trait]
impl TraceService for Keeps {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.0.lock().unwrap().push(request.into_inner());
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

impl Collector {
    pub fn start() -> Self {
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let received = Arc::default();
        let service = TraceServiceServer::new(Keeps(Arc::clone(&received)));
        let server = tonic::transport::Server::builder().add_service(service);
        runtime.spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        Self { endpoint, received, _runtime: runtime }
    }

    /// All spans so far.
    pub fn spans(&self) -> Vec<Span> {
        let received = self.received.lock().unwrap();
        let resources = received.iter().flat_map(|request| &request.resource_spans);
        resources.flat_map(|resource| &resource.scope_spans).flat_map(|scope| scope.spans.clone()).collect()
    }

    /// What its senders call themselves.
    pub fn services(&self) -> Vec<String> {
        let received = self.received.lock().unwrap();
        let resources =
            received.iter().flat_map(|request| &request.resource_spans).filter_map(|one| one.resource.clone());
        resources.filter_map(|one| text(&one.attributes, "service.name")).collect()
    }

    /// The trace with this name, once it has come: the request's span, and its parts.
    pub fn trace(&self, trace_id: &str) -> (Span, Vec<Span>) {
        let started = Instant::now();
        loop {
            let is_its = |span: &Span| hex(&span.trace_id) == trace_id;
            let (server, parts): (Vec<_>, Vec<_>) =
                self.spans().into_iter().filter(is_its).partition(|span| span.kind == SERVER);
            if let [server] = server.as_slice() {
                return (server.clone(), parts);
            }
            assert!(started.elapsed() < Duration::from_secs(20), "no trace {trace_id} came");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

const SERVER: i32 = opentelemetry_proto::tonic::trace::v1::span::SpanKind::Server as i32;

/// The text of an attribute.
pub fn text(attributes: &[opentelemetry_proto::tonic::common::v1::KeyValue], key: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?.value.clone()?.value?;
    match found {
        Value::StringValue(text) => Some(text),
        Value::IntValue(number) => Some(number.to_string()),
        other => panic!("{key} is {other:?}"),
    }
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
