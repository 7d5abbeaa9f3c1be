//! How fast is what is durable? Ingest over both protocols, the time of an acknowledgement beside the
//! bare sync of the same disk, bulk import, and a restart with a long log.
//!
//! Drives the real binary in a folder on the disk under `target/`. Driver and server share one machine, so
//! the numbers hold less than the server could do alone.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "prints its results")]

#[allow(dead_code, reason = "every benchmark uses its part of the world")]
mod world;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use clap::Parser;
use hdrhistogram::Histogram;
use serde_json::json;
use shortlist_client::Client;
use shortlist_load::{Asks, Driver, Kind, Manners, RestConnection, Schedule, Traffic};
use shortlist_recommender::DurableState;
use shortlist_store::Store;
use shortlist_types::{Attributes, Event, EventId, EventTypes, ItemId, LogRecord, LogSeq, Timestamp, UserId};

use crate::world::{K, SEED, is_smoke};

/// REST connections that each send one event after the other.
const REST_CONNECTIONS: usize = 64;
/// Streams of a batch that are open at once, over a few gRPC connections.
const GRPC_STREAMS: usize = 64;
const GRPC_CONNECTIONS: usize = 4;
const BATCH: usize = 100;
/// The rest of the machine is the server's.
const DRIVER_THREADS: usize = 1;
const USERS: u64 = 100_000;
const ITEMS: u64 = 100_000;
/// Records that a restart replays after its checkpoint: most of what a server lets come together.
const TAIL: u64 = 200_000;
/// Bytes of one frame of SQLite's WAL: what a small commit writes at least.
const SYNCED_BYTES: usize = 4_120;
const RESTARTS: usize = 3;

/// Measures ingest, acknowledgement, import and restart.
#[derive(Parser)]
#[command(name = "ingest")]
struct Args {
    /// Parts to measure
    #[arg(long, value_delimiter = ',', default_values_t = ["ingest", "import", "restart"].map(str::to_owned))]
    only: Vec<String>,
    /// Seconds of each measurement of ingest
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Single events per second at which acknowledgements are timed [default: half of what REST reached]
    #[arg(long)]
    rate: Option<f64>,
    /// Events that are imported
    #[arg(long, default_value_t = 1_000_000)]
    import_events: u64,
    /// Events of the log that a server is restarted with
    #[arg(long, default_value_t = 10_000_000)]
    restart_events: u64,
    /// What cargo and test runners pass to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
    #[arg(long, hide = true)]
    test: bool,
    #[arg(hide = true)]
    filters: Vec<String>,
}

fn main() -> anyhow::Result<()> {
    let mut args = Args::parse();
    if is_smoke() {
        // That it runs, not how fast.
        (args.seconds, args.import_events, args.restart_events) = (0.3, 2_000, 5_000);
    }
    let is_wanted = |part: &str| args.only.iter().any(|only| only == part);
    println!("| what | value |\n|---|--:|");
    if is_wanted("ingest") {
        ingest(Duration::try_from_secs_f64(args.seconds)?, args.rate)?;
    }
    if is_wanted("import") {
        import(args.import_events)?;
    }
    if is_wanted("restart") {
        restart(args.restart_events)?;
    }
    Ok(())
}

fn told(what: &str, value: &str) {
    println!("| {what} | {value} |");
}

fn folder() -> anyhow::Result<tempfile::TempDir> {
    Ok(tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?)
}

fn ingest(duration: Duration, rate: Option<f64>) -> anyhow::Result<()> {
    let folder = folder()?;
    let driver = Driver::new(DRIVER_THREADS)?;
    let server = Server::start(&folder.path().join("store"), &driver)?;
    let address = server.address;
    let streamed = driver.block_on(closed_loop(GRPC_STREAMS, duration, move |number, sent: Arc<Sent>| async move {
        let client = sent.grpc(address, number % GRPC_CONNECTIONS).await?;
        while sent.goes_on() {
            let (first, events) = sent.take(BATCH as u64);
            let clicks: Vec<_> = (first..).take(BATCH).map(click).collect();
            let accepted = client.stream(tokio_stream::iter(clicks)).await?.accepted;
            ensure!(accepted == events, "{accepted} of {events} events were taken");
            sent.acknowledge(events);
        }
        Ok(())
    }))?;
    told("gRPC, streams of 100 events, 64 at once: durable events/s", &format!("{streamed:.0}"));
    let single = driver.block_on(closed_loop(REST_CONNECTIONS, duration, move |_, sent: Arc<Sent>| async move {
        let mut connection = RestConnection::open_at(address).await?;
        while sent.goes_on() {
            let (n, events) = sent.take(1);
            let (user, item) = (format!("user-{}", n % USERS), format!("item-{}", n % ITEMS));
            let click = json!({ "user_id": user, "item_id": item, "event_type": "click" });
            let response = connection.post("/v1/events", &click, None).await?;
            ensure!(response.status() == hyper::StatusCode::OK, "an event was not taken: {response:?}");
            sent.acknowledge(events);
        }
        Ok(())
    }))?;
    told("REST, single events, 64 connections: durable events/s", &format!("{single:.0}"));
    acknowledgement(&driver, &server, folder.path(), rate.unwrap_or(single / 2.0), duration)
}

/// The time of an acknowledgement at a rate, between two measurements of the bare disk.
fn acknowledgement(
    driver: &Driver,
    server: &Server,
    folder: &Path,
    rate: f64,
    duration: Duration,
) -> anyhow::Result<()> {
    let mut syncs = bare_syncs(folder, duration / 4)?;
    let warm_up = duration / 5;
    let schedule = Schedule::new(&[(Kind::RestEvent, rate)], warm_up + duration, (10_000, 10_000), SEED)?;
    let (target, asks, manners) = (server.address.into(), Asks::full_lists(K), Manners::default());
    let tally = driver.run(&Traffic { target, schedule, warm_up, manners, asks }, &mut |_| ())?.whole();
    syncs.add(bare_syncs(folder, duration / 4)?)?;
    ensure!(
        tally.refused + tally.failed == 0,
        "{} refused, {} failed: {:?}",
        tally.refused,
        tally.failed,
        tally.failures
    );
    let bare = |percentile| syncs.value_at_percentile(percentile) as f64 / 1e3;
    for percentile in [50.0, 99.0] {
        let (ours, bare) = (tally.percentile_ms(percentile), bare(percentile));
        let what = format!("p{percentile} of an acknowledgement at {rate:.0} REST events/s, of the bare sync, ratio");
        told(&what, &format!("{ours:.2} ms, {bare:.2} ms, {:.1}", ours / bare));
    }
    Ok(())
}

/// Microseconds of a write of one frame and its sync, again and again on the same disk.
fn bare_syncs(folder: &Path, duration: Duration) -> anyhow::Result<Histogram<u64>> {
    let mut times = Histogram::new(3)?;
    let mut file = File::create(folder.join("bare"))?;
    let (bytes, began) = (vec![7; SYNCED_BYTES], Instant::now());
    while began.elapsed() < duration {
        let one = Instant::now();
        file.write_all(&bytes)?;
        file.sync_data()?;
        times.record(u64::try_from(one.elapsed().as_micros())?)?;
    }
    Ok(times)
}

/// A click under an id of its own, as it is sent.
fn click(n: u64) -> shortlist_client::Event {
    let drawn = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let (user, item) = (format!("user-{}", drawn % USERS), format!("item-{}", drawn / USERS % ITEMS));
    shortlist_client::Event::new(user, item, "click").with_id(format!("{drawn:016x}-{n:08x}"))
}

/// What all clients of one measurement share.
struct Sent {
    next: AtomicU64,
    acknowledged: AtomicU64,
    ends: Instant,
    grpc: tokio::sync::Mutex<Vec<Option<Client>>>,
}

impl Sent {
    fn goes_on(&self) -> bool {
        Instant::now() < self.ends
    }

    /// The number of the first of so many events.
    fn take(&self, events: u64) -> (u64, u64) {
        (self.next.fetch_add(events, Ordering::Relaxed), events)
    }

    fn acknowledge(&self, events: u64) {
        self.acknowledged.fetch_add(events, Ordering::Relaxed);
    }

    async fn grpc(&self, address: SocketAddr, number: usize) -> anyhow::Result<Client> {
        let mut all = self.grpc.lock().await;
        if all[number].is_none() {
            all[number] = Some(Client::connect(format!("http://{address}")).await?);
        }
        all[number].clone().context("it was opened")
    }
}

/// Runs so many clients for so long; durable events per second.
async fn closed_loop<F, R>(clients: usize, duration: Duration, client: F) -> anyhow::Result<f64>
where
    F: Fn(usize, Arc<Sent>) -> R,
    R: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let began = Instant::now();
    let sent = Arc::new(Sent {
        next: AtomicU64::new(0),
        acknowledged: AtomicU64::new(0),
        ends: began + duration,
        grpc: tokio::sync::Mutex::new(vec![None; GRPC_CONNECTIONS]),
    });
    let all = (0..clients).map(|number| tokio::spawn(client(number, Arc::clone(&sent))));
    for one in all.collect::<Vec<_>>() {
        one.await??;
    }
    Ok(sent.acknowledged.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64())
}

/// `shortlist import jsonl` of events with ids, from the start of the process to its end.
fn import(events: u64) -> anyhow::Result<()> {
    let folder = folder()?;
    let file = folder.path().join("events.jsonl");
    let mut lines = BufWriter::new(File::create(&file)?);
    for n in 0..events {
        let LogRecord::Event(event) = event(n)? else { bail!("an event is an event") };
        serde_json::to_writer(&mut lines, &event)?;
        lines.write_all(b"\n")?;
    }
    lines.into_inner()?.sync_all()?;
    let began = Instant::now();
    let mut command = Command::new(env!("CARGO_BIN_EXE_shortlist"));
    command.args(["import", "jsonl"]).arg(&file).arg("--store").arg(folder.path().join("store")).arg("--json");
    let output = command.stderr(Stdio::inherit()).output()?;
    let seconds = began.elapsed().as_secs_f64();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).context("the import's report")?;
    ensure!(report["new"] == events, "{report}");
    told(
        &format!("import of {events} events with ids from JSON lines: events/s"),
        &format!("{:.0}", events as f64 / seconds),
    );
    Ok(())
}

/// From the start of the process until `/readyz`, with a checkpoint and a tail.
fn restart(events: u64) -> anyhow::Result<()> {
    let folder = folder()?;
    let store = Store::open_or_create(folder.path().join("store"))?;
    let mut appender = store.lock_log()?;
    let began = Instant::now();
    for first in (0..events).step_by(50_000) {
        let some = (first..(first + 50_000).min(events)).map(event_without_id).collect::<anyhow::Result<Vec<_>>>()?;
        appender.append(&some)?;
    }
    let seconds = began.elapsed().as_secs_f64();
    told(
        &format!("{events} events without ids appended in transactions of 50,000: events/s"),
        &format!("{:.0}", events as f64 / seconds),
    );
    drop(appender);
    store.empty_wal()?;
    let began = Instant::now();
    let state = DurableState::new(store.clone(), Arc::new(EventTypes::default()));
    let made = state.hold_checkpoints().make(LogSeq(events - TAIL.min(events / 2)), &|| false)?;
    let mib = made.bytes as f64 / (1024.0 * 1024.0);
    told("its checkpoint, made from the whole log", &format!("{mib:.0} MiB, {:.1} s", began.elapsed().as_secs_f64()));
    let driver = Driver::new(DRIVER_THREADS)?;
    let mut times = Vec::new();
    for _ in 0..RESTARTS {
        let began = Instant::now();
        let _server = Server::start(store.dir(), &driver)?;
        times.push(began.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    let what = format!(
        "restart with {events} events, {} of them after the checkpoint: ready, median of {RESTARTS}",
        TAIL.min(events / 2)
    );
    told(&what, &format!("{:.2} s", times[RESTARTS / 2]));
    Ok(())
}

/// Event `n`: ids as a client draws them, users and items in no order.
fn event(n: u64) -> anyhow::Result<LogRecord> {
    let drawn = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    Ok(LogRecord::Event(Event {
        event_id: Some(EventId::parse(&format!("{drawn:016x}-{n:08x}"))?),
        user_id: UserId::parse(&format!("user-{}", drawn % USERS))?,
        item_id: ItemId::parse(&format!("item-{}", drawn / USERS % ITEMS))?,
        event_type: "click".to_owned(),
        value: None,
        timestamp: Timestamp::from_seconds(1_700_000_000 + i64::try_from(n / 100)?)?,
        request_id: None,
        position: None,
        context: Attributes::default(),
    }))
}

fn event_without_id(n: u64) -> anyhow::Result<LogRecord> {
    let LogRecord::Event(event) = event(n)? else { bail!("an event is an event") };
    Ok(LogRecord::Event(Event { event_id: None, ..event }))
}

/// `shortlist serve` as a process of its own, ended when this is dropped.
struct Server {
    process: Child,
    address: SocketAddr,
}

impl Server {
    fn start(store: &Path, driver: &Driver) -> anyhow::Result<Self> {
        // Free now, and nobody else takes it before the server does.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_shortlist"));
        command.arg("serve").arg("--store").arg(store).args(["--listen", &address.to_string()]);
        command.env("SHORTLIST_LOG", "error").stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(Stdio::null());
        let mut server = Self { process: command.spawn().context("cannot start the server")?, address };
        while !driver.block_on(is_ready(address)) {
            if let Some(status) = server.process.try_wait()? {
                bail!("the server ended with {status}");
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(server)
    }
}

async fn is_ready(address: SocketAddr) -> bool {
    let ready = async { RestConnection::open_at(address).await?.get("/readyz").await };
    ready.await.is_ok_and(|response| response.status() == hyper::StatusCode::OK)
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
