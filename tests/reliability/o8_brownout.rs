//! O8: the load rises from half to twice what the service can do. Answers get cheaper before any is refused, what that
//! costs is known, and when the load is gone each request does all its work again.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Form;
use super::driven::Driven;
use shortlist_load::{Manners, RestConnection};

const K: usize = 10;
/// Share of the requests, in a hundred, that a burst may cost.
const REFUSED_MAX: f64 = 1.0;
/// Users whose lists are compared with those of a calm service.
const USERS: usize = 20;

pub fn check(form: Form) -> String {
    let driven = Driven::start(form, "[gateway]\nthreads = 1\n");
    let capacity = driven.capacity();
    driven.rest(Duration::from_secs(5));
    wait_for_full_effort(&driven);
    let calm = lists(&driven);
    let mut shown = Vec::new();
    let (mut refused_first, mut lowest): (Option<f64>, f64) = (None, 1.0);
    let steps = form.pick(vec![0.5, 2.0, 6.0], vec![0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0]);
    for times in steps {
        let seconds = form.pick(1.0, 15.0);
        let (tally, effort, recall) = std::thread::scope(|scope| {
            let load = scope.spawn(|| driven.run(capacity * times, seconds, Manners::default()));
            let (mut efforts, mut recalls) = (Vec::new(), Vec::new());
            while !load.is_finished() {
                efforts.push(driven.metric("shortlist_effort"));
                recalls.extend(overlap(&calm, &lists(&driven)));
            }
            (load.join().unwrap(), mean(&efforts), mean(&recalls))
        });
        lowest = lowest.min(effort);
        let refused = tally.refused as f64 / tally.sent as f64 * 100.0;
        if refused > REFUSED_MAX && refused_first.is_none() {
            refused_first = Some(lowest);
        }
        shown.push(format!("{times} C: effort {effort:.2}, recall@{K} {recall:.3}, refused {refused:.1} %"));
    }
    let shown = shown.join("; ");
    assert!(lowest < 1.0, "effort never fell: {shown}");
    if let (Form::Full, Some(before)) = (form, refused_first) {
        assert!(before < 0.95, "refused before effort fell: {shown}");
    }
    let back = wait_for_full_effort(&driven);
    assert_eq!(overlap(&calm, &lists(&driven)), vec![1.0; USERS], "lists are not what they were");
    format!("C = {capacity:.0}/s; {shown}; all effort again after {:.1} s of calm", back.as_secs_f64())
}

/// Asks until requests do all their work: effort moves with requests, not with time.
fn wait_for_full_effort(driven: &Driven) -> Duration {
    let started = Instant::now();
    while driven.metric("shortlist_effort") < 1.0 {
        assert!(started.elapsed() < Duration::from_secs(20), "effort does not return");
        lists(driven);
    }
    started.elapsed()
}

/// The lists of some users, as far as they were answered.
fn lists(driven: &Driven) -> Vec<Option<HashSet<String>>> {
    driven.driver.block_on(async {
        let mut connection = RestConnection::open_at(driven.server.address).await.unwrap();
        let mut lists = Vec::new();
        for user in 0..USERS {
            let body = json!({"user_id": format!("user-{user}"), "k": K});
            let Ok(response) = connection.post("/v1/recommend", &body, None).await else { break };
            let answer: Value = serde_json::from_slice(response.body()).unwrap();
            let ids = answer["items"].as_array().map(|items| {
                items.iter().map(|item| item["item_id"].as_str().unwrap().to_owned()).collect::<HashSet<_>>()
            });
            lists.push(ids);
        }
        lists
    })
}

fn overlap(calm: &[Option<HashSet<String>>], now: &[Option<HashSet<String>>]) -> Vec<f64> {
    let both = calm.iter().zip(now).filter_map(|(calm, now)| calm.as_ref().zip(now.as_ref()));
    both.map(|(calm, now)| calm.intersection(now).count() as f64 / calm.len() as f64).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}
