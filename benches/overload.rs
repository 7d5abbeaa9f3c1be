//! What becomes of the service when more is asked than it can do.
//!
//! Finds the capacity C of the real binary on one core, the greatest rate at which 99 of 100 answers come within
//! 100 ms, nothing is refused and nothing degraded; then asks half of it, twice, five times and half of it again. The
//! driver has a core of its own. Prints a table; `docs/budget.md` says what it means.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "prints its results")]

#[allow(dead_code, reason = "every benchmark uses its part of the server")]
mod server;
#[allow(dead_code, reason = "every benchmark uses its part of the world")]
mod world;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::ensure;
use clap::Parser;
use shortlist_load::{Asks, Driver, Kind, Manners, Protocol, Schedule, Tally, Traffic};
use shortlist_ranking::Precision;
use shortlist_store::{Store, StoreError};

use crate::server::{Pinned, Server};
use crate::world::{K, RankerKind, SEED, Size, World, is_smoke};

/// The promise: 99 of 100 answers in this many milliseconds.
const P99_MS_MAX: f64 = 100.0;
/// Rates that are tried for the capacity: each so many times the one before.
const STEP: f64 = 1.15;
/// Times that the last step is halved: C is known to 4 in 100.
const HALVINGS: usize = 2;
/// Share of the requests that may be degraded, refused or failed at capacity.
const DISTURBED_MAX: f64 = 0.01;
/// The driver has a core of its own.
const DRIVER_THREADS: usize = 1;
const WARM_UP: Duration = Duration::from_secs(1);

/// Drives the real service beyond what it can do.
#[derive(Parser)]
#[command(name = "overload")]
struct Args {
    /// Items of the catalogue [default: SHORTLIST_BENCH_ITEMS, or 100000]
    #[arg(long)]
    items: Option<usize>,
    /// REST or gRPC
    #[arg(long, default_value = "rest", value_parser = ["rest", "grpc"])]
    protocol: String,
    /// Seconds of each phase
    #[arg(long, default_value_t = 20.0)]
    seconds: f64,
    /// Rate at which the search for the capacity begins, per second
    #[arg(long, default_value_t = 200.0)]
    from: f64,
    /// Events per second beside all phases
    #[arg(long, default_value_t = 0.0)]
    events: f64,
    /// The second stage: logistic regression on the default features, or hidden layers of 256 and 128 over 64 inputs
    #[arg(long, default_value = "logistic", value_parser = ["logistic", "mlp"])]
    ranker: String,
    /// The network's weights: full, or in bytes
    #[arg(long, default_value = "f32", value_parser = ["f32", "int8"])]
    precision: String,
    /// Where candidates come from: as `home` is shipped, or 500 neighbours alone
    #[arg(long, default_value = "home", value_parser = ["home", "ann"])]
    sources: String,
    /// How hard the search for neighbours alone tries
    #[arg(long, default_value_t = 3_200)]
    effort: usize,
    /// Keep the store in this folder; one that is there is served as it is, but for its sources
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
    /// Drive this server, which answers as ours does, instead of starting one
    #[arg(long, value_name = "HOST:PORT")]
    address: Option<SocketAddr>,
    /// Print the capacity alone
    #[arg(long)]
    capacity: bool,
    /// What cargo and test runners pass to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
    #[arg(long, hide = true)]
    test: bool,
    #[arg(hide = true)]
    filters: Vec<String>,
}

/// What one phase showed.
struct Phase {
    rate: f64,
    seconds: f64,
    tally: Tally,
    cpu: Duration,
    memory_mib: u64,
}

impl Phase {
    /// Answers in time per second.
    fn goodput(&self) -> f64 {
        (self.tally.ok + self.tally.degraded) as f64 / self.seconds
    }

    fn is_kept(&self) -> bool {
        let Tally { sent, degraded, refused, failed, .. } = &self.tally;
        let disturbed = (degraded + refused + failed) as f64 / *sent.max(&1) as f64;
        disturbed <= DISTURBED_MAX && self.tally.percentile_ms(99.0) <= P99_MS_MAX
    }
}

struct Loader {
    driver: Driver,
    address: SocketAddr,
    /// None of somebody else's.
    server: Option<Server>,
    size: Size,
    kind: Kind,
    events: f64,
}

impl Loader {
    fn phase(&self, rate: f64, seconds: f64) -> anyhow::Result<Phase> {
        let mut rates = vec![(self.kind, rate)];
        if self.events > 0.0 {
            rates.push((Kind::RestEvent, self.events));
        }
        let duration = WARM_UP + Duration::try_from_secs_f64(seconds)?;
        let schedule = Schedule::new(&rates, duration, (self.size.users, self.size.items), SEED)?;
        let cpu = || self.server.as_ref().and_then(Server::cpu).unwrap_or_default();
        let before = cpu();
        let (target, asks) = (self.address.into(), Asks::full_lists(K));
        let traffic = Traffic { target, schedule, warm_up: WARM_UP, manners: Manners::default(), asks };
        let load = self.driver.run(&traffic, &mut |_| ())?;
        let cpu = cpu() - before;
        let tally = load.of(self.kind);
        ensure!(tally.sent > 0, "nothing was sent");
        let memory_mib = self.server.as_ref().and_then(Server::memory_mib).unwrap_or(0);
        Ok(Phase { rate, seconds, tally, cpu, memory_mib })
    }
}

impl Loader {
    /// The greatest rate that is kept: found in steps, then by halving the last one.
    fn capacity(&self, from: f64, seconds: f64) -> anyhow::Result<f64> {
        let mut kept = from;
        let mut broken = from;
        ensure!(self.keeps(from, seconds)?, "{from}/s are too many already: begin lower");
        while self.keeps(broken, seconds)? {
            kept = broken;
            broken *= STEP;
        }
        for _ in 0..HALVINGS {
            let middle = f64::midpoint(kept, broken);
            if self.keeps(middle, seconds)? { kept = middle } else { broken = middle }
        }
        Ok(kept)
    }

    /// Whether a rate is kept, at the second try at the latest: the machine is not ours alone.
    fn keeps(&self, rate: f64, seconds: f64) -> anyhow::Result<bool> {
        for _ in 0..2 {
            let phase = self.phase(rate, seconds)?;
            let Tally { degraded, refused, .. } = &phase.tally;
            eprintln!(
                "{rate:.0}/s: {:.0}/s answered, p99 {:.1} ms, {degraded} degraded, {refused} refused",
                phase.goodput(),
                phase.tally.percentile_ms(99.0),
            );
            if phase.is_kept() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let seconds = if is_smoke() { 1.0 } else { args.seconds };
    let size = Size::choose(args.items)?;
    let pinned = Pinned::to_first_core();
    let driver = Driver::new(DRIVER_THREADS)?;
    let kind = Kind::recommend(if args.protocol == "grpc" { Protocol::Grpc } else { Protocol::Rest });
    let temporary = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let (address, server) = match args.address {
        Some(address) => (address, None),
        None => {
            let folder = args.store.as_deref().unwrap_or(temporary.path());
            if matches!(Store::open(folder), Err(StoreError::NotAStore { .. })) {
                make_world(&args, size, folder)?;
            }
            configure(&args, folder)?;
            let server = Server::start(folder, &driver, pinned.is_some().then_some(1))?;
            (server.address, Some(server))
        }
    };
    let loader = Loader { driver, address, server, size, kind, events: args.events };

    let capacity = if is_smoke() { 20.0 } else { loader.capacity(args.from, 5.0_f64.min(seconds))? };
    println!(
        "{} items, {}, {}/s events; {}: C = {capacity:.0}/s",
        size.items,
        args.protocol,
        args.events,
        if pinned.is_some() { "driver on one core, server on another" } else { "driver and server share the cores" }
    );
    if args.capacity {
        return Ok(());
    }
    println!(
        "\n| asked | per s | answered per s | degraded | refused | failed | p50 ms | p99 ms | max ms | refusal p99 ms | server CPU | MiB |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|");
    let mut phases = Vec::new();
    for (name, times) in [("C / 2", 0.5), ("2 C", 2.0), ("5 C", 5.0), ("C / 2 again", 0.5)] {
        let phase = loader.phase(capacity * times, seconds)?;
        let Tally { degraded, refused, failed, .. } = &phase.tally;
        println!(
            "| {name} | {:.0} | {:.0} | {degraded} | {refused} | {failed} | {:.1} | {:.1} | {:.1} | {:.1} | {:.0} % | {} |",
            phase.rate,
            phase.goodput(),
            phase.tally.percentile_ms(50.0),
            phase.tally.percentile_ms(99.0),
            phase.tally.max_ms(),
            phase.tally.refused_percentile_ms(99.0),
            phase.cpu.as_secs_f64() / (phase.seconds + WARM_UP.as_secs_f64()) * 100.0,
            phase.memory_mib,
        );
        phases.push(phase);
    }
    println!(
        "\ngoodput: {:.0} % of C at 2 C, {:.0} % at 5 C",
        phases[1].goodput() / capacity * 100.0,
        phases[2].goodput() / capacity * 100.0
    );
    Ok(())
}

/// A store with the world that was asked for.
fn make_world(args: &Args, size: Size, folder: &Path) -> anyhow::Result<()> {
    let ranker = match (args.ranker.as_str(), args.precision.as_str()) {
        ("mlp", "int8") => RankerKind::Mlp(Precision::Int8),
        ("mlp", _) => RankerKind::Mlp(Precision::F32),
        _ => RankerKind::Logistic,
    };
    World::make_with(size, ranker)?.into_store(folder)?;
    Ok(())
}

/// The surface that was asked for.
fn configure(args: &Args, folder: &Path) -> anyhow::Result<()> {
    let alone = "[surfaces.home]\ncandidates_share = 1.0\n[surfaces.home.sources]\nann = { share = 1.0, effort = ";
    let config = if args.sources == "ann" { format!("{alone}{} }}\n", args.effort) } else { String::new() };
    Ok(std::fs::write(folder.join("shortlist.toml"), config)?)
}
