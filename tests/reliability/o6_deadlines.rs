//! O6: callers who wait 1 to 50 ms. No answer comes later than 5 ms after that, over either protocol; what cannot be
//! done in time is degraded, or told to be late.

use std::time::{Duration, Instant};

use hyper::StatusCode;
use serde_json::json;
use shortlist_client::{Client, RecommendRequest};
use shortlist_load::RestConnection;

use super::Form;
use super::driven::Driven;

const WAITS_MS: [u64; 6] = [1, 2, 5, 10, 20, 50];
const GRACE: Duration = Duration::from_millis(5);
/// Callers at once: more than there are threads that answer.
const CALLERS: usize = 4;

#[derive(Default)]
struct Counts {
    asked: usize,
    whole: usize,
    degraded: usize,
    late_said: usize,
    late: usize,
    worst: Duration,
}

pub fn check(form: Form) -> String {
    let driven = Driven::start(form, "");
    let mut counts = Counts::default();
    for wait in WAITS_MS.map(Duration::from_millis) {
        driven.driver.block_on(ask_all(&driven, wait, form.pick(25, 1_000), &mut counts));
    }
    let Counts { asked, whole, degraded, late_said, late, worst } = counts;
    assert!(whole > 0 && degraded + late_said > 0, "{whole} whole, {degraded} degraded, {late_said} said to be late");
    // The machine, or other tests, may hold up one or the other.
    let disturbed = asked / form.pick(10, 500);
    let shown = format!(
        "{asked} requests with 1 to 50 ms: {whole} whole, {degraded} degraded, {late_said} said to be late; {late} answered more than \
         5 ms after their deadline, the worst {:.1} ms after it",
        worst.as_secs_f64() * 1e3
    );
    assert!(late <= disturbed, "{shown}");
    shown
}

async fn ask_all(driven: &Driven, wait: Duration, requests: usize, counts: &mut Counts) {
    for _ in 0..requests {
        let callers = (0..CALLERS).map(|caller| {
            let address = driven.server.address;
            tokio::spawn(async move {
                let user = format!("user-{}", caller * 7);
                if caller % 2 == 0 {
                    over_rest(address, &user, wait).await
                } else {
                    over_grpc(address, &user, wait).await
                }
            })
        });
        for caller in callers.collect::<Vec<_>>() {
            let (outcome, took) = caller.await.unwrap();
            let beyond = took.saturating_sub(wait);
            counts.asked += 1;
            counts.late += usize::from(beyond > GRACE);
            counts.worst = counts.worst.max(beyond);
            match outcome {
                Some(true) => counts.degraded += 1,
                Some(false) => counts.whole += 1,
                None => counts.late_said += 1,
            }
        }
    }
}

/// Whether the answer was degraded; none if the service said that it is late.
async fn over_rest(address: std::net::SocketAddr, user: &str, wait: Duration) -> (Option<bool>, Duration) {
    let mut connection = RestConnection::open_at(address).await.unwrap();
    let started = Instant::now();
    let response = connection.post("/v1/recommend", &json!({"user_id": user}), Some(wait)).await.unwrap();
    let took = started.elapsed();
    match response.status() {
        StatusCode::OK => {
            let answer: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
            (Some(answer["degraded"] != json!([])), took)
        }
        status => {
            assert_eq!(status, StatusCode::GATEWAY_TIMEOUT);
            (None, took)
        }
    }
}

async fn over_grpc(address: std::net::SocketAddr, user: &str, wait: Duration) -> (Option<bool>, Duration) {
    let client = Client::connect(format!("http://{address}")).await.unwrap().within(wait);
    let request = RecommendRequest { user_id: Some(user.to_owned()), ..RecommendRequest::default() };
    let started = Instant::now();
    let answer = client.recommend(request).await;
    let took = started.elapsed();
    match answer {
        Ok(answer) => (Some(!answer.degraded.is_empty()), took),
        Err(error) => {
            assert_eq!(error.code(), "deadline_exceeded", "{error}");
            (None, took)
        }
    }
}
