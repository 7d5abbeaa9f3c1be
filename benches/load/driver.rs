use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::sync::{Mutex, Semaphore, mpsc};

use super::{Kind, Planned, Tally};
use crate::client::{GrpcConnection, Outcome, RestConnection};
use crate::world::K;

/// Threads that send and read: the rest of the machine is the server's.
const DRIVER_THREADS: usize = 1;
/// REST connections at once; a request beyond them waits, and its waiting counts.
const REST_CONNECTIONS_MAX: usize = 256;
/// gRPC connections, which share the requests in turn.
const GRPC_CONNECTIONS: usize = 4;
/// After this long a request has failed.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// What is sent, to whom.
pub(crate) struct Traffic {
    pub(crate) address: SocketAddr,
    pub(crate) planned: Vec<Planned>,
    /// What is planned before this is sent but not counted: caches and connections fill.
    pub(crate) warm_up: Duration,
    pub(crate) manners: Manners,
}

/// How callers behave.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Manners {
    /// Who is refused asks again at once, so many times.
    pub(crate) retries: usize,
    /// Every second caller waits no longer than this.
    pub(crate) impatience: Option<Duration>,
}

/// Sends planned requests and counts what becomes of them.
pub(crate) struct Driver {
    runtime: Runtime,
}

struct Sample {
    kind: Kind,
    counted: bool,
    outcome: Outcome,
    latency: Duration,
}

impl Driver {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        Ok(Self { runtime: builder.worker_threads(DRIVER_THREADS).enable_all().build()? })
    }

    pub(crate) fn block_on<R>(&self, future: impl Future<Output = R>) -> R {
        self.runtime.block_on(future)
    }

    /// Sends everything at its time and waits for the last answer; one tally per kind, in the order
    /// of [`Kind::ALL`].
    pub(crate) fn run(&self, traffic: &Traffic) -> anyhow::Result<Vec<(Kind, Tally)>> {
        let connections = Arc::new(self.block_on(Connections::open(traffic.address))?);
        let (results, mut arrived) = mpsc::unbounded_channel();
        let start = Instant::now();
        for (number, planned) in traffic.planned.iter().copied().enumerate() {
            let intended = start + planned.at;
            // The thread's own sleep: the runtime's timer counts in whole milliseconds.
            std::thread::sleep(intended.saturating_duration_since(Instant::now()));
            let (connections, results) = (Arc::clone(&connections), results.clone());
            let (counted, manners) = (planned.at >= traffic.warm_up, traffic.manners);
            self.runtime.spawn(async move {
                let outcome = connections.ask(number, planned, manners).await;
                // Nobody listens any more only when the run itself has failed.
                drop(results.send(Sample { kind: planned.kind, counted, outcome, latency: intended.elapsed() }));
            });
        }
        drop(results);
        let mut tallies = Vec::new();
        for kind in Kind::ALL {
            tallies.push((kind, Tally::new()?));
        }
        while let Some(sample) = arrived.blocking_recv() {
            let tally = tallies.iter_mut().find(|(kind, _)| *kind == sample.kind).filter(|_| sample.counted);
            if let Some((_, tally)) = tally {
                tally.add(sample.outcome, sample.latency)?;
            }
        }
        Ok(tallies)
    }
}

/// Connections that are kept between requests.
struct Connections {
    address: SocketAddr,
    idle: Mutex<Vec<RestConnection>>,
    places: Semaphore,
    grpc: Vec<GrpcConnection>,
}

impl Connections {
    async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let mut grpc = Vec::new();
        for _ in 0..GRPC_CONNECTIONS {
            grpc.push(GrpcConnection::open(address).await?);
        }
        Ok(Self { address, idle: Mutex::default(), places: Semaphore::new(REST_CONNECTIONS_MAX), grpc })
    }

    async fn ask(&self, number: usize, planned: Planned, manners: Manners) -> Outcome {
        let impatience = manners.impatience.filter(|_| number % 2 == 1);
        let mut retries = manners.retries;
        loop {
            // What is dropped closes its connection.
            let answered = tokio::time::timeout(impatience.unwrap_or(ANSWER_TIMEOUT), self.send(number, planned)).await;
            match answered {
                Ok(Ok(Outcome::Refused)) if retries > 0 => retries -= 1,
                Ok(answered) => return answered.unwrap_or_else(|error| Outcome::Failed(format!("{error:#}"))),
                Err(_) if impatience.is_some() => return Outcome::HungUp,
                Err(_) => return Outcome::Failed(format!("no answer in {ANSWER_TIMEOUT:?}")),
            }
        }
    }

    async fn send(&self, number: usize, planned: Planned) -> anyhow::Result<Outcome> {
        let user = format!("user-{}", planned.user);
        if planned.kind == Kind::Grpc {
            return self.grpc[number % GRPC_CONNECTIONS].clone().recommend(&user, K).await;
        }
        let _place = self.places.acquire().await?;
        let mut connection = self.rest_connection().await?;
        let outcome = match planned.kind {
            Kind::Event => connection.click(&user, &format!("item-{}", planned.item)).await?,
            Kind::Rest | Kind::Grpc => connection.recommend(&user, K).await?,
        };
        self.idle.lock().await.push(connection);
        Ok(outcome)
    }

    /// A kept connection that is still open, or a new one.
    async fn rest_connection(&self) -> anyhow::Result<RestConnection> {
        loop {
            let idle = self.idle.lock().await.pop();
            let Some(mut connection) = idle else { return RestConnection::open(self.address).await };
            if connection.is_open().await {
                return Ok(connection);
            }
        }
    }
}
