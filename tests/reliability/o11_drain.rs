//! O11: a server that is told to stop under load is first not ready any more, loses no request that it took, then takes no
//! connections, and ends by itself with all that it acknowledged on disk. Told twice, it ends at once.

use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use shortlist_load::{Asks, Kind, LoadError, Manners, RestConnection, Schedule, Traffic};
use shortlist_store::Store;

use super::driven::Driven;
use super::{Form, SEED};
use crate::world::K;

/// What is asked, in shares of the capacity: both protocols, questions and events.
const LOADS: [(Kind, f64); 4] =
    [(Kind::RestRecommend, 0.35), (Kind::GrpcRecommend, 0.35), (Kind::RestEvent, 0.05), (Kind::GrpcEvent, 0.05)];
/// When it is told, from the start of the load.
const TOLD_AFTER: Duration = Duration::from_millis(700);
/// How long it may take to end.
const GRACE: Duration = Duration::from_secs(10);
/// How soon it ends when it is told twice.
const AT_ONCE: Duration = Duration::from_millis(500);

pub fn check(form: Form) -> String {
    let mut driven = Driven::start(form, "[gateway]\nshutdown_delay_ms = 300\n");
    let capacity = driven.capacity();
    driven.rest(Duration::from_secs(5));
    let rounds = form.pick(2, 50);
    let mut sums = Round::default();
    for round in 0..rounds {
        if round > 0 {
            driven.restart();
        }
        let one = stop_under_load(&mut driven, capacity, round);
        sums.answered += one.answered;
        sums.acknowledged += one.acknowledged;
        sums.turned_away += one.turned_away;
        sums.took = sums.took.max(one.took);
    }
    driven.restart();
    let at_once = stop_twice(&mut driven);
    format!(
        "C = {capacity:.0}/s; {rounds} times told to stop at 0.8 C over both protocols: {} answered, {} events acknowledged and in the log, \
         0 lost, {} came after it took no more connections; not ready first, exit 0 after {:.1?} at most; told twice, exit 1 after {at_once:.0?}",
        sums.answered, sums.acknowledged, sums.turned_away, sums.took
    )
}

#[derive(Default)]
struct Round {
    answered: u64,
    acknowledged: u64,
    /// Requests whose connection nobody took.
    turned_away: u64,
    took: Duration,
}

fn stop_under_load(driven: &mut Driven, capacity: f64, round: u64) -> Round {
    let before = Store::open(driven.folder.path()).unwrap().reader().unwrap().head().unwrap().log_seq;
    let rates = LOADS.map(|(kind, share)| (kind, share * capacity));
    let users = (driven.size.users, driven.size.items);
    let duration = TOLD_AFTER + Duration::from_millis(1_500);
    let schedule = Schedule::new(&rates, duration, users, SEED + round).unwrap();
    let (target, asks) = (driven.server.address.into(), Asks::full_lists(K));
    let traffic = Traffic { target, schedule, warm_up: Duration::ZERO, manners: Manners::default(), asks };
    let over = AtomicBool::new(false);
    let (load, looks, told) = std::thread::scope(|scope| {
        let looking = scope.spawn(|| look(driven, &over));
        let telling = scope.spawn(|| {
            std::thread::sleep(TOLD_AFTER);
            let told = Instant::now();
            driven.server.terminate().unwrap();
            told
        });
        let load = driven.driver.run(&traffic, &mut |_| ()).unwrap();
        over.store(true, Ordering::Relaxed);
        (load, looking.join().unwrap(), telling.join().unwrap())
    });
    let whole = load.whole();
    assert_eq!(whole.failed, whole.unreachable, "round {round}: requests were lost: {:?}", whole.failures);
    assert!(whole.unreachable > 0, "round {round}: it went on taking connections");
    not_ready_first(&looks);
    let status = loop {
        match driven.server.ended().unwrap() {
            Some(status) => break status,
            None => assert!(told.elapsed() < GRACE, "round {round}: it does not end"),
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    // The load was over before; what is told is an upper bound.
    let took = told.elapsed();
    assert_eq!(status.code(), Some(0), "round {round}");
    let acknowledged = load.of(Kind::RestEvent).ok + load.of(Kind::GrpcEvent).ok;
    let head = Store::open(driven.folder.path()).unwrap().reader().unwrap().head().unwrap().log_seq;
    assert_eq!(head.0 - before.0, acknowledged, "round {round}: events in the log, and acknowledged ones");
    Round { answered: whole.answered(), acknowledged, turned_away: whole.unreachable, took }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Look {
    Ready,
    ShuttingDown,
    Other(String),
    Refused,
}

/// What `/readyz` says on one new connection after the other.
fn look(driven: &Driven, over: &AtomicBool) -> Vec<Look> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let address = driven.server.address;
    let mut looks = Vec::new();
    while !over.load(Ordering::Relaxed) {
        let asked = runtime.block_on(async { RestConnection::open_at(address).await?.get("/readyz").await });
        looks.push(match asked {
            Err(LoadError::Unreachable { .. }) => Look::Refused,
            Err(error) => Look::Other(error.to_string()),
            Ok(response) => {
                let body: Value = serde_json::from_slice(response.body()).unwrap();
                match (response.status().as_u16(), body["reasons"][0].as_str()) {
                    (200, None) => Look::Ready,
                    (503, Some("shutting_down")) => Look::ShuttingDown,
                    _ => Look::Other(body.to_string()),
                }
            }
        });
        std::thread::sleep(Duration::from_millis(10));
    }
    looks
}

/// Ready, then shutting down, then no connection: each for a while, in this order.
fn not_ready_first(looks: &[Look]) {
    let mut order = looks.to_vec();
    order.dedup();
    assert_eq!(order, [Look::Ready, Look::ShuttingDown, Look::Refused]);
}

/// A body that does not come keeps a server that is told to stop; told again, it ends at once. How soon.
fn stop_twice(driven: &mut Driven) -> Duration {
    let mut slow = TcpStream::connect(driven.server.address).unwrap();
    let head = b"POST /v1/events HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{";
    slow.write_all(head).unwrap();
    std::thread::sleep(Duration::from_millis(100));
    driven.server.terminate().unwrap();
    std::thread::sleep(Duration::from_millis(1_500));
    assert!(driven.server.ended().unwrap().is_none(), "it did not wait for a request that runs");
    let told = Instant::now();
    driven.server.terminate().unwrap();
    loop {
        if let Some(status) = driven.server.ended().unwrap() {
            assert_eq!(status.code(), Some(1));
            return told.elapsed();
        }
        assert!(told.elapsed() < AT_ONCE, "it was told twice and does not end");
        std::thread::sleep(Duration::from_millis(1));
    }
}
