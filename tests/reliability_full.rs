//! What is promised when things go wrong, in full forms, with a table of what was shown: `just reliability`. Built with the
//! feature `reliability` alone, in release; D5 mounts a small file system and needs root for that.
//! Names on the command line choose among them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a check that cannot go on fails
#![allow(dead_code, unreachable_pub)] // the two forms use a part each
#![allow(clippy::print_stdout, clippy::print_stderr)] // prints its table

mod harness;
mod reliability;
#[path = "../benches/server/mod.rs"]
mod server;
#[path = "../benches/world/mod.rs"]
mod world;

use std::process::ExitCode;
use std::time::Instant;

use reliability::Form::{self, Full};

type Check = fn(Form) -> String;

const CHECKS: [(&str, &str, Check); 30] = [
    ("D1", "kill -9 during ingest", reliability::d1_kill::check),
    ("D1b", "kill -9 during checkpoints, cuts, erasures and backups", reliability::d1_care::check),
    ("D2", "lost unsynced bytes", reliability::d2_power_loss::check),
    ("D3", "torn tail of the WAL", reliability::d3_torn_tail::check),
    ("D4", "changed bytes", reliability::d4_damage::check),
    ("D5", "disk full", reliability::d5_disk_full::check),
    ("D6", "failed sync", reliability::d6_failed_sync::check),
    ("D7", "retries", reliability::d7_retries::check),
    ("D8", "clock jumps", reliability::d8_clock::check),
    ("H1", "bundles swapped under load", reliability::h1_swaps::check),
    ("H3", "parts of two bundles as one", reliability::h3_pairs::check),
    ("O1", "twice and five times the capacity", reliability::o1_overload::check),
    ("O2", "twelve times the capacity of low priority beside high", reliability::o2_priorities::check),
    ("O3", "a storm of retries", reliability::o3_retries::check),
    ("O4", "a slow ranker", reliability::o4_slow_ranker::check),
    ("O6", "short deadlines", reliability::o6_deadlines::check),
    ("O7", "callers who hang up", reliability::o7_hang_ups::check),
    ("O8", "brownout", reliability::o8_brownout::check),
    ("O9", "slow clients, resets, heads without end", reliability::o9_slow_clients::check),
    ("O10", "an hour of everything", reliability::o10_soak::check),
    ("O11", "told to stop under load", reliability::o11_drain::check),
    ("P1-P4", "poisoned values at every door", reliability::p1_poison::check),
    ("P5", "bodies that are no bodies", reliability::p5_bodies::check),
    ("P6", "scores that are not finite", reliability::p6_not_finite::check),
    ("P7", "questions that mean the same", reliability::p7_same_answers::check),
    ("parity", "the same requests to every endpoint over REST and gRPC", reliability::parity::check),
    ("S1", "keys, roles, who listens where", reliability::s1_doors::check),
    ("S2", "names that look like paths", reliability::s2_names::check),
    ("S4", "what answers and metrics say (S8)", reliability::s4_silence::check),
    ("skew", "served features, computed again from the log", reliability::skew::check),
];

fn main() -> ExitCode {
    let chosen: Vec<String> = std::env::args().skip(1).filter(|name| !name.starts_with('-')).collect();
    let mut lines = vec!["| id | what | outcome | seconds | shown |".to_owned(), "|---|---|---|--:|---|".to_owned()];
    let mut failed = false;
    for (id, what, check) in CHECKS.iter().filter(|(id, ..)| chosen.is_empty() || chosen.iter().any(|one| one == id)) {
        eprintln!("{id}: {what}");
        let started = Instant::now();
        let outcome = std::panic::catch_unwind(|| check(Full));
        let seconds = started.elapsed().as_secs();
        let (verdict, shown) = match outcome {
            Ok(shown) => ("PASS", shown),
            Err(panic) => {
                failed = true;
                let text = panic.downcast_ref::<String>().cloned();
                ("**FAIL**", text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default())
            }
        };
        lines.push(format!("| {id} | {what} | {verdict} | {seconds} | {shown} |"));
    }
    println!("{}", lines.join("\n"));
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
