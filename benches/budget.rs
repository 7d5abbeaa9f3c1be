//! The budget check: does the service answer 99 of 100 requests within 100 ms?
//!
//! Starts the real binary on a store with a synthetic world and drives it in an open loop: questions
//! over REST and over gRPC, and events that it has to make durable meanwhile. Exits with 1 when the
//! budget is broken, when anything was refused or failed, or when the answers were in time only
//! because too many of them were degraded.
//!
//! Driver and server share one machine, so the numbers hold less than the server could do alone.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "prints its results")]

#[allow(dead_code, reason = "every benchmark uses its part of the server")]
mod server;
#[allow(dead_code, reason = "every benchmark uses its part of the world")]
mod world;

use std::process::ExitCode;
use std::thread::available_parallelism;
use std::time::Duration;

use clap::Parser;
use shortlist_load::{Asks, Driver, Kind, Manners, Schedule, Tally, Traffic};

use crate::server::Server;
use crate::world::{K, SEED, Size, World, is_smoke};

/// The promise: 99 of 100 answers in this many milliseconds.
const P99_MS_MAX: f64 = 100.0;
/// Answers that may be degraded, as a share: more would mean that the budget is kept by doing less.
const DEGRADED_SHARE_MAX: f64 = 0.01;
/// Questions per second over each protocol.
const RATE_DEFAULT: f64 = 200.0;
/// Events per second beside them.
const EVENTS_PER_SECOND: f64 = 20.0;
const SECONDS_DEFAULT: f64 = 20.0;
/// The rest of the machine is the server's.
const DRIVER_THREADS: usize = 1;
/// Driven before, and not counted.
const WARM_UP: Duration = Duration::from_secs(2);

/// Drives the real service in an open loop and fails when p99 exceeds 100 ms.
#[derive(Parser)]
#[command(name = "budget")]
struct Args {
    /// Items of the catalogue [default: SHORTLIST_BENCH_ITEMS, or 100000]
    #[arg(long)]
    items: Option<usize>,
    /// Questions per second over each protocol; several, such as 50,200, are driven in turn
    #[arg(long, value_delimiter = ',', default_values_t = [RATE_DEFAULT])]
    rate: Vec<f64>,
    /// Seconds that are counted, after a warm-up of 2
    #[arg(long, default_value_t = SECONDS_DEFAULT)]
    seconds: f64,
    /// What cargo and test runners pass to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
    #[arg(long, hide = true)]
    test: bool,
    #[arg(hide = true)]
    filters: Vec<String>,
}

fn main() -> anyhow::Result<ExitCode> {
    let mut args = Args::parse();
    if is_smoke() {
        // That it runs, not how fast.
        (args.rate, args.seconds) = (vec![50.0], 1.0);
    }
    let warm_up = if is_smoke() { Duration::ZERO } else { WARM_UP };
    let size = Size::choose(args.items)?;
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    World::make(size)?.into_store(folder.path())?;

    let driver = Driver::new(DRIVER_THREADS)?;
    let server = Server::start(folder.path(), &driver, None)?;
    println!("{} items, {} users; driver and server share {} cores", size.items, size.users, available_parallelism()?);
    let mut broken = Vec::new();
    for rate in &args.rate {
        let rates = [(Kind::RestRecommend, *rate), (Kind::GrpcRecommend, *rate), (Kind::RestEvent, EVENTS_PER_SECOND)];
        let duration = warm_up + Duration::try_from_secs_f64(args.seconds)?;
        let schedule = Schedule::new(&rates, duration, (size.users, size.items), SEED)?;
        let (target, asks) = (server.address.into(), Asks::full_lists(K));
        let traffic = Traffic { target, schedule, warm_up, manners: Manners::default(), asks };
        let tallies = driver.run(&traffic, &mut |_| ())?.kinds;
        println!(
            "\nopen loop for {} s: {rate}/s REST + {rate}/s gRPC + {EVENTS_PER_SECOND}/s events; server at {} MiB\n",
            args.seconds,
            server.memory_mib().map_or("unknown".to_owned(), |mib| mib.to_string()),
        );
        print_table(&tallies);
        broken.extend(violations(&tallies).into_iter().map(|line| format!("at {rate}/s, {line}")));
        anyhow::ensure!(tallies.iter().all(|(_, tally)| tally.ok > 0), "nothing was answered: {broken:?}");
    }
    println!();
    if is_smoke() {
        println!("short round: times are not judged");
        return Ok(ExitCode::SUCCESS);
    }
    if broken.is_empty() {
        println!("budget kept: p99 within {P99_MS_MAX} ms, nothing refused, nothing failed");
        return Ok(ExitCode::SUCCESS);
    }
    broken.iter().for_each(|line| println!("BUDGET BROKEN: {line}"));
    Ok(ExitCode::FAILURE)
}

fn print_table(tallies: &[(Kind, Tally)]) {
    println!("| requests | sent | ok | degraded | refused | failed | p50 ms | p90 ms | p99 ms | p99.9 ms | max ms |");
    println!("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|");
    for (kind, tally) in tallies {
        let Tally { sent, ok, degraded, refused, failed, .. } = tally;
        let [p50, p90, p99, p999] = [50.0, 90.0, 99.0, 99.9].map(|percentile| tally.percentile_ms(percentile));
        println!(
            "| {} | {sent} | {ok} | {degraded} | {refused} | {failed} | {p50:.1} | {p90:.1} | {p99:.1} | {p999:.1} | {:.1} |",
            kind.name(),
            tally.max_ms(),
        );
    }
}

/// What broke the budget. The time of events is the disk's, and is shown but not judged.
fn violations(tallies: &[(Kind, Tally)]) -> Vec<String> {
    let mut broken = Vec::new();
    for (kind, tally) in tallies {
        let name = kind.name();
        let p99 = tally.percentile_ms(99.0);
        if !kind.is_write() && p99 > P99_MS_MAX {
            broken.push(format!("{name}: p99 is {p99:.1} ms, more than {P99_MS_MAX} ms"));
        }
        if tally.refused + tally.failed > 0 {
            broken.push(format!("{name}: {} refused, {} failed: {:?}", tally.refused, tally.failed, tally.failures));
        }
        let degraded = tally.degraded as f64 / tally.sent.max(1) as f64;
        if degraded > DEGRADED_SHARE_MAX {
            broken.push(format!("{name}: {:.1} % of the answers were degraded", degraded * 100.0));
        }
    }
    broken
}
