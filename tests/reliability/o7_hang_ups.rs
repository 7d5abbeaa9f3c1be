//! O7: at twice what the service can do every second caller hangs up after 5 ms. Nobody works for them, and within a
//! second all their places are free.

use std::time::Duration;

use super::Form;
use super::driven::{Driven, goodput};
use shortlist_load::Manners;

pub fn check(form: Form) -> String {
    let driven = Driven::start(form, "");
    let capacity = driven.capacity();
    driven.run(capacity / 2.0, 1.0, Manners::default());
    let memory = driven.server.memory_mib().unwrap_or(0) as f64;
    let seconds = form.pick(1.5, 30.0);
    // The short form cannot be sure of a queue: there they do not wait at all.
    let patience = form.pick(Duration::from_micros(200), Duration::from_millis(5));
    let tally = driven.run(2.0 * capacity, seconds, Manners { impatience: Some(patience), ..Manners::default() });
    let rested = driven.rest(Duration::from_secs(1));
    let counted = driven.metric("shortlist_hung_up_total");
    let grown = driven.server.memory_mib().unwrap_or(0) as f64 / memory.max(1.0);
    assert!(tally.hung_up > 0 && counted > 0.0, "{} hung up, {counted} were counted", tally.hung_up);
    let shown = format!(
        "C = {capacity:.0}/s; at 2 C {} of {} hung up, {counted} of them known to the service; the others got {:.0} % of C, p99 {:.0} ms; \
         all places free after {:.0} ms, memory {:+.0} %",
        tally.hung_up,
        tally.sent,
        goodput(&tally, seconds) / capacity * 100.0,
        tally.percentile_ms(99.0),
        rested.as_secs_f64() * 1e3,
        (grown - 1.0) * 100.0,
    );
    assert!(form == Form::Short || grown <= 1.1, "{shown}");
    shown
}
