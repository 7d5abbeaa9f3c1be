use std::sync::{Arc, OnceLock};

use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::{Value, json};
use shortlist_features::FeatureState;
use shortlist_gateway::{Access, Doors, GatewayConfig, Parts, Service};
use shortlist_proto::v1::shortlist_service_client::ShortlistServiceClient;
use shortlist_recommender::{DurableState, Recommender, Surfaces};
use shortlist_store::{Apply, LogWriter, ServedLog, Store, StoreConfig};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::transport::{Channel, Endpoint};
use ureq::http::Response;

/// Runs before the records of a transaction are applied, on the writer's thread.
pub(crate) type BeforeApply = Box<dyn FnMut() + Send>;

/// A gateway that serves a temporary store on a free port.
pub(crate) struct TestServer {
    pub(crate) url: String,
    pub(crate) admin_url: String,
    pub(crate) runtime: Runtime,
    pub(crate) recommender: Arc<Recommender>,
    pub(crate) store: Store,
    pub(crate) state: DurableState,
    pub(crate) served: Arc<ServedLog>,
    agent: ureq::Agent,
    stop: Option<oneshot::Sender<()>>,
    serving: Option<JoinHandle<()>>,
    dir: Arc<tempfile::TempDir>,
}

/// The default, but for servers that end at once.
pub(crate) fn quick_config() -> GatewayConfig {
    GatewayConfig { shutdown_delay_ms: 0, ..GatewayConfig::default() }
}

/// What came back over REST.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: ureq::http::HeaderMap,
    pub(crate) text: String,
}

impl TestServer {
    pub(crate) fn start() -> Self {
        Self::start_with(quick_config(), Box::new(|| ()))
    }

    pub(crate) fn start_with(config: GatewayConfig, before_apply: BeforeApply) -> Self {
        Self::start_of(config, before_apply, |recommender| recommender)
    }

    /// With a recommender that was changed.
    pub(crate) fn start_of(
        config: GatewayConfig,
        before_apply: BeforeApply,
        change: impl FnOnce(Recommender) -> Recommender,
    ) -> Self {
        Self::over(Arc::new(tempfile::tempdir().unwrap()), config, Access::default(), before_apply, change)
    }

    /// With somebody at the door.
    pub(crate) fn start_behind(access: Access) -> Self {
        Self::start_gated_behind(quick_config(), access, Box::new(|| ()))
    }

    /// With somebody at the door, and a writer that waits.
    pub(crate) fn start_gated_behind(config: GatewayConfig, access: Access, before_apply: BeforeApply) -> Self {
        let dir = Arc::new(tempfile::tempdir().unwrap());
        Self::over(dir, config, access, before_apply, |recommender| recommender)
    }

    /// Stops, and serves the same store from its log.
    pub(crate) fn restarted(self) -> Self {
        let dir = Arc::clone(&self.dir);
        drop(self);
        Self::over(dir, quick_config(), Access::default(), Box::new(|| ()), |recommender| recommender)
    }

    fn over(
        dir: Arc<tempfile::TempDir>,
        config: GatewayConfig,
        access: Access,
        mut before_apply: BeforeApply,
        change: impl FnOnce(Recommender) -> Recommender,
    ) -> Self {
        let store = Store::open_or_create(dir.path()).unwrap();
        let state = DurableState::new(store.clone(), Arc::default());
        let folded: FeatureState = state.restore(&mut |_| ()).unwrap();
        let recommender = Recommender::new(folded, &Surfaces::default()).unwrap();
        let recommender = Arc::new(change(recommender));
        let applied_to = Arc::clone(&recommender);
        let apply: Apply = Box::new(move |records| {
            before_apply();
            applied_to.apply(records).unwrap();
        });
        let writer = Arc::new(LogWriter::start(store.lock_log().unwrap(), 4_096, apply).unwrap());
        // Keeps every request.
        let kept: StoreConfig = serde_json::from_value(json!({ "served_share": 1.0 })).unwrap();
        let served = Arc::new(ServedLog::start(&store, &kept).unwrap());
        let parts = Parts {
            recommender: Arc::clone(&recommender),
            writer,
            state: state.clone(),
            served: Some(Arc::clone(&served)),
        };
        let service = Arc::new(Service::new(parts, &config).unwrap());

        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let bind = || runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let doors = Doors { api: bind(), admin: Some(bind()), access };
        let url = |listener: &tokio::net::TcpListener| format!("http://{}", listener.local_addr().unwrap());
        let (url, admin_url) = (url(&doors.api), doors.admin.as_ref().map(url).unwrap());
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = runtime.spawn(async move {
            let shutdown = async { drop(stopped.await) };
            shortlist_gateway::serve(doors, service, metrics(), shutdown).await.unwrap();
        });
        // A connection each: the server closes one whose body it did not read, and a pooled one may
        // learn that only with the next request.
        let agent = ureq::Agent::config_builder().http_status_as_error(false).max_idle_connections(0);
        let agent = agent.build().into();
        let (stop, serving) = (Some(stop), Some(serving));
        Self { url, admin_url, runtime, recommender, store, state, served, agent, stop, serving, dir }
    }

    /// With 30 items `i0`..`i29`, each wanted by a few users: `i0` by the most.
    pub(crate) fn with_catalogue() -> Self {
        let server = Self::start();
        server.fill();
        server
    }

    /// Puts a catalogue of thirty items and what ten users viewed of it.
    pub(crate) fn fill(&self) {
        let items: Vec<_> = (0..30)
            .map(|i| {
                let genre = ["a", "b", "c"][i % 3];
                json!({"item_id": format!("i{i}"), "attributes": {"genre": genre, "price": i}})
            })
            .collect();
        self.post("/v1/items", &json!({"items": items})).expect(200);
        let events: Vec<_> = (0..30)
            .flat_map(|i| (0..(30 - i) / 3).map(move |u| (i, u)))
            .map(|(i, u)| json!({"user_id": format!("u{u}"), "item_id": format!("i{i}"), "event_type": "view"}))
            .collect();
        self.post("/v1/events", &json!({"events": events})).expect(200);
    }

    pub(crate) fn get(&self, path: &str) -> Reply {
        self.agent.get(format!("{}{path}", self.url)).call().unwrap().into()
    }

    /// The body as it came, of an answer that must be 200.
    pub(crate) fn bytes(&self, path: &str) -> Vec<u8> {
        let mut response = self.agent.get(format!("{}{path}", self.url)).call().unwrap();
        assert_eq!(response.status(), 200, "{path}");
        response.body_mut().read_to_vec().unwrap()
    }

    pub(crate) fn delete(&self, path: &str) -> Reply {
        self.agent.delete(format!("{}{path}", self.url)).call().unwrap().into()
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Reply {
        self.send("POST", path, &[("content-type", "application/json")], body.to_string().as_bytes())
    }

    pub(crate) fn patch(&self, path: &str, body: &Value) -> Reply {
        self.send("PATCH", path, &[("content-type", "application/json")], body.to_string().as_bytes())
    }

    pub(crate) fn put(&self, path: &str, body: &Value) -> Reply {
        self.send("PUT", path, &[("content-type", "application/json")], body.to_string().as_bytes())
    }

    pub(crate) fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        let mut request = ureq::http::Request::builder().method(method).uri(format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.agent.run(request.body(body).unwrap()).unwrap().into()
    }

    /// A question to the administrator's listener.
    pub(crate) fn ask_admin(&self, method: &str, path: &str, key: Option<&str>) -> Reply {
        let mut request = ureq::http::Request::builder().method(method).uri(format!("{}{path}", self.admin_url));
        if let Some(key) = key {
            request = request.header("authorization", key);
        }
        self.agent.run(request.body(()).unwrap()).unwrap().into()
    }

    /// A connection for gRPC.
    pub(crate) fn channel(&self) -> Channel {
        self.runtime.block_on(Endpoint::from_shared(self.url.clone()).unwrap().connect()).unwrap()
    }

    pub(crate) fn grpc(&self) -> ShortlistServiceClient<Channel> {
        ShortlistServiceClient::new(self.channel())
    }

    /// Starts the shutdown and gives what ends when the server has.
    pub(crate) fn shut_down(&mut self) -> JoinHandle<()> {
        self.stop.take().unwrap().send(()).unwrap();
        self.serving.take().unwrap()
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        if let (Some(stop), Some(serving)) = (self.stop.take(), self.serving.take()) {
            drop(stop);
            let ended = self.runtime.block_on(serving);
            assert!(std::thread::panicking() || ended.is_ok());
        }
    }
}

impl From<Response<ureq::Body>> for Reply {
    fn from(mut response: Response<ureq::Body>) -> Self {
        Self {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            text: String::from_utf8_lossy(&response.body_mut().read_to_vec().unwrap()).into_owned(),
        }
    }
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The JSON of a reply that must have this status.
    pub(crate) fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.json()
    }

    /// The code, the field and the detail of a problem that must have this status.
    pub(crate) fn problem(&self, status: u16) -> (String, Option<String>, String) {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}", self.text);
        let problem = self.expect(status);
        let text = |name: &str| problem[name].as_str().map(str::to_owned);
        assert_eq!(problem["status"], status);
        let code = text("code").unwrap();
        assert_eq!(text("type").unwrap(), format!("urn:shortlist:problem:{code}"));
        assert!(text("title").is_some());
        (code, text("field"), text("detail").unwrap())
    }
}

/// Recommended ids in order.
pub(crate) fn ids(answer: &Value) -> Vec<String> {
    let items = answer["items"].as_array().unwrap();
    items.iter().map(|item| item["item_id"].as_str().unwrap().to_owned()).collect()
}

/// One recorder for the process, shared by all tests of this binary.
pub(crate) fn metrics() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE.get_or_init(|| shortlist_gateway::install_metrics().unwrap()).clone()
}
