//! D1 to D8, and the audit of skew, in their short forms: what is acknowledged is not lost. The full forms: `just reliability`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that cannot go on fails
#![allow(dead_code, unreachable_pub)] // the two forms use a part each
#![allow(clippy::print_stdout)] // what was shown

mod harness;
mod reliability;

use reliability::Form::Short;

#[test]
fn d1_a_killed_server_has_lost_nothing() {
    println!("{}", reliability::d1_kill::check(Short));
}

#[test]
fn d1_a_server_killed_in_the_care_of_its_store_leaves_it_whole() {
    println!("{}", reliability::d1_care::check(Short));
}

#[test]
fn d2_a_power_loss_takes_nothing_that_was_acknowledged() {
    println!("{}", reliability::d2_power_loss::check(Short));
}

#[test]
fn d3_a_torn_wal_opens_to_its_last_commit() {
    println!("{}", reliability::d3_torn_tail::check(Short));
}

#[test]
fn d4_a_changed_byte_gives_no_wrong_answer() {
    println!("{}", reliability::d4_damage::check(Short));
}

#[test]
fn d5_a_full_disk_refuses_whole_and_recovers() {
    println!("{}", reliability::d5_disk_full::check(Short));
}

#[test]
fn d6_a_failed_sync_turns_ingest_off() {
    println!("{}", reliability::d6_failed_sync::check(Short));
}

#[test]
fn d7_a_retry_counts_once() {
    println!("{}", reliability::d7_retries::check(Short));
}

#[test]
fn serving_reads_what_the_log_says() {
    println!("{}", reliability::skew::check(Short));
}

#[test]
fn d8_a_clock_that_jumps_forgets_nothing_young() {
    println!("{}", reliability::d8_clock::check(Short));
}
