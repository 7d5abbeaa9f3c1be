//! `shortlist loadtest`: an open loop against a running server.

use std::collections::BTreeSet;
use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{bail, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use shortlist_load::{Asks, Driver, Kind, Load, Manners, Priority, Protocol, Schedule, Seen, Tally, Target, Traffic};

use crate::args::LoadtestArgs;
use crate::{output, pictures};

/// Users whose lists say which items events may be about.
const PROBED_USERS: usize = 20;
/// Where stderr is no terminal, a line so often.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// A driver whose requests leave later than this measures itself.
const DELAY_MS_MAX: f64 = 10.0;
/// Share of the requests that `--max-p99-ms` allows to be late, refused or failed.
const LATE_SHARE_MAX: f64 = 0.01;

/// The `--json` answer.
#[derive(Debug, Serialize)]
struct Report {
    target: String,
    protocol: &'static str,
    priority: &'static str,
    /// As asked for, per second.
    rate: f64,
    seconds: f64,
    #[serde(flatten)]
    whole: Counts,
    /// The same of each kind of request.
    kinds: Vec<KindCounts>,
    answered_per_second: f64,
    /// How late requests left, 99 of 100: the driver's own doing.
    driver_delay_p99_ms: f64,
    /// Why requests failed, some of them.
    failures: Vec<String>,
}

/// What became of requests. Times are of answers, from the moment at which their requests should have left.
#[derive(Debug, Serialize)]
struct Counts {
    /// All requests that were counted: `ok + refused + failed`.
    sent: u64,
    /// Answered, `degraded` ones among them.
    ok: u64,
    refused: u64,
    failed: u64,
    degraded: u64,
    /// None without an answer, as all times.
    p50_ms: Option<f64>,
    p90_ms: Option<f64>,
    p99_ms: Option<f64>,
    p999_ms: Option<f64>,
    max_ms: Option<f64>,
}

#[derive(Debug, Serialize)]
struct KindCounts {
    kind: &'static str,
    #[serde(flatten)]
    counts: Counts,
}

impl From<&Tally> for Counts {
    fn from(tally: &Tally) -> Self {
        let &Tally { sent, refused, failed, degraded, .. } = tally;
        let ok = tally.answered();
        let percentile = |share| (ok > 0).then(|| tally.percentile_ms(share));
        let [p50_ms, p90_ms, p99_ms, p999_ms] = [50.0, 90.0, 99.0, 99.9].map(percentile);
        let max_ms = (ok > 0).then(|| tally.max_ms());
        Self { sent, ok, refused, failed, degraded, p50_ms, p90_ms, p99_ms, p999_ms, max_ms }
    }
}

/// `shortlist loadtest`.
pub(crate) fn run(args: &LoadtestArgs) -> anyhow::Result<()> {
    if let Some(file) = &args.svg {
        // Before the load, not after it.
        fs_err::write(file, "")?;
    }
    let protocol = Protocol::from(args.protocol);
    let api_key = args.api_key_file.as_ref().map(fs_err::read_to_string).transpose()?;
    let driver = Driver::new(usize::from(args.threads))?;
    let target = driver.block_on(Target::find(&args.target))?.with_api_key(api_key.map(|key| key.trim().to_owned()));
    let schedule = schedule(args, protocol, 1)?;
    let mut asks = asks(args);
    let items = items(&driver, &target, &asks, args)?;
    let schedule = if items.is_empty() { schedule } else { self::schedule(args, protocol, items.len())? };
    asks.item_name = Arc::new(move |number| items.get(number).cloned().unwrap_or_default());

    let traffic = Traffic { target, schedule, warm_up: args.warm_up, manners: Manners::default(), asks };
    let mut live = Live::new(args.duration);
    let load = driver.run(&traffic, &mut |seen| live.tell(&seen))?;
    live.end();

    let report = report(args, &load);
    if let Some(file) = &args.svg {
        fs_err::write(file, pictures::latency_svg(&title(args), &load))?;
    }
    if args.json {
        output::json(&report)?;
    } else {
        print_table(&report);
    }
    judge(args, &load, &report)
}

fn schedule(args: &LoadtestArgs, protocol: Protocol, items: usize) -> anyhow::Result<Schedule> {
    let rates = [(Kind::recommend(protocol), 1.0 - args.writes), (Kind::event(protocol), args.writes)];
    let rates = rates.map(|(kind, share)| (kind, args.rate * share));
    let sent: Vec<_> = rates.into_iter().filter(|(_, rate)| *rate != 0.0).collect();
    let schedule = Schedule::new(&sent, args.duration, (args.users, items), args.seed)?;
    ensure!(args.warm_up < args.duration, "--warm-up must be shorter than --duration");
    Ok(schedule)
}

fn asks(args: &LoadtestArgs) -> Asks {
    let prefix = args.user_prefix.clone();
    let mut asks = Asks::full_lists(args.k);
    // How many items the catalogue of somebody else has, nobody knows.
    asks.must_be_full = false;
    asks.priority = args.priority.into();
    asks.event_type.clone_from(&args.event_type);
    asks.user_name = Arc::new(move |number| format!("{prefix}{}", number + 1));
    asks
}

/// Items that events may be about: those of some users' lists. The first list also shows that the target answers.
fn items(driver: &Driver, target: &Target, asks: &Asks, args: &LoadtestArgs) -> anyhow::Result<Vec<String>> {
    let mut found = BTreeSet::new();
    let users = if args.writes > 0.0 { PROBED_USERS.min(args.users) } else { 1 };
    for number in 0..users {
        let spread = args.users / users * number;
        found.extend(driver.probe(target, asks, args.protocol.into(), spread)?);
    }
    if args.writes > 0.0 && found.is_empty() {
        bail!("the server recommends no items that events could be about: put items first, or leave --writes at 0");
    }
    Ok(found.into_iter().collect())
}

fn report(args: &LoadtestArgs, load: &Load) -> Report {
    let whole = load.whole();
    let seconds = (args.duration - args.warm_up).as_secs_f64();
    let of = |(kind, tally): &(Kind, Tally)| KindCounts { kind: kind.name(), counts: tally.into() };
    Report {
        target: args.target.clone(),
        protocol: name(args.protocol.into()),
        priority: Priority::from(args.priority).name(),
        rate: args.rate,
        seconds,
        whole: (&whole).into(),
        kinds: load.kinds.iter().map(of).collect(),
        answered_per_second: whole.answered() as f64 / seconds,
        driver_delay_p99_ms: load.delay_percentile_ms(99.0),
        failures: whole.failures,
    }
}

fn name(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Rest => "rest",
        Protocol::Grpc => "grpc",
    }
}

fn title(args: &LoadtestArgs) -> String {
    let writes = if args.writes > 0.0 { format!(", {} % of them events", args.writes * 100.0) } else { String::new() };
    format!("{} requests per second over {}{writes}", args.rate, name(args.protocol.into()))
}

fn print_table(report: &Report) {
    let row = |name: &str, counts: &Counts| {
        let &Counts { sent, ok, refused, failed, degraded, p50_ms, p90_ms, p99_ms, p999_ms, max_ms } = counts;
        let mut row = vec![name.to_owned()];
        row.extend([sent, ok, degraded, refused, failed].iter().map(ToString::to_string));
        row.extend(
            [p50_ms, p90_ms, p99_ms, p999_ms, max_ms].map(|ms| ms.map_or("-".to_owned(), |ms| format!("{ms:.1}"))),
        );
        row
    };
    let mut rows: Vec<_> = report.kinds.iter().map(|one| row(one.kind, &one.counts)).collect();
    if rows.len() > 1 {
        rows.push(row("all", &report.whole));
    }
    let header =
        ["", "sent", "ok", "degraded", "refused", "failed", "p50 ms", "p90 ms", "p99 ms", "p99.9 ms", "max ms"];
    output::table(&header, rows);
    output::line(&format!("{:.1} answers per second; {} asked", report.answered_per_second, report.rate));
    for reason in &report.failures {
        output::line(&format!("failed: {reason}"));
    }
}

/// Whether the load ended well.
fn judge(args: &LoadtestArgs, load: &Load, report: &Report) -> anyhow::Result<()> {
    if report.driver_delay_p99_ms > DELAY_MS_MAX {
        output::note(&format!(
            "the driver itself sent requests up to {:.0} ms late (99 of 100), which counts in all times: lower --rate, \
             raise --threads, or give it a machine of its own",
            report.driver_delay_p99_ms
        ));
    }
    ensure!(report.whole.sent > 0, "nothing was sent: raise --rate or --duration");
    let reason = report.failures.first().map_or(String::new(), |reason| format!(": {reason}"));
    ensure!(
        report.whole.ok > 0,
        "no request was answered: {} refused, {} failed{reason}",
        report.whole.refused,
        report.whole.failed
    );
    let Some(most) = args.max_p99_ms else { return Ok(()) };
    let late = load.whole().slower_than_ms(most);
    let share = (late + report.whole.refused + report.whole.failed) as f64 / report.whole.sent as f64;
    ensure!(
        share <= LATE_SHARE_MAX,
        "--max-p99-ms {most} is broken: of {} requests {late} were answered later, {} refused and {} failed; p99 of the \
         answers is {:.1} ms",
        report.whole.sent,
        report.whole.refused,
        report.whole.failed,
        load.whole().percentile_ms(99.0)
    );
    Ok(())
}

/// The line on stderr that says how it goes.
struct Live {
    bar: Option<ProgressBar>,
    duration: Duration,
    next: Duration,
}

impl Live {
    fn new(duration: Duration) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(duration.as_secs().max(1));
            let style = ProgressStyle::with_template("{bar:20} {pos}/{len} s  {msg}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar
        });
        Self { bar, duration, next: Duration::ZERO }
    }

    fn tell(&mut self, seen: &Seen<'_>) {
        let Tally { refused, failed, degraded, .. } = seen.whole;
        let now = &seen.slice.tally;
        let ms = |percentile| match now.answered() {
            0 => "-".to_owned(),
            _ => format!("{:.1} ms", now.percentile_ms(percentile)),
        };
        let told = format!(
            "{:.0}/s answered, p50 {}, p99 {}, {} in flight; in all {degraded} degraded, {refused} refused, {failed} failed",
            now.answered() as f64 / seen.slice.length.as_secs_f64().max(1e-3),
            ms(50.0),
            ms(99.0),
            seen.in_flight,
        );
        if let Some(bar) = &self.bar {
            bar.set_position(seen.elapsed.as_secs());
            bar.set_message(told);
        } else if seen.elapsed >= self.next {
            output::note(&format!("{:.0} of {:.0} s: {told}", seen.elapsed.as_secs_f64(), self.duration.as_secs_f64()));
            self.next = seen.elapsed + LINE_EVERY;
        }
    }

    fn end(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}
