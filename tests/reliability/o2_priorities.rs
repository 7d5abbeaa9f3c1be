//! O2: twelve times what the service can do, asked by callers for whom nobody waits, beside half of what it can do, asked
//! by callers for whom somebody does. The first are refused, the second see nothing of them.

use std::time::Duration;

use super::Form;
use super::driven::{DEADLINE_MS, Driven, goodput};
use shortlist_load::{Manners, Priority, Tally};

const LOW_TIMES: f64 = 12.0;
const HIGH_TIMES: f64 = 0.5;
/// What Netflix kept of the requests that users wait for, at twelve times the prefetches.
const SUCCESS_MIN: f64 = 0.994;
/// The same of the short form, whose server shares its cores with the driver and with other tests.
const SUCCESS_MIN_SHORT: f64 = 0.9;
/// Share of the requests that somebody waits for that may be answered with less than asked.
const DEGRADED_MAX: f64 = 0.01;

pub fn check(form: Form) -> String {
    let driven = Driven::start(form, "");
    let capacity = driven.capacity();
    driven.rest(Duration::from_secs(5));
    let seconds = form.pick(1.5, 60.0);
    let run = |priority, times: f64| driven.run_as(priority, times * capacity, seconds, Manners::default());
    let alone = run(Priority::High, HIGH_TIMES);
    let (high, low) = both(|| run(Priority::High, HIGH_TIMES), || run(Priority::Low, LOW_TIMES));
    driven.rest(Duration::from_secs(5));
    // Where there is room for both, nobody is refused.
    let (_, calm) = both(|| run(Priority::High, HIGH_TIMES / 4.0), || run(Priority::Low, HIGH_TIMES / 4.0));
    let share = |part: u64, tally: &Tally| part as f64 / tally.sent as f64;
    let [success, kept, in_calm] = [&high, &low, &calm].map(|tally| share(tally.answered(), tally));
    let degraded = share(high.degraded, &high);
    let shed =
        ["high", "low"].map(|priority| driven.metric(&format!("shortlist_shed_total{{priority=\"{priority}\"}}")));
    let shown = format!(
        "C = {capacity:.0}/s; of {} at {HIGH_TIMES} C with high priority {:.2} % answered, {:.2} % of all degraded, p50 {:.1} and p99 {:.1} ms \
         (alone {:.1} and {:.1} ms); of {} at {LOW_TIMES} C with low priority {:.1} % answered, {:.0} % of C, p99 {:.1} ms, refused in {:.1} ms; \
         at {} C each {:.1} % of those with low priority answered",
        high.sent,
        success * 100.0,
        degraded * 100.0,
        high.percentile_ms(50.0),
        high.percentile_ms(99.0),
        alone.percentile_ms(50.0),
        alone.percentile_ms(99.0),
        low.sent,
        kept * 100.0,
        goodput(&low, seconds) / capacity * 100.0,
        low.percentile_ms(99.0),
        low.refused_percentile_ms(99.0),
        HIGH_TIMES / 4.0,
        in_calm * 100.0,
    );
    assert!(success >= form.pick(SUCCESS_MIN_SHORT, SUCCESS_MIN), "high priority: {shown}");
    assert!(kept > 0.0 && kept < success, "low priority: {shown}");
    assert!(shed[1] >= low.refused as f64 && shed[0] < shed[1] / 10.0, "shed {shed:?}: {shown}");
    assert!(in_calm >= form.pick(SUCCESS_MIN_SHORT, SUCCESS_MIN), "where there is room: {shown}");
    if form == Form::Full {
        assert!(high.percentile_ms(99.0) <= DEADLINE_MS && degraded <= DEGRADED_MAX, "quality: {shown}");
    }
    shown
}

fn both(one: impl FnOnce() -> Tally + Send, other: impl FnOnce() -> Tally + Send) -> (Tally, Tally) {
    std::thread::scope(|scope| {
        let one = scope.spawn(one);
        let other = other();
        (one.join().unwrap(), other)
    })
}
