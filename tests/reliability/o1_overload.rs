//! O1: twice and five times what the service can do. It goes on to do what it can, refuses the rest at once, and is
//! itself again when the load is gone.

use std::time::Duration;

use super::Form;
use super::driven::{DEADLINE_MS, Driven, WARM_UP, goodput};
use shortlist_load::{Manners, Tally};

/// What a refusal may cost, in microseconds of processor time.
const REFUSAL_MICROS_MAX: f64 = 25.0;
/// The time of a refusal, 99 of 100.
const REFUSAL_MS_MAX: f64 = 10.0;
/// How long the service may take to be itself again.
const RECOVERY: Duration = Duration::from_secs(5);

pub fn check(form: Form) -> String {
    let driven = Driven::start(form, "");
    let capacity = driven.capacity();
    let seconds = form.pick(1.5, 60.0);
    let at = |times: f64| phase(&driven, capacity * times, seconds);
    let before = at(0.5).tally;
    let memory = driven.server.memory_mib().unwrap_or(0) as f64;
    let (double, fivefold) = (at(2.0).tally, at(5.0));
    let grown = driven.server.memory_mib().unwrap_or(0) as f64 / memory.max(1.0);
    let refusal = match form {
        Form::Short => 0.0,
        Form::Full => refusal_micros(&fivefold, &at(10.0), seconds),
    };
    let fivefold = fivefold.tally;
    // What comes in these seconds may still be told apart from calm.
    driven.run(capacity * 0.5, RECOVERY.as_secs_f64() / 2.0, Manners::default());
    let after = at(0.5).tally;
    assert_eq!(after.refused, 0, "still refused after the load is gone");
    driven.rest(RECOVERY);
    let [calm, again] = [&before, &after].map(|tally| tally.percentile_ms(99.0));
    let [two, five] = [&double, &fivefold].map(|tally| goodput(tally, seconds) / capacity);
    let owed = 0.95 * (1.0 - 4.0 * capacity * refusal / 1e6);
    let [late_two, late_five] = [&double, &fivefold].map(|tally| tally.percentile_ms(99.0));
    let refused = fivefold.refused_percentile_ms(99.0).max(double.refused_percentile_ms(99.0));
    let shown = format!(
        "C = {capacity:.0}/s; answered {:.0} % of C at 2 C, {:.0} % at 5 C (owed {:.0} %), p99 {late_two:.0} and {late_five:.0} ms; \
         refused {:.0} % and {:.0} %, p99 {refused:.1} ms, {refusal:.0} us of processor each; memory {:+.0} %; at C / 2 p99 {calm:.1} ms \
         before and {again:.1} ms after",
        two * 100.0,
        five * 100.0,
        owed * 100.0,
        double.refused as f64 / double.sent as f64 * 100.0,
        fivefold.refused as f64 / fivefold.sent as f64 * 100.0,
        (grown - 1.0) * 100.0,
    );
    if form == Form::Full {
        assert!(two >= 0.9 && five >= owed, "goodput: {shown}");
        assert!(late_two.max(late_five) <= DEADLINE_MS && refused <= REFUSAL_MS_MAX, "times: {shown}");
        assert!(refusal <= REFUSAL_MICROS_MAX, "cost of a refusal: {shown}");
        assert!(grown <= 1.1, "memory: {shown}");
        assert!(again <= 1.5 * calm + 1.0, "recovery: {shown}");
    }
    shown
}

/// What one phase took of the processor, in cores.
struct Phase {
    tally: Tally,
    cores: f64,
}

fn phase(driven: &Driven, rate: f64, seconds: f64) -> Phase {
    let before = driven.server.cpu().unwrap_or_default();
    let tally = driven.run(rate, seconds, Manners::default());
    let spent = driven.server.cpu().unwrap_or_default() - before;
    Phase { tally, cores: spent.as_secs_f64() / (seconds + WARM_UP.as_secs_f64()) }
}

/// Processor time of one refusal, in microseconds: two loads that both leave requests their least effort differ in
/// nothing but how many are refused.
fn refusal_micros(one: &Phase, more: &Phase, seconds: f64) -> f64 {
    let [(answered, refused), (answered_more, refused_more)] =
        [one, more].map(|phase| (goodput(&phase.tally, seconds), phase.tally.refused as f64 / seconds));
    let spent = more.cores * answered - one.cores * answered_more;
    spent / (refused_more * answered - refused * answered_more) * 1e6
}
