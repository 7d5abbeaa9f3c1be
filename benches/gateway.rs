//! A whole request over REST and over gRPC, one at a time on a kept connection, against the gateway in
//! this process: what protocol, loopback and the hand-over to the workers add to `request`.

#![allow(clippy::print_stderr, reason = "results of the setup")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a benchmark whose subject fails has to stop")]

#[allow(dead_code, reason = "every benchmark uses its part of the world")]
mod world;

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;

use criterion::Criterion;
use hyper::StatusCode;
use serde_json::json;
use shortlist_client::{Client, RecommendRequest};
use shortlist_gateway::{GatewayConfig, Parts, Service};
use shortlist_load::RestConnection;
use shortlist_recommender::{Bundle, DurableState, Recommender, Surfaces};
use shortlist_store::{LogWriter, Store};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::world::{K, Size, World, user_id};

/// Submissions that may wait for the log, as in `serve`; this benchmark writes nothing.
const WRITE_QUEUE_MAX: usize = 4_096;

fn main() -> anyhow::Result<()> {
    let world = World::make(Size::choose(None)?)?;
    let users = (0..world.size.users).map(user_id).collect::<Result<Vec<_>, _>>()?;
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let state = world.state.clone();
    let server = Server::start(Recommender::new(state, &Surfaces::default())?, &world.into_store(folder.path())?)?;

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut rest = runtime.block_on(RestConnection::open_at(server.address))?;
    let grpc = runtime.block_on(Client::connect(format!("http://{}", server.address)))?;
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("gateway");
    let mut next = users.iter().cycle();
    group.bench_function("rest", |bencher| {
        bencher.iter(|| {
            let body = json!({ "user_id": next.next().unwrap(), "k": K });
            let response = runtime.block_on(rest.post("/v1/recommend", &body, None)).unwrap();
            assert_eq!(response.status(), StatusCode::OK, "{response:?}");
        });
    });
    group.bench_function("grpc", |bencher| {
        bencher.iter(|| {
            let request = RecommendRequest::for_user(next.next().unwrap().as_str(), K);
            runtime.block_on(grpc.recommend(request)).unwrap()
        });
    });
    group.finish();
    criterion.final_summary();
    drop((rest, grpc, runtime));
    server.stop()
}

/// The gateway on threads of its own.
struct Server {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<anyhow::Result<()>>,
}

impl Server {
    /// Puts the service together as `shortlist serve` does, on a free port.
    fn start(recommender: Recommender, store: &Store) -> anyhow::Result<Self> {
        let registry = store.registry();
        let id = registry.current()?.ok_or_else(|| anyhow::anyhow!("no bundle was promoted"))?;
        recommender.swap(Some(Arc::new(Bundle::load(&registry, &store.reader()?, &id)?)));
        let recommender = Arc::new(recommender);
        let applied_to = Arc::clone(&recommender);
        let apply = Box::new(move |records: &[_]| applied_to.apply(records).unwrap());
        let writer = Arc::new(LogWriter::start(store.lock_log()?, WRITE_QUEUE_MAX, apply)?);
        let types = recommender.read(|state| state.event_types().clone());
        let state = DurableState::new(store.clone(), Arc::new(types));
        let service =
            Arc::new(Service::new(Parts { recommender, writer, state, served: None }, &GatewayConfig::default())?);
        let metrics = shortlist_gateway::install_metrics()?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let stopped = async { stopped.await.unwrap_or_default() };
            Ok(runtime.block_on(shortlist_gateway::serve(listener, service, metrics, stopped))?)
        });
        Ok(Self { address, stop, thread })
    }

    fn stop(self) -> anyhow::Result<()> {
        drop(self.stop);
        self.thread.join().unwrap()
    }
}
