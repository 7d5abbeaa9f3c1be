use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

use hyper::StatusCode;
use shortlist_load::{Driver, RestConnection};

use crate::world;

/// How long a server may replay its log and check its bundle.
const START_TIMEOUT: Duration = Duration::from_secs(600);
/// How long a server may work after it has said that it is ready.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(300);
/// It rests when it has used less than this share of a core for so long.
const REST: Duration = Duration::from_secs(2);
const REST_SHARE: f64 = 0.03;
/// In which Linux tells processor time.
const TICKS_PER_SECOND: u64 = 100;

/// `shortlist serve` as a process of its own, ended when this is dropped.
pub(crate) struct Server {
    process: Child,
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Starts the binary, on one core alone if asked, and waits until it serves its bundle and rests.
    pub(crate) fn start(store: &Path, driver: &Driver, core: Option<usize>) -> anyhow::Result<Self> {
        let server = Self::start_only(store, driver, core)?;
        server.settle();
        Ok(server)
    }

    /// The same, but it may have other work to do yet.
    pub(crate) fn start_only(store: &Path, driver: &Driver, core: Option<usize>) -> anyhow::Result<Self> {
        // Free now, and nobody else takes it before the server does.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let binary = env!("CARGO_BIN_EXE_shortlist");
        let mut command = match core {
            None => Command::new(binary),
            Some(core) => {
                let mut command = Command::new("taskset");
                command.args(["-c", &core.to_string(), binary]);
                command
            }
        };
        command.arg("serve").arg("--store").arg(store).args(["--listen", &address.to_string()]);
        command.env("SHORTLIST_LOG", "error").stdin(Stdio::null()).stdout(Stdio::null());
        let started = Instant::now();
        let mut server = Self { process: command.spawn().context("cannot start the server")?, address };
        while let Err(error) = driver.block_on(serves_a_bundle(address)) {
            if let Some(status) = server.process.try_wait()? {
                bail!("the server ended with {status}");
            }
            if started.elapsed() > START_TIMEOUT {
                return Err(error.context("the server did not get ready"));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        world::tell(&format!("server ready after {:.1} s", started.elapsed().as_secs_f64()));
        Ok(server)
    }

    /// Waits until it rests: beside its first requests it makes a checkpoint of a log that has none.
    pub(crate) fn settle(&self) {
        let started = Instant::now();
        let mut before = self.cpu();
        while started.elapsed() < SETTLE_TIMEOUT {
            std::thread::sleep(REST);
            let now = self.cpu();
            if now.zip(before).is_none_or(|(now, before)| now - before < REST.mul_f64(REST_SHARE)) {
                return;
            }
            before = now;
        }
    }

    /// Asks it to stop.
    #[allow(dead_code, reason = "benchmarks need not")]
    pub(crate) fn terminate(&self) -> anyhow::Result<()> {
        let killed = Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status()?;
        ensure!(killed.success(), "kill: {killed}");
        Ok(())
    }

    /// How it ended; none if it still runs.
    #[allow(dead_code, reason = "benchmarks need not")]
    pub(crate) fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        Ok(self.process.try_wait()?)
    }

    /// Resident memory, where the system tells.
    pub(crate) fn memory_mib(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kib / 1024)
    }

    /// Files and sockets that it holds open, where the system tells.
    #[allow(dead_code, reason = "benchmarks need not")]
    pub(crate) fn open_files(&self) -> Option<usize> {
        Some(std::fs::read_dir(format!("/proc/{}/fd", self.process.id())).ok()?.count())
    }

    /// Processor time that it has used, where the system tells.
    pub(crate) fn cpu(&self) -> Option<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id())).ok()?;
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks: u64 = [11, 12].into_iter().filter_map(|place| fields.get(place)?.parse::<u64>().ok()).sum();
        Some(Duration::from_millis(ticks * 1_000 / TICKS_PER_SECOND))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // What it still had to say goes to a store that is removed.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Waits for a server that loads its bundle: `/readyz` says which one serves.
async fn serves_a_bundle(address: SocketAddr) -> anyhow::Result<()> {
    let response = RestConnection::open_at(address).await?.get("/readyz").await?;
    let (status, body) = (response.status(), String::from_utf8_lossy(response.body()));
    ensure!(status == StatusCode::OK, "{status}: {body}");
    let readiness: serde_json::Value = serde_json::from_str(&body).context("/readyz")?;
    ensure!(readiness["bundle"].as_str().is_some_and(|bundle| bundle.starts_with("b-")), "no bundle: {body}");
    Ok(())
}
