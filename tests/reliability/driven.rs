//! A server under an open loop: in the full form the driver has one core and the server another.

use std::path::Path;
use std::time::{Duration, Instant};

use shortlist_load::{Asks, Driver, Kind, Manners, Priority, RestConnection, Schedule, Tally, Traffic};
use shortlist_store::Store;
use tempfile::TempDir;

use super::{Form, SEED};
use crate::harness::folder;
use crate::server::{Pinned, Server};
use crate::world::{K, Size, World};

/// The rest of the machine is the server's.
const DRIVER_THREADS: usize = 1;
pub const WARM_UP: Duration = Duration::from_millis(500);
/// The promise: 99 of 100 answers in this many milliseconds.
pub const DEADLINE_MS: f64 = 100.0;

pub struct Driven {
    pub driver: Driver,
    pub server: Server,
    pub size: Size,
    form: Form,
    pub folder: TempDir,
    pinned: Option<Pinned>,
}

impl Driven {
    /// Serves a synthetic world with this configuration.
    pub fn start(form: Form, config: &str) -> Self {
        let size = form.pick(Size { items: 2_000, users: 60 }, Size { items: 100_000, users: 2_000 });
        Self::over(form, size, config, |world, folder| world.into_store(folder))
    }

    /// Serves a world of this size, written to the folder.
    pub fn over(
        form: Form,
        size: Size,
        config: &str,
        write: impl FnOnce(World, &Path) -> anyhow::Result<Store>,
    ) -> Self {
        let folder = folder();
        write(World::make(size).unwrap(), folder.path()).unwrap();
        std::fs::write(folder.path().join("shortlist.toml"), config).unwrap();
        // The short form shares the machine with other tests.
        let pinned = if form == Form::Full { Pinned::to_first_core() } else { None };
        let driver = Driver::new(DRIVER_THREADS).unwrap();
        let server = Server::start(folder.path(), &driver, pinned.is_some().then_some(1)).unwrap();
        Self { driver, server, size, form, folder, pinned }
    }

    /// Serves the same store again.
    pub fn restart(&mut self) {
        self.server = Server::start(self.folder.path(), &self.driver, self.pinned.is_some().then_some(1)).unwrap();
    }

    /// Asks at this rate, per second; nothing may fail, and whoever is refused is told when to come again.
    pub fn run(&self, rate: f64, seconds: f64, manners: Manners) -> Tally {
        let tally = self.run_as(Priority::High, rate, seconds, manners);
        assert_eq!(tally.failed, 0, "at {rate:.0}/s: {:?}", tally.failures);
        tally
    }

    /// The same of this priority, beside another load; what comes too late has failed.
    pub fn run_as(&self, priority: Priority, rate: f64, seconds: f64, manners: Manners) -> Tally {
        let duration = WARM_UP + Duration::from_secs_f64(seconds);
        let rates = [(Kind::RestRecommend, rate)];
        let schedule = Schedule::new(&rates, duration, (self.size.users, self.size.items), SEED).unwrap();
        let (target, asks) = (self.server.address.into(), Asks { priority, ..Asks::full_lists(K) });
        let tally = self.driver.run(&Traffic { target, schedule, warm_up: WARM_UP, manners, asks }, &mut |_| ());
        let tally = tally.unwrap().whole();
        let is_late = |reason: &String| reason.contains("deadline_exceeded");
        assert!(tally.failures.iter().all(is_late), "at {rate:.0}/s {} failed: {:?}", tally.failed, tally.failures);
        tally
    }

    /// About the greatest rate at which 99 of 100 answers come in time and whole.
    pub fn capacity(&self) -> f64 {
        let (mut rate, step, seconds) = self.form.pick((100.0, 1.6, 0.5), (200.0, 1.1, 5.0));
        // A driver that is slower than the server says nothing about it.
        let most = self.form.pick(1_000.0, 20_000.0);
        let mut kept: f64 = rate;
        // Twice: a machine that stalls once says nothing about the server.
        while rate < most && (self.keeps_up(rate, seconds) || self.keeps_up(rate, seconds)) {
            kept = rate;
            rate *= step;
        }
        kept
    }

    fn keeps_up(&self, rate: f64, seconds: f64) -> bool {
        let tally = self.run(rate, seconds, Manners::default());
        let disturbed = (tally.degraded + tally.refused) as f64 / tally.sent as f64;
        disturbed <= 0.01 && tally.percentile_ms(99.0) <= DEADLINE_MS
    }

    /// One number of `/metrics`; 0 of what was never counted.
    pub fn metric(&self, name: &str) -> f64 {
        let text = self.driver.block_on(async {
            let response = RestConnection::open_at(self.server.address).await.unwrap().get("/metrics").await.unwrap();
            String::from_utf8(response.into_body().to_vec()).unwrap()
        });
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map_or(0.0, |number| number.trim().parse().unwrap())
    }

    /// Waits until nobody waits, every place is free and requests do all their work again; how long that took.
    pub fn rest(&self, most: Duration) -> Duration {
        let started = Instant::now();
        loop {
            let [waiting, admitted] =
                ["shortlist_requests_waiting", "shortlist_requests_admitted"].map(|name| self.metric(name));
            if waiting + admitted == 0.0 {
                return started.elapsed();
            }
            assert!(started.elapsed() < most, "after {most:?} {waiting} wait, {admitted} are admitted");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

pub fn goodput(tally: &Tally, seconds: f64) -> f64 {
    (tally.ok + tally.degraded) as f64 / seconds
}
