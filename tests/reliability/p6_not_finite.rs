//! P6: a model that gives NaN for some or all items. None of them comes near the top, the order is the same every
//! time, and when nothing is left the answer is in retrieval order and says so.

use serde_json::json;

use super::Form;
use super::faulty_ranker::Faulty;
use crate::harness::ids;

pub fn check(form: Form) -> String {
    let faulty = Faulty::start();
    let users = form.pick(10, 140);
    let mut shown = Vec::new();
    for (percent, one_in) in [(1, 100), (50, 2), (100, 1)] {
        let mut lists = 0;
        for user in 1..=users {
            faulty.fault.not_finite(0);
            let asked_before = faulty.fault.asked();
            let whole = faulty.ask("home", user);
            assert_eq!(whole["degraded"], json!([]));
            if faulty.fault.asked() == asked_before {
                continue; // Nothing is known of him: popularity is the order.
            }
            lists += 1;
            faulty.fault.not_finite(one_in);
            let [answer, again] = [(); 2].map(|()| faulty.ask("home", user));
            assert_eq!(answer["degraded"], json!(["ranker_not_finite"]));
            assert_eq!(ids(&answer), ids(&again), "{percent} %: another order");
            let scores: Vec<f64> =
                answer["items"].as_array().unwrap().iter().map(|item| item["score"].as_f64().unwrap()).collect();
            assert!(scores.iter().all(|score| score.is_finite()) && scores.is_sorted_by(|a, b| a >= b), "{scores:?}");
            if one_in == 1 {
                assert_eq!(ids(&answer), ids(&faulty.ask("plain", user)));
            } else {
                // What is left keeps its order: a poisoned item falls out, others move up.
                let left: Vec<_> = ids(&answer);
                let kept: Vec<_> = ids(&whole).into_iter().filter(|id| left.contains(id)).collect();
                assert_eq!(kept, left[..kept.len()], "{percent} %");
            }
        }
        assert!(lists > users / 2, "{lists} of {users} lists are ranked");
        shown.push(format!("{percent} %: {lists} lists"));
    }
    faulty.fault.not_finite(0);
    assert_eq!(faulty.ask("home", 1)["degraded"], json!([]), "the next request is as always");
    let (_, metrics) = faulty.gateway.get("/metrics");
    assert!(
        metrics.as_str().is_some_and(|text| text.contains(r#"shortlist_degraded_total{reason="ranker_not_finite","#))
    );
    format!(
        "NaN for {}; never in front of a number, the same order twice, retrieval order where nothing was left",
        shown.join(", ")
    )
}
