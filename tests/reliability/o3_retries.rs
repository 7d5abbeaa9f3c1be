//! O3: twice what the service can do, and whoever is refused asks three times more, at once. It does not collapse.

use std::time::Duration;

use super::Form;
use super::driven::{Driven, goodput};
use shortlist_load::Manners;

pub fn check(form: Form) -> String {
    let driven = Driven::start(form, "");
    let capacity = driven.capacity();
    let seconds = form.pick(1.5, 30.0);
    let storm = driven.run(2.0 * capacity, seconds, Manners { retries: 3, ..Manners::default() });
    driven.rest(Duration::from_secs(5));
    let again = driven.run(capacity / 2.0, form.pick(1.0, 10.0), Manners::default());
    assert_eq!(again.refused, 0, "still refused after the storm");
    let good = goodput(&storm, seconds) / capacity;
    let shown = format!(
        "C = {capacity:.0}/s; at 2 C with three retries answered {:.0} % of C, p99 {:.0} ms, gave up {:.1} %",
        good * 100.0,
        storm.percentile_ms(99.0),
        storm.refused as f64 / storm.sent as f64 * 100.0,
    );
    assert!(form == Form::Short || good >= 0.9, "{shown}");
    shown
}
