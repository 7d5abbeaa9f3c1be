//! O4: a second stage that is 200 ms late, always or now and then, or never comes back. All answers come in time, in
//! retrieval order; after a few it is left out, and asked again when it has recovered.

use std::time::{Duration, Instant};

use serde_json::json;

use super::Form;
use super::faulty_ranker::{FOREVER, Faulty};
use crate::harness::ids;

const DEADLINE: Duration = Duration::from_millis(100);
const GRACE: Duration = Duration::from_millis(10);
const USERS: usize = 30;

pub fn check(form: Form) -> String {
    let faulty = Faulty::start();
    let requests = form.pick(12, 500);
    let plain: Vec<_> = (1..=USERS).map(|user| ids(&faulty.ask("plain", user))).collect();
    let mut shown = Vec::new();
    for (what, millis, every) in [("200 ms late", 200, 1), ("one in ten 200 ms late", 200, 10), ("stuck", FOREVER, 1)] {
        well(&faulty);
        faulty.fault.sleep(millis, every);
        let asked_before = faulty.fault.asked();
        let (mut late, mut worst, mut fallen_back, mut skipped) = (0, Duration::ZERO, 0, 0);
        for number in 0..requests {
            let user = number % USERS + 1;
            let started = Instant::now();
            let answer = faulty.ask("home", user);
            let took = started.elapsed();
            late += usize::from(took > DEADLINE + GRACE);
            worst = worst.max(took);
            let degraded = &answer["degraded"];
            if *degraded != json!([]) {
                fallen_back += 1;
                skipped += usize::from(*degraded == json!(["ranker_skipped"]));
                let is_known = [json!(["ranker_timeout"]), json!(["ranker_skipped"])].contains(degraded);
                assert!(is_known, "{what}: {degraded}");
                assert_eq!(ids(&answer), plain[user - 1], "{what}: not in retrieval order");
            }
        }
        let asked = faulty.fault.asked() - asked_before;
        faulty.fault.sleep(0, 1);
        // A machine that others use may hold up one or the other.
        assert!(late <= 1 + requests / 100, "{what}: {late} of {requests} late, the worst {worst:?}");
        if every == 1 {
            assert_eq!(fallen_back, requests, "{what}: nothing can have come in time");
            assert!(skipped > 0 && asked < requests, "{what}: asked {asked} times, never left out");
        } else {
            assert!(fallen_back < requests, "{what}: those in time count for nothing");
        }
        let worst = worst.as_secs_f64() * 1e3;
        shown.push(format!("{what}: {requests} answers, {late} late, the worst {worst:.0} ms, {fallen_back} in retrieval order, asked {asked} times"));
    }
    well(&faulty);
    shown.join("; ")
}

/// Waits until the second stage is asked and comes in time.
fn well(faulty: &Faulty) {
    let until = Instant::now() + Duration::from_secs(90);
    while faulty.ask("home", 1)["degraded"] != json!([]) {
        assert!(Instant::now() < until, "it is never asked again");
        std::thread::sleep(Duration::from_millis(50));
    }
}
