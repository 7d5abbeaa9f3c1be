//! A stage that does not come back costs its own contribution, and no answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use shortlist_gateway::GatewayConfig;
use shortlist_proto::v1;
use shortlist_recommender::{
    Candidate, ExperimentFiles, FeatureRanker, Pipeline, Proposed, Ranker, RequestContext, Scratch, Source, StageError,
    StageName, Surfaces,
};
use shortlist_types::Budget;

use crate::bundle::bundle;
use crate::test_server::{TestServer, quick_config};

/// How a stage sleeps: for so long, or forever for [`FOREVER`]; changed while it serves.
#[derive(Clone, Default)]
struct Sleep {
    millis: Arc<AtomicU64>,
    asked: Arc<AtomicUsize>,
}

const FOREVER: u64 = u64::MAX;
const DEADLINE: Duration = Duration::from_millis(150);
/// Requests that are slowed by the machine and not by us.
const DISTURBED: usize = 2;

impl Sleep {
    fn set(&self, millis: u64) {
        self.millis.store(millis, Ordering::Relaxed);
    }

    fn sleep(&self) {
        self.asked.fetch_add(1, Ordering::Relaxed);
        match self.millis.load(Ordering::Relaxed) {
            // Until the test wakes it: a thread that never ends would outlive the test.
            FOREVER => {
                while self.millis.load(Ordering::Relaxed) == FOREVER {
                    std::thread::sleep(Duration::from_millis(2));
                }
            }
            millis => std::thread::sleep(Duration::from_millis(millis)),
        }
    }
}

struct SlowRanker(Sleep);

impl Ranker for SlowRanker {
    fn name(&self) -> StageName {
        FeatureRanker.name()
    }

    fn score(
        &self,
        request: &RequestContext<'_>,
        candidates: &[Candidate],
        budget: &dyn Budget,
        scratch: &mut Scratch,
    ) -> Result<(), StageError> {
        self.0.sleep();
        FeatureRanker.score(request, candidates, budget, scratch)
    }
}

struct SlowSource(Sleep);

impl Source for SlowSource {
    fn name(&self) -> StageName {
        StageName("slow")
    }

    fn propose(&self, _: &RequestContext<'_>, _: usize, _: &dyn Budget, _: &mut Scratch) -> Proposed {
        self.0.sleep();
        Proposed::default()
    }
}

fn server(pipeline: Pipeline) -> TestServer {
    let config = GatewayConfig { threads: 1, ..quick_config() };
    let server =
        TestServer::start_of(config, Box::new(|| ()), |recommender| recommender.with_pipeline("home", pipeline));
    server.fill();
    server.recommender.swap(Some(bundle()));
    server
}

/// Asks so often and returns what came, and how long it took. All answers are full lists.
fn ask(server: &TestServer, times: usize) -> Vec<(Value, Duration)> {
    let request = json!({"user_id": "u1", "k": 5, "deadline_ms": DEADLINE.as_millis() as u64});
    let answers = (0..times).map(|_| {
        let started = Instant::now();
        let answer = server.post("/v1/recommend", &request).expect(200);
        assert_eq!(answer["items"].as_array().unwrap().len(), 5, "{answer}");
        (answer, started.elapsed())
    });
    answers.collect()
}

fn in_time(answers: &[(Value, Duration)]) {
    let late: Vec<_> = answers.iter().filter(|(_, took)| *took > DEADLINE + Duration::from_millis(10)).collect();
    assert!(late.len() <= DISTURBED, "{} of {} came late: {late:?}", late.len(), answers.len());
}

fn reasons(answers: &[(Value, Duration)]) -> Vec<String> {
    answers.iter().map(|(answer, _)| answer["degraded"].to_string()).collect()
}

#[test]
fn a_ranker_that_is_slow_or_stuck_costs_the_order_and_is_then_left_out() {
    for millis in [400, FOREVER] {
        let sleep = Sleep::default();
        let server = server(Pipeline::default().with_ranker(Box::new(SlowRanker(sleep.clone()))));
        let well = ask(&server, 3);
        assert_eq!(reasons(&well), ["[]"; 3]);
        sleep.set(millis);
        let asked_before = sleep.asked.load(Ordering::Relaxed);
        let event = json!({"user_id": "u1", "item_id": "i3", "event_type": "click"});
        let answers = std::thread::scope(|scope| {
            // A write waits for the state that the stuck ranker still reads: questions must not wait behind it.
            let mut answers = ask(&server, 1);
            let write = scope.spawn(|| server.post("/v1/events", &event).status);
            answers.extend(ask(&server, 11));
            sleep.set(if millis == FOREVER { 0 } else { millis });
            assert_eq!(write.join().unwrap(), 200);
            answers
        });
        sleep.set(millis);
        in_time(&answers);
        let reasons = reasons(&answers);
        assert_eq!(reasons[..3], [r#"["ranker_timeout"]"#; 3]);
        let skipped = reasons.iter().filter(|reason| **reason == r#"["ranker_skipped"]"#).count();
        assert!(skipped >= 7, "{reasons:?}");
        let asked = sleep.asked.load(Ordering::Relaxed) - asked_before;
        assert!(asked <= 5, "a ranker that does not come back was asked {asked} times");
        assert!(answers.iter().all(|(answer, _)| answer["bundle"] == well[0].0["bundle"]));
        assert!(server.get("/metrics").text.contains(r#"shortlist_stages_left_behind_total{stage="ranker"}"#));
        server.get("/readyz").expect(200);
        sleep.set(0);
        let end = Instant::now() + Duration::from_secs(20);
        while ask(&server, 1)[0].0["degraded"] != json!([]) {
            assert!(Instant::now() < end, "the ranker is never asked again");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

#[test]
fn a_source_that_is_stuck_costs_its_share_and_is_then_left_out() {
    let sleep = Sleep::default();
    let server = server(Pipeline::default().with_source(Box::new(SlowSource(sleep.clone())), 0.0));
    sleep.set(FOREVER);
    let answers = ask(&server, 12);
    in_time(&answers);
    let reasons = reasons(&answers);
    assert_eq!(reasons[..3], [r#"["source_timeout"]"#; 3]);
    assert!(reasons[3..].iter().filter(|reason| **reason == r#"["source_skipped"]"#).count() >= 7, "{reasons:?}");
    // The same over the other protocol, whose own clock runs.
    let mut grpc = server.grpc();
    let request = v1::RecommendRequest { user_id: Some("u1".to_owned()), ..v1::RecommendRequest::default() };
    let mut request = tonic::Request::new(request);
    request.set_timeout(DEADLINE);
    let answer = server.runtime.block_on(grpc.recommend(request)).unwrap().into_inner();
    assert_eq!(answer.items.len(), 10);
    sleep.set(0);
}

#[test]
fn a_caller_who_hangs_up_stops_the_stages() {
    struct UntilExhausted(Arc<AtomicUsize>);
    impl Source for UntilExhausted {
        fn name(&self) -> StageName {
            StageName("patient")
        }
        fn propose(&self, _: &RequestContext<'_>, _: usize, budget: &dyn Budget, _: &mut Scratch) -> Proposed {
            while !budget.exhausted() {
                std::thread::sleep(Duration::from_millis(1));
            }
            self.0.fetch_add(1, Ordering::Relaxed);
            Proposed::default()
        }
    }
    let stopped = Arc::new(AtomicUsize::new(0));
    let server = server(Pipeline::default().with_source(Box::new(UntilExhausted(Arc::clone(&stopped))), 0.0));
    let mut grpc = server.grpc();
    server.runtime.block_on(async {
        let request = v1::RecommendRequest { deadline_ms: Some(10_000), ..v1::RecommendRequest::default() };
        // The future is dropped, and with it the stream: the client is gone.
        let hung_up = tokio::time::timeout(Duration::from_millis(100), grpc.recommend(request)).await;
        assert!(hung_up.is_err());
    });
    let end = Instant::now() + Duration::from_secs(5);
    while stopped.load(Ordering::Relaxed) == 0 {
        assert!(Instant::now() < end, "ten seconds of work for nobody");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn of_a_list_that_nobody_saw_nothing_is_kept_and_who_saw_another_one_was_exposed() {
    let half = json!({ "share": 0.5 });
    let files = json!({ "e": { "variants": { "control": half, "other": half } } });
    let files: ExperimentFiles = serde_json::from_value(files).unwrap();
    let experiments = files.resolve(&Surfaces::default()).unwrap();
    let sleep = Sleep::default();
    let pipeline = Pipeline::default().with_ranker(Box::new(SlowRanker(sleep.clone())));
    let config = GatewayConfig { threads: 1, ..quick_config() };
    let server = TestServer::start_of(config, Box::new(|| ()), |recommender| {
        recommender.with_pipeline("home", pipeline).with_experiments(&experiments).unwrap()
    });
    server.fill();
    server.recommender.swap(Some(bundle()));
    let kept = || {
        server.served.flush();
        let reader = server.store.served().unwrap().unwrap();
        let mut exposed = Vec::new();
        reader.exposed("e", &mut |one| exposed.push((one.variant, one.requests))).unwrap();
        (reader.count().unwrap(), exposed)
    };
    let (well, _) = ask(&server, 1).remove(0);
    let variant = well["experiment"]["variant"].as_str().unwrap().to_owned();
    assert_eq!(kept(), (1, vec![(variant.clone(), 1)]));
    sleep.set(400);
    let (early, _) = ask(&server, 1).remove(0);
    assert_eq!((&early["degraded"], &early["experiment"]), (&json!(["ranker_timeout"]), &well["experiment"]));
    // The late list is there by now, and was shown to nobody.
    std::thread::sleep(Duration::from_millis(600));
    assert_eq!(kept(), (1, vec![(variant, 2)]));
}
