//! What is promised when things go wrong, in short forms; the full ones: `just reliability`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that cannot go on fails
#![allow(dead_code, unreachable_pub)] // the two forms use a part each
#![allow(clippy::print_stdout, clippy::print_stderr)] // what was shown

mod harness;
mod reliability;
#[path = "../benches/server/mod.rs"]
mod server;
#[path = "../benches/world/mod.rs"]
mod world;

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

#[test]
fn h1_a_swap_costs_nobody_an_answer_and_each_is_what_the_oracle_says() {
    println!("{}", reliability::h1_swaps::check(Short));
}

#[test]
fn h3_a_pair_that_does_not_match_is_refused() {
    println!("{}", reliability::h3_pairs::check(Short));
}

#[test]
fn o10_a_long_load_with_swaps_leaves_it_as_it_was() {
    println!("{}", reliability::o10_soak::check(Short));
}

#[test]
fn o11_a_server_that_is_told_to_stop_loses_nothing() {
    println!("{}", reliability::o11_drain::check(Short));
}

#[test]
fn o1_beyond_its_capacity_it_does_what_it_can() {
    println!("{}", reliability::o1_overload::check(Short));
}

#[test]
fn o2_who_is_waited_for_does_not_see_who_is_not() {
    println!("{}", reliability::o2_priorities::check(Short));
}

#[test]
fn o3_retries_at_once_do_not_bring_it_down() {
    println!("{}", reliability::o3_retries::check(Short));
}

#[test]
fn o4_a_slow_ranker_costs_the_order_and_no_answer() {
    println!("{}", reliability::o4_slow_ranker::check(Short));
}

#[test]
fn o6_nobody_is_answered_after_his_deadline() {
    println!("{}", reliability::o6_deadlines::check(Short));
}

#[test]
fn o7_nobody_works_for_callers_who_hung_up() {
    println!("{}", reliability::o7_hang_ups::check(Short));
}

#[test]
fn o8_answers_get_cheaper_before_any_is_refused() {
    println!("{}", reliability::o8_brownout::check(Short));
}

#[test]
fn p6_scores_that_are_no_numbers_never_come_first() {
    println!("{}", reliability::p6_not_finite::check(Short));
}

#[test]
fn p7_what_does_not_matter_changes_nothing() {
    println!("{}", reliability::p7_same_answers::check(Short));
}

#[test]
fn o9_slow_clients_are_cut_and_cost_others_nothing() {
    println!("{}", reliability::o9_slow_clients::check(Short));
}

#[test]
fn p1_to_p4_poison_is_refused_with_the_field_at_every_door() {
    println!("{}", reliability::p1_poison::check(Short));
}

#[test]
fn p5_bodies_that_are_no_bodies_are_refused_or_cut() {
    println!("{}", reliability::p5_bodies::check(Short));
}

#[test]
fn both_protocols_give_the_same_answer_at_every_endpoint() {
    println!("{}", reliability::parity::check(Short));
}

#[test]
fn s1_nobody_comes_in_without_a_key() {
    println!("{}", reliability::s1_doors::check(Short));
}

#[test]
fn s2_names_that_look_like_paths_are_data_or_refused() {
    println!("{}", reliability::s2_names::check(Short));
}

#[test]
fn s4_s8_answers_and_labels_say_nothing_of_the_inside() {
    println!("{}", reliability::s4_silence::check(Short));
}
