//! P7: what does not matter changes nothing, and both protocols give the same answer to the same question, well or ill
//! formed.

use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use shortlist_client::{Client, RecentEvent, RecommendRequest};
use shortlist_load::RestConnection;
use tokio::runtime::Runtime;

use super::{Form, SEED};
use crate::harness::{Server, folder, imported_store, ok};

/// Scores may move by this between two questions: features of time do.
const SCORE_MOVES: f64 = 1e-4;
/// Candidates of a request to this catalogue: a longer list asks for more of them, which are told relative to others.
const CANDIDATES: u32 = 30;

/// Numbers of the items that the catalogue has.
const ITEMS: std::ops::Range<usize> = 1..300;

/// A random question in both tongues.
#[derive(Debug, Clone, Default)]
struct Question {
    user: Option<String>,
    surface: Option<String>,
    k: Option<u32>,
    exclude: Vec<String>,
    candidates: Vec<String>,
    recent: Vec<(String, &'static str)>,
    item: Option<String>,
    filter: Option<String>,
}

/// What came, without what differs from one time to the next.
#[derive(Debug)]
struct Heard {
    items: Vec<(String, f64)>,
    rest: Value,
}

pub fn check(form: Form) -> String {
    let folder = folder();
    let store = imported_store(&folder);
    ok(&["train", "--store", &store, "--promote", "always"]);
    let server = Server::start(&store);
    let runtime = Runtime::new().unwrap();
    let mut asker = runtime.block_on(Asker::open(&server));
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let questions = form.pick(150, 10_000);
    let (mut refused, mut items) = (0, 0);
    for number in 0..questions {
        let question = Question::draw(&mut rng);
        let (over_rest, over_grpc) = runtime.block_on(asker.both(&question));
        assert_same(&over_rest, &over_grpc, &format!("question {number}, REST and gRPC: {question:?}"));
        refused += usize::from(over_rest.rest["code"].is_string());
        items += over_rest.items.len();
        for (what, changed, most) in question.that_does_not_matter(&over_rest, &mut rng) {
            let other = runtime.block_on(asker.both(&changed)).0;
            let (begin, rest) = (&other.items[..most.min(other.items.len())], &other.rest["code"]);
            assert_eq!(rest, &over_rest.rest["code"], "question {number}, {what}: {question:?}");
            let begin = Heard { items: begin.to_vec(), rest: over_rest.rest.clone() };
            assert_same(&over_rest, &begin, &format!("question {number}, {what}: {question:?}"));
        }
    }
    assert!(refused > 0 && refused < questions / 2, "{refused} of {questions} refused: a weak test");
    format!(
        "{questions} questions over both protocols, {refused} of them refused alike, {items} items; permuted, excluded and doubled"
    )
}

/// The same items, or neighbours with scores so near that time may turn them round.
fn assert_same(one: &Heard, other: &Heard, what: &str) {
    assert_eq!(one.rest, other.rest, "{what}");
    assert_eq!(one.items.len(), other.items.len(), "{what}");
    for ((id, score), (other_id, other_score)) in one.items.iter().zip(&other.items) {
        let moved = (score - other_score).abs() / score.abs().max(1.0);
        assert!(moved < SCORE_MOVES, "{what}: {id} scores {score}, {other_id} {other_score}");
        let near = |score: f64| one.items.iter().filter(|(_, other)| (score - other).abs() < 2.0 * SCORE_MOVES).count();
        assert!(
            id == other_id || near(*score) > 1 || one.items.last().is_some_and(|last| last.0 == *id),
            "{what}: {id}, {other_id}"
        );
    }
}

impl Question {
    fn draw(rng: &mut ChaCha8Rng) -> Self {
        let item = |rng: &mut ChaCha8Rng| format!("item-{}", rng.random_range(0..330));
        let items = |rng: &mut ChaCha8Rng, most: usize| (0..rng.random_range(0..=most)).map(|_| item(rng)).collect();
        let filters = [
            "price < 20",
            "price >= 5 and not category = 'category-1'",
            "category in ['category-0', 'category-2']",
            "price <",
            "colour = 'red'",
        ];
        let about_item = rng.random_bool(0.15);
        Self {
            user: rng.random_bool(0.9).then(|| format!("user-{}", rng.random_range(0..170))),
            surface: match rng.random_range(0..20) {
                0 => Some("nowhere".to_owned()),
                _ if about_item => Some("similar-items".to_owned()),
                _ => None,
            },
            k: rng.random_bool(0.8).then(|| if rng.random_bool(0.05) { 0 } else { rng.random_range(1..40) }),
            exclude: items(rng, 5),
            candidates: items(rng, 8),
            recent: (0..rng.random_range(0..3))
                .map(|_| (item(rng), ["click", "view"][rng.random_range(0..2)]))
                .collect(),
            item: about_item.then(|| item(rng)),
            filter: rng.random_bool(0.3).then(|| filters[rng.random_range(0..filters.len())].to_owned()),
        }
    }

    /// Changes that must not change the answer, each with how many items it is about.
    fn that_does_not_matter(&self, heard: &Heard, rng: &mut ChaCha8Rng) -> Vec<(&'static str, Self, usize)> {
        let shown = heard.items.len();
        let mut permuted = self.clone();
        // Of somebody of whom nothing is known the caller's order is the last word.
        let is_known = |(item, _): &(String, &str)| ITEMS.contains(&item.trim_start_matches("item-").parse().unwrap());
        if self.recent.iter().any(is_known) {
            permuted.candidates.shuffle(rng);
        }
        permuted.exclude.shuffle(rng);
        let mut excluded = self.clone();
        excluded.exclude.push("never-was".to_owned());
        let mut changed = vec![("permuted", permuted, shown), ("an unknown item excluded", excluded, shown)];
        let doubled = self.k.unwrap_or(10) * 2;
        if doubled <= CANDIDATES {
            changed.push(("k doubled", Self { k: Some(doubled), ..self.clone() }, shown));
        }
        changed
    }

    fn json(&self) -> Value {
        let recent: Vec<_> =
            self.recent.iter().map(|(item, kind)| json!({"item_id": item, "event_type": kind})).collect();
        let mut body = json!({
            "exclude": self.exclude, "candidates": self.candidates, "recent": recent, "deadline_ms": 10_000,
        });
        let optional =
            [("user_id", &self.user), ("surface", &self.surface), ("item_id", &self.item), ("filter", &self.filter)];
        for (name, value) in optional {
            if let Some(value) = value {
                body[name] = json!(value);
            }
        }
        if let Some(k) = self.k {
            body["k"] = json!(k);
        }
        body
    }

    fn message(&self) -> RecommendRequest {
        let recent = self.recent.iter().map(|(item, kind)| RecentEvent {
            item_id: item.clone(),
            event_type: (*kind).to_owned(),
            ..RecentEvent::default()
        });
        RecommendRequest {
            user_id: self.user.clone(),
            surface: self.surface.clone(),
            k: self.k,
            exclude: self.exclude.clone(),
            candidates: self.candidates.clone(),
            recent: recent.collect(),
            item_id: self.item.clone(),
            filter: self.filter.clone(),
            deadline_ms: Some(10_000),
            ..RecommendRequest::default()
        }
    }
}

struct Asker {
    rest: RestConnection,
    grpc: Client,
}

impl Asker {
    async fn open(server: &Server) -> Self {
        let address = server.address.parse().unwrap();
        Self {
            rest: RestConnection::open_at(address).await.unwrap(),
            grpc: Client::connect(&server.url).await.unwrap(),
        }
    }

    async fn both(&mut self, question: &Question) -> (Heard, Heard) {
        let response = self.rest.post("/v1/recommend", &question.json(), None).await.unwrap();
        let answer: Value = serde_json::from_slice(response.body()).unwrap();
        let items = answer["items"].as_array().cloned().unwrap_or_default();
        let items =
            items.iter().map(|item| (item["item_id"].as_str().unwrap().to_owned(), item["score"].as_f64().unwrap()));
        let rest = match answer["code"].is_string() {
            true => json!({"code": answer["code"], "detail": answer["detail"]}),
            false => {
                json!({"bundle": answer["bundle"], "degraded": answer["degraded"], "score_kind": answer["score_kind"], "log_seq": answer["log_seq"]})
            }
        };
        let over_rest = Heard { items: items.collect(), rest };
        let over_grpc = match self.grpc.recommend(question.message()).await {
            Ok(answer) => {
                let items = answer.items.iter().map(|item| (item.item_id.clone(), f64::from(item.score)));
                let rest = json!({
                    "bundle": answer.bundle, "degraded": answer.degraded, "score_kind": answer.score_kind,
                    "log_seq": answer.log_seq,
                });
                Heard { items: items.collect(), rest }
            }
            Err(error) => {
                let refusal = error.refusal().unwrap();
                Heard { items: Vec::new(), rest: json!({"code": refusal.code, "detail": refusal.message}) }
            }
        };
        (over_rest, over_grpc)
    }
}
