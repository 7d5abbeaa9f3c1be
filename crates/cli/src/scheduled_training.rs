//! `serve --train-every`: trains while it serves, so that nobody needs a timer beside it.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, JoinHandle, sleep};
use std::time::{Duration, Instant};

use anyhow::Context;
use metrics::{counter, gauge};
use serde_json::Value;
use shortlist_gateway::{TRAINING_SECONDS, TRAININGS};
use shortlist_store::Store;

use crate::args::StoreArgs;
use crate::clock;

/// Shortest and longest time between two trainings.
const EVERY_MIN: Duration = Duration::from_secs(10);
const EVERY_MAX: Duration = Duration::from_secs(30 * 86_400);
/// Records of a log that the first bundle is trained on.
const FIRST_RECORDS: u64 = 1_000;
/// How often it looks whether something is due.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Bytes of what a training prints that are looked at.
const PRINTED_BYTES_MAX: u64 = 1024 * 1024;

/// A time between two trainings, such as `6h` or `90 min`.
pub(crate) fn parse_every(text: &str) -> Result<Duration, String> {
    let span: jiff::SignedDuration = text.parse().map_err(|_| "must be a time, such as 6h or 90 min".to_owned())?;
    let every = Duration::try_from(span).map_err(|_| "must not be negative".to_owned())?;
    let range = EVERY_MIN..=EVERY_MAX;
    if range.contains(&every) { Ok(every) } else { Err("must be 10 seconds to 30 days".to_owned()) }
}

/// Trains in a process of its own, at low priority, which ends with the server: it may take all the memory it needs or end
/// as it will, the server goes on. What it promotes the server finds in the registry, as it finds any other.
pub(crate) struct ScheduledTraining {
    pub(crate) store: StoreArgs,
    /// From the start of one to the start of the next; one that takes longer puts the next off. The first comes as soon as
    /// there is something to learn from.
    pub(crate) every: Duration,
}

impl ScheduledTraining {
    /// Works until `stopping`; a training that runs then is ended, and leaves nothing behind.
    pub(crate) fn start(self, stopping: Arc<AtomicBool>) -> std::io::Result<JoinHandle<()>> {
        Builder::new().name("training".to_owned()).spawn(move || {
            for outcome in ["promoted", "unchanged", "refused", "failed"] {
                counter!(TRAININGS, "outcome" => outcome).absolute(0);
            }
            let mut due = self.first();
            while !stopping.load(Ordering::Relaxed) {
                sleep(LOOK_EVERY);
                if due.map_or_else(|| !self.has_enough(), |due| Instant::now() < due) {
                    continue;
                }
                let began = Instant::now();
                due = Some(began + self.every);
                match self.train(&stopping) {
                    Ok(Some(outcome)) => counter!(TRAININGS, "outcome" => outcome).increment(1),
                    Ok(None) => return,
                    Err(error) => {
                        counter!(TRAININGS, "outcome" => "failed").increment(1);
                        tracing::error!(error = format!("{error:#}"), "the training could not be started");
                    }
                }
                gauge!(TRAINING_SECONDS).set(began.elapsed().as_secs_f64());
            }
        })
    }

    /// When the first is due: as long after the newest bundle as between any two, however often the server was restarted
    /// since. None without a bundle.
    fn first(&self) -> Option<Instant> {
        let bundles = Store::open(&self.store.store).and_then(|store| store.registry().list());
        let newest = bundles.ok()?.into_iter().map(|bundle| bundle.published_at).max()?;
        let micros = clock::now().as_micros().saturating_sub(newest.as_micros());
        let age = Duration::from_micros(u64::try_from(micros).unwrap_or_default());
        Some(Instant::now() + self.every.saturating_sub(age))
    }

    /// Whether there is anything to learn the first bundle from.
    fn has_enough(&self) -> bool {
        let head = Store::open(&self.store.store).and_then(|store| store.reader()?.head());
        head.is_ok_and(|head| head.log_seq.0 >= FIRST_RECORDS)
    }

    /// How one training ended; none if the server ended before.
    fn train(&self, stopping: &AtomicBool) -> anyhow::Result<Option<&'static str>> {
        tracing::info!("training");
        let before = Store::open(&self.store.store).and_then(|store| store.registry().current()).ok().flatten();
        let program = std::env::current_exe().context("the program does not know its own file")?;
        let mut command = Command::new(program);
        command.args(["train", "--background", "--json", "--store"]).arg(&self.store.store);
        if let Some(config) = &self.store.config {
            command.arg("--config").arg(config);
        }
        // What it complains of stands in the server's own log.
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped());
        // What stops the server from a terminal is not for the training: the server ends it.
        let mut child = command.process_group(0).spawn().context("it does not start")?;
        let printed = child.stdout.take().map(|stdout| std::thread::spawn(move || read(stdout)));
        let Some(status) = wait(&mut child, stopping)? else { return Ok(None) };
        let printed = printed.and_then(|printed| printed.join().ok()).unwrap_or_default();
        let answer: Value = serde_json::from_str(&printed).unwrap_or_default();
        let [bundle, gate] = ["bundle", "gate"].map(|key| answer[key].as_str().unwrap_or_default());
        let seconds = answer["seconds"].as_f64().unwrap_or_default();
        Ok(Some(match answer["promoted"].as_bool() {
            Some(true) if before.is_some_and(|before| before.as_str() == bundle) => {
                tracing::info!(bundle, seconds, "trained; nothing has changed, and the bundle in service stays");
                "unchanged"
            }
            Some(true) => {
                tracing::info!(bundle, seconds, "trained; the bundle serves from now on");
                "promoted"
            }
            Some(false) => {
                tracing::warn!(bundle, gate, "trained; the gate refused the bundle, and the one in service stays");
                "refused"
            }
            None => {
                tracing::error!(%status, "the training failed; the bundle in service stays");
                "failed"
            }
        }))
    }
}

/// Waits for a process to end; ends it itself when the server stops, and then says nothing.
fn wait(child: &mut Child, stopping: &AtomicBool) -> anyhow::Result<Option<ExitStatus>> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if stopping.load(Ordering::Relaxed) {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        sleep(LOOK_EVERY);
    }
}

fn read(printed: impl Read) -> String {
    let mut text = String::new();
    // What is cut off, or no text, is no answer either.
    let _ = printed.take(PRINTED_BYTES_MAX).read_to_string(&mut text);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        for (text, seconds) in [("6h", 21_600), ("90 min", 5_400), ("10s", 10)] {
            assert_eq!(parse_every(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for (text, what) in [("6", "such as 6h"), ("-6h", "negative"), ("1s", "10 seconds to 30 days"), ("", "such as")]
        {
            assert!(parse_every(text).unwrap_err().contains(what), "{text}");
        }
    }
}
